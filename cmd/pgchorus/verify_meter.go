package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pgchorus/pgchorus/internal/verify"
)

// verifyMeter shows how far a comparison has come: as a bar on a terminal, as a line now
// and then elsewhere. verify does not overlap its calls.
type verifyMeter struct {
	out      io.Writer
	terminal bool
	shown    time.Time
	last     verify.Progress
	width    int // of the bar's line, to be wiped
}

const (
	barWidth = 30
	// barInterval and lineInterval keep the output readable.
	barInterval  = 100 * time.Millisecond
	lineInterval = 5 * time.Second
)

func newVerifyMeter(out io.Writer) *verifyMeter {
	m := &verifyMeter{out: out, shown: time.Now()}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		m.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return m
}

func (m *verifyMeter) show(now verify.Progress) {
	m.last = now
	interval := lineInterval
	if m.terminal {
		interval = barInterval
	}
	if time.Since(m.shown) < interval {
		return
	}
	m.shown = time.Now()
	if !m.terminal {
		fmt.Fprintln(m.out, m.text())
		return
	}
	full := int(m.share() * barWidth)
	line := "[" + strings.Repeat("#", full) + strings.Repeat(" ", barWidth-full) + "] " + m.text()
	fmt.Fprintf(m.out, "\r%-*s", m.width, line)
	m.width = len(line)
}

// share is how much is done, from 0 to 1.
func (m *verifyMeter) share() float64 {
	switch {
	case m.last.BytesTotal > 0:
		return min(float64(m.last.Bytes)/float64(m.last.BytesTotal), 1)
	case m.last.TablesTotal > 0:
		return float64(m.last.Tables) / float64(m.last.TablesTotal)
	}
	return 0
}

func (m *verifyMeter) text() string {
	return fmt.Sprintf("database %s: %d of %d tables, %.0f %%", m.last.Database, m.last.Tables, m.last.TablesTotal, 100*m.share())
}

// end wipes the bar.
func (m *verifyMeter) end() {
	if m.width > 0 {
		fmt.Fprintf(m.out, "\r%-*s\r", m.width, "")
	}
}
