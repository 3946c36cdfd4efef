package generator

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// CheckFormats returns the formats of CheckResult.Write: text for people, json and
// sarif (2.1.0) for programs, github for annotations of a pull request by GitHub
// Actions.
func CheckFormats() []string { return finding.Formats() }

// CheckReportOptions say how findings are written.
type CheckReportOptions struct {
	ReportOptions // for the format text

	// Version is the version of the program, for sarif. "": left out.
	Version string
}

// Write writes the findings in one of CheckFormats. File names are relative to the
// project in text and json, and relative to the root of the git repository in sarif and
// github. It returns the writer's error, or one for an unknown format.
func (r *CheckResult) Write(w io.Writer, format string, opts CheckReportOptions) error {
	return finding.Report{
		Findings: r.findings, Summary: r.summary(), Head: r.head(), Sources: r.sources, Carets: opts.Carets, Color: opts.Color,
		Prefix: r.prefix, Version: opts.Version,
	}.Write(w, format)
}

// head returns the JSON properties besides the findings.
func (r *CheckResult) head() map[string]any {
	var against any
	if r.Against != "" {
		against = r.Against
	}
	return map[string]any{"against": against, "events": r.Events, "errors": count(r.findings, Error), "warnings": count(r.findings, Warning)}
}

func count(findings []Finding, severity finding.Severity) int {
	n := 0
	for _, f := range findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// summary returns the result in one line.
func (r *CheckResult) summary() string {
	var found []string
	for _, of := range []struct {
		n    int
		what string
	}{{count(r.findings, Error), "error"}, {count(r.findings, Warning), "warning"}} {
		if of.n > 0 {
			found = append(found, plural(of.n, of.what))
		}
	}
	if notes := count(r.findings, Note); len(found) == 0 && notes > 0 {
		found = []string{plural(notes, "note")}
	}
	if len(found) == 0 {
		found = []string{"no findings"}
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

// ExplainFinding returns what a finding means, why it matters and what to do, for a
// person. It accepts an id in any case, with - or _. For an unknown id it returns an
// error that suggests a similar one.
func ExplainFinding(id string) (string, error) {
	if r, ok := finding.Lookup(id); ok {
		return r.Text(), nil
	}
	hint := cmp.Or(finding.DidYouMean(finding.Canonical(id), finding.IDs()), "outboxgen explain --list lists all")
	return "", fmt.Errorf("no finding called %s; %s", finding.Quote(id), hint)
}

// FindingIDs returns the ids of all findings, sorted.
func FindingIDs() []string { return finding.IDs() }

// FindingList returns one line for each finding, in groups: its id and what it reports.
func FindingList() string { return finding.Index() }
