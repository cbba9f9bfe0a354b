package session

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

func TestChooseCommitMode(t *testing.T) {
	tests := []struct {
		name string
		in   commitInput
		want replicator.CommitMode
	}{
		{"alone", commitInput{configured: config.CommitAuto}, replicator.Parallel},
		{"alone, and could prepare", commitInput{configured: config.CommitAuto, canPrepare: true}, replicator.Parallel},
		{"several servers", commitInput{configured: config.CommitAuto, several: true}, replicator.MainLast},
		{"parallel, as asked", commitInput{configured: config.CommitParallel, several: true}, replicator.Parallel},
		{"main last, as asked", commitInput{configured: config.CommitMainLast}, replicator.MainLast},
		{"main first, as asked", commitInput{configured: config.CommitMainFirst, several: true}, replicator.MainFirst},
		{"last agent, as asked", commitInput{configured: config.CommitLastAgent, canPrepare: true}, replicator.LastAgent},
		{"last agent, which nodes do not allow", commitInput{configured: config.CommitLastAgent}, replicator.MainFirst},
		{"serializable", commitInput{configured: config.CommitAuto, serializable: true, canPrepare: true}, replicator.LastAgent},
		{"serializable, cannot prepare", commitInput{configured: config.CommitParallel, serializable: true}, replicator.MainFirst},
		{"serializable under main last", commitInput{configured: config.CommitMainLast, several: true, serializable: true}, replicator.MainFirst},
		{"NOTIFY", commitInput{configured: config.CommitParallel, notifies: true, canPrepare: true}, replicator.MainFirst},
		{"NOTIFY under last agent", commitInput{configured: config.CommitLastAgent, notifies: true, canPrepare: true}, replicator.MainFirst},
		{"NOTIFY, serializable", commitInput{configured: config.CommitAuto, serializable: true, notifies: true, canPrepare: true}, replicator.MainFirst},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := chooseCommitMode(tt.in); got != tt.want {
				t.Errorf("got mode %d, want %d", got, tt.want)
			}
		})
	}
}

func TestSetsTimeout(t *testing.T) {
	tests := map[string]bool{
		"SET statement_timeout = 5":                      true,
		"SET LOCAL lock_timeout TO '1s'":                 true,
		"SET Transaction_Timeout = 5":                    true,
		"RESET lock_timeout":                             true,
		"RESET ALL":                                      true,
		"SELECT set_config('Lock_Timeout', '1', false)":  true,
		"SELECT set_config(name, '1', false) FROM t":     true,
		"SELECT set_config('work_mem', '1MB', false)":    false,
		"SET work_mem = '1MB'":                           false,
		"SELECT 'statement_timeout'":                     false,
		"SET idle_in_transaction_session_timeout = '1s'": false,
	}
	for sql, want := range tests {
		if got := setsTimeout(&parser.Classify(sql).Statements[0]); got != want {
			t.Errorf("%s: %t", sql, got)
		}
	}
}
