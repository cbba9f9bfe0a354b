package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// describe sets the kind, the block rule and the names of the statement at the
// root, and whether relations met in it are read or written.
func (w *walker) describe(node *pg.Node) {
	st := w.st
	st.Node = rootName(node)
	switch n := node.Node.(type) {
	case *pg.Node_SelectStmt:
		st.Kind, st.Locked = selectKind(n.SelectStmt), lockedRead(n.SelectStmt)
	case *pg.Node_InsertStmt:
		st.Kind = Insert
	case *pg.Node_UpdateStmt:
		st.Kind = Update
	case *pg.Node_DeleteStmt:
		st.Kind = Delete
	case *pg.Node_MergeStmt:
		st.Kind = Merge
	case *pg.Node_CopyStmt:
		w.describeCopy(n.CopyStmt)
	case *pg.Node_ExplainStmt:
		st.Kind, w.reading = Explain, true
		st.Analyze = switchedOn(n.ExplainStmt.Options, "analyze", false)
	case *pg.Node_CallStmt:
		st.Kind, st.Block, st.changes = Call, BlockMayCommit, true
	case *pg.Node_DoStmt:
		st.Kind, st.Block, st.changes, st.Body = Do, BlockMayCommit, true, doBody(n.DoStmt)
	case *pg.Node_TransactionStmt:
		describeTransaction(st, n.TransactionStmt)
	case *pg.Node_VariableSetStmt:
		describeSet(st, n.VariableSetStmt)
	default:
		if !describeSession(st, node) {
			w.describeUtility(node)
		}
	}
}

// rootName returns the type name of the root, such as "SelectStmt".
func rootName(node *pg.Node) string {
	m := node.ProtoReflect()
	if field := m.WhichOneof(m.Descriptor().Oneofs().Get(0)); field != nil {
		return string(field.Message().Name())
	}
	return ""
}

// selectKind looks for INTO, which the grammar allows in the leftmost arm of a
// set operation only.
func selectKind(n *pg.SelectStmt) Kind {
	for n.Larg != nil {
		n = n.Larg
	}
	if n.IntoClause != nil {
		return SelectInto
	}
	return Select
}

func (w *walker) describeCopy(n *pg.CopyStmt) {
	local := n.Filename == "" && !n.IsProgram
	if n.IsFrom {
		w.st.Kind, w.st.FromStdin, w.st.changes = CopyFrom, local, true
		if local {
			w.st.CopyInput = copyInput(n.Options)
		}
		return
	}
	w.st.Kind, w.st.ToStdout, w.reading = CopyTo, local, true
}

// describeSession is for what touches only the session's own state.
func describeSession(st *Statement, node *pg.Node) bool {
	switch n := node.Node.(type) {
	case *pg.Node_VariableShowStmt:
		st.named(Show, n.VariableShowStmt.Name)
		st.All = strings.EqualFold(st.Name, "all")
	case *pg.Node_PrepareStmt:
		st.named(Prepare, n.PrepareStmt.Name)
	case *pg.Node_ExecuteStmt:
		st.named(Execute, n.ExecuteStmt.Name)
	case *pg.Node_DeallocateStmt:
		st.namedOrAll(Deallocate, n.DeallocateStmt.Name)
	case *pg.Node_DeclareCursorStmt:
		describeDeclare(st, n.DeclareCursorStmt)
	case *pg.Node_FetchStmt:
		st.named(Fetch, n.FetchStmt.Portalname)
	case *pg.Node_ClosePortalStmt:
		st.namedOrAll(ClosePortal, n.ClosePortalStmt.Portalname)
	case *pg.Node_ListenStmt:
		st.named(Listen, n.ListenStmt.Conditionname)
	case *pg.Node_UnlistenStmt:
		st.namedOrAll(Unlisten, n.UnlistenStmt.Conditionname)
	case *pg.Node_NotifyStmt:
		st.named(Notify, n.NotifyStmt.Conditionname)
	case *pg.Node_ConstraintsSetStmt:
		st.Kind, st.Block, st.All = SetConstraints, BlockOnly, len(n.ConstraintsSetStmt.Constraints) == 0
	case *pg.Node_DiscardStmt:
		describeDiscard(st, n.DiscardStmt.Target)
	default:
		return false
	}
	return true
}

func (st *Statement) named(kind Kind, name string) {
	st.Kind, st.Name = kind, name
}

func (st *Statement) namedOrAll(kind Kind, name string) {
	st.Kind, st.Name, st.All = kind, name, name == ""
}

