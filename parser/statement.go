package parser

// Script is what one query string holds. It is never changed once returned and
// may be shared between goroutines.
type Script struct {
	// Statements has at least one element; a string of blanks has one Empty.
	Statements []Statement
	// Err is why the string could not be parsed, a *pgerr.Error with Position
	// where pg_query gives one, or nil. Then the only statement is Unknown.
	Err error
	// ReadOnly: every statement is.
	ReadOnly bool
	// TransactionControl: some statement begins or ends a transaction or sets or
	// releases a savepoint.
	TransactionControl bool
	// LiteralSensitive: another number or string in the place of one of its own
	// could change the facts, so they hold for this exact text only.
	LiteralSensitive bool
	// AssumesStandardStrings: a plain string holds a backslash, so the facts hold
	// only while standard_conforming_strings is on.
	AssumesStandardStrings bool
}

// Statement is the facts about one statement.
type Statement struct {
	Kind  Kind
	Block Block

	// ReadOnly: executing it on one node alone is safe. It changes nothing, locks
	// no rows at any depth, and calls only functions known to be free of side
	// effects. What leaves something in the session (PREPARE, DECLARE, SET) is
	// not; Inner has the answer for what is prepared or declared.
	ReadOnly bool
	// ReadBySyntax is ReadOnly as far as the text can tell: it would be ReadOnly
	// if every one of UnknownFunctions had no side effects.
	ReadBySyntax bool

	// Start and Length are the bytes of the statement within the string; Length
	// -1 is "to the end". A lone statement covers the whole string. Inner has the
	// place of the statement around it. See Text.
	Start, Length int

	// Node is the type of the parse tree's root, such as "CreatedbStmt".
	Node string
	// Name is the name of the prepared statement, cursor, savepoint, channel,
	// setting, global transaction, database or tablespace (made or dropped), index (made), or what RENAME gives;
	// All is set for ALL and *.
	Name string
	All  bool
	// Value is what SET gives, when that is one constant; Values has them all.
	Value  string
	Values []string
	// Default: SET x TO DEFAULT.
	Default bool

	// Executes is the prepared statement that EXECUTE, or CREATE TABLE AS EXECUTE, runs.
	Executes string
	// Inner is the statement within PREPARE, EXPLAIN, DECLARE, COPY (query).
	Inner *Statement
	// Analyze: EXPLAIN with ANALYZE, so that Inner is executed.
	Analyze bool

	// Isolation is "", "read uncommitted", "read committed", "repeatable read" or
	// "serializable", as BEGIN, SET TRANSACTION, SET SESSION CHARACTERISTICS and
	// SET (default_)transaction_isolation say.
	Isolation            string
	ReadOnlyTransaction  bool
	ReadWriteTransaction bool
	Deferrable           bool // BEGIN ... DEFERRABLE
	Chain                bool // AND CHAIN
	// LockMode is that of LOCK, 1 (ACCESS SHARE) to 8 (ACCESS EXCLUSIVE), as PostgreSQL
	// numbers them (lockdefs.h); 0 for other statements.
	LockMode int

	// Reads and Writes are the relations named, each once. The target of UPDATE
	// and DELETE is in Writes only. Views are not expanded here. For EXPLAIN
	// without ANALYZE all are in Reads; for PREPARE see Inner.
	Reads, Writes []Relation
	// Functions are the functions called by name, each once, at any depth.
	Functions []Function
	// UnknownFunctions are those of Functions with class UnknownFunction.
	UnknownFunctions []Function
	// Operators are the names of the operators used, and Casts those of the types
	// that are cast to, each once, without schema: functions of users may be behind them.
	Operators, Casts []string
	// HashedBy is the column that the statement partitions a table by the hash of, if its
	// type is not known to have the same hash on all nodes.
	HashedBy string
	// NodeLocal: a function tells of the one node that it runs on.
	NodeLocal bool
	// Identifiers: the numbers that a server gives its objects are looked at or returned,
	// by a cast, by tableoid, or within COPY's binary format.
	Identifiers bool
	// ObjectNumbers: of these, numbers that may be stored as such: a name that is cast to a
	// number, or a column that has them.
	ObjectNumbers bool

	// TimeCalls are the places in the whole string where the current time is
	// asked for, in order; only for statements that are not ReadOnly, never in
	// DDL. Those of a prepared statement are in Inner.
	TimeCalls []TimeCall
	// AsksTime: the current time is asked for, by a call or a constant that is cast. It is
	// set for every kind of statement.
	AsksTime bool
	// UntypedTimeString: a bare constant 'now', 'today', 'tomorrow' or
	// 'yesterday' stands where only the server knows its type. It is set for
	// every kind of statement.
	UntypedTimeString bool

	// Targets are the relations whose rows are added or changed by a data-modifying
	// part, with their columns as far as the text names them.
	Targets []Target

	// Locked is what a SELECT that locks rows locks; nil where it is not as simple as that.
	Locked *LockedRead
	// Point is the one row that a statement is about; nil where it is not as simple as that.
	Point *Point
	// Hazards are what in it nodes may decide differently by themselves.
	Hazards Hazards

	MaxParam         int  // the highest $n, 0 for none
	Returning        bool // RETURNING on any data-modifying part
	HasLockingClause bool // FOR UPDATE and its relatives, at any depth
	Holds            bool // DECLARE ... WITH HOLD
	// Objects is how often the text has a large object made whose number the server may
	// choose (lo_creat, lo_create, lo_from_bytea), and ObjectsCounted that each of these
	// calls is made once.
	Objects        int
	ObjectsCounted bool
	// Conditional: DDL that does nothing about what is missing, or there already, or does it about whatever is there:
	// IF EXISTS, IF NOT EXISTS, ALL ... IN SCHEMA, OWNED BY.
	Conditional bool
	// Onward: DDL behind it is something else: ALTER DEFAULT PRIVILEGES, event triggers.
	Onward bool
	// Subscribes: CREATE or ALTER SUBSCRIPTION that makes it ask its publisher for changes.
	// One that is made with connect = false does not, until it is enabled.
	Subscribes bool
	// Added are the columns of ALTER TABLE that rows which are there already are given
	// values for, as far as those are not plainly the same on all nodes.
	Added []Added
	// Body is the text of DO, in SQL's own languages; "" for any other language.
	Body      string
	ToStdout  bool // COPY ... TO STDOUT
	FromStdin bool // COPY ... FROM STDIN
	Binary    bool // COPY ... (FORMAT binary)
	// CopyInput is how the data of COPY FROM STDIN is written; nil for binary data, and for other
	// statements.
	CopyInput *CopyInput

	// facts that only decide whether another text may share this script
	valueSensitive bool
	changes        bool // has DML, INTO or a write of its own

	places *places // where Plan may put values; nil where there is nothing
}

