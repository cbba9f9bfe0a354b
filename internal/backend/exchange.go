package backend

import (
	"bytes"
	"fmt"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// Sink is given the messages that the frontend shall see.
type Sink interface {
	// Take consumes the message that c.Peek announced.
	Take(c *Conn, kind wire.Kind, total int, expect *wire.Expect) error
	// Fail is given an ErrorResponse, also that of a hidden request: what we
	// put in front failed for a reason that the frontend has to be told.
	Fail(frame wire.Frame, expect *wire.Expect) error
}

// Exchange is one request's list of expected answers and how far it has come.
type Exchange struct {
	Expect   []wire.Expect
	at       int
	failedAt int
}

// Begin starts anew with an empty list that keeps its memory.
func (x *Exchange) Begin() { x.Expect, x.at, x.failedAt = x.Expect[:0], 0, 0 }

// FailedAt is the index of the answer that was the first error, after one has come.
func (x *Exchange) FailedAt() int { return x.failedAt }

// Add puts an answer on the list.
func (x *Exchange) Add(e wire.Expect) { x.Expect = append(x.Expect, e) }

// Last is the answer that was put on the list last; there has to be one.
func (x *Exchange) Last() *wire.Expect { return &x.Expect[len(x.Expect)-1] }

// Done reports whether nothing more is expected.
func (x *Exchange) Done() bool { return x.at >= len(x.Expect) }

// failed moves on to where the server takes up again after an error: behind the
// answer itself for a Query, at the next Sync otherwise. It reports whether the
// server now waits for a Sync that has not been sent.
func (x *Exchange) failed() (skipping bool) {
	if x.Expect[x.at].What.EndsWithReady() {
		return false
	}
	for x.at < len(x.Expect) && x.Expect[x.at].What != wire.ExpectSync {
		x.at++
	}
	return x.at >= len(x.Expect)
}

// copyStarted drops the Syncs that the server will ignore: those that it
// reads while it waits for copy data (protocol chapter 55.2.6).
func (x *Exchange) copyStarted() {
	if x.Expect[x.at].What == wire.ExpectQuery {
		return
	}
	kept := x.Expect[:x.at+1]
	for _, e := range x.Expect[x.at+1:] {
		if e.What != wire.ExpectSync {
			kept = append(kept, e)
		}
	}
	x.Expect = kept
}

// Receive reads answers until x is done or the server waits for copy data
// (a.CopyIn). With a nil sink everything is for us alone. An error means
// that the connection is lost; c.Fatal may say why.
func (c *Conn) Receive(x *Exchange, sink Sink, a *wire.Answer) error {
	a.CopyIn = false
	for !x.Done() {
		kind, total, err := c.Peek()
		if err != nil {
			return err
		}
		if err := c.receiveOne(x, sink, a, kind, total); err != nil {
			return err
		}
		if a.CopyIn {
			return nil
		}
	}
	c.Rest()
	return nil
}

// receiveOne takes one message.
func (c *Conn) receiveOne(x *Exchange, sink Sink, a *wire.Answer, kind wire.Kind, total int) error {
	e := &x.Expect[x.at]
	switch kind {
	case wire.KindReadyForQuery:
		return c.ready(x, a)
	case wire.KindErrorResponse:
		return c.failure(x, sink, a, total)
	case wire.KindCommandComplete:
		return c.complete(x, sink, a, total)
	case wire.KindCopyInResponse:
		a.CopyIn = true
		x.copyStarted()
	case wire.KindNoticeResponse, wire.KindNotificationResponse:
		return c.aside(sink, kind, total, e)
	case wire.KindParameterStatus:
		return c.parameter(sink, total, e)
	case wire.KindDataRow:
		return c.row(sink, a, total, e)
	case wire.KindFunctionCallResponse:
		return c.result(sink, a, total, e)
	default:
		if !belongs(kind) {
			return fmt.Errorf("node %d: unexpected message %q", c.node, kind)
		}
		if ends(e.What, kind) {
			x.at++
		}
	}
	return c.pass(sink, kind, total, e)
}

// belongs reports whether a message of that kind may stand in an answer. Others, such
// as key data, are nothing that a frontend may be shown.
func belongs(kind wire.Kind) bool {
	switch kind {
	case wire.KindParseComplete, wire.KindBindComplete, wire.KindCloseComplete, wire.KindRowDescription,
		wire.KindParameterDescription, wire.KindNoData, wire.KindPortalSuspended, wire.KindEmptyQueryResponse,
		wire.KindCopyOutResponse, wire.KindCopyData, wire.KindCopyDone:
		return true
	}
	return false
}

// ends reports whether a message of that kind is the last one of the answer.
func ends(what wire.ExpectKind, kind wire.Kind) bool {
	switch what {
	case wire.ExpectParse:
		return kind == wire.KindParseComplete
	case wire.ExpectBind:
		return kind == wire.KindBindComplete
	case wire.ExpectClose:
		return kind == wire.KindCloseComplete
	case wire.ExpectDescribeStatement, wire.ExpectDescribePortal:
		return kind == wire.KindRowDescription || kind == wire.KindNoData
	case wire.ExpectExecute:
		return kind == wire.KindEmptyQueryResponse || kind == wire.KindPortalSuspended
	}
	return false
}

func (c *Conn) pass(sink Sink, kind wire.Kind, total int, e *wire.Expect) error {
	if sink == nil || e.Hide || e.Silent {
		return c.Discard(total)
	}
	return sink.Take(c, kind, total, e)
}

// result notes the value of a function call, to be compared like a command tag.
func (c *Conn) result(sink Sink, a *wire.Answer, total int, e *wire.Expect) error {
	frame, err := c.Peeked(total)
	if err != nil {
		return err
	}
	a.AddTag(frame.Body())
	return c.pass(sink, wire.KindFunctionCallResponse, total, e)
}

// row passes on a row, after adding it to the digest where one is asked for.
func (c *Conn) row(sink Sink, a *wire.Answer, total int, e *wire.Expect) error {
	if e.Digest || e.Row != nil {
		frame, err := c.Peeked(total)
		if err != nil {
			return err
		}
		if e.Row != nil {
			e.Row(frame.Body())
		}
		if e.Digest {
			a.AddRow(frame.Body())
		}
	}
	return c.pass(sink, wire.KindDataRow, total, e)
}

// aside passes on what is not part of an answer: it concerns the frontend also
// when the request was ours, as a setting does that a ROLLBACK brings back.
func (c *Conn) aside(sink Sink, kind wire.Kind, total int, e *wire.Expect) error {
	if kind == wire.KindNotificationResponse {
		return c.notification(total)
	}
	if sink == nil {
		return c.Discard(total)
	}
	return sink.Take(c, kind, total, e)
}

// notification has nothing to do with what was asked, nor with who asked: it goes to Heard.
func (c *Conn) notification(total int) error {
	frame, err := c.Next(total)
	if err == nil && c.Heard != nil {
		c.Heard(frame)
	}
	return err
}

func (c *Conn) ready(x *Exchange, a *wire.Answer) error {
	frame, err := c.Next(1)
	if err != nil {
		return err
	}
	if len(frame.Body()) != 1 || !isStatus(frame.Body()[0]) || !x.Expect[x.at].What.EndsWithReady() {
		return fmt.Errorf("node %d: unexpected ReadyForQuery", c.node)
	}
	c.Status, c.Skipping = frame.Body()[0], false
	a.Status = c.Status
	x.at++
	return nil
}

func isStatus(b byte) bool { return b == wire.TxIdle || b == wire.TxOpen || b == wire.TxFailed }

// maxError is the longest ErrorResponse that is looked into. Its texts may quote
// a statement, which PostgreSQL does not shorten.
const maxError = wire.MaxMessage

func (c *Conn) failure(x *Exchange, sink Sink, a *wire.Answer, total int) error {
	frame, err := c.Next(maxError)
	if err != nil {
		return err
	}
	if endsConnection(frame.Body()) {
		c.Fatal = bytes.Clone(frame.Body())
		return nil // the end of file that follows is the error
	}
	if !a.Failed() {
		x.failedAt = x.at
		a.Err = append(a.Err[:0], frame.Body()...)
	}
	e := &x.Expect[x.at]
	c.Skipping = x.failed()
	if sink == nil {
		return nil
	}
	return sink.Fail(frame, e)
}

// endsConnection reports whether the server leaves after this error.
func endsConnection(body []byte) bool {
	severity := wire.ErrorField(body, wire.FieldSeverity)
	return severity == "FATAL" || severity == "PANIC"
}

func (c *Conn) complete(x *Exchange, sink Sink, a *wire.Answer, total int) error {
	e := &x.Expect[x.at]
	if e.HideTags > 0 {
		e.HideTags--
		return c.Discard(total)
	}
	frame, err := c.Peeked(total)
	if err != nil {
		return err
	}
	if !e.Hide {
		a.AddTag(wire.CommandTag(frame.Body()))
	}
	if e.What == wire.ExpectExecute {
		x.at++
	}
	if e.Silent {
		return c.Discard(total)
	}
	return c.pass(sink, wire.KindCommandComplete, total, e)
}

func (c *Conn) parameter(sink Sink, total int, e *wire.Expect) error {
	frame, err := c.Peeked(total)
	if err != nil {
		return err
	}
	c.changeParam(frame)
	return c.aside(sink, wire.KindParameterStatus, total, e)
}

// Idle takes what the server has said on its own while nothing was asked of it:
// notifications, notices, changed parameters. It returns when nothing more is there.
func (c *Conn) Idle(sink Sink) error {
	for {
		more, err := c.Spoke(sink)
		if err != nil || !more {
			return err
		}
		kind, total, err := c.Peek()
		switch {
		case err != nil:
		case kind == wire.KindErrorResponse:
			err = c.farewell(total)
		default:
			err = c.aside(sink, kind, total, &wire.Expect{})
		}
		if err != nil {
			return err
		}
	}
}

// Spoke passes on what the server has said on its own, and reports whether something
// else has come behind it, such as an answer while it takes copy data; that is left
// to be read.
func (c *Conn) Spoke(sink Sink) (answered bool, err error) {
	var none wire.Expect
	for !c.Conn.Quiet() {
		kind, total, err := c.Peek()
		switch {
		case err != nil:
			return false, err
		case kind == wire.KindParameterStatus:
			err = c.parameter(sink, total, &none)
		case kind == wire.KindNoticeResponse, kind == wire.KindNotificationResponse:
			err = c.aside(sink, kind, total, &none)
		default:
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// Lost reports whether the answer that has come is the server's good-bye.
func (c *Conn) Lost() bool {
	kind, total, err := c.Peek()
	if err != nil || kind != wire.KindErrorResponse {
		return err != nil
	}
	frame, err := c.Peeked(total)
	return err != nil || endsConnection(frame.Body())
}

// farewell keeps the error with which an idle server ends the connection.
func (c *Conn) farewell(total int) error {
	frame, err := c.Next(total)
	if err == nil {
		c.Fatal = bytes.Clone(frame.Body())
	}
	return err
}
