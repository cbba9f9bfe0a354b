package lb

// Reason is why a statement goes where it goes, or is what it is.
type Reason uint8

// The reasons.
const (
	None Reason = iota

	// Why a statement is no read that one node alone can do.
	Writes
	WritesInWith
	CreatesTable
	ChangesSchema
	LocksRows
	LocksRelation
	CallsWriter
	CallsVolatile
	CodeWrites
	UnnamedCodeWrites
	CallsUnknown
	NotReadOnlyListed
	WriteListed
	ReadsWritingView
	NotLookedUp
	WritesFile
	RunsCode
	Notifies
	Maintains
	TwoPhase
	UnknownPrepared
	NotUnderstood
	ControlsTransaction
	SetsSession
	SetsTransaction
	MarksSavepoint
	UsesCursor
	Listens
	NotOnStandby

	// Why a read stays on the main node.
	CommentInFront
	NoLoadBalanceHint
	RoutingPattern
	SystemCatalogue
	ObjectIdentifiers
	TemporaryRelation
	UnloggedRelation
	NoSuchRelation
	AsksAboutNode
	AsksAboutServer
	ReadsSequence
	MainByPolicy

	// Why it goes where it goes.
	ReplicationHint
	ReplicateSelect
	RawMode
	LoadBalanced
	LoadBalanceOff
	LoadBalanceNodeDown
	ReadOnlyTransaction
	TransactionWrote
	TransactionPinned
	SessionWrote
	OneSnapshot
	SerializableTransaction
	TransactionReads
	TransactionFailed
	RelationWritten
	MayBeWritten
	RecentlyWritten
	ColdStart
	DelayOver
	LowerDelay
	NotYetReplayed
	AnsweredHere

	// Why a node is the load balance node.
	ByWeight
	NoWeights
	AppNameRedirect
	DatabaseRedirect
	UserRedirect

	endOfReasons
)

// reasonText is what a reason says: text alone, or with what it speaks of between
// before and after.
type reasonText struct{ text, before, after string }

