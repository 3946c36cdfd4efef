package lint

import (
	"cmp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Finding is one place where a rule applies. Message says what is wrong and
// why, Hint what to write instead; ID has an entry in the catalogue.
type Finding struct {
	diag.Finding

	// Pointer is the JSON Pointer of the schema in its file; HasPointer is false
	// for what is found in the config.
	Pointer    string
	HasPointer bool
}

// Lint applies the rules to a loaded project and returns what they find, sorted
// by place. Of a project with errors it looks at what could be read.
func Lint(p *schema.Project) []Finding {
	l := &linter{project: p}
	l.events()
	slices.SortFunc(l.findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col),
			cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(l.findings)
}

// linter is one run over a project.
type linter struct {
	project  *schema.Project
	findings []Finding
}

// found reports that a rule applies to s, at pos.
func (l *linter) found(id string, s *schema.Schema, pos diag.Pos, message, hint string) {
	l.findings = append(l.findings, Finding{
		Finding: diag.Finding{Pos: pos, Severity: rules[id].severity, ID: id, Message: message, Hint: hint},
		Pointer: s.Pointer, HasPointer: true,
	})
}

// events applies the rules about whole events.
func (l *linter) events() {
	for _, e := range l.project.Events {
		if e.Schema != nil && e.Schema.Description == "" {
			l.found("EVENT_UNDESCRIBED", e.Schema, e.Schema.Pos,
				"the event "+e.GoName+" has no description: nobody learns from the schema when it happens", "add description")
		}
	}
}
