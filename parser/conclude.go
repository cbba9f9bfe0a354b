package parser

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// conclude draws the facts that follow from what the walk has found.
func (w *walker) conclude(node *pg.Node) {
	st := w.st
	w.inner(node)
	for _, f := range st.Functions {
		if f.Class == UnknownFunction {
			st.UnknownFunctions = append(st.UnknownFunctions, f)
		}
		st.NodeLocal = st.NodeLocal || f.Class == NodeLocal
		st.Identifiers = st.Identifiers || isIdentifierFunction(f.Name)
	}
	st.AsksTime = w.asksTime()
	st.ReadBySyntax = st.readBySyntax()
	st.ReadOnly = st.ReadBySyntax && len(st.UnknownFunctions) == 0
	if !st.ReadOnly && st.executed() {
		st.TimeCalls = w.timeCalls()
		if calls := w.measureCalls(); len(calls) > 0 || len(st.Targets) > 0 {
			st.places = &places{calls: calls, layouts: w.layouts, makesSets: w.makesSets}
		}
	}
	if st.Kind == Prepare || st.Kind == Explain && !st.Analyze {
		st.Targets = nil
	}
}

// inner classifies the statement within one that has one, and takes out of the
// outer facts what does not happen when the outer one runs.
func (w *walker) inner(node *pg.Node) {
	query := innerQuery(node)
	if query == nil {
		return
	}
	w.st.Inner = new(Statement)
	w.statement(w.st.Inner, query)
	switch {
	case w.st.Kind == Explain && !w.st.Analyze:
		w.st.Reads = slices.Concat(w.st.Reads, w.st.Writes)
		w.st.Writes, w.st.Functions, w.st.Operators, w.st.Casts, w.st.Objects = nil, nil, nil, nil, 0
		w.st.HasLockingClause, w.st.Returning = false, false
	case w.st.Kind == Prepare:
		w.st.Reads, w.st.Writes, w.st.Functions, w.st.Operators, w.st.Casts, w.st.Objects = nil, nil, nil, nil, nil, 0
		w.st.HasLockingClause, w.st.Returning = false, false
	}
}

func innerQuery(node *pg.Node) *pg.Node {
	switch n := node.Node.(type) {
	case *pg.Node_PrepareStmt:
		return n.PrepareStmt.Query
	case *pg.Node_ExplainStmt:
		return n.ExplainStmt.Query
	case *pg.Node_DeclareCursorStmt:
		return n.DeclareCursorStmt.Query
	case *pg.Node_CopyStmt:
		return n.CopyStmt.Query
	}
	return nil
}

// readBySyntax leaves only the unknown functions out of account.
func (st *Statement) readBySyntax() bool {
	switch st.Kind {
	case Empty, Show:
		return true
	case Select:
		return !st.changes && !st.HasLockingClause && !st.callsWriter()
	case CopyTo:
		return st.ToStdout && (st.Inner == nil || st.Inner.ReadBySyntax)
	case Explain:
		return !st.Analyze || st.Inner.ReadBySyntax
	}
	return false
}

func (st *Statement) callsWriter() bool {
	return slices.ContainsFunc(st.Functions, func(f Function) bool {
		return f.Class != UnknownFunction && !f.Class.harmless()
	})
}
