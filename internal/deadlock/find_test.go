package deadlock

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// waitsOf reads "1>2@0": session 1 waits for session 2 on node 0; p7 is another process.
func waitsOf(t testing.TB, text string) []Wait {
	var waits []Wait
	for _, word := range strings.Fields(text) {
		var who, whom string
		var on int
		if _, err := fmt.Sscanf(strings.NewReplacer(">", " ", "@", " ").Replace(word), "%s %s %d", &who, &whom, &on); err != nil {
			t.Fatalf("%s: %v", word, err)
		}
		party := func(name string) Party {
			var n uint32
			if _, err := fmt.Sscan(strings.TrimPrefix(name, "p"), &n); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "p") {
				return Party{Node: config.NodeID(on), PID: n}
			}
			return Party{Session: n}
		}
		waits = append(waits, Wait{party(who), party(whom), config.NodeID(on)})
	}
	return waits
}

func TestFind(t *testing.T) {
	tests := []struct{ name, waits, want string }{
		{"nobody waits", "", ""},
		{"a queue", "2>1@0 3>2@0 4>1@1", ""},
		{"a reader and an ALTER TABLE on two nodes", "1>2@0 2>1@1", "session 1 waits for session 2 waits for session 1"},
		{"two on one node, which its server ends", "1>2@0 2>1@0", ""},
		{"the same wait on two nodes is no cycle", "1>2@0 1>2@1", ""},
		{"a cycle on each node is each server's", "1>2@0 2>1@0 3>4@1 4>3@1", ""},
		{"three over three nodes", "1>2@0 2>3@1 3>1@2", "session 1 waits for session 2 waits for session 3 waits for session 1"},
		{"over a process of somebody else", "1>p7@1 p7>2@1 2>1@0", "process 7 on node 1 waits for session 2 waits for session 1 waits for process 7 on node 1"},
		{"the same number of a process on two nodes is two", "1>p7@1 p7>1@0", ""},
		{"two cycles", "1>2@0 2>1@1 3>4@0 4>3@2", "session 1 waits for session 2 waits for session 1; session 3 waits for session 4 waits for session 3"},
		{"one waits for both of a cycle", "9>1@0 9>2@1 1>2@0 2>1@1", "session 1 waits for session 2 waits for session 1"},
		{"a way around over another node", "1>2@0 2>1@0 2>1@1", "session 1 waits for session 2 waits for session 1"},
		{"of two blockers one is in a cycle", "1>2@0 1>3@0 3>1@1", "session 1 waits for session 3 waits for session 1"},
		{"itself", "1>1@0", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, cycle := range Find(waitsOf(t, tt.waits)) {
				got = append(got, describe(cycle))
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

func TestVictim(t *testing.T) {
	old, young := time.Unix(1, 0), time.Unix(2, 0)
	cycle := []Party{{Session: 1}, {PID: 7}, {Session: 2}}
	tests := []struct {
		name     string
		one, two Statement
		want     uint32
	}{
		{"not the DDL", Statement{DDL: true, Since: young}, Statement{Writes: 9, Since: old}, 2},
		{"who has done least", Statement{Writes: 1, Since: old}, Statement{Writes: 2, Since: young}, 1},
		{"the youngest", Statement{Since: young}, Statement{Since: old}, 1},
		{"the newest session", Statement{Since: old}, Statement{Since: old}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.one.Session, tt.two.Session = 1, 2
			got, ok := Victim(cycle, map[uint32]Statement{1: tt.one, 2: tt.two})
			if !ok || got.Session != tt.want {
				t.Errorf("got session %d, want %d", got.Session, tt.want)
			}
		})
	}
	if _, ok := Victim(cycle[1:2], nil); ok {
		t.Error("a victim that is not ours")
	}
}

// FuzzFind: what is found is a cycle of the waits, over more than one node.
func FuzzFind(f *testing.F) {
	f.Add([]byte{1, 2, 0, 2, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var waits []Wait
		for ; len(data) >= 3; data = data[3:] {
			waits = append(waits, Wait{Party{Session: uint32(data[0]%8 + 1)}, Party{Session: uint32(data[1]%8 + 1)}, config.NodeID(data[2] % 3)})
		}
		for _, cycle := range Find(waits) {
			nodes := map[config.NodeID]bool{}
			for _, party := range cycle {
				waiting := false
				for _, w := range waits {
					if w.Who == party && w.Who != w.For {
						waiting = true
						nodes[w.On] = true
					}
				}
				if !waiting {
					t.Fatalf("%v: %v waits for nobody", waits, party)
				}
			}
			if len(cycle) < 2 || len(nodes) < 2 {
				t.Fatalf("%v: %v", waits, cycle)
			}
		}
	})
}
