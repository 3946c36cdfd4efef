// Package finding holds what outboxgen has to say about a schema, the config, or
// a change of them: a Finding is one problem at one place, and a Rule is what
// there is to say about its kind. Every package of the generator reports findings
// of this type, every rule stands in this package, and a Report prints them, so
// that all commands say the same in the same form.
//
// To add a finding, add its rule to the group in the file rules_*.go where it
// belongs, and report it with the id of the rule; the tests of this package then
// ask for its example.
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

// String is file:line:col, or the file alone where there is no line.
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
	// Warning tells what a schema says and Go cannot; the run goes on.
	Warning
	// Note tells what is in order and worth knowing.
	Note
)

// String is the severity as a report names it.
func (s Severity) String() string {
	return [...]string{"error", "warning", "note"}[s]
}

// Finding is one problem at one place.
type Finding struct {
	Pos      Pos
	Severity Severity
	// ID is that of a Rule.
	ID string
	// Message says what is wrong and why, in one line, without a full stop.
	Message string
	// Hint says what to write instead; may be empty.
	Hint string

	// Pointer is the JSON Pointer of the place; HasPointer tells the root, whose
	// pointer is empty, from a finding without one.
	Pointer    string
	HasPointer bool
	// Old is the place in the earlier version that a finding compares with; zero
	// if there is none.
	Old Place
	// Event is the type of the event that a finding of Contract or Compat is
	// about; "" for none.
	Event string
	// Change is how a change of a schema was judged; zero for other findings.
	Change Change
}

// Place is a part of a file.
type Place struct {
	Pos     Pos
	Pointer string
}

// Change is how a change of a schema was judged.
type Change struct {
	// Direction says who reads whose data: backward or forward. The words of the
	// id are those of a change from the schema of the data to the schema of its
	// reader: if forward, from new to old.
	Direction string
	// Compatible reports whether the policy allows the change.
	Compatible bool
	// Level and Policy are those of the event; "" without a project.
	Level, Policy string
}

// String is the finding in one line: file:line:col: message, without its id.
func (f Finding) String() string {
	text := f.Message
	if f.Severity != Error {
		text = f.Severity.String() + ": " + text
	}
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	return f.Pos.String() + ": " + text
}

// Line is the finding in one line as a report prints it: String with the id
// behind it, and nothing that a terminal would act on.
func (f Finding) Line() string { return Printable(f.withOld().String() + f.tag()) }

// tag is the id as it stands behind a message.
func (f Finding) tag() string { return " [" + f.ID + "]" }

// withOld is f with the earlier place in its message.
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

// Errorf adds an error.
func (l *List) Errorf(pos Pos, id, format string, args ...any) {
	l.Add(Finding{Pos: pos, ID: id, Message: fmt.Sprintf(format, args...)})
}

// Warnf adds a warning.
func (l *List) Warnf(pos Pos, id, format string, args ...any) {
	l.Add(Finding{Pos: pos, Severity: Warning, ID: id, Message: fmt.Sprintf(format, args...)})
}

// Add adds f.
func (l *List) Add(f Finding) { l.findings = append(l.findings, f) }

// HasErrors reports whether any finding is an Error.
func (l *List) HasErrors() bool {
	return slices.ContainsFunc(l.findings, func(f Finding) bool { return f.Severity == Error })
}

// Sorted is all findings by file, line, column and message, each once.
func (l *List) Sorted() []Finding {
	out := slices.Clone(l.findings)
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(a.Pos.Compare(b.Pos), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(out)
}
