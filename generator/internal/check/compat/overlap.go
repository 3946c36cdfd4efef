package compat

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// overlaps adds the variants of each oneOf that accept data of another variant as well:
// a reader rejects data that fits two variants of oneOf. It needs the final verdicts,
// because here a compatible pair is the problem, so it runs after all pairs are judged.
func (c *comparison) overlaps(root *pair, most int) {
	for _, p := range reachable(root) {
		r := p.reader
		if r.kind != combined || r.madeUp || r.op != oneOf || len(c.branches(r)) < 2 || c.tagsOf(r) != nil {
			continue
		}
		w := p.writer
		switch {
		case w.kind == combined && !w.madeUp && w.op != allOf:
			if p.partner != nil {
				c.overlapping(p, most)
			}
		case w.kind != nothing:
			c.twice(p, most)
		}
	}
}

// overlapping compares the writer's variants with the reader's, except with their
// partners.
func (c *comparison) overlapping(p *pair, most int) {
	w, r := p.writer, p.reader
	known := map[[2]int]bool{}
	for i, j := range p.partner {
		for k := range r.parts {
			if j < 0 || k == j || known[[2]int{k, j}] || !c.overlap(w.subs[i], r.subs[k], most) {
				continue
			}
			if former := slices.Index(p.partner, k); former >= 0 && (c.overlap(w.subs[i], w.subs[former], most) || c.overlap(w.subs[former], w.subs[i], most)) {
				continue // they did before
			}
			known[[2]int{j, k}] = true
			p.add("variant-overlaps", branchPlace(w, i), branchPlace(r, k), c.variant(r, j), c.variant(r, k))
		}
	}
}

// twice looks for two variants that accept all data of a writer without variants.
func (c *comparison) twice(p *pair, most int) {
	first := -1
	for k, sub := range p.reader.subs {
		switch {
		case !c.accepts(p.writer.s, sub, most):
		case first < 0:
			first = k
		default:
			p.add("variant-overlaps", p.writer.at, branchPlace(p.reader, k), c.variant(p.reader, first), c.variant(p.reader, k))
			return
		}
	}
}

// overlap reports whether some data of the writer's variant surely fits the reader's: all
// of it, or all that the reader's accepts. Objects are compared in one direction only:
// data of an object may have the properties of any other one, but rarely has.
func (c *comparison) overlap(writer, reader *schema.Schema, most int) bool {
	w, r := c.shape(writer), c.shape(reader)
	if w.kind == nothing || r.kind == nothing || w.kind == objectKind && r.kind == objectKind && c.discriminated(w, r) {
		return false
	}
	return c.accepts(writer, reader, most) || c.scalar(r) && c.accepts(reader, writer, most)
}

// scalar reports whether a shape is about no objects, arrays or combinations.
func (c *comparison) scalar(s *shape) bool {
	switch s.kind {
	case stringKind, numberKind, booleanKind, nullKind, enumKind, constKind:
		return true
	case combined:
		return s.madeUp && !slices.ContainsFunc(s.parts, func(part *shape) bool { return !c.scalar(part) })
	case anything, nothing, objectKind, arrayKind, notKind, conditionKind:
	}
	return false
}

// accepts reports whether a reader with one schema accepts all data of another one.
func (c *comparison) accepts(writer, reader *schema.Schema, most int) bool {
	if c.work > most {
		return false
	}
	inner := newComparison(NewReadsOld, c.policy)
	inner.plain = true
	changes := inner.compare(writer, reader, most-c.work)
	c.work += inner.work
	return Compatible(changes)
}

// variant returns a variant of a union for a sentence.
func (c *comparison) variant(s *shape, i int) string {
	if title := s.parts[i].s.Title; title != "" {
		return quote(title)
	}
	if ref := s.subs[i].Ref; ref != nil {
		return quote(ref.Text)
	}
	return c.describe(s.parts[i])
}

// reachable lists a pair, and the pairs whose differences belong to it.
func reachable(root *pair) []*pair {
	all, seen := []*pair{root}, map[*pair]bool{root: true}
	for i := 0; i < len(all); i++ {
		for _, part := range all[i].parts {
			if !seen[part] {
				seen[part] = true
				all = append(all, part)
			}
		}
	}
	return all
}
