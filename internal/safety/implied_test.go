package safety

import (
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// TestJudgeOfCodeThatNoTextNames: behind operators, casts and views.
func TestJudgeOfCodeThatNoTextNames(t *testing.T) {
	t.Parallel()
	implied, err := catalog.ParseImplied([]string{
		`{"how": "operator", "name": "232323", "function": "61.6e6f746564"}`,       // ### a.noted
		`{"how": "operator", "name": "252525", "function": "61.6c75636b79"}`,       // %%% a.lucky
		`{"how": "operator", "name": "40402b", "function": "61.70757265"}`,         // @@+ a.pure
		`{"how": "operator", "name": "7c7c3e", "function": "61.666f726569676e"}`,   // ||> a.foreign
		`{"how": "operator", "name": "3c7c7c", "function": "61.6c6162656c6c6564"}`, // <|| a.labelled
		`{"how": "cast", "name": "6f6464", "function": "61.6e6f746564"}`,           // odd a.noted
	})
	if err != nil {
		t.Fatal(err)
	}
	w := world{
		code: map[string]*catalog.Code{
			"noted":    routine(catalog.Volatile, "plpgsql", "BEGIN INSERT INTO log VALUES (clock_timestamp()); END"),
			"lucky":    routine(catalog.Volatile, "sql", "SELECT random()"),
			"pure":     routine(catalog.Volatile, "sql", "SELECT $1"),
			"foreign":  routine(catalog.Volatile, "plpython3u", "return 1"),
			"labelled": routine(catalog.Immutable, "plpython3u", "return 1"),
			"indirect": routine(catalog.Stable, "sql", "SELECT 1 ### 2"),
		},
		around: map[string]*catalog.Surroundings{
			"log": {Exists: true}, "plain": {Exists: true},
			"shown": {Exists: true, View: true, Texts: []catalog.Text{{Kind: catalog.ViewText, Text: "SELECT indirect()"}}},
			"still": {Exists: true, View: true, Texts: []catalog.Text{{Kind: catalog.ViewText, Text: "SELECT pure(1)"}}},
		},
		tables: map[string]*catalog.Table{"plain": {Exists: true, Keys: [][]string{{"id"}}, Columns: []catalog.Column{{Name: "id", Type: "integer"}}}},
		coded:  []string{"shown", "still"}, implied: *implied,
	}
	for _, tt := range []struct {
		sql, want, reason string
		writes            bool
	}{
		{"SELECT 1 + 2", "D0 run", "", false},
		{"SELECT 1 @@+ 2", "D0 run", "", false},
		{"SELECT 1 %%% 2", "D0 run", "", false},
		{"SELECT 1 ### 2", "D5 lock", "a.noted() of an operator or a cast calls clock_timestamp()", true},
		{"SELECT a::odd FROM plain", "D5 lock", "a.noted() of an operator or a cast", true},
		{"SELECT 1 ||> 2", "D5 lock", "in language plpython3u", true},
		{"SELECT 1 <|| 2", "D0 run", "", false},
		{"TABLE shown", "D5 lock", "below shown calls clock_timestamp()", true},
		{"TABLE still", "D0 run", "", false},
		{"EXPLAIN TABLE shown", "D0 run", "", false},
		{"EXPLAIN ANALYZE TABLE shown", "D5 lock", "below shown", true},
		{"DELETE FROM plain WHERE id = 1 %%% 2", "D4 capture", "a.lucky() of an operator or a cast calls random()", false},
	} {
		stmt := &parser.Classify(tt.sql).Statements[0]
		v, ask := Judge(Input{Statement: stmt, Text: tt.sql, Policy: policyOf(t), Facts: w, Bodies: &Bodies{}})
		if got := v.Level.String() + " " + v.Action.String(); got != tt.want || !strings.Contains(v.String(), tt.reason) || !ask.Empty() || v.WritesUnnamed != tt.writes {
			t.Errorf("%s: %s (%v), writes %v, want %s, %q, %v; asks %v", tt.sql, got, v, v.WritesUnnamed, tt.want, tt.reason, tt.writes, ask)
		}
	}
	stored := w
	w.implied = catalog.Implied{}
	if stored.implied, err = ofAssignment(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		w               world
		unlike, differs bool
	}{{w, false, false}, {stored, true, true}} {
		const insert = "INSERT INTO plain VALUES (1)"
		v, _ := Judge(Input{Statement: &parser.Classify(insert).Statements[0], Text: insert, Policy: policyOf(t), Facts: tt.w, Bodies: &Bodies{}})
		if v.Unlike != tt.unlike || v.Elsewhere.Differs != tt.differs {
			t.Errorf("an assignment that writes the time: %+v", v)
		}
	}
}

// TestHarmlessOperatorsAreNoPartOfAVerdict: that somebody has made one more is no reason to decide again.
func TestHarmlessOperatorsAreNoPartOfAVerdict(t *testing.T) {
	t.Parallel()
	judged := func(source, sql string) *Verdict {
		implied, err := catalog.ParseImplied([]string{`{"how": "always", "name": "", "function": "61.73616d65"}`})
		if err != nil {
			t.Fatal(err)
		}
		w := world{
			code: map[string]*catalog.Code{
				"same": routine(catalog.Volatile, "plpgsql", source), "named": routine(catalog.Volatile, "sql", "SELECT 1"),
			},
			around: map[string]*catalog.Surroundings{"log": {Exists: true}, "plain": {Exists: true}}, implied: *implied,
		}
		v, _ := Judge(Input{Statement: &parser.Classify(sql).Statements[0], Text: sql, Policy: policyOf(t), Facts: w, Bodies: &Bodies{}})
		return v
	}
	const insert = "INSERT INTO plain VALUES (1, named())"
	one, other := judged("BEGIN RETURN $1 = $2; END", insert), judged("BEGIN RETURN false; END", insert)
	if !one.Same(other) || !one.Implied || one.Code == 0 {
		t.Errorf("%+v and %+v", one, other)
	}
	if writes := judged("BEGIN INSERT INTO log VALUES (1); RETURN false; END", insert); one.Same(writes) {
		t.Errorf("%+v and %+v", one, writes)
	}
}

// ofAssignment is a cast AS ASSIGNMENT by a.noted.
func ofAssignment() (catalog.Implied, error) {
	i, err := catalog.ParseImplied([]string{`{"how": "stored", "name": "", "function": "61.6e6f746564"}`})
	if err != nil {
		return catalog.Implied{}, err
	}
	return *i, nil
}
