// Package protocol plays messages of the frontend/backend protocol against a
// running pgchorus, byte by byte where that matters, and looks at what comes back.
//
// There are two kinds of tests. The differential ones play the same sequence to
// pgchorus over three nodes and to one bare PostgreSQL, and compare the replies
// message by message: kind and content, but for what cannot be the same (process
// numbers, source lines of errors). The hostile ones send what no driver sends, or
// leave where no driver leaves, and show that the server stays up, that its memory
// stays bounded, and that a bystander, another frontend with a session of its own,
// notices nothing.
//
// The package has a small codec of its own, since a driver would repair, refuse or
// hide what has to be sent and seen here. It has no code outside of its tests.
package protocol
