package page

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// plots are the plots of an outbox, with the same facts as text.
type plots struct {
	Days    bool
	Since   *moment // the process has no samples from before
	Source  string  // the address of the samples
	Figures []figure
	Table   []valueRow
}

// figure is one plot.
type figure struct {
	Series  string // its name in the samples
	Title   string
	Summary string
}

// valueRow is a row of the table that says the same as the plots.
type valueRow struct {
	At                          *moment
	Rate, Pending, Oldest, Dead string
}

// series are the numbers that have plots.
var series = []struct {
	name, title string
	of          func(sample) float64
	text        func(float64) string
}{
	{"rate", "Throughput", func(s sample) float64 { return s.rate }, perSecond},
	{"pending", "Pending rows", func(s sample) float64 { return s.pending }, whole},
	{"oldest", "Age of the oldest pending row", func(s sample) float64 { return s.oldest }, func(f float64) string { return span(time.Duration(f * float64(time.Second))) }},
	{"dead", "Dead rows", func(s sample) float64 { return s.dead }, whole},
}

func whole(f float64) string { return counted(int64(f)) }

// tableRows limits the table of values.
const tableRows = 24

func (p *Page) plots(name string, days bool) plots {
	list, since := p.samples.samples(name, days)
	out := plots{Days: days, Since: at(since), Source: address("plot.json", "outbox", name)}
	if days {
		out.Source = address("plot.json", "outbox", name, "range", "days")
	}
	for _, one := range series {
		out.Figures = append(out.Figures, figure{Series: one.name, Title: one.title, Summary: summaryText(list, one.of, one.text)})
	}
	every := max(1, (len(list)+tableRows-1)/tableRows)
	for end := len(list); end > 0; end -= every {
		s := summary(list[max(0, end-every):end])
		cell := func(i int) string {
			if v := series[i].of(s); isKnown(v) {
				return series[i].text(v)
			}
			return "not known"
		}
		out.Table = append(out.Table, valueRow{At: at(s.at), Rate: cell(0), Pending: cell(1), Oldest: cell(2), Dead: cell(3)})
	}
	return out
}

// summaryText says what a plot shows.
func summaryText(list []sample, of func(sample) float64, text func(float64) string) string {
	var last, low, high float64
	var highAt time.Time
	known := 0
	for _, s := range list {
		v := of(s)
		if !isKnown(v) {
			continue
		}
		if known == 0 || v < low {
			low = v
		}
		if known == 0 || v > high {
			high, highAt = v, s.at
		}
		last = v
		known++
	}
	switch {
	case known == 0:
		return "no samples yet"
	case low == high:
		return "now " + text(last) + ", unchanged"
	}
	return "now " + text(last) + ", lowest " + text(low) + ", highest " + text(high) + " " + span(time.Since(highAt)) + " ago"
}

// plotData serves the samples: times in seconds, and for each series its numbers; null is
// not known.
func (p *Page) plotData(w http.ResponseWriter, r *http.Request) {
	o, ok := p.find(r.FormValue("outbox"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	list, _ := p.samples.samples(o.Name, r.FormValue("range") == "days")
	data := map[string][]json.RawMessage{"at": {}}
	for _, s := range list {
		data["at"] = append(data["at"], json.RawMessage(strconv.FormatInt(s.at.Unix(), 10)))
		for _, one := range series {
			text := json.RawMessage("null")
			if v := one.of(s); isKnown(v) {
				text = json.RawMessage(strconv.FormatFloat(v, 'f', 2, 64))
			}
			data[one.name] = append(data[one.name], text)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(data) // a browser that has left needs no answer
}
