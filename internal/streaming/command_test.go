package streaming

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseDelays(t *testing.T) {
	tests := []struct {
		name   string
		output string
		want   string // of three nodes, ? for what is not known
		ok     bool
	}{
		{"whole numbers", "0 25 1000\n", "0s 25ms 1s", true},
		{"decimals", "0.5 1.25 3e2", "500µs 1.25ms 300ms", true},
		{"any blanks", "\t1\n\n 2  3", "1ms 2ms 3ms", true},
		{"a node that is down", "1 -1 3", "1ms ? 3ms", true},
		{"more than wanted", "1 2 3 4 x", "1ms 2ms 3ms", true},
		{"fewer than wanted", "1 2", "1ms 2ms ?", false},
		{"none", "", "? ? ?", false},
		{"no number", "1 soon 3", "1ms ? 3ms", false},
		{"another negative", "1 -2 3", "1ms ? 3ms", false},
		{"not a number", "NaN 2 3", "? 2ms 3ms", false},
		{"infinite", "+Inf 2 1e300", "? 2ms ?", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			delays, err := parseDelays(tt.output, 3)
			var got []string
			for _, d := range delays {
				text := "?"
				if d.known {
					text = d.delay.String()
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != tt.want || (err == nil) != tt.ok {
				t.Errorf("parseDelays(%q) = %q, %v, want %q", tt.output, got, err, tt.want)
			}
		})
	}
}

func TestRunSource(t *testing.T) {
	standbys := []Node{{ID: 1, Host: "h1", Port: 5432}, {ID: 2, Host: "it's", Port: 5433}}
	tests := []struct {
		name    string
		command string
		limit   time.Duration
		want    string
		err     string
	}{
		{"arguments", "printf '%s|'", 0, "h1:5432|it's:5433|", ""},
		{"what it says of errors is not read", "echo noise >&2; echo", 0, "h1:5432 it's:5433\n", ""},
		{"exit status", "echo 1; echo broken >&2; exit 3;", 0, "", "exit status 3: broken\n"},
		{"too slow", "exec sleep 1000; true", time.Millisecond, "", "no answer within 1ms"},
		{"too much", "yes | head -c 100000; true", 0, strings.Repeat("y\n", maxCommandOutput/2), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := runSource(t.Context(), Settings{SourceCommand: tt.command, SourceTimeout: tt.limit}, standbys)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != tt.want || text != tt.err {
				t.Errorf("%.100q, %q, want %.100q, %q", got, text, tt.want, tt.err)
			}
		})
	}
}

func TestStandbysOfAreInOrderWithoutThePrimary(t *testing.T) {
	got := standbysOf(Settings{Nodes: []Node{{ID: 2}, {ID: 0}, {ID: 1}}}, 1)
	if fmt.Sprint(got[0].ID, got[1].ID, len(got)) != "0 2 2" {
		t.Errorf("%v", got)
	}
}

func TestDelayText(t *testing.T) {
	known := Delay{Known: true, Bytes: 2000, Time: 1500 * time.Millisecond}
	command := Delay{Known: true, Time: time.Second, ByCommand: true}
	const from = " from the primary server (node: 0)"
	tests := []struct {
		name     string
		delay    Delay
		settings Settings
		want     string
		over     bool
	}{
		{"no threshold", known, Settings{}, "is behind 2000 bytes", false},
		{"bytes, below", known, Settings{DelayThreshold: 2000}, "is behind 2000 bytes", false},
		{"bytes, over", known, Settings{DelayThreshold: 1999}, "is behind 2000 bytes", true},
		{"time wins over bytes", known, Settings{DelayThreshold: 1, DelayThresholdByTime: 2 * time.Second}, "is behind 1.500000 second(s)", false},
		{"time, over", known, Settings{DelayThresholdByTime: time.Second}, "is behind 1.500000 second(s)", true},
		{"by command", command, Settings{DelayThreshold: 1}, "is behind 1.000000 second(s)", false},
		{"by command, over", command, Settings{DelayThresholdByTime: time.Millisecond}, "is behind 1.000000 second(s)", true},
		{"unknown, no threshold", Delay{}, Settings{}, "is behind by an unknown amount", false},
		{"unknown", Delay{}, Settings{DelayThreshold: 1}, "is behind by an unknown amount", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, over := delayText(tt.delay, tt.settings, 1, 0)
			if text != "Replication of node: 1 "+tt.want+from || over != tt.over {
				t.Errorf("%q, %t", text, over)
			}
		})
	}
}
