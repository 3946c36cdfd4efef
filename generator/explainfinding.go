package generator

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/compat"
	"github.com/outboxgen/outboxgen/generator/internal/contract"
	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/lint"
	"github.com/outboxgen/outboxgen/generator/internal/report"
)

// FindingExplanation is what there is to say about the id of a finding.
type FindingExplanation struct {
	ID string
	// Verdict says how it counts: error, warning or note, or whether the policies
	// call a change compatible.
	Verdict string
	// Short says what is found, in a few words.
	Short string
	// Why says what breaks and for whom.
	Why string
	// Before and After are an example: what changed, or what is wrong and how it
	// is right. Both may be empty.
	Before, After string
	// Instead says how to do it safely; may be empty.
	Instead string

	language string // of the example
	change   bool   // the example is a change of a schema
	fixed    bool   // After is Before as it should be
}

// Text is the explanation for a person to read.
func (e FindingExplanation) Text() string {
	var b strings.Builder
	b.WriteString(e.ID + ": " + e.Verdict + "\n")
	if !e.change {
		b.WriteString("\n" + strings.ToUpper(e.Short[:1]) + e.Short[1:] + ".\n")
	}
	b.WriteString("\n" + e.Why + "\n")
	if e.Before != "" {
		from, to := report.Example(e.fixed)
		if e.change {
			from = "For example, at level BACKWARD, from"
		}
		b.WriteString("\n" + from + "\n\n" + indented(e.Before) + "\n" + to + "\n\n" + indented(e.After))
	}
	if e.Instead != "" {
		b.WriteString("\nInstead: " + e.Instead + ".\n")
	}
	return b.String()
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		b.WriteString("  " + line)
	}
	return b.String()
}

func explainChange(id string) (FindingExplanation, bool) {
	e, ok := compat.Explain(id)
	if !ok {
		return FindingExplanation{}, false
	}
	verdict := "incompatible"
	switch {
	case e.Strict:
		verdict = "compatible"
	case e.Lenient:
		verdict = "incompatible under the strict policy, compatible under the lenient one"
	}
	return FindingExplanation{
		ID: e.ID, Verdict: verdict, Short: strings.ToLower(strings.ReplaceAll(e.ID, "_", " ")), Why: e.Why,
		Before: e.Old, After: e.New, Instead: e.Instead, language: "json", change: true,
	}, true
}

func explainContract(id string) (FindingExplanation, bool) {
	e, ok := contract.Explain(id)
	return FindingExplanation{
		ID: e.ID, Verdict: e.Severity.String(), Short: e.What, Why: e.Why,
		Before: e.Old, After: e.New, Instead: e.Instead, language: "yaml",
	}, ok
}

func explainLint(id string) (FindingExplanation, bool) {
	e, ok := lint.Explain(id)
	return FindingExplanation{
		ID: e.ID, Verdict: e.Severity.String(), Short: e.What, Why: e.Why,
		Before: e.Bad, After: e.Good, Instead: e.Instead, language: "yaml", fixed: true,
	}, ok
}

func explainDiagnostic(id string) (FindingExplanation, bool) {
	e, ok := diag.Explain(id)
	return FindingExplanation{
		ID: e.ID, Verdict: e.Severity.String(), Short: e.What, Why: e.Why,
		Before: e.Bad, After: e.Good, Instead: e.Instead, language: "yaml", fixed: true,
	}, ok
}

// findingIDs is the ids of all catalogues.
func findingIDs() [][]string {
	return [][]string{compat.IDs(), contract.IDs(), lint.IDs(), diag.IDs()}
}
