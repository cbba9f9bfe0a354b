package parser

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Hazards are what in a statement lets nodes that hold the same rows choose different ones
// of them, or make different rows of them, even if nobody else changes anything: what the
// text does not decide, a node decides by the order in which its rows lie, by its plan, or
// by who has locked what. Rows that a statement only reads, which another session may be
// about to change, are in Reads.
type Hazards uint16

const (
	// CutsRows: LIMIT, OFFSET or FETCH FIRST, which are only decided where the order is
	// total.
	CutsRows Hazards = 1 << iota
	// PicksRow: DISTINCT ON, which keeps the first row of those alike.
	PicksRow
	// DependsOnOrder: an aggregate whose value hangs on the order of its input, or that
	// adds up numbers, which may be floating-point; an array of what a query finds.
	DependsOnOrder
	// UsesWindow: a window function, which may number rows that are alike.
	UsesWindow
	// SkipsLocked: FOR UPDATE SKIP LOCKED and its relatives.
	SkipsLocked
	// UsesSystemColumn: ctid, xmin and their like, which are each node's own.
	UsesSystemColumn
	// JoinsTarget: UPDATE ... FROM, in which one of several matches wins.
	JoinsTarget
	// Samples: TABLESAMPLE.
	Samples
	// UsesCursor: WHERE CURRENT OF.
	UsesCursor
	// LeavesDefault: the word DEFAULT in place of a value.
	LeavesDefault
)

// hazardTexts is in the order of the bits.
var hazardTexts = [...]string{
	"LIMIT", "DISTINCT ON", "an aggregate or array that hangs on order", "a window function", "SKIP LOCKED", "a system column",
	"UPDATE ... FROM", "TABLESAMPLE", "WHERE CURRENT OF", "DEFAULT",
}

// choices are the hazards by which rows come out differently.
const choices = LeavesDefault - 1

// Choices are those of h by which the rows may come out differently.
func (h Hazards) Choices() Hazards { return h & choices }

func (h Hazards) String() string {
	var names []string
	for i, text := range hazardTexts {
		if h&(1<<i) != 0 {
			names = append(names, text)
		}
	}
	return strings.Join(names, ", ")
}

// noteHazards looks at a message before the walk goes into it.
func (w *walker) noteHazards(m protoreflect.Message) {
	switch n := m.Interface().(type) {
	case *pg.SelectStmt:
		w.hazard(n.LimitCount != nil || n.LimitOffset != nil, CutsRows)
		w.hazard(isDistinctOn(n.DistinctClause), PicksRow)
	case *pg.LockingClause:
		w.hazard(n.WaitPolicy == pg.LockWaitPolicy_LockWaitSkip, SkipsLocked)
	case *pg.FuncCall:
		w.hazard(n.Over != nil, UsesWindow)
		w.hazard(len(n.AggOrder) == 0 && ordered(n), DependsOnOrder)
	case *pg.SubLink:
		w.hazard(n.SubLinkType == pg.SubLinkType_ARRAY_SUBLINK && len(n.Subselect.GetSelectStmt().GetSortClause()) == 0, DependsOnOrder)
	case *pg.ColumnRef:
		w.hazard(isSystemColumn(n), UsesSystemColumn)
	case *pg.UpdateStmt:
		w.hazard(len(n.FromClause) > 0, JoinsTarget)
	case *pg.RangeTableSample:
		w.hazard(true, Samples)
	case *pg.CurrentOfExpr:
		w.hazard(true, UsesCursor)
	case *pg.SetToDefault:
		w.hazard(true, LeavesDefault)
	}
}

func (w *walker) hazard(there bool, h Hazards) {
	if there {
		w.st.Hazards |= h
	}
}

// isDistinctOn: a plain DISTINCT is a list of one empty node.
func isDistinctOn(clause []*pg.Node) bool {
	return slices.ContainsFunc(clause, func(n *pg.Node) bool { return n.GetNode() != nil })
}

func isSystemColumn(n *pg.ColumnRef) bool {
	if len(n.Fields) == 0 {
		return false
	}
	switch n.Fields[len(n.Fields)-1].GetString_().GetSval() {
	case "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid":
		return true
	}
	return false
}

// ordered names the aggregates whose value may be another in another order of the same
// rows. The sums are among them for floating-point numbers.
func ordered(n *pg.FuncCall) bool {
	if len(n.Funcname) == 0 {
		return false
	}
	switch n.Funcname[len(n.Funcname)-1].GetString_().GetSval() {
	case "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg", "xmlagg",
		"json_agg_strict", "jsonb_agg_strict", "json_object_agg_strict", "jsonb_object_agg_strict",
		"json_object_agg_unique", "jsonb_object_agg_unique", "json_object_agg_unique_strict", "jsonb_object_agg_unique_strict",
		"any_value", "mode", "range_agg", "sum", "avg",
		"corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx",
		"regr_sxy", "regr_syy", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp":
		return true
	}
	return false
}
