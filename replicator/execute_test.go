package replicator

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// anew reports that nothing has reached the frontend.
func anew() bool { return true }

// once answers so when it is asked first, and then that there is nothing.
func once(withhold bool, err error) func() (bool, error) {
	asked := false
	return func() (bool, error) {
		if asked {
			return false, nil
		}
		asked = true
		return withhold, err
	}
}

func isNode0(n Node) bool { return n.ID() == 0 }

func TestExecute(t *testing.T) {
	tests := []struct {
		name    string
		nodes   [][]said
		opt     Options
		want    string
		journal string
	}{
		{"main first, then the others at once",
			[][]said{ok("UPDATE 1"), ok("UPDATE 1"), ok("UPDATE 1")}, Options{},
			"main 0: UPDATE 1", "start 0 answers, finish 0 visible, start 1, start 2, finish 1, finish 2"},
		{"one node", [][]said{ok("UPDATE 1")}, Options{}, "main 0: UPDATE 1", "start 0 answers, finish 0 visible"},
		{"error on main: the others do not hear of it",
			[][]said{fails("23505"), ok("INSERT 0 1")}, Options{},
			"main 0: error 23505 (no)", "start 0 answers, finish 0 visible"},
		{"error on main, regardless",
			[][]said{fails("P0001"), fails("P0001"), ok("CALL")}, Options{Regardless: func(code string) bool { return code == "P0001" }},
			"main 0: error P0001 (no); node 2 answered CALL, main node error P0001 (no)", "start 0 answers, finish 0 visible, start 1, start 2, finish 1, finish 2"},
		{"error on main behind a sequence: the others draw from it too, whatever they answer",
			[][]said{fails("23505"), ok("INSERT 0 1"), one(said{startLost: true}), one(said{lost: true})}, Options{AfterFailure: func(code string) bool { return code == "23505" }},
			"main 0: error 23505 (no); lost 2; lost 3", "start 0 answers, finish 0 visible, start 1, start 2, start 3, finish 1, finish 3"},
		{"error on main that drew nothing", [][]said{fails("42601"), ok("INSERT 0 1")}, Options{AfterFailure: func(code string) bool { return code == "23505" }},
			"main 0: error 42601 (no)", "start 0 answers, finish 0 visible"},
		{"another row count", [][]said{ok("UPDATE 1"), ok("UPDATE 2"), ok("UPDATE 1")}, Options{}, "main 0: UPDATE 1; node 1 answered UPDATE 2, main node UPDATE 1", ""},
		{"an error on another node", [][]said{ok("UPDATE 1"), ok("UPDATE 1"), fails("40P01")}, Options{}, "main 0: UPDATE 1; node 2 answered error 40P01 (no), main node UPDATE 1", ""},
		{"no node", nil, Options{}, "nobody", ""},

		// What happens when a node is lost (design page 3).
		{"main lost when the statement is sent: the next one runs it first",
			[][]said{one(said{startLost: true}), ok("UPDATE 1"), ok("UPDATE 1")}, Options{},
			"main 1: UPDATE 1; lost 0", "start 0 answers, start 1 answers, finish 1 visible, start 2, finish 2"},
		{"main lost while it runs: the next one runs it first",
			[][]said{one(said{lost: true}), ok("UPDATE 1"), ok("UPDATE 1")}, Options{},
			"main 1: UPDATE 1; lost 0", "start 0 answers, finish 0 visible, start 1 answers, finish 1 visible, start 2, finish 2"},
		{"main lost after rows were forwarded",
			[][]said{one(said{lost: true}), ok("UPDATE 1")}, Options{Repeatable: func() bool { return false }},
			"nobody; lost 0; broken", "start 0 answers, finish 0 visible"},
		{"main left service as it answered: the next one runs it first",
			[][]said{ok("UPDATE 1"), ok("UPDATE 1"), ok("UPDATE 1")}, Options{Left: isNode0},
			"main 1: UPDATE 1; lost 0", "start 0 answers, finish 0 visible, start 1 answers, finish 1 visible, start 2, finish 2"},
		{"main left service as it failed: the next one runs it first",
			[][]said{fails("40P01"), ok("UPDATE 1")}, Options{Left: isNode0}, "main 1: UPDATE 1; lost 0", ""},
		{"main left service after rows were forwarded: the others do what it did",
			[][]said{ok("SELECT 1"), ok("SELECT 1")}, Options{Left: isNode0, Repeatable: func() bool { return false }},
			"main 0: SELECT 1", "start 0 answers, finish 0 visible, start 1, finish 1"},
		{"the only node left service", [][]said{ok("UPDATE 1")}, Options{Left: isNode0}, "main 0: UPDATE 1", ""},
		{"main lost when it is asked what it has done: the next one runs it first",
			[][]said{ok("UPDATE 1"), ok("UPDATE 1"), ok("UPDATE 1")}, Options{Withhold: once(false, errLost)},
			"main 1: UPDATE 1; lost 0", "start 0 answers, finish 0 visible, start 1 answers, finish 1 visible, start 2, finish 2"},
		{"the only node lost then", [][]said{ok("UPDATE 1")}, Options{Withhold: once(false, errLost)}, "nobody; lost 0", ""},
		{"kept from the others", [][]said{ok("UPDATE 1"), ok("UPDATE 1")}, Options{Withhold: once(true, nil)}, "main 0: UPDATE 1", "start 0 answers, finish 0 visible"},
		{"main and the next lost", [][]said{one(said{lost: true}), one(said{lost: true}), ok("UPDATE 1")}, Options{}, "main 2: UPDATE 1; lost 0; lost 1", ""},
		{"all lost", [][]said{one(said{lost: true}), one(said{startLost: true})}, Options{}, "nobody; lost 0; lost 1", ""},
		{"another lost when the statement is sent: the rest goes on",
			[][]said{ok("UPDATE 1"), one(said{startLost: true}), ok("UPDATE 1")}, Options{},
			"main 0: UPDATE 1; lost 1", "start 0 answers, finish 0 visible, start 1, start 2, finish 2"},
		{"another lost while it runs: nothing is repeated",
			[][]said{ok("UPDATE 1"), ok("UPDATE 1"), one(said{lost: true})}, Options{},
			"main 0: UPDATE 1; lost 2", "start 0 answers, finish 0 visible, start 1, start 2, finish 1, finish 2"},
		{"one lost and one different", [][]said{ok("UPDATE 1"), one(said{lost: true}), ok("UPDATE 0")}, Options{}, "main 0: UPDATE 1; lost 1; node 2 answered UPDATE 0, main node UPDATE 1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, journal := nodes(tt.nodes...)
			if tt.opt.Repeatable == nil {
				tt.opt.Repeatable = anew
			}
			if got := shown(Execute(t.Context(), made, tt.opt)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			calls := strings.Join(*journal, ", ")
			if strings.Contains(calls, "AFTER ITS LOSS") || tt.journal != "" && calls != tt.journal {
				t.Errorf("calls %q, want %q", calls, tt.journal)
			}
		})
	}
}

