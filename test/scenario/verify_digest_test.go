package scenario

import (
	"testing"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// TestRowsOfPointWritesAreCompared: a row that is another on one node comes to light when it
// is changed, in another column too.
func TestRowsOfPointWritesAreCompared(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ setting, code string }{{"on", "40001"}, {"auto", ""}} {
		t.Run(tt.setting, func(t *testing.T) {
			s := newStage(t, proxy.WithConfig("verify_digest = "+tt.setting))
			s.exec(s.connect(), "CREATE TABLE item (id int PRIMARY KEY, text text, other int DEFAULT 0); INSERT INTO item VALUES (1), (2), (3)")
			s.on(2, "UPDATE item SET other = 7")
			for _, mode := range protocols {
				conn := s.connectBy(mode)
				for _, sql := range []string{"UPDATE item SET text = 'new' WHERE id = 1", "INSERT INTO item (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET text = 'newer'"} {
					if _, err := conn.Exec(bounded(t), sql); codeOf(err) != tt.code {
						t.Errorf("%s: %v, want SQLSTATE %q", sql, err, tt.code)
					}
				}
				tag, err := conn.Exec(bounded(t), "INSERT INTO item VALUES (9, 'x')")
				if err != nil || tag.String() != "INSERT 0 1" {
					t.Errorf("insert of a new row: %s, %v", tag, err)
				}
				if _, err := conn.Exec(bounded(t), "DELETE FROM item WHERE id = 9"); err != nil {
					t.Error(err)
				}
			}
			s.wantAllUp()
		})
	}
}
