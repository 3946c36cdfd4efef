package report

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const introduction = `# What outboxgen costs

Each scenario does the same work in several ways, in turn, on the same servers. The
barest code that can do the work shows what the machine can do. It has none of the
guarantees of outboxgen.

- A *ratio* divides a number of a line by the same number of the line that is named beside
  it, within the same round. The table has the median of the rounds' ratios, the smallest
  and the largest. Compare ratios: the numbers themselves depend on the machine.
- All other numbers are medians.
- A bar in a plot is the median, and the thin line on it goes from the smallest to the
  largest number. The grey bars are the barest code.

`

// Markdown writes the report as a page. It shows the plots in the files that PlotFile
// names.
func (r *Report) Markdown(w io.Writer) {
	fmt.Fprint(w, introduction)
	commit := ""
	if r.Commit != "" {
		commit = ", commit " + r.Commit
	}
	fmt.Fprintf(w, "Measured on %s%s, with %s rows in the drains: `make bench`.\n\n", r.Began, commit, number(float64(r.Rows)))
	fmt.Fprintf(w, "Machine: %s. Software: %s.\n", r.Machine.hardware(), r.Machine.software())
	if len(r.Machine.Settings) > 0 {
		fmt.Fprintf(w, "\nSettings of Postgres: %s.\n", strings.Join(r.Machine.Settings, ", "))
	}
	if len(r.Machine.Versions) > 0 {
		fmt.Fprintf(w, "\nVersions: %s.\n", strings.Join(r.Machine.Versions, ", "))
	}
	for i := range r.Scenarios {
		r.Scenarios[i].markdown(w)
	}
}

func (m Machine) hardware() string {
	text := fmt.Sprintf("%d CPUs", m.CPUs)
	if m.CPU != "" {
		text += " of the kind " + m.CPU
	}
	if m.MemoryMB > 0 {
		const gigabyte = 1 << 10
		text += fmt.Sprintf(", %d GB of memory", (m.MemoryMB+gigabyte/2)/gigabyte)
	}
	return text + ", " + m.System
}

func (s *Scenario) markdown(w io.Writer) {
	fmt.Fprintf(w, "\n## %s: %s\n\n%s\n", s.Name, s.About, s.Explain)
	if s.Skipped != "" {
		fmt.Fprintf(w, "\nNot measured: %s.\n", s.Skipped)
		return
	}
	for i, note := range s.Notes {
		if i == 0 {
			fmt.Fprint(w, "\nVersions and settings:\n\n")
		}
		fmt.Fprintf(w, "- %s\n", note)
	}
	fmt.Fprintf(w, "\n![%s: %s](%s)\n\nRounds: %d", s.Name, s.caption(), s.PlotFile(), s.Rounds())
	if s.Few != "" {
		fmt.Fprintf(w, "; fewer than usual, because %s", s.Few)
	}
	if s.Seconds > 0 {
		fmt.Fprintf(w, ". They took %s with all preparations", (time.Duration(s.Seconds) * time.Second).String())
	}
	fmt.Fprint(w, ".\n\n")
	cells := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	head := append([]string{""}, s.Columns...)
	for _, title := range s.ratioTitles() {
		head = append(head, title, "from–to")
	}
	cells(append(head, "of"))
	line := []string{"---"}
	for range head[1:] {
		line = append(line, "--:")
	}
	cells(append(line, "---"))
	for i, sum := range s.Summaries() {
		line := []string{sum.Name}
		for _, m := range sum.Medians {
			line = append(line, number(m))
		}
		against := s.Variants[i].Against
		for _, r := range sum.Ratios {
			switch {
			case against == i || r == nil:
				line = append(line, "", "")
			case s.Rounds() == 1:
				line = append(line, fmt.Sprintf("**%.2f**", r.Median), "")
			default:
				line = append(line, fmt.Sprintf("**%.2f**", r.Median), fmt.Sprintf("%.2f–%.2f", r.Least, r.Most))
			}
		}
		of := ""
		if against != i {
			of = s.Variants[against].Name
		}
		cells(append(line, of))
	}
}

// caption says what the bars of the plot are.
func (s *Scenario) caption() string {
	if s.Less {
		return s.Columns[0] + ", less is better"
	}
	return s.Columns[0] + ", more is better"
}
