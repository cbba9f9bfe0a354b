package nodecheck

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

func facts(lines ...string) Facts {
	var out Facts
	for _, line := range lines {
		words := strings.Split(line, "|")
		out = append(out, Fact{Kind: words[0], Database: words[1], Name: words[2], Value: words[3]})
	}
	return out
}

func TestCompare(t *testing.T) {
	main := facts("setting||TimeZone|UTC", "planner setting||work_mem|4MB", "role||clerk|{}", "extension|app|hstore|1.8", "password of role||clerk|a")
	tests := []struct {
		name string
		node Facts
		want []string
	}{
		{"alike", main, nil},
		{"in another order", append(slices.Clone(main[2:]), main[:2]...), nil},
		{"the gravest comes first", facts("planner setting||work_mem|8MB", "setting||TimeZone|CET", "role||clerk|{}", "extension|app|hstore|1.8"),
			[]string{`fence: setting TimeZone is "CET", on node 0 "UTC"`, `warn: planner setting work_mem is "8MB", on node 0 "4MB"`}},
		{"missing", append(slices.Clone(main[:2]), main[3:4]...), []string{`refuse: role clerk is missing, node 0 has "{}"`}},
		{"extra", append(slices.Clone(main), Fact{Kind: "role", Name: "stranger", Value: "{}"}), []string{`refuse: role stranger is "{}", node 0 has none`}},
		{"not a superuser, so nothing is known of passwords", main[:4], nil},
		{"another password", append(slices.Clone(main[:4]), Fact{Kind: "password of role", Name: "clerk", Value: "b"}),
			[]string{`warn: password of role clerk is "b", on node 0 "a"`}},
		{"a database that is not there has no extensions", append(slices.Clone(main[:3]), main[4]), nil},
		{"other version of an extension", append(slices.Clone(main[:3]), Fact{Kind: "extension", Database: "app", Name: "hstore", Value: "1.7"}),
			[]string{`refuse: extension hstore in database app is "1.7", on node 0 "1.8"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range Compare(0, main, 2, tt.node) {
				got = append(got, d.Action().String()+": "+d.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestCulprits(t *testing.T) {
	differs := func(ids ...config.NodeID) []Difference {
		var out []Difference
		for _, id := range ids {
			out = append(out, Difference{Node: id, Kind: KindSetting, Name: "TimeZone", Want: "UTC", Value: "CET"})
		}
		return out
	}
	tests := []struct {
		name  string
		wrong []Difference
		nodes int
		want  []config.NodeID
	}{
		{"none", nil, 3, nil},
		{"one of two: main is right", differs(1), 2, []config.NodeID{1}},
		{"one of three", differs(2), 3, []config.NodeID{2}},
		{"all others stand against main", differs(1, 2), 3, nil},
		{"half of four", differs(2, 3), 4, []config.NodeID{2, 3}},
		{"a node is named once", append(differs(2), Difference{Node: 2, Kind: KindServer, Name: "x"}), 3, []config.NodeID{2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Culprits(tt.wrong, tt.nodes); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestUnlikeNamesTheFirstAndTheRemedy(t *testing.T) {
	var many []Difference
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		many = append(many, Difference{Node: 1, Kind: KindRole, Name: name, Want: "{}", Lacks: true})
	}
	got := (&Unlike{many}).Error()
	for _, want := range []string{"role a is missing", "role c is missing", "and 2 more", "create or alter the role"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if strings.Contains(got, "role d") {
		t.Errorf("too long: %q", got)
	}
}

func TestUntilNext(t *testing.T) {
	tests := []struct {
		name                   string
		interval, passed, want int64
	}{
		{"off: asked again in a minute", 0, 5, 60},
		{"due", 600, 600, 0},
		{"overdue", 600, 900, 0},
		{"nearly", 600, 590, 10},
		{"far: asked again in a minute", 600, 0, 60},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := untilNext(seconds(tt.interval), seconds(tt.passed)); got != seconds(tt.want) {
				t.Errorf("got %v, want %v", got, seconds(tt.want))
			}
		})
	}
}
