package generator

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/report"
)

// CheckFormats is the formats that CheckResult.Write knows: text for people,
// json and sarif (2.1.0) for programs, github for annotations of a pull request
// by GitHub Actions.
func CheckFormats() []string { return []string{"text", "json", "sarif", "github"} }

// CheckReportOptions says how findings are written.
type CheckReportOptions struct {
	ReportOptions // of the format text

	// Version is that of the program, for sarif. Default: left out.
	Version string
}

// Write writes the findings in one of CheckFormats. Files are named relative to
// the project by text and json, and relative to the top of the git repository by
// sarif and github. The error is the writer's, or names an unknown format.
func (r *CheckResult) Write(w io.Writer, format string, opts CheckReportOptions) error {
	options := report.Options{Prefix: r.prefix, Version: opts.Version, Rule: reportRule}
	switch format {
	case "text":
		text := report.TextOptions{Sources: r.sources, Carets: opts.Carets, Color: opts.Color}
		if err := report.Text(w, r.findings, text); err != nil {
			return fmt.Errorf("text: %w", err)
		}
		_, err := fmt.Fprintln(w, r.summary())
		return err //nolint:wrapcheck // the writer's
	case "json":
		return report.JSON(w, r.head(), r.findings) //nolint:wrapcheck // the writer's
	case "sarif":
		return report.SARIF(w, r.head(), r.findings, options) //nolint:wrapcheck // the writer's
	case "github":
		return report.GitHub(w, r.findings, options) //nolint:wrapcheck // the writer's
	}
	return fmt.Errorf("there is no format %q; the formats are %s", format, join3(CheckFormats()))
}

// head is what JSON says beside the findings.
func (r *CheckResult) head() map[string]any {
	var against any
	if r.Against != "" {
		against = r.Against
	}
	return map[string]any{"against": against, "events": r.Events, "errors": r.count(Error), "warnings": r.count(Warning)}
}

func (r *CheckResult) count(severity any) int {
	n := 0
	for _, f := range r.findings {
		if any(f.Severity) == severity {
			n++
		}
	}
	return n
}

// summary is the result in one line.
func (r *CheckResult) summary() string {
	var found []string
	for _, of := range []struct {
		n    int
		what string
	}{{r.count(Error), "error"}, {r.count(Warning), "warning"}} {
		if of.n > 0 {
			found = append(found, plural(of.n, of.what))
		}
	}
	if len(found) == 0 {
		found = []string{"nothing found"}
	}
	against := "compared with nothing"
	if r.Against != "" {
		against = "against " + r.Against
	}
	return fmt.Sprintf("%s (%s, %s)", strings.Join(found, " and "), plural(r.Events, "event"), against)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// ExplainFinding looks up the id of a finding, of a change between two versions
// as well; false when there is none of that name.
func ExplainFinding(id string) (FindingExplanation, bool) {
	for _, look := range []func(string) (FindingExplanation, bool){explainChange, explainContract, explainLint, explainDiagnostic} {
		if e, ok := look(id); ok {
			return e, true
		}
	}
	return FindingExplanation{}, false
}

// reportRule is ExplainFinding for a report.
func reportRule(id string) (report.Rule, bool) {
	e, ok := ExplainFinding(id)
	if !ok {
		return report.Rule{}, false
	}
	return report.Rule{
		ID: e.ID, Short: e.Short, Why: e.Why, Before: e.Before, After: e.After, Language: e.language, Fixed: e.fixed,
		Instead: e.Instead, Text: e.Text(),
	}, true
}

// FindingIDs is the id of everything that can be found, sorted.
func FindingIDs() []string {
	var all []string
	for _, ids := range findingIDs() {
		all = append(all, ids...)
	}
	slices.Sort(all)
	return all
}