// cursorHold is CURSOR_OPT_HOLD of PostgreSQL's parsenodes.h.
const cursorHold = 0x0020

func describeDeclare(st *Statement, n *pg.DeclareCursorStmt) {
	st.named(Declare, n.Portalname)
	st.Holds = n.Options&cursorHold != 0
	if !st.Holds {
		st.Block = BlockOnly
	}
}

func describeDiscard(st *Statement, target pg.DiscardMode) {
	st.Kind = Discard
	switch target {
	case pg.DiscardMode_DISCARD_ALL:
		st.All, st.Block = true, BlockNever
	case pg.DiscardMode_DISCARD_PLANS:
		st.Name = "plans"
	case pg.DiscardMode_DISCARD_SEQUENCES:
		st.Name = "sequences"
	case pg.DiscardMode_DISCARD_TEMP:
		st.Name = "temp"
	}
}

// describeUtility is for the rest: what locks, maintains, or defines.
func (w *walker) describeUtility(node *pg.Node) {
	st := w.st
	st.Block, st.Conditional = utilityBlock(node), isConditional(node)
	switch n := node.Node.(type) {
	case *pg.Node_LockStmt:
		st.Kind, st.Block, w.reading = Lock, BlockOnly, true
		st.LockMode = int(n.LockStmt.Mode)
	case *pg.Node_TruncateStmt:
		st.Kind, st.changes = Truncate, true
	case *pg.Node_CreateTableAsStmt:
		st.Kind = DDL
		if n.CreateTableAsStmt.Objtype == pg.ObjectType_OBJECT_TABLE {
			st.Kind = CreateTableAs
		}
	case *pg.Node_CreatedbStmt:
		st.named(DDL, n.CreatedbStmt.Dbname)
	case *pg.Node_IndexStmt:
		st.named(DDL, n.IndexStmt.Idxname)
	case *pg.Node_RenameStmt:
		st.named(DDL, n.RenameStmt.Newname)
	case *pg.Node_DropdbStmt:
		st.named(DDL, n.DropdbStmt.Dbname)
	case *pg.Node_CreateTableSpaceStmt:
		st.named(DDL, n.CreateTableSpaceStmt.Tablespacename)
	case *pg.Node_VacuumStmt:
		st.Kind, w.reading = Vacuum, true
	case *pg.Node_CheckPointStmt, *pg.Node_AlterSystemStmt, *pg.Node_LoadStmt, *pg.Node_ClusterStmt, *pg.Node_ReindexStmt:
		st.Kind, w.reading = Utility, true
	case *pg.Node_AlterDefaultPrivilegesStmt, *pg.Node_CreateEventTrigStmt, *pg.Node_AlterEventTrigStmt:
		st.Kind, st.Onward = DDL, true
	case *pg.Node_DropStmt:
		st.Kind, st.Onward = DDL, n.DropStmt.RemoveType == pg.ObjectType_OBJECT_EVENT_TRIGGER
		w.dropped(n.DropStmt)
	default:
		st.Kind = DDL
	}
}

// isConditional is Statement.Conditional.
func isConditional(node *pg.Node) bool {
	switch n := node.Node.(type) {
	case *pg.Node_GrantStmt:
		return n.GrantStmt.Targtype == pg.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA
	case *pg.Node_DropOwnedStmt, *pg.Node_ReassignOwnedStmt, *pg.Node_AlterTableMoveAllStmt:
		return true
	case *pg.Node_CreateForeignTableStmt:
		return n.CreateForeignTableStmt.GetBaseStmt().GetIfNotExists()
	}
	m := node.ProtoReflect()
	root := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if root == nil {
		return false
	}
	m = m.Get(root).Message()
	field := m.Descriptor().Fields().ByName("missing_ok")
	if field == nil {
		field = m.Descriptor().Fields().ByName("if_not_exists")
	}
	return field != nil && m.Get(field).Bool()
}

// dropped notes what DROP names: the tree has plain lists of names for it.
func (w *walker) dropped(n *pg.DropStmt) {
	ofRelation := 0 // names at the end that are not the relation's
	switch n.RemoveType {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_INDEX,
		pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
	case pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY:
		ofRelation = 1
	default:
		return
	}
	for _, object := range n.Objects {
		names := object.GetList().GetItems()
		if len(names) <= ofRelation {
			continue
		}
		names = names[:len(names)-ofRelation]
		r := Relation{Name: names[len(names)-1].GetString_().GetSval()}
		if len(names) > 1 {
			r.Schema = names[len(names)-2].GetString_().GetSval()
		}
		w.addWrite(r)
	}
}
