package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// printer writes the story. It is for one goroutine. What cannot be written is lost:
// the exit code still says how it went.
type printer struct {
	w      io.Writer
	colour bool
}

func newPrinter(w io.Writer) printer { return printer{w: w, colour: wantsColour(w)} }

// wantsColour is true for a terminal whose owner has not asked for plain text
// (no-color.org).
func wantsColour(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

// Escape sequences of ECMA-48 (SGR).
const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	bold  = "\x1b[1m"
	plain = "\x1b[0m"
)

func (p printer) line(format string, values ...any) {
	fmt.Fprintf(p.w, format+"\n", values...)
}

func (p printer) blank() { fmt.Fprintln(p.w) }

func (p printer) good(format string, values ...any) {
	p.line("%s", p.painted(green+bold, fmt.Sprintf(format, values...)))
}

func (p printer) bad(text string) { p.line("%s", p.painted(red, "WRONG: "+text)) }

func (p printer) event(format string, values ...any) {
	p.line("%s", p.painted(bold, fmt.Sprintf(format, values...)))
}

func (p printer) painted(colour, text string) string {
	if !p.colour {
		return text
	}
	return colour + text + plain
}

// log shows lines of somebody's log, indented.
func (p printer) log(title, text string) {
	p.line("%s", title)
	for line := range strings.Lines(text) {
		p.line("    %s", strings.TrimRight(line, "\n"))
	}
}

// table writes rows with aligned columns.
func (p printer) table(rows [][]string) {
	w := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
	}
	w.Flush()
}
