package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// report is the JSON document.
type report struct {
	Machine   machine  `json:"machine"`
	Rows      int      `json:"rows"`
	Rounds    int      `json:"rounds"`
	Scenarios []result `json:"scenarios"`
}

// machine describes where the numbers were measured.
type machine struct {
	CPUs     int    `json:"cpus"`
	Go       string `json:"go"`
	Postgres string `json:"postgres"`
	Fsync    string `json:"fsync"`
	Commit   string `json:"synchronous_commit"`
	Socket   bool   `json:"unix_socket"`
	Redis    bool   `json:"redis"`
}

// result is the result of a scenario. The first variant is the bare one.
type result struct {
	Name     string    `json:"name"`
	About    string    `json:"about"`
	Columns  []string  `json:"columns"`
	Variants []samples `json:"variants"`
}

// samples are a variant's measurements: one row for each round, one value for
// each column.
type samples struct {
	Name    string      `json:"name"`
	Samples [][]float64 `json:"samples"`
}

// comparison compares a variant with the bare one.
type comparison struct {
	Name    string    `json:"name"`
	Medians []float64 `json:"medians"`
	Ratio   float64   `json:"ratio"` // the median of the rounds' ratios
	Least   float64   `json:"ratio_min"`
	Most    float64   `json:"ratio_max"`
}

func (r *result) comparisons() []comparison {
	bare := r.Variants[0].column(0)
	var out []comparison
	for _, v := range r.Variants {
		c := comparison{Name: v.Name}
		for i := range r.Columns {
			c.Medians = append(c.Medians, median(v.column(i)))
		}
		ratios := v.column(0)
		for round := range ratios {
			ratios[round] /= bare[round]
		}
		c.Ratio, c.Least, c.Most = median(ratios), slices.Min(ratios), slices.Max(ratios)
		out = append(out, c)
	}
	return out
}

func (s *samples) column(i int) []float64 {
	var out []float64
	for _, values := range s.Samples {
		out = append(out, values[i])
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func (m machine) print(w io.Writer) {
	via, redis := "TCP", "no Redis"
	if m.Socket {
		via = "a Unix socket"
	}
	if m.Redis {
		redis = "Redis"
	}
	fmt.Fprintf(w, "%d CPUs, %s, Postgres %s by %s (fsync %s, synchronous_commit %s), kfake, %s\n",
		m.CPUs, m.Go, m.Postgres, via, m.Fsync, m.Commit, redis)
}

func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s\n", r.Name, r.About)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\t")
	for _, c := range r.Columns {
		fmt.Fprintf(table, "%s\t", c)
	}
	fmt.Fprint(table, "ratio\tmin-max\t\n")
	for i, c := range r.comparisons() {
		fmt.Fprintf(table, "%s\t", c.Name)
		for _, m := range c.Medians {
			fmt.Fprintf(table, "%s\t", number(m))
		}
		if i == 0 {
			fmt.Fprint(table, "\t\t\n")
			continue
		}
		fmt.Fprintf(table, "%.2f\t%.2f-%.2f\t\n", c.Ratio, c.Least, c.Most)
	}
	_ = table.Flush() // output for a person
}

// number writes a value with at least three significant digits.
func number(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.2f", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// MarshalJSON adds the comparisons to the samples.
func (r result) MarshalJSON() ([]byte, error) {
	type plain result
	return json.Marshal(struct {
		plain
		Comparisons []comparison `json:"comparisons"`
	}{plain(r), r.comparisons()})
}

func (r *report) write(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
