// Package wire moves messages of the PostgreSQL frontend/backend protocol,
// version 3, over sockets: framing with bounds, and the few messages that
// pgchorus looks into.
//
// It does not know what a message is for: sessions, transactions and log-in are
// decided above. Messages are peeked at and forwarded as the bytes they came in;
// only what has to be understood is decoded, by decoders of this package where
// the library's are not safe with hostile lengths (Bind, for one).
//
// The types to know: Conn, one connection to a peer with its two buffers;
// Frame, one message as bytes; Start, what a frontend's first packet asks for.
//
// A Conn has one owner at a time. The bytes of a Frame belong to the Conn and are
// valid until its next read.
package wire
