package session

import (
	"strconv"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// A parameter such as 'now' is read by each node at its own moment if it is a time. Which
// type it has only the server knows, so what a Bind holds is taken for a time: the others
// are given main's rows, or the log says that they may differ.

// Bounds on what is looked into: the words, and what may stand around them.
const (
	minTimeWord = len("now")
	maxTimeWord = 80
)

// timesIn are the parameters of a Bind that may be read as the time at which they are read;
// nil for none, which is nearly always.
func timesIn(frame wire.Frame) (found []parser.Reason) {
	wire.TextParams(frame.Body(), func(i int, value []byte) bool {
		if len(value) >= minTimeWord && len(value) <= maxTimeWord && mayBeWord(value) && parser.IsTimeWord(string(value)) {
			found = append(found, parser.Reason{Kind: parser.UntypedTime, What: "parameter $" + strconv.Itoa(i+1)})
		}
		return true
	})
	return found
}

// mayBeWord: one of the words begins and ends with letters that the value has.
func mayBeWord(value []byte) bool {
	for _, c := range value {
		switch c | 0x20 {
		case 'w', 'y': // now, today, tomorrow, yesterday
			return true
		}
	}
	return false
}
