package parser

import (
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// walker collects the facts of one statement from its parse tree. It goes
// through every field of every node, whatever its type, so that nothing can hide
// at a depth or in a node type that nobody thought of; the node types that mean
// something to us are picked out on the way.
type walker struct {
	*builder
	st *Statement

	reading   bool                  // relations met now are read; else they are written
	targets   map[*pg.RangeVar]bool // relations that are written although met while reading
	with      *scope                // WITH queries that can be seen now
	outputs   map[int]output        // time calls that name an output column, by offset
	inFrom    map[any]bool          // function calls that stand in FROM
	judged    map[*pg.A_Const]bool  // string constants that are cast to a time type
	sites     []timeSite            // time calls seen
	reads     seen[Relation]
	writes    seen[Relation]
	functions seen[string]
	operators seen[string]
	casts     seen[string]

	at        evaluation  // how often what is met now is evaluated
	next      role        // of the SELECT that is met next
	updating  int         // the number of the target that UPDATE has
	refs      references  // what was met so far
	calls     []valueCall // calls seen whose results may differ
	layouts   []layout    // of the statement's Targets
	assigned  map[*pg.FuncCall]assignment
	makesSets bool
}

// scope has the names of the WITH queries of one statement.
type scope struct {
	outer *scope
	names map[string]bool
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.names[name] {
			return true
		}
	}
	return false
}

// seen remembers what has been met, so that lists stay without repetition at a
// cost that is linear in the text.
type seen[K comparable] map[K]struct{}

// first reports whether k is met for the first time.
func (s *seen[K]) first(k K) bool {
	if _, ok := (*s)[k]; ok {
		return false
	}
	if *s == nil {
		*s = seen[K]{}
	}
	(*s)[k] = struct{}{}
	return true
}

// run walks one statement and sums up.
func (w *walker) run(node *pg.Node) {
	w.describe(node)
	w.next = top
	w.walk(node.ProtoReflect())
	w.conclude(node)
}

// walk visits m and all below it.
func (w *walker) walk(m protoreflect.Message) {
	w.noteHazards(m)
	switch n := m.Interface().(type) {
	case *pg.Node:
		w.node(m)
	case *pg.ColumnRef:
		w.refs.columns++
		w.identifierColumn(n)
	case *pg.SubLink:
		w.refs.queries++
		w.operator(n.OperName)
		w.evaluated(m, sometimes)
	case *pg.CaseExpr, *pg.CoalesceExpr, *pg.BoolExpr:
		w.evaluated(m, w.at.maybe())
	case *pg.A_Expr:
		w.operator(n.Name)
		w.expression(n, m)
	case *pg.SortBy:
		w.operator(n.UseOp)
		w.below(m)
	case *pg.A_Indirection:
		w.indirection(n, m)
	case *pg.TypeName, *pg.Alias, *pg.String, *pg.Integer, *pg.WithClause, *pg.LockingClause:
		// Leaves, and what the statement that has it looks at itself.
	case *pg.CreateFunctionStmt, *pg.ConstraintsSetStmt:
		// A body that does not run now, and names that are no relations.
	case *pg.SelectStmt:
		w.selectStmt(n)
	case *pg.InsertStmt:
		w.insertStmt(n, m)
	case *pg.UpdateStmt:
		w.updateStmt(n, m)
	case *pg.DeleteStmt:
		w.deleteTarget(n)
		w.change(m, n.Relation, n.WithClause, n.ReturningList, nowhere)
	case *pg.MergeStmt:
		w.mergeTarget(n)
		w.change(m, n.Relation, n.WithClause, nil, nowhere)
	case *pg.CopyStmt:
		w.identifierCopy(n)
		w.copyTarget(n)
		w.below(m)
	case *pg.IntoClause:
		w.into(n)
	case *pg.RangeVar:
		w.relation(n)
	case *pg.Constraint, *pg.TableLikeClause:
		w.readBelow(m)
	case *pg.CreateEventTrigStmt:
		w.call(n.Funcname, nil)
	case *pg.CreateStmt:
		w.target(n.Relation)
		w.st.HashedBy = hashedBy(n)
		w.readBelow(m)
	case *pg.RangeFunction:
		w.rangeFunction(n)
		w.below(m)
	case *pg.RangeTableSample:
		w.call(n.Method, n.Args)
		w.below(m)
	case *pg.FuncCall:
		w.funcCall(n, m)
	case *pg.AlterTableStmt:
		w.alterTable(n)
		w.below(m)
	case *pg.CreateSubscriptionStmt:
		w.st.Subscribes = switchedOn(n.Options, "connect", true)
		w.below(m)
	case *pg.AlterSubscriptionStmt:
		w.st.Subscribes = subscribes(n)
		w.below(m)
	case *pg.CallStmt:
		w.callStmt(n)
	case *pg.ExecuteStmt:
		w.st.Executes = n.Name
		w.evaluated(m, once)
	case *pg.SQLValueFunction:
		w.valueFunction(n)
	case *pg.TypeCast:
		w.castTo(n.TypeName)
		w.timeCast(n)
		w.identifierCast(n)
		w.below(m)
	case *pg.A_Const:
		w.bareConstant(n)
	case *pg.ParamRef:
		w.refs.parameters++
		w.st.MaxParam = max(w.st.MaxParam, int(n.Number))
	default:
		w.below(m)
	}
}

