package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// describeTransaction is for BEGIN to ROLLBACK PREPARED.
func describeTransaction(st *Statement, n *pg.TransactionStmt) {
	st.Block, st.Chain = BlockOnly, n.Chain
	switch n.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
		st.Kind = Begin
		transactionModes(st, n.Options)
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		st.Kind = Commit
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		st.Kind = Rollback
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		st.named(Savepoint, n.SavepointName)
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		st.named(Release, n.SavepointName)
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		st.named(RollbackTo, n.SavepointName)
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		st.named(PrepareTransaction, n.Gid)
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		st.named(CommitPrepared, n.Gid)
		st.Block = BlockNever
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		st.named(RollbackPrepared, n.Gid)
		st.Block = BlockNever
	}
}

// transactionModes reads ISOLATION LEVEL and READ ONLY or WRITE.
func transactionModes(st *Statement, options []*pg.Node) {
	for _, o := range options {
		option := o.GetDefElem()
		value := option.GetArg().GetAConst()
		if value == nil {
			continue
		}
		switch option.Defname {
		case "transaction_isolation":
			st.Isolation = value.GetSval().GetSval()
		case "transaction_read_only":
			st.ReadOnlyTransaction = value.GetIval().GetIval() != 0
			st.ReadWriteTransaction = !st.ReadOnlyTransaction
		case "transaction_deferrable":
			st.Deferrable = value.GetIval().GetIval() != 0
		}
	}
}

// describeSet is for SET in all its forms, and RESET.
func describeSet(st *Statement, n *pg.VariableSetStmt) {
	st.named(Set, n.Name)
	switch n.Kind {
	case pg.VariableSetKind_VAR_RESET:
		st.Kind = Reset
		return
	case pg.VariableSetKind_VAR_RESET_ALL:
		st.Kind, st.Name, st.All = Reset, "", true
		return
	case pg.VariableSetKind_VAR_SET_MULTI:
		describeSetTransaction(st, n)
		return
	case pg.VariableSetKind_VAR_SET_DEFAULT:
		st.Default = true
	case pg.VariableSetKind_VAR_SET_VALUE:
		setValues(st, n.Args)
	}
	if n.IsLocal {
		st.Kind, st.Block = SetLocal, BlockOnly
	}
}

// describeSetTransaction is for SET TRANSACTION, which holds for the block only,
// and SET SESSION CHARACTERISTICS, which sets defaults.
func describeSetTransaction(st *Statement, n *pg.VariableSetStmt) {
	st.Name = strings.ToLower(n.Name)
	switch n.Name {
	case "SESSION CHARACTERISTICS":
		transactionModes(st, n.Args)
	case "TRANSACTION SNAPSHOT":
		st.Kind, st.Block = SetTransaction, BlockOnly
		setValues(st, n.Args)
	default:
		st.Kind, st.Block = SetTransaction, BlockOnly
		transactionModes(st, n.Args)
	}
}

func setValues(st *Statement, args []*pg.Node) {
	for _, arg := range args {
		c := arg.GetAConst()
		if c == nil {
			st.Values = nil // SET TIME ZONE INTERVAL
			return
		}
		st.Values = append(st.Values, constantText(c))
	}
	if len(st.Values) != 1 {
		return
	}
	st.Value = st.Values[0]
	switch st.Name {
	case "transaction_isolation", "default_transaction_isolation":
		st.Isolation = strings.ToLower(st.Value)
	}
}
