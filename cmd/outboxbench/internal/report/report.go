// Package report holds what outboxbench measured, and prints it: as tables, as JSON,
// and as Markdown with plots.
package report

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Report is a run of the benchmarks. It is also the JSON document.
type Report struct {
	Machine Machine `json:"machine"`
	// Commit is the one of the code that was measured; empty if git does not know.
	Commit    string     `json:"commit,omitempty"`
	Began     string     `json:"began"`  // day, in UTC
	Rows      int        `json:"rows"`   // that wait, in the drains
	Rounds    int        `json:"rounds"` // at most, for each scenario
	Headers   bool       `json:"headers"`
	Steady    string     `json:"steady"` // how long each variant of the scenario steady runs
	Finished  bool       `json:"finished"`
	Scenarios []Scenario `json:"scenarios"`
}

// Machine says where the numbers were measured.
type Machine struct {
	CPUs     int    `json:"cpus"`
	CPU      string `json:"cpu,omitempty"`
	MemoryMB int    `json:"memory_mb,omitempty"`
	System   string `json:"system"`
	Go       string `json:"go"`
	Postgres string `json:"postgres"`
	Fsync    string `json:"fsync"`
	Commit   string `json:"synchronous_commit"`
	Socket   bool   `json:"unix_socket"`
	Redis    bool   `json:"redis"`
	// Settings are those of Postgres that matter here, and Versions those of what takes part
	// in most scenarios.
	Settings []string `json:"settings,omitempty"`
	Versions []string `json:"versions,omitempty"`
}

// Scenario is what was measured in one scenario.
type Scenario struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Explain string   `json:"explain"`
	Columns []string `json:"columns"`
	// Ratios is how many of the columns, from the first, get a ratio; 0 means 1.
	Ratios int  `json:"ratios,omitempty"`
	Less   bool `json:"less_is_better"` // in these columns
	// Notes are versions and settings of what takes part in this scenario only.
	Notes []string `json:"notes,omitempty"`
	// Few says why there are fewer rounds than in other scenarios.
	Few string `json:"few,omitempty"`
	// Seconds is how long the measurement took, with all preparations.
	Seconds float64 `json:"seconds,omitempty"`
	// Skipped says why nothing was measured.
	Skipped  string    `json:"skipped,omitempty"`
	Variants []Variant `json:"variants"`
}

// Variant is one way to do the work.
type Variant struct {
	Name string `json:"name"`
	// Bare is set for the barest code that does the work.
	Bare bool `json:"bare,omitempty"`
	// Against is the number of the variant that this one is compared with. A variant
	// that is compared with itself has no ratio.
	Against int `json:"against"`
	// Samples has a row for each round, and in it a value for each column.
	Samples [][]float64 `json:"samples"`
}

// Rounds returns how many rounds have been measured.
func (s *Scenario) Rounds() int {
	if len(s.Variants) == 0 {
		return 0
	}
	return len(s.Variants[0].Samples)
}

// Summary is a variant in a few numbers.
type Summary struct {
	Name    string    `json:"name"`
	Medians []float64 `json:"medians"` // of each column
	Spread  Spread    `json:"spread"`  // of the first column
	// Ratios are of the rounds' ratios, for each compared column; nil if the other
	// variant measured 0.
	Ratios []*Spread `json:"ratios"`
}

// Spread is the median and the extremes of some numbers.
type Spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"min"`
	Most   float64 `json:"max"`
}

func spread(values []float64) Spread {
	return Spread{Median: median(values), Least: slices.Min(values), Most: slices.Max(values)}
}

// Summaries returns a summary of each variant.
func (s *Scenario) Summaries() []Summary {
	var out []Summary
	for _, v := range s.Variants {
		sum := Summary{Name: v.Name, Spread: spread(v.column(0))}
		for i := range s.Columns {
			sum.Medians = append(sum.Medians, median(v.column(i)))
		}
		for i := range s.compared() {
			sum.Ratios = append(sum.Ratios, ratio(v.column(i), s.Variants[v.Against].column(i)))
		}
		out = append(out, sum)
	}
	return out
}

// ratio returns the ratios of the rounds.
func ratio(values, others []float64) *Spread {
	if slices.Contains(others, 0) {
		return nil
	}
	for round := range values {
		values[round] /= others[round]
	}
	s := spread(values)
	return &s
}

// compared returns the columns that get a ratio.
func (s *Scenario) compared() []string { return s.Columns[:max(1, s.Ratios)] }

// ratioTitles returns the titles of the ratios' columns.
func (s *Scenario) ratioTitles() []string {
	if len(s.compared()) == 1 {
		return []string{"ratio"}
	}
	var out []string
	for _, c := range s.compared() {
		out = append(out, "ratio of "+c)
	}
	return out
}

func (v *Variant) column(i int) []float64 {
	var out []float64
	for _, values := range v.Samples {
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

// MarshalJSON adds the summaries to the samples.
func (s Scenario) MarshalJSON() ([]byte, error) {
	type plain Scenario
	var sums []Summary
	if s.Rounds() > 0 {
		sums = s.Summaries()
	}
	return json.Marshal(struct {
		plain
		Summaries []Summary `json:"summaries,omitempty"`
	}{plain(s), sums})
}
