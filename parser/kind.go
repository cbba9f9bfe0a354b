package parser

// Kind says which command a statement is.
type Kind uint8

// The kinds. What has no kind of its own and changes or describes the schema is
// DDL; everything else is Utility, and Statement.Node tells which command.
const (
	Empty   Kind = iota // nothing but blanks, comments and semicolons
	Unknown             // pg_query cannot parse it: newer syntax, or a syntax error
	Select              // also VALUES and TABLE
	SelectInto
	CreateTableAs // not CREATE MATERIALIZED VIEW, which is DDL
	Insert
	Update
	Delete
	Merge
	Truncate
	CopyFrom
	CopyTo
	Begin // also START TRANSACTION
	Commit
	Rollback
	Savepoint
	Release
	RollbackTo
	PrepareTransaction
	CommitPrepared
	RollbackPrepared
	Set      // also SET SESSION CHARACTERISTICS, Name "session characteristics"
	SetLocal // SET LOCAL
	SetTransaction
	SetConstraints
	Reset
	Show
	Prepare
	Execute
	Deallocate
	Declare
	Fetch // also MOVE
	ClosePortal
	Listen
	Unlisten
	Notify
	Lock
	Discard
	Explain
	Call
	Do
	Vacuum // also ANALYZE
	DDL
	Utility
)

// kindNames is indexed by Kind.
var kindNames = [...]string{
	"empty", "unknown", "select", "select into", "create table as", "insert", "update", "delete", "merge",
	"truncate", "copy from", "copy to", "begin", "commit", "rollback", "savepoint", "release", "rollback to",
	"prepare transaction", "commit prepared", "rollback prepared", "set", "set local", "set transaction",
	"set constraints", "reset", "show", "prepare", "execute", "deallocate", "declare", "fetch", "close",
	"listen", "unlisten", "notify", "lock", "discard", "explain", "call", "do", "vacuum", "ddl", "utility",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "invalid"
}

// TransactionControl reports whether k begins or ends a transaction or marks a
// place in one.
func (k Kind) TransactionControl() bool {
	return k >= Begin && k <= RollbackPrepared
}

// Block says how a statement relates to transaction blocks.
type Block uint8

const (
	// BlockAny may run in a block: we may wrap it in one of ours.
	BlockAny Block = iota
	// BlockNever must not be wrapped: PostgreSQL refuses it in a block, or does
	// so for some relations (CLUSTER and REINDEX of a partitioned table).
	BlockNever
	// BlockMayCommit is CALL and DO: outside a block they may commit themselves,
	// which they cannot in a block of ours.
	BlockMayCommit
	// BlockOnly means something in the frontend's own block only, or makes or
	// ends one. It goes bare, so that PostgreSQL's own error or warning appears.
	BlockOnly
)

// blockNames is indexed by Block.
var blockNames = [...]string{"any", "never", "may commit", "only"}

func (b Block) String() string {
	if int(b) < len(blockNames) {
		return blockNames[b]
	}
	return "invalid"
}
