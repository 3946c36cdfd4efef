package lint

import (
	"cmp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Lint applies the rules to a loaded project and returns the findings, sorted by place.
// If the project has errors, it checks what could be read. It checks the files in
// schemas:, and what the config says about events; other files belong to others, and so
// do the events that the service only consumes.
//
// warnings are those of the loader and the generator. They are part of the result, at
// the level that the config gives them, unless they are suppressed.
func Lint(p *schema.Project, warnings ...finding.Finding) []finding.Finding {
	l := &linter{project: p, levels: map[string]string{}, consumed: map[*schema.Schema]bool{}, foreign: map[*schema.Schema]bool{}}
	if p.Config != nil {
		l.config = p.Config.Lint
	}
	l.ruleLevels()
	l.walk()
	l.naming()
	l.unused()
	l.values()
	l.events()
	for i := range l.spots {
		l.look(&l.spots[i])
	}
	l.others(warnings)
	return l.result()
}

// Covers reports whether f, a warning of the loader or the generator, is also reported
// by a rule of Lint. Do not show f together with the findings of Lint: the rule reports
// it once, at its level, and can be suppressed.
func Covers(p *schema.Project, f finding.Finding) bool {
	if f.Severity != finding.Warning || f.ID != "pointer-optional" && f.ID != "required-undescribed" {
		return false
	}
	d := p.Document(f.Pos.File)
	return d == nil || d.Listed // no schema file: the config
}

// linter is one run over a project.
type linter struct {
	project  *schema.Project
	config   schema.LintConfig
	levels   map[string]string // by id, where the config gives one
	spots    []spot            // every schema of the listed files
	findings []located

	consumed map[*schema.Schema]bool // of each event's schema: whether only consumed events have it
	foreign  map[*schema.Schema]bool // the schemas of consumed events, which their publisher checks
}

// located is a finding with the schema that it is about, nil for the config.
type located struct {
	finding.Finding

	schema *schema.Schema
}

// ruleLevels reads the levels from the config.
func (l *linter) ruleLevels() {
	for _, r := range l.config.Rules {
		rule, ok := lookup(r.ID)
		if !ok {
			l.unknownRule(r.ID, nil)
			continue
		}
		l.levels[rule.ID] = r.Level
	}
}

// lookup finds the rule that a file names: one of lint, or one of the loader or the
// generator that warns.
func lookup(id schema.Name) (finding.Rule, bool) {
	rule, ok := finding.Lookup(id.Text)
	return rule, ok && (rule.Area == finding.Lint || rule.Area == finding.Generate && rule.Severity == finding.Warning)
}

func (l *linter) unknownRule(id schema.Name, s *schema.Schema) {
	if rule, ok := finding.Lookup(id.Text); ok {
		hint := "remove the entry, and fix the finding"
		if rule.Area == finding.Contract || rule.Area == finding.Compat {
			hint = "list an intended change under compat.accept"
		}
		l.found("rule-unknown", s, id.Pos, finding.Quote(id.Text)+" is no rule of lint and no warning of the generator: this entry has no effect", hint)
		return
	}
	l.found("rule-unknown", s, id.Pos, "there is no rule "+finding.Quote(id.Text)+": this entry has no effect", cmp.Or(
		finding.DidYouMean(finding.Canonical(id.Text), finding.IDs(finding.Lint)), "outboxgen explain --list lists the rules"))
}

// off reports whether the config turns a rule off.
func (l *linter) off(id string) bool { return l.levels[id] == "off" }

// found reports a finding of a rule at pos, for s, or for the config if s is nil.
func (l *linter) found(id string, s *schema.Schema, pos finding.Pos, message, hint string) {
	rule, _ := finding.Lookup(id)
	if l.off(id) || l.foreign[s] {
		return
	}
	severity := l.level(id, rule.Severity)
	f := finding.Finding{Pos: pos, Severity: severity, ID: id, Message: message, Hint: hint}
	if s != nil {
		f.Pointer, f.HasPointer = s.Pointer, true
	}
	l.findings = append(l.findings, located{Finding: f, schema: s})
}

// level returns the severity that the config gives a rule, or else the usual one.
func (l *linter) level(id string, usual finding.Severity) finding.Severity {
	switch l.levels[id] {
	case "error":
		return finding.Error
	case "warning":
		return finding.Warning
	case "note":
		return finding.Note
	}
	return usual
}

// result returns the findings that are not suppressed, and those about suppressions.
func (l *linter) result() []finding.Finding {
	suppressed := l.suppressed()
	out := make([]finding.Finding, 0, len(l.findings))
	for _, f := range l.findings {
		if !suppressed.cover(f) {
			out = append(out, f.Finding)
		}
	}
	before := len(l.findings)
	l.judge(suppressed)
	for _, f := range l.findings[before:] {
		out = append(out, f.Finding)
	}
	slices.SortFunc(out, func(a, b finding.Finding) int {
		return cmp.Or(a.Pos.Compare(b.Pos), strings.Compare(a.ID, b.ID), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(out)
}
