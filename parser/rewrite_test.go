package parser_test

import (
	"fmt"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/pgchorus/pgchorus/parser"
)

// checkRewritten parses both texts and compares the trees: they may differ where
// the time is asked for and in the names that columns are given, nowhere else.
func checkRewritten(t *testing.T, sql, rewritten string) {
	t.Helper()
	before, err := pg.Parse(sql)
	if err != nil {
		t.Fatalf("%q: %v", sql, err)
	}
	after, err := pg.Parse(rewritten)
	if err != nil {
		t.Fatalf("%q became %q: %v", sql, rewritten, err)
	}
	for i, raw := range after.Stmts {
		old := before.Stmts[i].Stmt
		blankTime(old.ProtoReflect())
		blankTime(raw.Stmt.ProtoReflect())
		if !proto.Equal(old, raw.Stmt) {
			t.Fatalf("%q became %q:\n%v\n%v", sql, rewritten, old, raw.Stmt)
		}
	}
}

// blankTime makes one node of each time call and of what takes its place, and
// clears locations.
func blankTime(m protoreflect.Message) {
	switch n := m.Interface().(type) {
	case *pg.Node:
		if standsForTime(n) {
			n.Node = &pg.Node_String_{String_: &pg.String{Sval: "time"}}
		}
	case *pg.ResTarget:
		if standsForTime(n.Val) {
			n.Name = ""
		}
	case *pg.TypeCast:
		if readsTimeAtCast(n) {
			n.Arg = &pg.Node{Node: &pg.Node_String_{String_: &pg.String{Sval: "time"}}}
		}
	}
	var offsets []protoreflect.FieldDescriptor
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Name() == "location" || field.Name() == "stmt_location" || field.Name() == "stmt_len":
			offsets = append(offsets, field)
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				blankTime(value.List().Get(i).Message())
			}
		default:
			blankTime(value.Message())
		}
		return true
	})
	for _, field := range offsets {
		m.Clear(field)
	}
}

// readsTimeAtCast recognises 'now'::TYPE and its relatives, but not TYPE 'now'.
func readsTimeAtCast(n *pg.TypeCast) bool {
	word := strings.ToLower(strings.Trim(n.Arg.GetAConst().GetSval().GetSval(), " \t\n\r\f\v"))
	switch n.TypeName.Names[len(n.TypeName.Names)-1].GetString_().Sval {
	case "date", "timestamp", "timestamptz":
		return n.Location >= 0 && (word == "now" || word == "today")
	case "time", "timetz", "time_stamp":
		return n.Location >= 0 && word == "now"
	}
	return false
}

func standsForTime(n *pg.Node) bool {
	switch v := n.GetNode().(type) {
	case *pg.Node_FuncCall:
		names := v.FuncCall.Funcname
		schema := "pg_catalog"
		if len(names) > 1 {
			schema = names[len(names)-2].GetString_().Sval
		}
		switch names[len(names)-1].GetString_().Sval {
		case "now", "transaction_timestamp", "statement_timestamp", "clock_timestamp":
			return len(v.FuncCall.Args) == 0 && schema == "pg_catalog"
		}
	case *pg.Node_SqlvalueFunction:
		return v.SqlvalueFunction.Op <= pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N
	case *pg.Node_TypeCast:
		return ourCast(v.TypeCast)
	case *pg.Node_SubLink:
		targets := v.SubLink.GetSubselect().GetSelectStmt().GetTargetList()
		return len(targets) == 1 && standsForTime(targets[0].GetResTarget().Val) &&
			len(v.SubLink.GetSubselect().GetSelectStmt().FromClause) == 0
	}
	return false
}

// ourCast recognises value::pg_catalog.timestamptz and what is derived from it.
func ourCast(c *pg.TypeCast) bool {
	names := c.TypeName.Names
	if len(names) != 2 || names[0].GetString_().Sval != "pg_catalog" {
		return false
	}
	if inner := c.Arg.GetTypeCast(); inner != nil {
		return ourCast(inner)
	}
	isTime := c.Arg.GetParamRef() != nil || strings.HasPrefix(c.Arg.GetAConst().GetSval().GetSval(), "2026-01-02 03:04:05")
	return isTime && names[1].GetString_().Sval == "timestamptz"
}

