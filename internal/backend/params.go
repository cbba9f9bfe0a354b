package backend

import (
	"sync"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// sharing keeps what servers have reported by ParameterStatus at log-in: mostly the same, which
// thousands of connections need not keep each for themselves, nor decode. Nobody changes a map that is in it.
type sharing struct {
	mu   sync.Mutex // guards all
	all  map[string]map[string]string
	most int
}

// shared is that of the process, for what a few hundred kinds of clients have.
var shared = sharing{most: 500}

// of returns the parameters of encoded messages.
func (s *sharing) of(messages []byte) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if same, ok := s.all[string(messages)]; ok {
		return same
	}
	if s.all == nil || len(s.all) >= s.most {
		s.all = map[string]map[string]string{}
	}
	params := map[string]string{}
	s.all[string(messages)] = params
	for frame, rest, whole := wire.CutFrame(messages); whole; frame, rest, whole = wire.CutFrame(rest) {
		noteParam(params, frame)
	}
	return params
}
