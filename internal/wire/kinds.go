package wire

// Kind is the first byte of a message.
type Kind = byte

// Messages that a frontend sends (protocol chapter 55.7).
const (
	KindBind         Kind = 'B'
	KindClose        Kind = 'C'
	KindCopyData     Kind = 'd' // both directions
	KindCopyDone     Kind = 'c' // both directions
	KindCopyFail     Kind = 'f'
	KindDescribe     Kind = 'D'
	KindExecute      Kind = 'E'
	KindFlush        Kind = 'H'
	KindFunctionCall Kind = 'F'
	KindParse        Kind = 'P'
	KindPassword     Kind = 'p' // PasswordMessage, SASLInitialResponse, SASLResponse
	KindQuery        Kind = 'Q'
	KindSync         Kind = 'S'
	KindTerminate    Kind = 'X'
)

// Messages that a backend sends.
const (
	KindAuthentication           Kind = 'R'
	KindBackendKeyData           Kind = 'K'
	KindBindComplete             Kind = '2'
	KindCloseComplete            Kind = '3'
	KindCommandComplete          Kind = 'C'
	KindCopyBothResponse         Kind = 'W'
	KindCopyInResponse           Kind = 'G'
	KindCopyOutResponse          Kind = 'H'
	KindDataRow                  Kind = 'D'
	KindEmptyQueryResponse       Kind = 'I'
	KindErrorResponse            Kind = 'E'
	KindFunctionCallResponse     Kind = 'V'
	KindNegotiateProtocolVersion Kind = 'v'
	KindNoData                   Kind = 'n'
	KindNoticeResponse           Kind = 'N'
	KindNotificationResponse     Kind = 'A'
	KindParameterDescription     Kind = 't'
	KindParameterStatus          Kind = 'S'
	KindParseComplete            Kind = '1'
	KindPortalSuspended          Kind = 's'
	KindReadyForQuery            Kind = 'Z'
	KindRowDescription           Kind = 'T'
)

// TxStatus is the transaction status byte of ReadyForQuery.
type TxStatus = byte

// The three transaction statuses.
const (
	TxIdle   TxStatus = 'I'
	TxOpen   TxStatus = 'T'
	TxFailed TxStatus = 'E'
)
