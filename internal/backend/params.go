package backend

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// sharing keeps what servers have reported by ParameterStatus at log-in: mostly the same, which
// thousands of connections need not keep each for themselves. Nobody changes a map that is in it.
type sharing struct {
	mu   sync.Mutex // guards all
	all  map[string]map[string]string
	most int
}

// shared is that of the process, for what a few hundred kinds of clients have.
var shared = sharing{most: 500}

// of returns a map with the contents of params.
func (s *sharing) of(params map[string]string) map[string]string {
	var key strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		key.WriteString(name + "\x00" + params[name] + "\x00")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if same, ok := s.all[key.String()]; ok {
		return same
	}
	if s.all == nil || len(s.all) >= s.most {
		s.all = map[string]map[string]string{}
	}
	s.all[key.String()] = params
	return params
}
