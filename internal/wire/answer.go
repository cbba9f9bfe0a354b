package wire

import (
	"bytes"
	"hash/maphash"
)

// Expect is one answer that a request calls for.
type Expect struct {
	What ExpectKind
	Hide bool // the request was ours; the frontend sees nothing of the answer
	// Digest adds up the rows, to be compared between nodes.
	Digest bool
	// Tail: the last column of the rows is ours.
	Tail bool
	// Silent notes command tags and shows neither them nor rows.
	Silent bool
	// HideTags is the number of leading CommandCompletes of a Query that belong to
	// statements which we put in front.
	HideTags int
	// The position in errors and notices counts in the text that was sent. Prefix is
	// how many characters we put in front of the statement; Place, if set, leads from
	// the statement as it was sent to the frontend's; Base is how many characters
	// stand before that in the frontend's string.
	Prefix, Base int
	Place        func(position int) int
	// About is whom a description is for, or what else the sink keeps with the answer.
	About any
	// Row, if set, is given the body of every row before it is added to the digest and
	// passed on, and may change it in place.
	Row func(body []byte)
	// Params, if not 0, cuts a ParameterDescription down to Params-1 parameters: the
	// last one is ours.
	Params int
}

// ExpectKind is the kind of request that an answer belongs to.
type ExpectKind uint8

// The requests of both query protocols.
const (
	ExpectQuery ExpectKind = iota + 1 // up to ReadyForQuery
	ExpectFunctionCall
	ExpectParse
	ExpectBind
	ExpectDescribeStatement
	ExpectDescribePortal
	ExpectExecute
	ExpectClose
	ExpectSync // ReadyForQuery
)

// EndsWithReady reports whether a ReadyForQuery closes the answer.
func (k ExpectKind) EndsWithReady() bool {
	return k == ExpectQuery || k == ExpectFunctionCall || k == ExpectSync
}

// Answer is what a backend answered to one request, as far as it matters to
// someone who compares answers. The zero Answer is ready for use.
type Answer struct {
	// Tags holds the command tags, each closed with a zero byte. They carry the
	// numbers of rows.
	Tags []byte
	// Rows is the sum of the rows' hashes, whatever their order, where a digest was
	// asked for.
	Rows uint64
	// Err is the body of the first ErrorResponse; empty for success.
	Err []byte
	// CopyIn is set while the backend waits for copy data.
	CopyIn bool
	// Status is the last transaction status; 0 when there was no ReadyForQuery.
	Status TxStatus
}

// Reset makes a ready for the next request and keeps its memory.
func (a *Answer) Reset() {
	a.Tags, a.Err = a.Tags[:0], a.Err[:0]
	a.CopyIn, a.Status, a.Rows = false, 0, 0
}

// Failed reports whether the backend answered with an error.
func (a *Answer) Failed() bool { return len(a.Err) > 0 }

// Code is the SQLSTATE of the error; "" for success.
func (a *Answer) Code() string { return ErrorField(a.Err, FieldCode) }

// Nothing reports whether the last command tag tells of no row.
func (a *Answer) Nothing() bool { return bytes.HasSuffix(a.Tags, []byte(" 0\x00")) }

// AddRow adds a row to the digest. All nodes' rows are hashed with the same seed.
func (a *Answer) AddRow(row []byte) { a.Rows += maphash.Bytes(rowSeed, row) }

var rowSeed = maphash.MakeSeed()

// AddTag notes a command tag.
func (a *Answer) AddTag(tag []byte) { a.Tags = append(append(a.Tags, tag...), 0) }
