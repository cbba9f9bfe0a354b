package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// yardsticks are the targets that pgchorus is compared with, with their headings.
func yardsticks() []struct{ target, heading string } {
	all := []struct{ target, heading string }{
		{bare, "bare server"}, {pgbouncer, "PgBouncer"}, {pgpool, "Pgpool-II"}, {trio, "all bare at once"},
	}
	for _, v := range variants() {
		all = append(all, struct{ target, heading string }{v.name, v.heading})
	}
	return all
}

// nothing stands where there is no figure.
const nothing = "-"

// table is the whole result for people. What was not measured is not in it.
func (r *result) table() string {
	var text strings.Builder
	r.conditions(&text)
	for _, part := range []struct {
		heading string
		rows    [][]string
	}{
		{"Ratios: rate of pgchorus / rate of the other, in the same round; median (least to greatest) of the rounds", r.ratioRows()},
		{"Rates: units a second, median of the rounds (trio: each of the bare servers that are worked at once" + r.variantsText() + ")", r.rateRows(rateText)},
		{"Latency: ms for a transaction, on average; median of the rounds (COPY: the whole)", r.rateRows(latencyText)},
		{"Latency: ms, half of the transactions / 99 of 100 took at most; median of the rounds", r.rateRows(percentileText)},
		{"Processor time of the proxy, with its memcached: µs for a unit, median of the rounds", r.proxyRows(cpuText)},
		{"Answered from memory: share of the reads of a turn that could have been; median of the rounds", r.proxyRows(hitText)},
		{"Memory after a turn with a cache: MB of the proxy and its memcached (PSS); median of the rounds", r.proxyRows(memoryText)},
		{"System calls of the proxy for a unit: those of I/O / all; and heap allocations of pgchorus; counted apart from the rounds", r.lookRows()},
		{fmt.Sprintf("Memory of the proxy: MB, what its processes share counted once (PSS); busy is with %d clients", memoryClients), r.memoryRows()},
		{"Memory for each idle client: KiB (PSS; the kernel's part of a socket is not in it), before servers that are stand-ins", r.idleRows()},
		{"Goals: what pgchorus is meant to reach on a machine of two cores; of goal: 1 is reached, more is better", r.goalRows()},
	} {
		if len(part.rows) > 1 {
			section(&text, part.heading, part.rows)
		}
	}
	list(&text, "What was left out", r.Notes)
	list(&text, "What failed, and does not count above", r.failures())
	return text.String()
}

// variantsText says what the variants of pgchorus are that have been measured.
func (r *result) variantsText() string {
	var text string
	for _, v := range variants() {
		if slices.Contains(r.columns(), v.name) {
			text += "; " + v.name + ": pgchorus " + v.means
		}
	}
	return text
}

