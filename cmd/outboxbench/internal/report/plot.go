package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The sizes of a plot, in pixels.
const (
	plotWidth  = 760
	labelWidth = 260
	valueWidth = 90
	rowHeight  = 30
	barHeight  = 18
	titleSpace = 40
)

// PlotFile returns the name of the file for the scenario's plot.
func (s *Scenario) PlotFile() string { return s.Name + ".svg" }

// Plot draws the first column as bars, as an SVG image. A scenario that was skipped has
// no plot.
func (s *Scenario) Plot(w io.Writer) error {
	sums := s.Summaries()
	largest := 0.0
	for _, sum := range sums {
		largest = max(largest, sum.Spread.Most)
	}
	var b bytes.Buffer
	height := titleSpace + rowHeight*len(sums) + rowHeight/2
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n",
		plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<text x="%d" y="24" fill="#1f2937">%s</text>`+"\n", labelWidth, escaped(s.caption()))
	scale := func(v float64) float64 {
		if largest == 0 {
			return 0
		}
		return v / largest * (plotWidth - labelWidth - valueWidth)
	}
	for i, sum := range sums {
		middle := titleSpace + rowHeight*i + rowHeight/2
		color := "#2563eb"
		if s.Variants[i].Bare {
			color = "#9ca3af"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#1f2937">%s</text>`+"\n", labelWidth-8, middle+4, escaped(sum.Name))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", labelWidth, middle-barHeight/2, scale(sum.Medians[0]), barHeight, color)
		from, to := labelWidth+scale(sum.Spread.Least), labelWidth+scale(sum.Spread.Most)
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#111827" stroke-width="2"/>`+"\n", from, to, middle, middle)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#1f2937">%s</text>`+"\n", to+8, middle+4, number(sum.Medians[0]))
	}
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder never fails
	return b.String()
}