// below visits the messages in the fields of m, in the order of the fields
// (Range has an order of its own in each build).
func (w *walker) below(m protoreflect.Message) { w.fields(m, nil) }

// fields is below; before, if there is one, is told the name of each field.
func (w *walker) fields(m protoreflect.Message, before func(protoreflect.Name)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.Message() == nil || !m.Has(field) {
			continue
		}
		if before != nil {
			before(field.Name())
		}
		if !field.IsList() {
			w.walk(m.Get(field).Message())
			continue
		}
		list := m.Get(field).List()
		for j := range list.Len() {
			w.walk(list.Get(j).Message())
		}
	}
}

// node visits what a Node holds: the one of its many fields that is set.
func (w *walker) node(m protoreflect.Message) {
	if field := m.WhichOneof(m.Descriptor().Oneofs().Get(0)); field != nil {
		w.walk(m.Get(field).Message())
	}
}

// readBelow is below for what is only looked at.
func (w *walker) readBelow(m protoreflect.Message) {
	was := w.reading
	w.reading = true
	w.below(m)
	w.reading = was
}

// readBelowAt is readBelow with an evaluation for each field of m.
func (w *walker) readBelowAt(m protoreflect.Message, at func(protoreflect.Name) evaluation) {
	was := w.reading
	w.reading = true
	w.belowAt(m, at)
	w.reading = was
}

func (w *walker) selectStmt(n *pg.SelectStmt) {
	is := w.next
	w.next = subquery
	outer := w.enterWith(n.WithClause)
	if len(n.LockingClause) > 0 {
		w.st.HasLockingClause = true
	}
	w.nameOutputs(n.TargetList)
	w.readBelowAt(n.ProtoReflect(), selectEvaluation(n, is))
	w.with = outer
}

func (w *walker) insertStmt(n *pg.InsertStmt, m protoreflect.Message) {
	w.insertTarget(n)
	rows := w.st.Targets[len(w.st.Targets)-1].Rows
	w.change(m, n.Relation, n.WithClause, n.ReturningList, w.insertEvaluation(rows))
}

func (w *walker) updateStmt(n *pg.UpdateStmt, m protoreflect.Message) {
	was := w.updating
	w.updating = len(w.st.Targets)
	w.updateTarget(n)
	w.change(m, n.Relation, n.WithClause, n.ReturningList, updateEvaluation)
	w.updating = was
}

// change is for the statements that change rows, at any depth.
func (w *walker) change(m protoreflect.Message, target *pg.RangeVar, with *pg.WithClause, returning []*pg.Node,
	at func(protoreflect.Name) evaluation,
) {
	w.st.changes = true
	w.next = subquery
	outer := w.enterWith(with)
	w.target(target)
	if len(returning) > 0 {
		w.st.Returning = true
		w.nameOutputs(returning)
	}
	w.readBelowAt(m, at)
	w.with = outer
}

// target notes that n is written, for when the walk comes to it.
func (w *walker) target(n *pg.RangeVar) {
	if w.targets == nil {
		w.targets = map[*pg.RangeVar]bool{}
	}
	w.targets[n] = true
}

// enterWith visits WITH queries and makes their names known. It returns the
// scope that was there before, to be put back. Without RECURSIVE a query sees
// the ones before it only: WITH t AS (SELECT * FROM t) reads the relation t.
func (w *walker) enterWith(clause *pg.WithClause) (outer *scope) {
	outer = w.with
	if clause == nil {
		return outer
	}
	names := map[string]bool{}
	w.with = &scope{outer: outer, names: names}
	if clause.Recursive {
		for _, cte := range clause.Ctes {
			names[cte.GetCommonTableExpr().GetCtename()] = true
		}
	}
	for _, cte := range clause.Ctes {
		w.readBelow(cte.ProtoReflect())
		names[cte.GetCommonTableExpr().GetCtename()] = true
	}
	return outer
}

func (w *walker) into(n *pg.IntoClause) {
	w.st.changes = true
	w.write(n.Rel)
}

// relation notes a relation where it is met.
func (w *walker) relation(n *pg.RangeVar) {
	switch {
	case w.targets[n], !w.reading:
		w.write(n)
	case n.Schemaname == "" && w.with.has(n.Relname):
	default:
		w.read(n)
	}
}

func (w *walker) read(n *pg.RangeVar) {
	if r := relationOf(n); w.reads.first(r) {
		w.st.Reads = append(w.st.Reads, r)
	}
}

