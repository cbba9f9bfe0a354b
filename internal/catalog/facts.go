package catalog

// Volatility is pg_proc.provolatile. The zero value is the most restrictive.
type Volatility uint8

const (
	// Volatile functions may change the database and return anything.
	Volatile Volatility = iota
	// Stable functions return the same within one statement.
	Stable
	// Immutable functions return the same for ever.
	Immutable
)

func (v Volatility) String() string {
	switch v {
	case Stable:
		return "stable"
	case Immutable:
		return "immutable"
	}
	return "volatile"
}

// Function is what is known of all functions of one name. One that does not exist is
// Volatile.
type Function struct {
	Exists bool
	// Volatility is the most volatile of them. An aggregate is volatile if one of
	// its support functions is: its own label never says so.
	Volatility Volatility
	// ReturnsSet: one of them does.
	ReturnsSet bool
	// Aggregate: one of them is one.
	Aggregate bool
	// Alike: all of them return the same on all nodes for the same data and settings.
	// They are immutable, or stable with a body in SQL or PL/pgSQL that does not look
	// as if it asked for the time, for chance or for something of the node. What they
	// call in turn is not looked at.
	Alike bool
}

// Relation is what is known of all relations of one name: tables, views, sequences
// and whatever else can be read. A flag is set if it holds for one of them or for
// something that one of them reads: through views at any depth, in partitions and
// inheritance children.
type Relation struct {
	Exists bool
	// System: in schema pg_catalog. What the views of information_schema and row
	// security policies read does not count, as in Pgpool-II.
	System bool
	// Temporary: of any session, also one other than the one that asked.
	Temporary   bool
	Unlogged    bool
	Foreign     bool
	RowSecurity bool
	// View: a view; a materialized one is Materialized instead, and what it was made
	// from is not looked at, since reading it reads only itself.
	View         bool
	Materialized bool
	// Sequence: a sequence, whose position a standby has ahead of what was drawn.
	Sequence bool
	// Rules: there are rewrite rules besides a view's own. They matter to writes; no
	// rule changes what a read does.
	Rules bool
	// Volatile: reading it may do more than read. A view, at any depth, or a row
	// security policy calls a volatile function that does not merely compute
	// something, or locks rows; or there was more to look at than the bounds allow.
	Volatile bool
	// Code: reading it calls code of users that can be looked into: in a view, at any depth, or a row
	// security policy.
	Code bool
	// Base holds the relations that a view reads at any depth, other views among
	// them, in no particular order and without the view itself; nil for anything but
	// a view, and for a view that reads more of them than maxBase. It is shared:
	// nobody may change it.
	Base []Name
}

// Changes reports whether a function may change something.
func (v Volatility) Changes() bool { return v == Volatile }

// Constant reports whether a function returns the same for ever.
func (v Volatility) Constant() bool { return v == Immutable }
