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
// schemas:, and what the config says about events; other files belong to others.
func Lint(p *schema.Project) []finding.Finding {
	l := &linter{project: p, levels: map[string]string{}}
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

// lookup finds the lint rule that a file names.
func lookup(id schema.Name) (finding.Rule, bool) {
	rule, ok := finding.Lookup(id.Text)
	return rule, ok && rule.Area == finding.Lint
}

func (l *linter) unknownRule(id schema.Name, s *schema.Schema) {
	l.found("rule-unknown", s, id.Pos, "there is no rule "+finding.Quote(id.Text)+": this entry has no effect", cmp.Or(
		finding.DidYouMean(finding.Canonical(id.Text), finding.IDs(finding.Lint)), "outboxgen explain --list lists the rules"))
}

// off reports whether the config turns a rule off.
func (l *linter) off(id string) bool { return l.levels[id] == "off" }

// found reports a finding of a rule at pos, for s, or for the config if s is nil.
func (l *linter) found(id string, s *schema.Schema, pos finding.Pos, message, hint string) {
	rule, _ := finding.Lookup(id)
	severity := rule.Severity
	switch l.levels[id] {
	case "off":
		return
	case "error":
		severity = finding.Error
	case "warning":
		severity = finding.Warning
	case "note":
		severity = finding.Note
	}
	f := finding.Finding{Pos: pos, Severity: severity, ID: id, Message: message, Hint: hint}
	if s != nil {
		f.Pointer, f.HasPointer = s.Pointer, true
	}
	l.findings = append(l.findings, located{Finding: f, schema: s})
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
