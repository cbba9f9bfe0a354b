package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// COPY FROM STDIN into a table whose rows each node would fill differently, by a default or a
// trigger that computes something for each of them, is run by main alone. What main has
// stored is copied from there to the others, and is kept nowhere on its way.

// relay is that for one COPY.
type relay struct {
	stmt *parser.Statement
	// quiet: triggers must not fire again on the others.
	quiet bool
	// instead is what is done if main's rows cannot be had.
	instead func() *care
	copied  *capture.Copied // nil until main was asked about the table
}

// relayOf is how a COPY reaches the others; nil if each node runs it for itself. unlike:
// columns are given what each node computes.
func (s *Session) relayOf(stmt *parser.Statement, unlike bool, v *safety.Verdict) *relay {
	if stmt.Kind != parser.CopyFrom || !stmt.FromStdin || len(stmt.Targets) != 1 || v.Elsewhere.Writes || s.wantedWay() != capture.Rows || !s.rowsHaveExactText() {
		return nil
	}
	firing := s.firingOf(stmt, v)
	if firing.Beside || !unlike && !firing.Unlike {
		return nil
	}
	triggers := s.hasTriggers(stmt)
	if triggers && (!firing.InRow || s.alwaysFires(stmt) || s.lacksQuiet()) {
		return nil // those that fire behind rows have to fire on each node
	}
	return &relay{stmt: stmt, quiet: triggers}
}

// relayed reports whether the others are given main's rows of a COPY.
func (c *care) relayed() bool { return c != nil && c.relay != nil && c.relay.copied != nil }

// askAboutCopy asks main what a COPY needs to know of its table, in front of it.
func (s *Session) askAboutCopy(ctx context.Context) error {
	c := s.care
	if c == nil || c.relay == nil || c.relay.copied != nil {
		return nil
	}
	s.care = nil // what is asked is sent as it is
	r := c.relay
	for range maxDraws {
		l := s.first()
		if l == nil {
			break
		}
		ready := "true"
		if r.quiet {
			ready = mayReplicate(l.majorVersion())
		}
		row, lost, err := s.askMain(ctx, capture.CopiedSQL(r.stmt.Targets[0].Relation, ready))
		if err != nil {
			return err
		}
		if lost {
			continue
		}
		if r.copied = capture.DecodeCopied(row); r.copied != nil {
			s.care = c
			return nil
		}
		break
	}
	s.care = r.instead()
	return s.care.refused()
}

// appendRelay has a node wait for main's rows.
func (l *link) appendRelay(r *relay) {
	l.appendSync()
	prefix, hidden := "", 0
	if l.needsBegin() {
		prefix, hidden = l.beginPrefix(), 1
	}
	if r.quiet {
		prefix += capture.Hush + ";"
		hidden++
	}
	l.appendQuery(wire.Expect{What: wire.ExpectQuery, HideTags: hidden}, prefix, r.copied.Into())
}

// relayCopy is replicator.Options.Relay: main has the frontend's rows, and the others wait for
// main's. An error is one of the connection to main.
func (s *Session) relayCopy(main replicator.Node, others []replicator.Node) error {
	from, to := main.(*link), make([]*link, len(others))
	for i, node := range others {
		to[i] = node.(*link)
	}
	c := s.care
	s.care = nil
	answer := from.answer
	from.answer = wire.Answer{}
	defer func() { s.care, from.answer = c, answer }()
	done, err := s.copyOver(from, to, c.relay.copied, rowsOfTag(answer.Tags))
	if !done {
		giveUpCopy(to, "the rows of the main node are not to be had")
		return err
	}
	sendCopy(to, wire.AppendMessage(nil, wire.KindCopyDone, nil))
	endCopy(to)
	return nil
}

// copyOver copies as many rows as main has stored.
func (s *Session) copyOver(from *link, to []*link, copied *capture.Copied, rows int64) (done bool, err error) {
	if rows == 0 {
		return true, nil
	}
	for _, page := range copied.Searches() {
		found, err := from.askRunning(copied.NewestSQL(page))
		if err != nil {
			return false, from.connectionError(err)
		}
		if command, number, ok := capture.DecodeNewest(found); ok && number == rows {
			err := from.copyOut(copied.FromSQL(page, command), to)
			return err == nil, from.connectionError(err)
		}
	}
	return false, nil
}

// connectionError is err, or nil if the server itself has said it.
func (l *link) connectionError(err error) error {
	if l.answer.Failed() {
		return nil
	}
	return err
}

// copyOut runs a COPY TO STDOUT and passes its data on.
func (l *link) copyOut(query string, to []*link) error {
	l.begin()
	l.appendSync()
	l.appendQuery(wire.Expect{What: wire.ExpectQuery}, query)
	if err := l.send(); err != nil {
		return err
	}
	defer l.s.running.remove(l)
	if err := l.conn.Receive(&l.exchange, copySink{to}, &l.answer); err != nil {
		return err
	}
	if l.answer.Failed() {
		return fmt.Errorf("copy from node %d: %s", l.ID(), wire.ErrorField(l.answer.Err, wire.FieldMessage))
	}
	return nil
}

// copySink passes copy data on as it comes.
type copySink struct{ to []*link }

var _ backend.Sink = copySink{}

// Take passes a message of copy data on, in pieces.
func (k copySink) Take(c *backend.Conn, kind wire.Kind, total int, _ *wire.Expect) error {
	if kind != wire.KindCopyData {
		return c.Discard(total)
	}
	return c.Pieces(total, func(piece []byte) error {
		sendCopy(k.to, piece)
		return nil
	})
}

// Fail leaves the error to the answer.
func (k copySink) Fail(wire.Frame, *wire.Expect) error { return nil }

// rowsOfTag is the number in "COPY 5".
func rowsOfTag(tags []byte) int64 {
	_, number, _ := strings.Cut(strings.TrimSuffix(string(tags), "\x00"), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return -1 // found nowhere
	}
	return n
}

// settleRelay brings the others to where main is after a COPY of main's rows: triggers fire
// again, and sequences stand where main's do, from which main alone has drawn.
func (s *Session) settleRelay(ctx context.Context, quiet bool) error {
	c := s.care
	s.care = nil
	defer func() { s.care = c }()
	if quiet {
		lost, err := s.askOthers(ctx, func(*link) string { return capture.Unhush })
		if lost || err != nil {
			return settleError(lost, err)
		}
	}
	var names []string
	for name := range s.tx.locked {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		done, err := s.lockAndAlign(ctx, parser.SequenceRef{Name: name})
		if !done || err != nil {
			return settleError(!done, err)
		}
	}
	return nil
}

func settleError(lost bool, err error) error {
	if err == nil && lost {
		return pgerr.New(pgerr.SerializationFailure, "a node was lost behind a COPY, the transaction is rolled back").
			WithHint("The transaction might succeed if retried.")
	}
	return err
}
