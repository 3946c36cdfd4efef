package lint

import (
	"cmp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Lint applies the rules to a loaded project and returns what they find, sorted
// by place. Of a project with errors it looks at what could be read. It looks
// at the files that schemas: names, and at what the config says of events;
// other files are somebody else's.
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

// Covers reports whether f, a warning of the loader or the generator, is about
// what a rule looks for in that place. Whoever shows the findings of Lint beside
// them leaves it out: the rule says it once, at its level, and may be silenced.
func Covers(p *schema.Project, f finding.Finding) bool {
	if f.Severity != finding.Warning || f.ID != "pointer-optional" && f.ID != "required-undescribed" {
		return false
	}
	d := p.Document(f.Pos.File)
	return d == nil || d.Listed // no schema file is the config
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

// ruleLevels takes the levels from the config.
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

// lookup finds the rule of lint that a file names.
func lookup(id schema.Name) (finding.Rule, bool) {
	rule, ok := finding.Lookup(id.Text)
	return rule, ok && rule.Area == finding.Lint
}

func (l *linter) unknownRule(id schema.Name, s *schema.Schema) {
	l.found("rule-unknown", s, id.Pos, "there is no rule "+finding.Quote(id.Text)+": this entry has no effect", cmp.Or(
		finding.DidYouMean(finding.Canonical(id.Text), finding.IDs(finding.Lint)), "outboxgen explain --list lists the rules"))
}

// off reports whether the config switches a rule off.
func (l *linter) off(id string) bool { return l.levels[id] == "off" }

// found reports that a rule applies at pos, to s; nil: to the config.
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

// result is the findings that nobody silenced, with those about the silences.
func (l *linter) result() []finding.Finding {
	silences := l.silences()
	out := make([]finding.Finding, 0, len(l.findings))
	for _, f := range l.findings {
		if !silences.cover(f) {
			out = append(out, f.Finding)
		}
	}
	before := len(l.findings)
	l.judge(silences)
	for _, f := range l.findings[before:] {
		out = append(out, f.Finding)
	}
	slices.SortFunc(out, func(a, b finding.Finding) int {
		return cmp.Or(a.Pos.Compare(b.Pos), strings.Compare(a.ID, b.ID), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(out)
}
