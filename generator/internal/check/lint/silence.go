package lint

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// silence is one entry of silence at a schema.
type silence struct {
	schema.Silence

	at   *schema.Schema
	used bool
}

// quiet has the silences of a project, by file and rule.
type quiet struct {
	all []*silence
	in  map[*schema.Document]map[string][]*silence
}

func (l *linter) silences() *quiet {
	q := &quiet{in: map[*schema.Document]map[string][]*silence{}}
	for i := range l.spots {
		s := l.spots[i].schema
		if s.Marks == nil {
			continue
		}
		for _, given := range s.Marks.Silences {
			one := &silence{Silence: given, at: s}
			q.all = append(q.all, one)
			if q.in[s.Doc] == nil {
				q.in[s.Doc] = map[string][]*silence{}
			}
			id := finding.Canonical(given.ID.Text)
			q.in[s.Doc][id] = append(q.in[s.Doc][id], one)
		}
	}
	return q
}

// cover reports whether a finding is silenced: by its schema, by an outer one, or by a
// schema that one of these refers to.
func (q *quiet) cover(f located) bool {
	if f.schema == nil || len(q.all) == 0 {
		return false
	}
	covered := false
	for _, s := range place(f.schema) {
		for _, one := range q.in[s.Doc][f.ID] {
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

// judge reports invalid and unused silences.
func (l *linter) judge(q *quiet) {
	for _, one := range q.all {
		rule, ok := lookup(one.ID)
		if !ok {
			l.unknownRule(one.ID, one.at)
			continue
		}
		id := rule.ID
		if strings.TrimSpace(one.Reason) == "" {
			l.found("silence-without-reason", one.at, one.ID.Pos,
				id+" is silenced without a reason: later readers cannot tell whether the exception still applies", "write a reason after "+id+":")
		}
		if !one.used && !l.off(id) {
			l.found("silence-unused", one.at, one.ID.Pos,
				id+" finds nothing here: the entry would hide a later problem", "remove "+finding.Quote(one.ID.Text)+" from silence")
		}
	}
}
