package pgerr

// Code is an SQLSTATE: five characters (PostgreSQL, appendix A).
type Code string

// SQLSTATEs used here. All are PostgreSQL's own, so that a driver's rules for
// retrying hold behind pgchorus as they do before a bare server.
const (
	// SuccessfulCompletion: of notices.
	SuccessfulCompletion Code = "00000"
	// ConnectionFailure: a node was lost after part of its answer had gone out.
	ConnectionFailure Code = "08006"
	// TransactionResolutionUnknown: whether a COMMIT took effect is not known.
	TransactionResolutionUnknown Code = "08007"
	// ProtocolViolation: the peer broke the frontend/backend protocol.
	ProtocolViolation Code = "08P01"
	// FeatureNotSupported: refused on purpose.
	FeatureNotSupported Code = "0A000"
	// ActiveSQLTransaction: not allowed inside a transaction block.
	ActiveSQLTransaction Code = "25001"
	// NoActiveSQLTransaction: allowed inside a transaction block only.
	NoActiveSQLTransaction Code = "25P01"
	// ReadOnlySQLTransaction: a standby, or a transaction that must not write.
	ReadOnlySQLTransaction Code = "25006"
	// InFailedSQLTransaction: the block is aborted and waits for its end.
	InFailedSQLTransaction Code = "25P02"
	// IdleSessionTimeout: client_idle_limit was reached.
	IdleSessionTimeout Code = "57P05"
	// InvalidSQLStatementName: no such prepared statement.
	InvalidSQLStatementName Code = "26000"
	// InvalidAuthorization: no user, or not let in by a rule.
	InvalidAuthorization Code = "28000"
	// InvalidPassword: the proof did not match.
	InvalidPassword Code = "28P01"
	// InvalidTransactionTermination: COMMIT where it is not possible.
	InvalidTransactionTermination Code = "2D000"
	// InvalidSchemaName: no such schema.
	InvalidSchemaName Code = "3F000"
	// InvalidCursorName: no such portal.
	InvalidCursorName Code = "34000"
	// SerializationFailure: retry the transaction.
	SerializationFailure Code = "40001"
	// DeadlockDetected: retry the transaction.
	DeadlockDetected Code = "40P01"
	// SyntaxError: the text is no SQL.
	SyntaxError Code = "42601"
	// DuplicatePreparedStatement: the name is taken.
	DuplicatePreparedStatement Code = "42P05"
	// UndefinedColumn: no such column.
	UndefinedColumn Code = "42703"
	// UndefinedFunction: no such function.
	UndefinedFunction Code = "42883"
	// InsufficientPrivilege: the role has no right to it.
	InsufficientPrivilege Code = "42501"
	// UndefinedTable: no such relation.
	UndefinedTable Code = "42P01"
	// UndefinedObject: no such parameter.
	UndefinedObject Code = "42704"
	// InvalidParameterValue: a setting was given a value it cannot have.
	InvalidParameterValue Code = "22023"
	// TooManyConnections: a limit of ours or of a node is reached.
	TooManyConnections Code = "53300"
	// ProgramLimitExceeded: a bound of ours.
	ProgramLimitExceeded Code = "54000"
	// ObjectNotInPrerequisiteState: the node is not in a state for that.
	ObjectNotInPrerequisiteState Code = "55000"
	// CantChangeRuntimeParam: needs a restart.
	CantChangeRuntimeParam Code = "55P02"
	// LockNotAvailable: a lock that was not waited for, or not any longer (lock_timeout).
	LockNotAvailable Code = "55P03"
	// QueryCanceled: cancelled by the frontend or by a timeout.
	QueryCanceled Code = "57014"
	// AdminShutdown: ended by the administrator.
	AdminShutdown Code = "57P01"
	// CrashShutdown: the server ends because another of its processes has crashed.
	CrashShutdown Code = "57P02"
	// CannotConnectNow: no node can be reached, try later.
	CannotConnectNow Code = "57P03"
	// InternalError: a fault of ours.
	InternalError Code = "XX000"
)
