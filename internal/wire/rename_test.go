package wire

import (
	"bytes"
	"testing"
)

func TestStatementIsRenamed(t *testing.T) {
	const before = "before"
	for name, c := range map[string]struct{ message, want []byte }{
		"bind":              {AppendBindPlain(nil, "portal", "mine"), AppendBindPlain(nil, "portal", "pgchorus_s1")},
		"bind, no portal":   {AppendBindPlain(nil, "", "mine"), AppendBindPlain(nil, "", "pgchorus_s1")},
		"shorter":           {AppendBindPlain(nil, "p", "a name that is longer than ours"), AppendBindPlain(nil, "p", "pgchorus_s1")},
		"describe":          {AppendDescribe(nil, 'S', "mine"), AppendDescribe(nil, 'S', "pgchorus_s1")},
		"nothing in it":     {AppendMessage(nil, KindBind, nil), AppendMessage(nil, KindBind, nil)},
		"no end of a name":  {AppendMessage(nil, KindBind, []byte("p\x00s")), AppendMessage(nil, KindBind, []byte("p\x00s"))},
		"no end of portals": {AppendMessage(nil, KindBind, []byte("p")), AppendMessage(nil, KindBind, []byte("p"))},
	} {
		t.Run(name, func(t *testing.T) {
			got := RenameStatement(append([]byte(before), c.message...), len(before), "pgchorus_s1")
			if want := append([]byte(before), c.want...); !bytes.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
