package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// yardsticks are the targets that pgchorus is compared with, with their headings.
func yardsticks() []struct{ target, heading string } {
	return []struct{ target, heading string }{
		{bare, "bare server"}, {pgbouncer, "PgBouncer"}, {pgpool, "Pgpool-II"}, {trio, "3 bare at once"},
	}
}

// nothing stands where there is no figure.
const nothing = "-"

// table is the whole result for people.
func (r *result) table() string {
	var text strings.Builder
	r.conditions(&text)
	section(&text, "Ratios: rate of pgchorus / rate of the other, in the same round; median (least to greatest) of the rounds", r.ratioRows())
	section(&text, "Rates: units a second, median of the rounds (3 bare at once: each of the three)", r.rateRows(func(x run) float64 { return x.Rate }, "%.0f"))
	section(&text, "Latency: ms for a transaction, on average; median of the rounds (COPY: the whole)", r.rateRows(func(x run) float64 { return x.LatencyMS }, "%.3f"))
	section(&text, "Processor time of the proxy: µs for a unit, median of the rounds", r.cpuRows())
	section(&text, fmt.Sprintf("Memory of the proxy: MB, what its processes share counted once (PSS); busy is with %d clients", memoryClients), r.memoryRows())
	if failures := r.failures(); failures != nil {
		fmt.Fprintf(&text, "\nWhat failed, and does not count above\n\n  %s\n", strings.Join(failures, "\n  "))
	}
	return text.String()
}

// conditions says on what and how the figures were taken.
func (r *result) conditions(w io.Writer) {
	m := r.Machine
	fmt.Fprintf(w, "pgchorus benchmark of %s\n\n", r.Date.Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(w, "  machine    %d cores, %s, %d MB, Linux %s\n", m.Cores, m.CPU, m.MemoryMB, m.Kernel)
	fmt.Fprintf(w, "  load       %s before, %s after (one minute's average)\n", m.LoadBefore, m.LoadAfter)
	for _, v := range r.Versions {
		fmt.Fprintf(w, "  %-10s %s\n", v.Program, v.Text)
	}
	fmt.Fprintf(w, "  measured   %d rounds of %d s, fsync %s; arguments: %s\n", r.Rounds, r.Seconds, onOff(r.Fsync), orNone(strings.Join(r.Command, " ")))
	fmt.Fprintf(w, "  data       pgbench scale %d in memory, COPY of %d rows; %d nodes; everything on this machine\n", scale, copyRows, nodeCount)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// section writes a heading and rows with aligned columns, the first row being their heading.
func section(w io.Writer, heading string, rows [][]string) {
	fmt.Fprintf(w, "\n%s\n\n", heading)
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(columns, "  "+strings.Join(row, "\t"))
	}
	columns.Flush() // into a strings.Builder, which takes everything
}

func (r *result) ratioRows() [][]string {
	head := []string{"scenario"}
	for _, y := range yardsticks() {
		head = append(head, "to "+y.heading)
	}
	table := [][]string{head}
	for _, s := range r.Scenarios {
		row := []string{s.Name}
		for _, y := range yardsticks() {
			row = append(row, showRatio(r.ratio(s.Name, y.target)))
		}
		table = append(table, row)
	}
	return table
}

func showRatio(s spread, found bool) string {
	if !found {
		return nothing
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Min, s.Max)
}

// rateRows has a column for each target.
func (r *result) rateRows(of func(run) float64, format string) [][]string {
	table := [][]string{append([]string{"scenario", "unit"}, r.Targets...)}
	for _, s := range r.Scenarios {
		row := []string{s.Name, s.Unit}
		for _, target := range r.Targets {
			row = append(row, showMedian(format)(r.figure(s.Name, target, of)))
		}
		table = append(table, row)
	}
	return table
}

func showMedian(format string) func(spread, bool) string {
	return func(s spread, found bool) string {
		if !found {
			return nothing
		}
		return fmt.Sprintf(format, s.Median)
	}
}

// cpuRows has a column for each proxy.
func (r *result) cpuRows() [][]string {
	head := []string{"scenario", "unit"}
	for _, m := range r.Memory { // one for each proxy
		head = append(head, m.Target)
	}
	table := [][]string{head}
	for _, s := range r.Scenarios {
		row := []string{s.Name, s.Unit}
		for _, m := range r.Memory {
			row = append(row, showMedian("%.2f")(r.figure(s.Name, m.Target, func(x run) float64 { return x.CPUMicros })))
		}
		table = append(table, row)
	}
	return table
}

func (r *result) memoryRows() [][]string {
	table := [][]string{{"proxy", "idle", "busy"}}
	for _, m := range r.Memory {
		table = append(table, []string{m.Target, showMB(m.Idle), showMB(m.Busy)})
	}
	return table
}

func showMB(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }
