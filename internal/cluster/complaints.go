package cluster

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/pgchorus/pgchorus/internal/config"
)

// complaints counts what would be said again and again about a node.
type complaints map[config.NodeID]*complaint

type complaint struct {
	message string
	last    time.Time
	left    int // times that it was not logged since then
}

// complaintInterval is the least distance between two log lines that say the same
// of one node.
const complaintInterval = 30 * time.Second

// complain logs a condition that lasts: at once, then now and then with the number
// of times left out.
func (m *Manager) complain(level zapcore.Level, id config.NodeID, message string, fields ...zap.Field) {
	c := m.complaints[id]
	if c == nil {
		c = &complaint{}
		m.complaints[id] = c
	}
	if c.message == message && time.Since(c.last) < complaintInterval {
		c.left++
		return
	}
	if c.message != message {
		c.left = 0
	}
	fields = append(fields, node(id), zap.Int("left_out", c.left))
	c.message, c.last, c.left = message, time.Now(), 0
	m.log.Log(level, message, fields...)
}
