package lint

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// suppression is one entry of suppress at a schema.
type suppression struct {
	schema.Suppression

	at   *schema.Schema
	used bool
}

// suppressions are those of a project.
type suppressions struct {
	all []*suppression
	in  map[ruleIn][]*suppression
}

// ruleIn is a rule in a file.
type ruleIn struct {
	doc *schema.Document
	id  string
}

func (l *linter) suppressed() *suppressions {
	q := &suppressions{in: map[ruleIn][]*suppression{}}
	for i := range l.spots {
		s := l.spots[i].schema
		if s.Marks == nil {
			continue
		}
		for _, given := range s.Marks.Suppressed {
			one := &suppression{Suppression: given, at: s}
			q.all = append(q.all, one)
			key := ruleIn{s.Doc, finding.Canonical(given.ID.Text)}
			q.in[key] = append(q.in[key], one)
		}
	}
	return q
}

// cover reports whether a finding is suppressed: by its schema, by an outer one, or by a
// schema that one of these refers to.
func (q *suppressions) cover(f located) bool {
	if f.schema == nil || len(q.all) == 0 {
		return false
	}
	covered := false
	for _, s := range place(f.schema) {
		for _, one := range q.in[ruleIn{s.Doc, f.ID}] {
			if one.at == s || s == f.schema && within(s.Pointer, one.at.Pointer) {
				one.used, covered = true, true
			}
		}
	}
	return covered
}

// within reports whether the JSON Pointer inner is equal to outer or below it.
func within(inner, outer string) bool {
	return strings.HasPrefix(inner, outer) && (len(inner) == len(outer) || inner[len(outer)] == '/')
}

// judge reports invalid and unused suppressions.
func (l *linter) judge(q *suppressions) {
	for _, one := range q.all {
		rule, ok := lookup(one.ID)
		if !ok {
			l.unknownRule(one.ID, one.at)
			continue
		}
		id := rule.ID
		if strings.TrimSpace(one.Reason) == "" {
			l.found("suppression-without-reason", one.at, one.ID.Pos,
				id+" is suppressed without a reason: later readers cannot tell whether the exception still applies", "write a reason after "+id+":")
		}
		if rule.Area != finding.Lint {
			continue // the generator may not have run
		}
		if !one.used && !l.off(id) {
			l.found("suppression-unused", one.at, one.ID.Pos,
				id+" finds nothing here: the entry would hide a later problem", "remove the entry "+finding.Quote(one.ID.Text))
		}
	}
}
