package nodecheck

import (
	"slices"
	"testing"
	"time"
)

func TestClockValue(t *testing.T) {
	before := time.Unix(1000, 0)
	after := before.Add(3 * time.Second)
	tests := []struct {
		name    string
		seconds float64
		want    string
	}{
		{"between question and answer", 1002, "like ours"},
		{"a little behind", 999.5, "like ours"},
		{"a little ahead", 1003.9, "like ours"},
		{"behind", 990, "10 s behind ours"},
		{"ahead", 1063, "60 s ahead of ours"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clockValue(before, after, tt.seconds); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestOtherVersionsAndClocks: what scripts on servers of one version and one host cannot
// show.
func TestOtherVersionsAndClocks(t *testing.T) {
	main := facts("setting||server_version|15", "platform||server_version_num|150008", "server||time zone data|a", "clock||of the host|like ours")
	tests := []struct {
		name string
		node Facts
		want string
	}{
		{"another major version", facts("setting||server_version|16", "platform||server_version_num|150008", "server||time zone data|a", "clock||of the host|like ours"),
			`fence: setting server_version is "16", on node 0 "15"`},
		{"another minor version", facts("setting||server_version|15", "platform||server_version_num|150009", "server||time zone data|a", "clock||of the host|like ours"),
			`warn: platform server_version_num is "150009", on node 0 "150008"`},
		{"other rules of time zones", facts("setting||server_version|15", "platform||server_version_num|150008", "server||time zone data|b", "clock||of the host|like ours"),
			`fence: server time zone data is "b", on node 0 "a"`},
		{"a clock that is wrong", facts("setting||server_version|15", "platform||server_version_num|150008", "server||time zone data|a", "clock||of the host|60 s ahead of ours"),
			`warn: clock of the host is "60 s ahead of ours", on node 0 "like ours"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range Compare(0, main, 2, tt.node) {
				got = append(got, d.Action().String()+": "+d.String())
			}
			if !slices.Equal(got, []string{tt.want}) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
