package report

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// Print writes the machine as one line.
func (m Machine) Print(w io.Writer) { fmt.Fprintf(w, "%d CPUs, %s\n", m.CPUs, m.software()) }

func (m Machine) software() string {
	via, redis := "TCP", "no Redis"
	if m.Socket {
		via = "a Unix socket"
	}
	if m.Redis {
		redis = "Redis"
	}
	return fmt.Sprintf("%s, Postgres %s by %s (fsync %s, synchronous_commit %s), kfake, %s",
		m.Go, m.Postgres, via, m.Fsync, m.Commit, redis)
}

// Print writes the scenario as a table.
func (s *Scenario) Print(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s\n", s.Name, s.About)
	if s.Skipped != "" {
		fmt.Fprintf(w, "skipped: %s\n", s.Skipped)
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\t")
	for _, c := range s.Columns {
		fmt.Fprintf(table, "%s\t", c)
	}
	for _, title := range s.ratioTitles() {
		fmt.Fprintf(table, "%s\tmin-max\t", title)
	}
	fmt.Fprint(table, "to\t\n")
	for i, sum := range s.Summaries() {
		fmt.Fprintf(table, "%s\t", sum.Name)
		for _, m := range sum.Medians {
			fmt.Fprintf(table, "%s\t", number(m))
		}
		against := s.Variants[i].Against
		for _, r := range sum.Ratios {
			if against == i || r == nil {
				fmt.Fprint(table, "\t\t")
			} else {
				fmt.Fprintf(table, "%.2f\t%.2f-%.2f\t", r.Median, r.Least, r.Most)
			}
		}
		if against != i {
			fmt.Fprint(table, s.Variants[against].Name)
		}
		fmt.Fprint(table, "\t\n")
	}
	_ = table.Flush() // output for a person
}

// Write writes the report as JSON.
func (r *Report) Write(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