var reasonTexts = [endOfReasons]reasonText{
	None: {text: "none"},

	Writes:              {"writes", "writes ", ""},
	WritesInWith:        {"WITH query writes", "WITH query writes ", ""},
	CreatesTable:        {"creates a table", "creates table ", ""},
	ChangesSchema:       {"changes the schema", "changes the schema of ", ""},
	LocksRows:           {"has a locking clause", "locks rows of ", ""},
	LocksRelation:       {"locks a relation", "locks ", ""},
	CallsWriter:         {"calls a write function", "calls write function ", "()"},
	CallsVolatile:       {"calls a volatile function", "calls volatile function ", "()"},
	CodeWrites:          {"calls a function whose code writes", "code of ", "() writes"},
	UnnamedCodeWrites:   {"calls code that writes, behind an operator, a cast, a view or a policy", "calls code that writes, behind an operator, a cast, a view or a policy", ""},
	CallsUnknown:        {"calls an unknown function", "calls unknown function ", "()"},
	NotReadOnlyListed:   {"calls a function that is not in read_only_function_list", "read_only_function_list does not have ", "()"},
	WriteListed:         {"calls a function of write_function_list", "write_function_list has ", "()"},
	ReadsWritingView:    {"reads a view that may write", "reading ", " may write"},
	NotLookedUp:         {"catalogue was not asked", "catalogue was not asked about ", ""},
	WritesFile:          {"writes a file of the server", "", ""},
	RunsCode:            {"runs code in the server", "runs code in the server: ", ""},
	Notifies:            {"notifies", "notifies ", ""},
	Maintains:           {"maintenance command", "maintains ", ""},
	TwoPhase:            {"two-phase commit", "two-phase commit of ", ""},
	UnknownPrepared:     {"prepared statement is not known", "prepared statement is not known: ", ""},
	NotUnderstood:       {"cannot be parsed, may write", "", ""},
	ControlsTransaction: {"begins or ends a transaction", "", ""},
	SetsSession:         {"changes the session's state", "changes the session's state: ", ""},
	SetsTransaction:     {"changes the transaction's state", "changes the transaction's state: ", ""},
	MarksSavepoint:      {"savepoint", "savepoint ", ""},
	UsesCursor:          {"uses a cursor", "uses cursor ", ""},
	Listens:             {"listens", "listens to ", ""},
	NotOnStandby:        {"standbys cannot do that", "standbys cannot set ", " so"},

	CommentInFront:    {"comment in front, allow_sql_comments is off", "", ""},
	NoLoadBalanceHint: {"comment says NO LOAD BALANCE", "", ""},
	RoutingPattern:    {"matches primary_routing_query_pattern_list", "", ""},
	SystemCatalogue:   {"reads a system catalogue", "reads system catalogue ", ""},
	ObjectIdentifiers: {"object identifiers are each node's own", "", ""},
	TemporaryRelation: {"reads a temporary table", "reads temporary table ", ""},
	UnloggedRelation:  {"reads an unlogged table", "reads unlogged table ", ""},
	NoSuchRelation:    {"reads a relation that is not known", "reads a relation that is not known: ", ""},
	AsksAboutNode:     {"asks about the primary", "asks about the primary: ", "()"},
	AsksAboutServer:   {"asks about the server", "asks about the server: ", ""},
	ReadsSequence:     {"reads a sequence", "reads sequence ", ""},
	MainByPolicy:      {"function_policy keeps it on the main node", "function_policy keeps ", " on the main node"},

	ReplicationHint:         {"comment says REPLICATION", "", ""},
	ReplicateSelect:         {"replicate_select is on", "", ""},
	RawMode:                 {"raw mode", "", ""},
	LoadBalanced:            {"load balanced", "", ""},
	LoadBalanceOff:          {"load_balance_mode is off", "", ""},
	LoadBalanceNodeDown:     {"load balance node is down", "", ""},
	ReadOnlyTransaction:     {"transaction is read only", "", ""},
	TransactionWrote:        {"transaction has written", "", ""},
	TransactionPinned:       {"transaction has state on the primary", "", ""},
	SessionWrote:            {"session has written", "", ""},
	OneSnapshot:             {"transaction keeps one snapshot", "", ""},
	SerializableTransaction: {"transaction is serializable", "", ""},
	TransactionReads:        {"transaction reads there", "", ""},
	TransactionFailed:       {"transaction has failed", "", ""},
	RelationWritten:         {"transaction has written what is read", "transaction has written ", ""},
	MayBeWritten:            {"transaction may have written anything", "transaction may have written ", ""},
	RecentlyWritten:         {"recently written", "recently written: ", ""},
	ColdStart:               {"cold start of the track of written tables", "", ""},
	DelayOver:               {"standby is too far behind", "", ""},
	LowerDelay:              {"least delayed standby", "", ""},
	NotYetReplayed:          {"standby has not replayed what the session wrote", "", ""},
	AnsweredHere:            {"no node knows it", "", ""},

	ByWeight:         {"chosen by weight", "", ""},
	NoWeights:        {"no weights", "", ""},
	AppNameRedirect:  {"app_name_redirect_preference_list", "", ""},
	DatabaseRedirect: {"database_redirect_preference_list", "", ""},
	UserRedirect:     {"user_redirect_preference_list", "", ""},
}

// String gives the text without a name.
func (r Reason) String() string {
	if r < endOfReasons {
		return reasonTexts[r].text
	}
	return "unknown"
}

// About gives the text with the name of what it speaks of; "" is no name.
func (r Reason) About(name string) string {
	if r >= endOfReasons || name == "" || reasonTexts[r].before == "" {
		return r.String()
	}
	return reasonTexts[r].before + name + reasonTexts[r].after
}