func TestExecuteCopy(t *testing.T) {
	waits := said{copyIn: true}
	done := said{tag: "COPY 2"}
	tests := []struct {
		name    string
		nodes   [][]said
		err     error // of the frontend
		want    string
		journal string
	}{
		{"to all that wait for it",
			[][]said{{waits, done}, {waits, done}, {waits, done}}, nil,
			"main 0: COPY 2", "start 0 answers, finish 0 visible, start 1, start 2, finish 1, finish 2, data for 0 1 2, finish 0 visible, finish 1, finish 2"},
		{"another refuses", [][]said{{waits, done}, fails("42501"), {waits, done}}, nil, "main 0: COPY 2; node 1 answered error 42501 (no), main node a request for copy data", ""},
		{"another lost before the data", [][]said{{waits, done}, one(said{lost: true}), {waits, done}}, nil, "main 0: COPY 2; lost 1", ""},
		{"main lost among the data: the next has had the same",
			[][]said{{waits, {lost: true}}, {waits, done}, {waits, done}}, nil,
			"main 1: COPY 2; lost 0", "start 0 answers, finish 0 visible, start 1, start 2, finish 1, finish 2, data for 0 1 2, finish 0 visible, finish 1 visible, finish 2"},
		{"all lost among the data", [][]said{{waits, {lost: true}}, {waits, {lost: true}}}, nil, "nobody; lost 0; lost 1", ""},
		{"another row count", [][]said{{waits, done}, {waits, {tag: "COPY 1"}}}, nil, "main 0: COPY 2; node 1 answered COPY 1, main node COPY 2", ""},
		{"an error for all", [][]said{{waits, {code: "22P02"}}, {waits, {code: "22P02"}}}, nil, "main 0: error 22P02 (no)", ""},
		{"the frontend leaves", [][]said{{waits, done}, {waits, done}}, errors.New("gone"), "main 0: a request for copy data; frontend: gone", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, journal := nodes(tt.nodes...)
			got := shown(Execute(t.Context(), made, Options{Repeatable: anew, Copy: func(_ context.Context, waiting []Node) error {
				text := "data for"
				for _, node := range waiting {
					text += " " + string(rune('0'+node.ID()))
				}
				*journal = append(*journal, text)
				return tt.err
			}}))
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			calls := strings.Join(*journal, ", ")
			if strings.Contains(calls, "AFTER ITS LOSS") || tt.journal != "" && calls != tt.journal {
				t.Errorf("calls %q, want %q", calls, tt.journal)
			}
		})
	}
}

// TestDifferencesKeepMainsAnswer: an Answer belongs to its node and is overwritten by the
// node's next statement; what differs must have been said in words by then.
func TestDifferencesKeepMainsAnswer(t *testing.T) {
	made, _ := nodes([]said{{tag: "UPDATE 1"}, {tag: "DELETE 9"}}, []said{{tag: "UPDATE 2"}, {tag: "DELETE 9"}})
	first := Execute(t.Context(), made, Options{Repeatable: anew})
	Execute(t.Context(), made, Options{Repeatable: anew})
	if got := first.Differ[0].String(); got != "node 1 answered UPDATE 2, main node UPDATE 1" {
		t.Errorf("got %q", got)
	}
}