// Relation is a table, view, index or sequence as it is named in a statement.
// Names are folded as PostgreSQL folds them, without quotes.
type Relation struct {
	Schema    string // "" when not given
	Name      string
	Temporary bool // created by this statement as TEMPORARY
}

func (r Relation) String() string {
	if r.Schema == "" {
		return r.Name
	}
	return r.Schema + "." + r.Name
}

// Function is a function called by name.
type Function struct {
	Schema string // "" when not given
	Name   string
	Class  FunctionClass
	// Args are the leading constant arguments, for those functions whose meaning
	// hangs on them: nextval, currval, setval, set_config, current_setting, pg_notify,
	// pg_terminate_backend, pg_cancel_backend.
	Args []string
}

func (f Function) String() string {
	if f.Schema == "" {
		return f.Name
	}
	return f.Schema + "." + f.Name
}

// Text returns the statement's part of sql, the string it was classified from,
// without surrounding blanks and semicolons. Comments that stand before a lone
// statement stay.
func (s *Statement) Text(sql string) string {
	end := len(sql)
	if s.Length >= 0 && s.Start+s.Length <= len(sql) {
		end = s.Start + s.Length
	}
	if s.Start > end {
		return ""
	}
	return trimStatement(sql[s.Start:end])
}

// Computes reports whether the text calls something, besides the time, that may return
// something else on each node: chance, what a node tells of itself, and functions that
// only the catalogue knows.
func (s *Statement) Computes() bool { return s.places != nil && len(s.places.calls) > 0 }

// trimStatement removes blanks at both ends and semicolons at the end.
func trimStatement(text string) string {
	for len(text) > 0 && isBlank(text[0]) {
		text = text[1:]
	}
	for n := len(text); n > 0 && (isBlank(text[n-1]) || text[n-1] == ';'); n-- {
		text = text[:n-1]
	}
	return text
}

// executed reports whether s may call functions or change data when it runs, so
// that the time calls within it matter.
func (s *Statement) executed() bool {
	switch s.Kind {
	case Select, SelectInto, CreateTableAs, Insert, Update, Delete, Merge, CopyFrom, CopyTo, Call, Execute, Declare:
		return true
	case Explain:
		return s.Analyze
	}
	return false
}
