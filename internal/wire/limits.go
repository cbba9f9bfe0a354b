package wire

// Bounds on what a peer may make us hold.
const (
	// MaxMessage is the largest body of a message, in bytes: PQ_LARGE_MESSAGE_LIMIT
	// of PostgreSQL, which is MaxAllocSize - 1.
	MaxMessage = 0x3fffffff - 1
	// MaxStartup is the largest start-up packet, in bytes: MAX_STARTUP_PACKET_LENGTH
	// of PostgreSQL.
	MaxStartup = 10000
	// MaxLogin bounds a message before log-in has ended: PG_MAX_AUTH_TOKEN_LENGTH
	// of PostgreSQL.
	MaxLogin = 64 << 10
	// maxWhole is the largest message from a backend that is forwarded in one
	// piece; what is longer is passed on as it arrives.
	maxWhole = 64 << 10
	// bufferSize is what a connection reads at once; a buffer is held only while
	// there are bytes in it.
	bufferSize = 16 << 10
	// OutboxSize is how many bytes may wait for one write.
	OutboxSize = 16 << 10
)
