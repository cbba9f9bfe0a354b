package main

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// curves is a panel of the growth chart: rates over a number that grows.
type curves struct {
	title  string
	along  string // what the numbers count
	points []point
}

// point is a number and the scenario that was measured with it.
type point struct {
	number   int
	scenario string
}

// growthPanels are what is drawn. The numbers stand at equal distances, since they grow
// by factors.
func growthPanels() []curves {
	return []curves{
		{"Reads by clients, three nodes", "clients", byClients("read-simple")},
		{"UPDATEs by clients, three nodes", "clients", byClients("update-simple")},
		{"Reads by nodes, 8 clients", "nodes", byNodeCount("read-simple")},
		{"UPDATEs by nodes, 8 clients", "nodes", byNodeCount("update-simple")},
	}
}

// byClients begins on the usual setup and goes on where one proxy is up at a time.
func byClients(family string) []point {
	var points []point
	for _, n := range []int{1, 8, 32} {
		points = append(points, point{n, scenarioName("", family, n)})
	}
	for _, n := range []int{256, 1000} {
		points = append(points, point{n, scenarioName("clients", family, n)})
	}
	return points
}

func byNodeCount(family string) []point {
	var points []point
	for _, n := range []int{1, 2, nodeCount, maxNodeCount} {
		points = append(points, point{n, scenarioName(nodesName(n), family, 8)})
	}
	return points
}

// Sizes of the growth chart, in pixels.
const (
	panelWidth  = 420
	panelHeight = 280
	panelLeft   = 70 // room for the rates
	panelTop    = 40
	panelFoot   = 40
	panelRight  = 20
	growthHead  = 60
)

// growthColours are those of the targets, which the bars of the other chart have as
// yardsticks; pgchorus is black.
func growthColours() map[string]string {
	c := colours()
	return map[string]string{bare: c[0], pgbouncer: c[1], pgpool: c[2], trio: c[3], pgchorus: "#000000"}
}

// growthChart is an SVG picture of how rates grow with clients and nodes, empty where
// fewer than two points of a curve were measured.
func (r *result) growthChart() string {
	var panels []curves
	for _, c := range growthPanels() {
		if c.points = r.measured(c.points); len(c.points) > 1 {
			panels = append(panels, c)
		}
	}
	if panels == nil {
		return ""
	}
	var text strings.Builder
	rows := (len(panels) + 1) / 2
	fmt.Fprintf(&text, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		2*panelWidth, growthHead+rows*panelHeight)
	text.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	fmt.Fprintf(&text, `<text x="10" y="22" font-size="15">Rates as clients and nodes grow (%s, %d cores)</text>`+"\n", r.Date.Format("2006-01-02"), r.Machine.Cores)
	growthLegend(&text)
	for i, c := range panels {
		fmt.Fprintf(&text, `<g transform="translate(%d,%d)">`+"\n", i%2*panelWidth, growthHead+i/2*panelHeight)
		r.panel(&text, c)
		text.WriteString("</g>\n")
	}
	text.WriteString("</svg>\n")
	return text.String()
}

// measured are the points of which pgchorus has a figure.
func (r *result) measured(points []point) []point {
	var found []point
	for _, p := range points {
		if _, ok := r.rateAt(p, pgchorus); ok {
			found = append(found, p)
		}
	}
	return found
}

func (r *result) rateAt(p point, target string) (spread, bool) {
	return r.figure(p.scenario, target, func(x run) float64 { return x.Rate })
}

func growthLegend(w io.Writer) {
	x := 10
	for _, name := range targetNames() {
		fmt.Fprintf(w, `<rect x="%d" y="36" width="12" height="12" fill="%s"/><text x="%d" y="47">%s</text>`+"\n", x, growthColours()[name], x+18, html.EscapeString(name))
		x += 110
	}
}

// panel draws the axes and a line for each target.
func (r *result) panel(w io.Writer, c curves) {
	field := panelField{count: len(c.points), limit: r.panelLimit(c.points)}
	fmt.Fprintf(w, `<text x="%d" y="%d" font-size="13">%s</text>`+"\n", panelLeft, panelTop-14, html.EscapeString(c.title))
	field.axes(w, c)
	for _, target := range targetNames() {
		r.line(w, field, c.points, target)
	}
}

// panelLimit is the rate at the top: the greatest that there is, and a round number.
func (r *result) panelLimit(points []point) float64 {
	most := 1.0
	for _, p := range points {
		for _, target := range targetNames() {
			if s, found := r.rateAt(p, target); found {
				most = max(most, s.Max)
			}
		}
	}
	return roundUp(most)
}

// roundUp is the least of 1, 2, 5, 10, 20, 50 and so on that is not below value.
func roundUp(value float64) float64 {
	for unit := 1.0; ; unit *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if step*unit >= value {
				return step * unit
			}
		}
	}
}

// panelField turns points into places.
type panelField struct {
	count int
	limit float64
}

func (f panelField) x(i int) float64 {
	return panelLeft + float64(i)*(panelWidth-panelLeft-panelRight)/float64(max(f.count-1, 1))
}

func (f panelField) y(rate float64) float64 {
	return panelHeight - panelFoot - rate/f.limit*(panelHeight-panelFoot-panelTop)
}

func (f panelField) axes(w io.Writer, c curves) {
	const lines = 4
	for i := range lines + 1 {
		rate := f.limit * float64(i) / lines
		fmt.Fprintf(w, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#dddddd"/>`, panelLeft, f.y(rate), panelWidth-panelRight, f.y(rate))
		fmt.Fprintf(w, `<text x="%d" y="%.1f" text-anchor="end" fill="#555555">%.0f</text>`+"\n", panelLeft-6, f.y(rate)+4, rate)
	}
	for i, p := range c.points {
		fmt.Fprintf(w, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555555">%d</text>`+"\n", f.x(i), panelHeight-panelFoot+16, p.number)
	}
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end" fill="#555555">%s</text>`+"\n", panelWidth-panelRight, panelHeight-panelFoot+32, html.EscapeString(c.along))
}

// line joins the medians of a target; a bar at each shows the spread of the rounds.
func (r *result) line(w io.Writer, f panelField, points []point, target string) {
	colour := growthColours()[target]
	var path []string
	for i, p := range points {
		s, found := r.rateAt(p, target)
		if !found {
			continue
		}
		path = append(path, fmt.Sprintf("%.1f,%.1f", f.x(i), f.y(s.Median)))
		fmt.Fprintf(w, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`, f.x(i), f.y(s.Min), f.x(i), f.y(s.Max), colour)
		fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", f.x(i), f.y(s.Median), colour)
	}
	if path != nil {
		fmt.Fprintf(w, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, " "), colour)
	}
}
