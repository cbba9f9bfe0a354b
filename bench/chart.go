package main

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
)

// Sizes of the chart, in pixels.
const (
	chartLabel  = 190 // room for the scenarios' names
	chartWidth  = 560 // of the bars' field
	chartHead   = 70
	chartFoot   = 30
	chartValue  = 60 // room for a number behind the longest bar
	barHeight   = 12
	barGap      = 3
	scenarioGap = 14
)

// maxChartRatio cuts off bars that would make all others short; their numbers stand
// beside them.
const maxChartRatio = 4

// chart is an SVG picture of the ratios: a bar for each yardstick, with a line from the
// least to the greatest of the rounds.
func (r *result) chart() string {
	field := chartField{limit: r.chartLimit()}
	height := chartHead
	var bars strings.Builder
	for _, s := range r.Scenarios {
		height = r.chartScenario(&bars, field, s.Name, height) + scenarioGap
	}
	var text strings.Builder
	fmt.Fprintf(&text, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		chartLabel+chartWidth+chartValue, height+chartFoot)
	text.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	fmt.Fprintf(&text, `<text x="10" y="22" font-size="15">pgchorus: rate as a multiple of the other's (%s, %d rounds of %d s, %d cores)</text>`+"\n",
		r.Date.Format("2006-01-02"), r.Rounds, r.Seconds, r.Machine.Cores)
	r.chartLegend(&text)
	field.grid(&text, height)
	text.WriteString(bars.String())
	text.WriteString("</svg>\n")
	return text.String()
}

// colours of the yardsticks, in their order; they differ in brightness too.
func colours() []string {
	return []string{"#4c6a92", "#e0a458", "#a23b52", "#7fb069", "#7a5195", "#2a9d8f", "#b5838d", "#6c757d", "#d4a373", "#264653", "#b56576"}
}

// chartLegend has the yardsticks that were measured.
func (r *result) chartLegend(w io.Writer) {
	x, columns := 10, r.columns()
	for i, y := range yardsticks() {
		if !slices.Contains(columns, y.target) {
			continue
		}
		fmt.Fprintf(w, `<rect x="%d" y="36" width="12" height="12" fill="%s"/><text x="%d" y="47">to %s</text>`+"\n", x, colours()[i], x+18, html.EscapeString(y.heading))
		x += 150
	}
}

// chartField turns ratios into places.
type chartField struct{ limit float64 }

func (f chartField) x(ratio float64) float64 {
	return chartLabel + min(ratio, f.limit)/f.limit*chartWidth
}

// grid draws a line at each half and a strong one where both are equally fast.
func (f chartField) grid(w io.Writer, bottom int) {
	for ratio := 0.0; ratio <= f.limit; ratio += 0.5 {
		colour := "#dddddd"
		if ratio == 1 {
			colour = "#333333"
		}
		fmt.Fprintf(w, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>`, f.x(ratio), chartHead-8, f.x(ratio), bottom, colour)
		fmt.Fprintf(w, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555555">%.1f</text>`+"\n", f.x(ratio), bottom+16, ratio)
	}
}

// chartLimit is where the field ends: a half above the greatest median, at least 1.
func (r *result) chartLimit() float64 {
	limit := 1.0
	for _, s := range r.Scenarios {
		for _, y := range yardsticks() {
			ratio, found := r.ratio(s.Name, y.target)
			for found && limit < ratio.Median && limit < maxChartRatio {
				limit += 0.5
			}
		}
	}
	return limit
}

// chartScenario draws the bars of one scenario from y downwards and returns where they end.
func (r *result) chartScenario(w io.Writer, f chartField, name string, y int) int {
	fmt.Fprintf(w, `<text x="10" y="%d">%s</text>`+"\n", y+barHeight-1, html.EscapeString(name))
	drawn := false
	for i, yardstick := range yardsticks() {
		ratio, found := r.ratio(name, yardstick.target)
		if !found {
			continue
		}
		f.bar(w, ratio, y, colours()[i])
		y, drawn = y+barHeight+barGap, true
	}
	if !drawn {
		y += barHeight + barGap // the name has a line all the same
	}
	return y
}

// bar draws one ratio. Its number stands behind the bar and the line of its spread.
func (f chartField) bar(w io.Writer, ratio spread, y int, colour string) {
	middle := y + barHeight/2
	fmt.Fprintf(w, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, chartLabel, y, f.x(ratio.Median)-chartLabel, barHeight, colour)
	fmt.Fprintf(w, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="black"/>`, f.x(ratio.Min), middle, f.x(ratio.Max), middle)
	fmt.Fprintf(w, `<text x="%.1f" y="%d">%.2f</text>`+"\n", f.x(ratio.Max)+5, y+barHeight-2, ratio.Median)
}