func (w *walker) write(n *pg.RangeVar) {
	if n != nil {
		w.addWrite(relationOf(n))
	}
}

func (w *walker) addWrite(r Relation) {
	if w.writes.first(r) {
		w.st.Writes = append(w.st.Writes, r)
	}
}

func relationOf(n *pg.RangeVar) Relation {
	return Relation{Schema: n.Schemaname, Name: n.Relname, Temporary: n.Relpersistence == "t"}
}

// rangeFunction remembers the calls that stand in FROM by themselves.
func (w *walker) rangeFunction(n *pg.RangeFunction) {
	if w.inFrom == nil {
		w.inFrom = map[any]bool{}
	}
	for _, f := range n.Functions {
		items := f.GetList().GetItems()
		if len(items) == 0 {
			continue
		}
		if call := items[0].GetFuncCall(); call != nil {
			w.inFrom[call] = true
		} else if value := items[0].GetSqlvalueFunction(); value != nil {
			w.inFrom[value] = true
		}
	}
}

func (w *walker) funcCall(n *pg.FuncCall, m protoreflect.Message) {
	f := w.call(n.Funcname, n.Args)
	site, noted := w.openCall(n, f)
	w.objectCall(f)
	w.timeFunctionCall(n, f)
	w.below(m)
	if noted {
		w.closeCall(site)
	}
}

// callStmt visits CALL. The arguments are computed once, before the procedure runs.
func (w *walker) callStmt(n *pg.CallStmt) {
	w.call(n.Funccall.Funcname, n.Funccall.Args)
	w.evaluated(n.Funccall.ProtoReflect(), once)
}

func (w *walker) timeFunctionCall(n *pg.FuncCall, f Function) {
	if kind, ok := timeFunction(f); ok && plainCall(n) {
		w.sites = append(w.sites, timeSite{kind: kind, start: int(n.Location), precision: -1, fromItem: w.inFrom[n]})
	}
	if timeTypes[f.Name] && f.Class == Deterministic && len(n.Args) == 1 {
		w.timeConstant(n.Args[0], TimeString)
	}
}

// plainCall: no arguments and nothing that only aggregates have.
func plainCall(n *pg.FuncCall) bool {
	return len(n.Args) == 0 && !n.AggStar && n.Over == nil && n.AggFilter == nil && len(n.AggOrder) == 0
}

// namedFunction is a function by the parts of its name.
func namedFunction(name []*pg.Node) (f Function) {
	if len(name) > 0 {
		f.Name = name[len(name)-1].GetString_().GetSval()
	}
	if len(name) > 1 {
		f.Schema = name[len(name)-2].GetString_().GetSval()
	}
	return f
}

// call notes a call by name.
func (w *walker) call(name, args []*pg.Node) Function {
	f := namedFunction(name)
	f.Class = ClassOf(f.Schema, f.Name, len(args))
	if f.Class != UnknownFunction && argumentsMatter(f.Name) {
		f.Args = w.constants(args)
	}
	if w.functions.first(f.identity()) {
		w.st.Functions = append(w.st.Functions, f)
	}
	return f
}

// identity is different for functions that differ in any field. The class of one
// name may hang on the number of arguments.
func (f Function) identity() string {
	id := f.Class.String() + " " + strconv.Quote(f.Schema) + strconv.Quote(f.Name)
	for _, arg := range f.Args {
		id += strconv.Quote(arg)
	}
	return id
}

// argumentsMatter names the functions whose constant arguments decide what is to
// be done with a call.
func argumentsMatter(name string) bool {
	switch name {
	case "nextval", "currval", "setval", "set_config", "current_setting", "pg_notify", "pg_terminate_backend", "pg_cancel_backend":
		return true
	}
	return false
}

// constants returns the leading arguments that are constants, as text, and
// marks their places.
func (w *walker) constants(args []*pg.Node) []string {
	var values []string
	for _, arg := range args {
		for arg.GetTypeCast() != nil {
			arg = arg.GetTypeCast().Arg
		}
		c := arg.GetAConst()
		if c == nil {
			// A minus before a number is an operator in the raw tree.
			return values
		}
		w.marks = append(w.marks, int(c.Location))
		w.st.valueSensitive = true
		values = append(values, constantText(c))
	}
	return values
}

// constantText returns a constant as the text that SHOW would give.
func constantText(c *pg.A_Const) string {
	switch v := c.Val.(type) {
	case *pg.A_Const_Ival:
		return strconv.Itoa(int(v.Ival.Ival))
	case *pg.A_Const_Fval:
		return v.Fval.Fval
	case *pg.A_Const_Boolval:
		return strconv.FormatBool(v.Boolval.Boolval)
	case *pg.A_Const_Sval:
		return v.Sval.Sval
	case *pg.A_Const_Bsval:
		return v.Bsval.Bsval
	}
	return ""
}