func list(w io.Writer, heading string, lines []string) {
	if lines != nil {
		fmt.Fprintf(w, "\n%s\n\n  %s\n", heading, strings.Join(lines, "\n  "))
	}
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

// columns are the targets of which there are runs, in the order in which they are shown.
func (r *result) columns() []string {
	return slices.DeleteFunc(append(targetNames(), variantNames()...), func(name string) bool {
		return !slices.ContainsFunc(r.Runs, func(x run) bool { return x.Target == name })
	})
}

// proxies are the columns that are programs of their own.
func (r *result) proxies() []string {
	return slices.DeleteFunc(r.columns(), func(name string) bool { return !isProxy(name) })
}

func (r *result) ratioRows() [][]string {
	columns := r.columns()
	head := []string{"scenario"}
	for _, y := range yardsticks() {
		if slices.Contains(columns, y.target) {
			head = append(head, "to "+y.heading)
		}
	}
	if len(head) == 1 {
		return nil // nobody to compare with
	}
	table := [][]string{head}
	for _, s := range r.Scenarios {
		row := []string{s.Name}
		for _, y := range yardsticks() {
			if slices.Contains(columns, y.target) {
				row = append(row, showRatio(r.ratio(s.Name, y.target)))
			}
		}
		if !emptyRow(row[1:]) {
			table = append(table, row)
		}
	}
	return table
}

func showRatio(s spread, found bool) string {
	if !found {
		return nothing
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Min, s.Max)
}

// rateRows has a column for each target, with what text makes of its figures.
func (r *result) rateRows(text func(r *result, scenario, target string) string) [][]string {
	table := [][]string{append([]string{"scenario", "unit"}, r.columns()...)}
	for _, s := range r.Scenarios {
		row := []string{s.Name, s.Unit}
		for _, target := range r.columns() {
			row = append(row, text(r, s.Name, target))
		}
		if !emptyRow(row[2:]) {
			table = append(table, row)
		}
	}
	return table
}

func emptyRow(cells []string) bool {
	return !slices.ContainsFunc(cells, func(cell string) bool { return cell != nothing })
}

func rateText(r *result, scenario, target string) string {
	return showMedian("%.0f")(r.figure(scenario, target, func(x run) float64 { return x.Rate }))
}

func latencyText(r *result, scenario, target string) string {
	return showMedian("%.3f")(r.figure(scenario, target, func(x run) float64 { return x.LatencyMS }))
}

func percentileText(r *result, scenario, target string) string {
	half, found := r.figure(scenario, target, func(x run) float64 { return x.P50MS })
	most, _ := r.figure(scenario, target, func(x run) float64 { return x.P99MS })
	if !found || most.Median == 0 {
		return nothing
	}
	return fmt.Sprintf("%.3f / %.3f", half.Median, most.Median)
}

func cpuText(r *result, scenario, target string) string {
	s, found := r.figure(scenario, target, func(x run) float64 { return x.CPUMicros })
	return showMedian("%.2f")(s, found && s.Max > 0)
}

func showMedian(format string) func(spread, bool) string {
	return func(s spread, found bool) string {
		if !found {
			return nothing
		}
		return fmt.Sprintf(format, s.Median)
	}
}

func hitText(r *result, scenario, target string) string {
	asked, found := r.figure(scenario, target, func(x run) float64 { return float64(x.Hits + x.Misses) })
	if !found || asked.Min == 0 {
		return nothing
	}
	return showMedian("%.3f")(r.figure(scenario, target, func(x run) float64 { return float64(x.Hits) / float64(x.Hits+x.Misses) }))
}

func memoryText(r *result, scenario, target string) string {
	s, found := r.figure(scenario, target, func(x run) float64 { return float64(x.Memory) })
	if !found || s.Max == 0 {
		return nothing
	}
	return showMB(int64(s.Median))
}

// proxyRows has a column for each proxy, with what text makes of its figures.
func (r *result) proxyRows(text func(r *result, scenario, target string) string) [][]string {
	proxies := r.proxies()
	table := [][]string{append([]string{"scenario", "unit"}, proxies...)}
	for _, s := range r.Scenarios {
		row := []string{s.Name, s.Unit}
		for _, target := range proxies {
			row = append(row, text(r, s.Name, target))
		}
		if !emptyRow(row[2:]) {
			table = append(table, row)
		}
	}
	return table
}

// lookRows has a column for each proxy, and what is known of pgchorus alone.
func (r *result) lookRows() [][]string {
	proxies := r.proxies()
	table := [][]string{slices.Concat([]string{"scenario", "unit"}, proxies, []string{"allocations", "bytes"})}
	for _, s := range r.Scenarios {
		row := []string{s.Name, s.Unit}
		for _, target := range proxies {
			row = append(row, showCalls(r.lookOf(s.Name, target)))
		}
		if emptyRow(row[2:]) {
			continue
		}
		objects, bytes := showAllocations(r.lookOf(s.Name, pgchorus))
		table = append(table, append(row, objects, bytes))
	}
	return table
}

func showCalls(l *look) string {
	if l == nil || l.Error != "" {
		return nothing
	}
	return fmt.Sprintf("%.1f / %.1f", l.IOSyscalls, l.Syscalls)
}

func showAllocations(l *look) (objects, bytes string) {
	if l == nil || !l.Counted {
		return nothing, nothing
	}
	return fmt.Sprintf("%.2f", l.Allocs), fmt.Sprintf("%.0f", l.AllocBytes)
}

func (r *result) memoryRows() [][]string {
	table := [][]string{{"proxy", "idle", "busy"}}
	for _, m := range r.Memory {
		table = append(table, []string{m.Target, showMB(m.Idle), showMB(m.Busy)})
	}
	return table
}

func (r *result) idleRows() [][]string {
	table := [][]string{{"proxy", "nodes", "clients", "logged in", "after a query"}}
	for _, c := range r.Idle {
		if c.Error == "" {
			table = append(table, []string{c.Target, strconv.Itoa(c.Nodes), strconv.Itoa(c.Clients), showKiB(c.LoggedIn), showKiB(c.Used)})
		}
	}
	return table
}

func showMB(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

func showKiB(bytes float64) string { return fmt.Sprintf("%.1f", bytes/1024) }
