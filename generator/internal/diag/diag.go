// Package diag holds what outboxgen has to say about a schema or a config: a
// position, a severity and a message. Every package of the generator reports
// through it, so that all problems of a run come out once, sorted, in one form.
package diag

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
	// ID names the kind of finding, in lower-case words joined by hyphens
	// ("unknown-keyword"); a change between two versions of a schema has capital
	// words joined by underscores ("ENUM_VALUE_REMOVED"). It is stable across
	// releases.
	ID string
	// Message says what is wrong and why, in one line, without a full stop.
	Message string
	// Hint says what to write instead; may be empty.
	Hint string
}

// String is the one-line form: file:line:col: message.
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
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(out)
}
