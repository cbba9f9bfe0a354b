package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// copyChunk is how much copy data waits for one write to the nodes, in bytes.
const copyChunk = 64 << 10

// copyToAll moves the frontend's copy data to all nodes that wait for it.
func (s *Session) copyToAll(ctx context.Context, nodes []replicator.Node) error {
	links := make([]*link, len(nodes))
	for i, node := range nodes {
		links[i] = node.(*link)
	}
	return s.pumpCopy(ctx, links)
}

// pumpCopy reads copy data from the frontend up to CopyDone or CopyFail and writes
// it to the nodes in lockstep. A node that breaks is left out here and noticed when
// its answer is read. An error is the frontend's: it has gone, or said something
// that has no place in copy data, and the nodes are told to give up.
func (s *Session) pumpCopy(ctx context.Context, links []*link) error {
	s.batch.copied = s.batch.end == endSync
	s.flush()
	for {
		if !s.front.HasFrame() {
			flushCopy(links)
			refused, err := s.awaitCopyData(ctx, links[0])
			if err != nil || refused {
				giveUpCopy(links)
				return err
			}
		}
		done, err := s.copyMessage(links)
		if err != nil {
			giveUpCopy(links)
			return err
		}
		if done {
			endCopy(links)
			return nil
		}
	}
}

// awaitCopyData waits for the frontend. refused is set when the first node has
// answered in the meantime: it wants no more data, and the frontend is told so at
// once. What the frontend still sends is ignored.
func (s *Session) awaitCopyData(ctx context.Context, first *link) (refused bool, err error) {
	for {
		woken, err := s.waitForEither(ctx, first)
		if err != nil || !woken {
			return false, err
		}
		refused, err := first.conn.Spoke(s)
		if refused || err != nil {
			return true, nil // what it has said, or that it is lost, is read as its answer
		}
		s.flush()
	}
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
func (s *Session) copyMessage(links []*link) (done bool, err error) {
	if s.gone != nil {
		return false, s.gone
	}
	kind, total, err := s.front.Peek()
	if err != nil {
		return false, err
	}
	switch kind {
	case wire.KindCopyData, wire.KindCopyDone, wire.KindCopyFail:
		err = s.front.Pieces(total, func(piece []byte) error {
			for _, l := range links {
				l.conn.Append(piece)
				if l.conn.Pending() >= copyChunk {
					l.conn.Flush() //nolint:errcheck // noticed when the answer is read
				}
			}
			return nil
		})
		return kind != wire.KindCopyData, err
	case wire.KindFlush, wire.KindSync:
		return false, s.front.Discard(total)
	}
	return false, pgerr.Fatalf(pgerr.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", kind)
}

func flushCopy(links []*link) {
	for _, l := range links {
		l.conn.Flush() //nolint:errcheck // noticed when the answer is read
	}
}

// giveUpCopy makes the nodes forget what they were sent.
func giveUpCopy(links []*link) {
	for _, l := range links {
		l.conn.Append(wire.AppendMessage(nil, wire.KindCopyFail, []byte("the frontend has gone\x00")))
	}
	endCopy(links)
}
