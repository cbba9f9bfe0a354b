package safety

import (
	"sync"

	"github.com/pgchorus/pgchorus/parser"
)

// maxBodies is how many bytes of text are remembered. They are forgotten all at once when
// there would be more.
const maxBodies = 16 << 20

// Bodies remembers what was read of bodies and definitions. The zero value is ready. It is
// shared by all sessions and safe for concurrent use.
type Bodies struct {
	mu    sync.RWMutex // guards the fields below
	known map[string]*parser.Body
	bytes int
}

// read is parser.ReadBody, from memory where it can be.
func (b *Bodies) read(text string) *parser.Body {
	b.mu.RLock()
	known := b.known[text]
	b.mu.RUnlock()
	if known != nil {
		return known
	}
	known = parser.ReadBody(text)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil || b.bytes+len(text) > maxBodies {
		b.known, b.bytes = map[string]*parser.Body{}, 0
	}
	b.bytes += len(text)
	b.known[text] = known
	return known
}
