package schema

import (
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// cycles reports references that lead back to themselves without a property or an item
// in between: no value could ever be checked against them. It removes the target of the
// reference that closes the circle, so that walking schemas in place ends.
func (l *loader) cycles() {
	w := &cycleWalker{load: l, state: map[*Schema]int{}}
	for _, u := range l.sortedUnits() {
		for _, s := range u.sortedSchemas() {
			w.visit(s)
		}
	}
	for _, s := range l.variants {
		w.visit(s)
	}
}

const (
	entered = 1
	left    = 2
)

type cycleWalker struct {
	load  *loader
	state map[*Schema]int
	refs  []*Ref // on the path to the current schema
}

func (w *cycleWalker) visit(s *Schema) {
	if s == nil || w.state[s] != 0 {
		return
	}
	w.state[s] = entered
	if s.Ref != nil && s.Ref.Target != nil {
		w.refs = append(w.refs, s.Ref)
		if w.state[s.Ref.Target] == entered {
			w.report(s)
			s.Ref.Target = nil
		} else {
			w.visit(s.Ref.Target)
		}
		w.refs = w.refs[:len(w.refs)-1]
	}
	for _, sub := range s.inPlace() {
		w.visit(sub)
	}
	w.state[s] = left
}

func (w *cycleWalker) report(s *Schema) {
	closing := s.Ref
	const most = 6
	chain := w.refs
	for i, r := range chain {
		if r.Target == closing.Target && i+1 < len(chain) {
			chain = chain[i:]
			break
		}
	}
	var texts []string
	for _, r := range chain[max(0, len(chain)-most):] {
		texts = append(texts, finding.Quote(r.Text))
	}
	w.load.misfit = append(w.load.misfit, misfit{at: s, finding: finding.Finding{
		Pos: closing.Pos, ID: "reference-circle",
		Message: fmt.Sprintf("this reference refers back to itself (%s): no value could be checked against it", strings.Join(texts, " → ")),
		Hint:    circleHint(chain),
	}})
}

// circleHint names the references that could be another schema instead.
func circleHint(chain []*Ref) string {
	if len(chain) == 1 {
		return "remove it, or replace it by the schema itself"
	}
	var at []string
	for _, r := range chain[:min(len(chain), maxListed)] {
		at = append(at, r.Pos.String())
	}
	return "replace one of these references by the schema itself: " + strings.Join(at, ", ")
}

// inPlace lists the subschemas of s that apply to the same value as s.
func (s *Schema) inPlace() []*Schema {
	var out []*Schema
	out = append(out, s.AllOf...)
	out = append(out, s.AnyOf...)
	out = append(out, s.OneOf...)
	out = append(out, s.Not, s.If, s.Then, s.Else)
	for _, p := range s.DependentSchemas {
		out = append(out, p.Schema)
	}
	return out
}
