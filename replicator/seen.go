package replicator

import (
	"fmt"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// seen is what is compared of an answer. The Answer itself belongs to its node, which
// overwrites it.
type seen struct {
	code   string // SQLSTATE; "" for success
	copyIn bool
	tags   string // each closed with a zero byte
	rows   uint64 // digest
	words  string // for a person
}

func look(a *wire.Answer) seen {
	return seen{code: a.Code(), copyIn: a.CopyIn, tags: string(a.Tags), rows: a.Rows, words: describe(a)}
}

func (s seen) String() string { return s.words }

// kind is success or error, with the SQLSTATE, and what was done, without numbers.
// Pgpool-II looks at the first byte of the answer only, so that two nodes with different
// errors count as one opinion there.
func (s seen) kind() string {
	return s.ofTags(func(string) bool { return false })
}

// tuples is kind with the numbers of rows inserted, updated or deleted. Those of other
// statements tell what was read.
func (s seen) tuples() string { return s.ofTags(countsWritten) }

// all is everything that is compared.
func (s seen) all() string {
	return s.ofTags(func(string) bool { return true }) + fmt.Sprint(" ", s.rows)
}

func (s seen) ofTags(numbered func(tag string) bool) string {
	var b strings.Builder
	for tag := range strings.SplitSeq(s.tags, "\x00") {
		if !numbered(tag) {
			tag = strings.TrimRight(tag, " 0123456789")
		}
		b.WriteString(tag)
		b.WriteByte(0)
	}
	fmt.Fprint(&b, s.code, " ", s.copyIn)
	return b.String()
}

// countsWritten reports whether the number in a command tag is of rows written.
func countsWritten(tag string) bool {
	word, _, _ := strings.Cut(tag, " ")
	switch word {
	case "INSERT", "UPDATE", "DELETE", "MERGE", "COPY":
		return true
	}
	return false
}

// ofTheMoment reports an error that comes from what else happened on the node, and
// does not tell that its data are others: class 40 (deadlock, serialization failure), a
// lock that was not to be had, a cancel or statement_timeout.
func (s seen) ofTheMoment() bool {
	switch pgerr.Code(s.code) {
	case pgerr.QueryCanceled, pgerr.LockNotAvailable:
		return true
	}
	return strings.HasPrefix(s.code, "40")
}
