package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// copyToAll moves the frontend's copy data to all nodes that wait for it.
func (s *Session) copyToAll(ctx context.Context, nodes []replicator.Node) error {
	links := make([]*link, len(nodes))
	for i, node := range nodes {
		links[i] = node.(*link)
	}
	return s.pumpCopy(ctx, links, s.copyingWatch())
}

// pumpCopy reads copy data from the frontend up to CopyDone or CopyFail and writes
// it to the nodes in lockstep. A node that breaks is left out here and noticed when
// its answer is read. An error is the frontend's: it has gone, or said something
// that has no place in copy data, and the nodes are told to give up. watch looks through the
// data; nil for nobody.
func (s *Session) pumpCopy(ctx context.Context, links []*link, watch *copyWatch) error {
	s.batch.copied = s.batch.end == endSync
	s.flush()
	watched := links
	for {
		if s.front.Quiet() {
			flushCopy(links)
			verdict, err := s.awaitCopyData(ctx, watched)
			switch {
			case err != nil, verdict == copyRefused:
				giveUpCopy(links, watch.whyGivenUp())
				return err
			case verdict == copyLost:
				watched = watched[1:]
				continue
			}
		}
		done, err := s.copyMessage(links, watch)
		if err != nil || watch.refuses() {
			giveUpCopy(links, watch.whyGivenUp())
			return err
		}
		if done {
			endCopy(links)
			return nil
		}
	}
}

// copyVerdict is what was heard while copy data was awaited.
type copyVerdict uint8

const (
	copyGoesOn  copyVerdict = iota // the frontend has something to say
	copyRefused                    // the first node has answered: it wants no more data
	copyLost                       // the first node is lost; the next one has had the same data
)

// awaitCopyData waits for the frontend. When the first node answers in the meantime the
// frontend is told so at once; what it still sends is ignored.
func (s *Session) awaitCopyData(ctx context.Context, links []*link) (copyVerdict, error) {
	for len(links) > 0 {
		woken, err := s.waitForNode(ctx, links[0])
		if err != nil || !woken {
			return copyGoesOn, err
		}
		switch answered, err := links[0].conn.Spoke(s); {
		case err != nil || answered && links[0].conn.Lost():
			return copyLost, nil
		case answered:
			return copyRefused, nil
		}
		s.flush()
	}
	return copyRefused, nil
}

// endCopy has the nodes answer: in an extended query they would wait for a Sync.
func endCopy(links []*link) {
	for _, l := range links {
		if l.unsynced {
			l.conn.SetOutbox(wire.AppendFlush(l.conn.Outbox()))
		}
	}
	flushCopy(links)
}

// copyMessage moves one message. Flush and Sync mean nothing here (protocol chapter
// 55.2.6).
func (s *Session) copyMessage(links []*link, watch *copyWatch) (done bool, err error) {
	if s.gone != nil {
		return false, s.gone
	}
	if watch != nil {
		return watch.watched(s, links)
	}
	if run := s.front.TakeRun(wire.KindCopyData); len(run) > 0 {
		sendCopy(links, run)
		return false, nil
	}
	kind, total, err := s.front.Peek()
	if err != nil {
		return false, err
	}
	return s.copyOther(kind, total, links)
}

// copyOther moves the message that comes next as it is.
func (s *Session) copyOther(kind wire.Kind, total int, links []*link) (done bool, err error) {
	switch kind {
	case wire.KindCopyData, wire.KindCopyDone, wire.KindCopyFail:
		err = s.front.Pieces(total, func(piece []byte) error {
			sendCopy(links, piece)
			return nil
		})
		return kind != wire.KindCopyData, err
	case wire.KindFlush, wire.KindSync:
		return false, s.front.Discard(total)
	}
	return false, pgerr.Fatalf(pgerr.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", kind)
}

// sendCopy appends copy data for the nodes. What waits there is written before an outbox
// would outgrow its buffer.
func sendCopy(links []*link, data []byte) {
	for _, l := range links {
		if l.conn.Pending()+len(data) > wire.OutboxSize {
			l.conn.Flush() //nolint:errcheck // noticed when the answer is read
		}
		l.conn.Append(data)
	}
}

func flushCopy(links []*link) {
	for _, l := range links {
		l.conn.Flush() //nolint:errcheck // noticed when the answer is read
	}
}

// whyGivenUp is why copy data ends in its midst.
func (w *copyWatch) whyGivenUp() string {
	if w.refuses() {
		return "refused by pgchorus"
	}
	return "the frontend has gone"
}

// giveUpCopy makes the nodes forget what they were sent.
func giveUpCopy(links []*link, why string) {
	for _, l := range links {
		l.conn.Append(wire.AppendMessage(nil, wire.KindCopyFail, []byte(why+"\x00")))
	}
	endCopy(links)
}
