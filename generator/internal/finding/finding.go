// Package finding defines what outboxgen reports about a schema, the project file,
// or a change of them. A Finding is one problem at one place, and a Rule describes
// its kind. Every package of the generator reports findings of this type, this
// package holds all rules, and a Report prints the findings in the same form for
// all commands.
//
// # Rules
//
// The rules are Markdown files: rules/generate, rules/lint, rules/contract and
// rules/compat have a file for each group. To add a rule, add it to the right file, in
// the order of the documentation, and report a finding with its id. The tests of this
// package then require an example, and -update writes docs/findings.md. The first line
// of a file is the title of the group. A rule looks like this:
//
//	## money-as-float
//
//	Warning: an amount of money in a JSON number.
//
//	Why it matters, on one line.
//
//	Example:
//
//	(a code block)
//
//	Better:
//
//	(a code block)
//
//	Fix: use an integer of the smallest unit.
//
// Error, Warning or Note is the severity. In contract and compat the two examples are
// called From and To. A code block in the language go is a Go string, for text that is
// not UTF-8. A rule of compat also has a list:
//
//   - Allowed by: "no policy", "lenient", "lenient, generated", "strict, lenient" or
//     "strict, lenient, generated".
//   - Message: see [Rule].
//   - Opposite: the id of the rule about the opposite change, if there is one.
//   - Forward message, Forward fix: replace those of level FORWARD, see [Forward].
//
// Rules that differ only in words come from a file in rules/templates. A table at the
// start of a group's file names the template, and the text for each of its words in
// capitals. Every row adds the rules of the template before the rules of the file.
package finding

import (
	"cmp"
	"fmt"
	"slices"
)

// Pos is a place in a source file. Line and Col count from 1; Col counts
// characters, not bytes. The zero Pos means "no place".
type Pos struct {
	File string // relative to the project, with forward slashes
	Line int
	Col  int
}

// String returns file:line:col, or the file alone if there is no line.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Compare orders places by file, line and column.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}

// Severity says whether a finding stops the run.
type Severity int

const (
	// Error stops the run: nothing is written, exit code 1.
	Error Severity = iota
	// Warning is a problem that does not stop the run.
	Warning
	// Note needs no action.
	Note
)

// String returns the name of the severity in a report.
func (s Severity) String() string {
	return [...]string{"error", "warning", "note"}[s]
}

// Finding is one problem at one place.
type Finding struct {
	Pos      Pos
	Severity Severity
	// ID is the id of a Rule.
	ID string
	// Message says what is wrong and why, in one line, without a full stop.
	Message string
	// Hint says how to fix it; may be empty.
	Hint string

	// Pointer is the JSON Pointer of the place. The pointer of the root is empty;
	// HasPointer is false for a finding without a pointer.
	Pointer    string
	HasPointer bool
	// Old is the place in the earlier version of the schema; zero if there is none.
	Old Place
	// Event is the type of the event, for Contract and Compat; else "".
	Event string
	// Change is the verdict about a change of a schema; zero for other findings.
	Change Change
}

// Place is a part of a file.
type Place struct {
	Pos     Pos
	Pointer string
}

// Change is the verdict about a change of a schema.
type Change struct {
	// Direction is backward or forward. The rule describes the change from the
	// writer's schema to the reader's: backward from old to new, forward from new
	// to old.
	Direction string
	// Compatible reports whether the policy allows the change.
	Compatible bool
	// RegistryRefuses reports that the change is compatible here and that Confluent's
	// schema registry rejects it by default.
	RegistryRefuses bool
	// Advises reports that the change is compatible, and that the hint matters to its
	// author nevertheless.
	Advises bool
	// Level and Policy are those of the event; "" without a project file.
	Level, Policy string
}

// Told reports whether the change is reported although it is compatible.
func (c Change) Told() bool { return c.RegistryRefuses || c.Advises }

// String returns the finding in one line: file:line:col: message [id].
func (f Finding) String() string {
	text := f.Message
	if f.Severity != Error {
		text = f.Severity.String() + ": " + text
	}
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	return f.Pos.String() + ": " + text + f.tag()
}

// Line is String as a report prints it: with the earlier place, and without
// control characters.
func (f Finding) Line() string { return Printable(f.withOld().String()) }

// tag returns the id as it follows a message.
func (f Finding) tag() string { return " [" + f.ID + "]" }

// withOld returns f with the earlier place in its message.
func (f Finding) withOld() Finding {
	if f.Old.Pos.File != "" {
		f.Message += " (" + f.Old.Pos.String() + ")"
	}
	return f
}

// List collects findings. The zero value is ready to use. It is not safe for
// concurrent use.
type List struct {
	findings []Finding
}

// Errorf adds an error, and returns it for its hint. The result is valid until the
// next finding is added.
func (l *List) Errorf(pos Pos, id, format string, args ...any) *Finding {
	return l.addf(Error, pos, id, format, args)
}

// Warnf is Errorf for a warning.
func (l *List) Warnf(pos Pos, id, format string, args ...any) *Finding {
	return l.addf(Warning, pos, id, format, args)
}

func (l *List) addf(severity Severity, pos Pos, id, format string, args []any) *Finding {
	l.Add(Finding{Pos: pos, Severity: severity, ID: id, Message: fmt.Sprintf(format, args...)})
	return &l.findings[len(l.findings)-1]
}

// SetHint sets the hint of f.
func (f *Finding) SetHint(hint string) { f.Hint = hint }

// Add adds findings.
func (l *List) Add(f ...Finding) { l.findings = append(l.findings, f...) }

// Len returns the number of findings that were added.
func (l *List) Len() int { return len(l.findings) }

// Since returns the findings that were added after the first n.
func (l *List) Since(n int) []Finding { return slices.Clone(l.findings[n:]) }

// HasErrors reports whether any finding is an Error.
func (l *List) HasErrors() bool {
	return slices.ContainsFunc(l.findings, func(f Finding) bool { return f.Severity == Error })
}

// Sorted returns all findings without duplicates, ordered by file, line, column,
// severity and message.
func (l *List) Sorted() []Finding {
	out := slices.Clone(l.findings)
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(a.Pos.Compare(b.Pos), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(out)
}
