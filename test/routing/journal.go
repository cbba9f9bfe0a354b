package routing

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// ServerSettings make a server log every statement so that a Journal can read it. The
// messages that tell of one begin behind logMark.
func ServerSettings() map[string]string {
	return map[string]string{
		"log_statement":   "all",
		"log_line_prefix": "%p " + logMark,
		// A statement that fails is shown behind its error, also when it was too bad
		// to be parsed and log_statement did not see it.
		"log_min_error_statement": "error",
		// What a statement reports as a warning or notice is nobody's business here.
		"log_min_messages": "error",
	}
}

// logMark ends the prefix of each message; %q and %a are not in it, since an
// application may call itself anything.
const logMark = "|> "

// maxEntries bounds what one look at a log takes in, in bytes.
const maxEntries = 16 << 20

// Journal is what one server was told, read from its log. It is for one goroutine.
type Journal struct {
	node   int
	file   string
	offset int64
}

// NewJournal begins at the present end of the node's log.
func NewJournal(n *pgtest.Node) (*Journal, error) {
	info, err := os.Stat(n.LogFile)
	if err != nil {
		return nil, err
	}
	return &Journal{node: n.ID, file: n.LogFile, offset: info.Size()}, nil
}

// Next returns the statements that the server was told since the last call. A server
// writes a statement down before it runs it, so those that were answered are in it.
func (j *Journal) Next() ([]string, error) {
	f, err := os.Open(j.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, j.offset, maxEntries))
	if err != nil {
		return nil, fmt.Errorf("log of node %d: %w", j.node, err)
	}
	whole := strings.LastIndexByte(string(text), '\n') + 1
	j.offset += int64(whole)
	return statements(string(text[:whole])), nil
}

// statements reads the log. PostgreSQL writes a tab in front of the further lines of a
// message (append_with_tabs in elog.c).
func statements(log string) []string {
	var found []string
	mine := false
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		if rest, more := strings.CutPrefix(line, "\t"); more {
			if mine {
				found[len(found)-1] += "\n" + rest
			}
			continue
		}
		_, message, _ := strings.Cut(line, logMark)
		var text string
		if text, mine = statement(message); mine {
			found = append(found, text)
		}
	}
	return found
}

// statement is the statement that a message tells of, in the words of exec_simple_query
// and exec_execute_message in postgres.c.
func statement(message string) (string, bool) {
	if text, found := strings.CutPrefix(message, "STATEMENT:  "); found {
		return text, true
	}
	if text, found := strings.CutPrefix(message, "LOG:  statement: "); found {
		return text, true
	}
	if text, found := strings.CutPrefix(message, "LOG:  execute "); found {
		_, text, found = strings.Cut(text, ": ")
		return text, found
	}
	return "", false
}

// Journals are those of all nodes.
type Journals []*Journal

// NewJournals begins at the present end of all logs.
func NewJournals(nodes []*pgtest.Node) (Journals, error) {
	var all Journals
	for _, n := range nodes {
		j, err := NewJournal(n)
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, nil
}

// Where returns the nodes that were told a statement, among what they were told since
// the last call.
func (js Journals) Where(is func(statement string) bool) (Nodes, error) {
	var where Nodes
	for _, j := range js {
		told, err := j.Next()
		if err != nil {
			return 0, err
		}
		for _, text := range told {
			if is(text) {
				where |= NodesOf(j.node)
			}
		}
	}
	return where, nil
}
