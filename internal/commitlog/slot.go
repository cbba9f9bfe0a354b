package commitlog

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// Slot numbers the transactions of one session at a time. It belongs to whom it was lent.
type Slot struct {
	proxy  int
	number int
	epoch  int64
	call   string // of mark, up to its last argument
	key    string // in the names of prepared transactions
	seq    int64
}

// Next begins the next transaction.
func (s *Slot) Next() { s.seq++ }

// AppendMark appends the call that notes the transaction.
func (s *Slot) AppendMark(dst []byte) []byte {
	return append(strconv.AppendInt(append(dst, s.call...), s.seq, 10), ')')
}

// Mark are the arguments of the call that notes the transaction.
func (s *Slot) Mark() [4]int64 { return [4]int64{int64(s.proxy), int64(s.number), s.epoch, s.seq} }

// Name is what the transaction is called while it is prepared. main is the node whose
// COMMIT decides.
func (s *Slot) Name(main int) string {
	return s.key + strconv.FormatInt(s.seq, 10) + ":" + strconv.Itoa(main)
}

func (s *Slot) String() string { return fmt.Sprintf("slot %d seq %d", s.number, s.seq) }

// slots lends the lowest free one, so that the tables stay small. A slot keeps counting
// over its sessions.
type slots struct {
	proxy int
	epoch int64

	mu    sync.Mutex // guards the fields below
	free  []*Slot
	count int
}

func (s *slots) lend() *Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.free) - 1; last >= 0 {
		slot := s.free[last]
		s.free = s.free[:last]
		return slot
	}
	slot := &Slot{
		proxy: s.proxy, number: s.count, epoch: s.epoch, seq: s.epoch,
		call: fmt.Sprintf("SELECT pgchorus.mark(%d,%d,%d,", s.proxy, s.count, s.epoch),
		key:  fmt.Sprintf("%s%d:%d:", namePrefix, s.proxy, s.count),
	}
	s.count++
	return slot
}

func (s *slots) giveBack(slot *Slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, slot)
}

// newEpoch is greater than those of earlier runs as long as the clock does not go back,
// and hard to guess: the milliseconds since 1970 and 20 random bits, which is enough for
// 64 bits until the year 2248. Transactions are numbered from it, so that a number is never used
// again.
func newEpoch(now time.Time) int64 {
	return now.UnixMilli()<<20 | rand.Int64N(1<<20)
}