// timeWords are the calls that the random statements are made of.
var timeWords = []string{
	"now()", "pg_catalog.now()", "NOW ( )", "transaction_timestamp()", "statement_timestamp()",
	"clock_timestamp()", "current_timestamp", "CURRENT_TIMESTAMP(2)", "current_date", "current_time",
	"current_time(0)", "localtimestamp", "localtimestamp (3)", "localtime", "localtime(6)", "now/* x */()",
}

// timeExpression draws an expression with a time call somewhere in it.
func timeExpression(t *rapid.T, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom(timeWords).Draw(t, "call")
	}
	sub := timeExpression(t, depth-1)
	form := rapid.SampledFrom([]string{
		"%s", "(%s)", "%s::date", "CAST(%s AS text)", "- %s", "%s - interval '1 day'", "f(%s, 'x')", "ARRAY[%s]",
		"CASE WHEN a THEN b ELSE %s END", "coalesce(a, %s)", "(SELECT %s)", "%s AT TIME ZONE 'UTC'", "ROW(%s, 1)",
		"a BETWEEN %s AND 'x'", "%s IN (1, 2)", "%s IS NULL", "(%s).x", "(%s)[1]", "%s COLLATE \"C\"", "greatest(%s)",
	}).Draw(t, "form")
	return fmt.Sprintf(form, sub)
}

func timeStatement(t *rapid.T) string {
	forms := []string{
		"INSERT INTO t VALUES (%s, 'x', %s)", "UPDATE t SET a = %s WHERE b < %s", "DELETE FROM t WHERE %s RETURNING %s, 1",
		"INSERT INTO t SELECT %s, x.* FROM u x WHERE %s RETURNING *", "SELECT g(1), %s INTO n FROM t ORDER BY %s",
		"WITH x AS (DELETE FROM t RETURNING %s) SELECT DISTINCT %s FROM x", "UPDATE t SET a = 1 RETURNING a, %s, %s AS b",
		"INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = %s, c = %s", "CREATE TABLE n AS SELECT %s UNION ALL SELECT %s",
		"MERGE INTO t USING u ON t.a < %s WHEN MATCHED THEN UPDATE SET a = %s",
	}
	form := rapid.SampledFrom(forms).Draw(t, "statement")
	return fmt.Sprintf(form, timeExpression(t, rapid.IntRange(0, 3).Draw(t, "depth")), timeExpression(t, rapid.IntRange(0, 3).Draw(t, "depth")))
}

// TestRewritingChangesNothingButTheTime takes the same random statements in each
// run.
func TestRewritingChangesNothingButTheTime(t *testing.T) {
	t.Parallel()
	statements := rapid.Custom(timeStatement)
	parsed := 0
	for seed := range 3000 {
		sql := statements.Example(seed)
		script := parser.Classify(sql)
		if script.Err != nil {
			continue // a form that the grammar does not take in that place
		}
		parsed++
		if calls := script.Statements[0].TimeCalls; len(calls) < 2 {
			t.Fatalf("%q: %d time calls", sql, len(calls))
		}
		for _, extended := range []bool{false, true} {
			rewritten := withTime(t, sql, extended)
			checkRewritten(t, sql, rewritten)
			if left := parser.Classify(rewritten).Statements[0].TimeCalls; len(left) > 0 {
				t.Fatalf("%q became %q: calls left", sql, rewritten)
			}
		}
	}
	if parsed < 2000 {
		t.Errorf("only %d statements were valid", parsed)
	}
}

// alikeFacts is a catalogue in which every function returns the same everywhere.
type alikeFacts struct{ noFacts }

func (alikeFacts) Function(parser.Function) (parser.FunctionFacts, bool) {
	return parser.FunctionFacts{Alike: true}, true
}

// withTime is a statement with nothing but the time put in.
func withTime(t *testing.T, sql string, extended bool) string {
	t.Helper()
	cache := parser.NewCache(1<<20, 1)
	plan := cache.Plan(sql, &cache.Script(sql).Statements[0], alikeFacts{}, parser.PlanOptions{Extended: extended})
	if extended {
		filled, _ := plan.Params(1)
		return filled.SQL
	}
	values, err := plan.Values(someTime, nil)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Splice(values).SQL
}
