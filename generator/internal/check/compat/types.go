package compat

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// types checks the types of p's two shapes and, if they are the same, the rest.
func (c *comparison) types(p *pair) {
	w, r := p.writer, p.reader
	switch {
	case w.kind != combined && r.kind == combined && c.widened(p):
		return
	case w.kind == combined && r.kind != combined && c.narrowed(p):
		return
	}
	if w.kind != r.kind {
		if !c.listed(p) {
			c.otherKind(p)
		}
		return
	}
	switch w.kind {
	case stringKind:
		c.strings(p)
		c.contents(p)
	case numberKind:
		c.numbers(p)
		c.numberTypes(p)
	case enumKind:
		c.enums(p)
		if c.generated() {
			c.constantNames(p)
		}
	case constKind:
		if w.s.Const.Canonical() != r.s.Const.Canonical() {
			p.add("const-changed", at(w.s, "const"), at(r.s, "const"), w.s.Const.Short(), r.s.Const.Short())
		}
	case notKind:
		c.not(p)
	case objectKind:
		c.objects(p)
		c.names(p)
	case arrayKind:
		c.arrays(p)
		c.contained(p)
	case combined:
		c.combinations(p)
	case conditionKind:
		c.condition(p)
	case anything, nothing, booleanKind, nullKind:
	}
}

// listed compares a const with an enum that has its value. A registry never does.
func (c *comparison) listed(p *pair) bool {
	before, after := listing(p.writer), listing(p.reader)
	if !c.generated() || before == nil || after == nil || len(missing(before, after)) > 0 {
		return false
	}
	c.moreValues(p, before, after)
	return true
}

// listing returns the values that a shape lists; nil if it does not.
func listing(s *shape) []*schema.Value {
	switch s.kind {
	case enumKind:
		return s.s.Enum
	case constKind:
		return []*schema.Value{s.s.Const}
	}
	return nil
}

// widened handles a reader with a combination and a writer without one: the only
// branch, or one of several, may accept the data.
func (c *comparison) widened(p *pair) bool {
	branches := c.branches(p.reader)
	switch {
	case len(branches) == 1:
		if q, ok := c.readable(p, p.writer, branches[0]); ok {
			p.include(q)
			return true
		}
	case p.reader.op != allOf:
		for _, branch := range branches {
			if q, ok := c.readable(p, p.writer, branch); ok {
				p.include(q)
				c.selection(p, nil)
				if p.reader.madeUp {
					p.add("type-widened", p.writer.at, p.reader.at, c.describe(p.writer), c.describe(p.reader))
				} else {
					p.add("variant-added", p.writer.at, p.reader.at, p.reader.op)
				}
				return true
			}
		}
	}
	return false
}

// narrowed handles a writer with a combination and a reader without one: data that fits
// all branches fits each of them.
func (c *comparison) narrowed(p *pair) bool {
	branches := c.branches(p.writer)
	switch {
	case len(branches) == 1:
		if q, ok := c.readable(p, branches[0], p.reader); ok {
			p.include(q)
			return true
		}
	case p.writer.op == allOf:
		for i, branch := range branches {
			q, ok := c.readable(p, branch, p.reader)
			if !ok {
				continue
			}
			p.include(q)
			for j := range branches {
				if j != i {
					c.branchRemoved(p, j)
				}
			}
			return true
		}
	}
	return false
}

// otherKind reports two shapes of different kinds, with the most specific rule.
func (c *comparison) otherKind(p *pair) {
	w, r := p.writer, p.reader
	says := []any{c.describe(w), c.describe(r)}
	switch {
	case r.kind == anything || w.kind == nothing:
		p.add("type-widened", w.at, r.at, says...)
		return
	case w.kind == anything || r.kind == nothing:
		p.add("type-narrowed", w.at, r.at, says...)
		return
	case r.kind == combined && (r.madeUp || len(c.branches(r)) == 1):
		if i := alike(c.branches(r), w); i >= 0 {
			p.include(c.pair(w, r.parts[i]))
			if r.op == allOf {
				for j := range r.parts {
					if j != i {
						c.branchAdded(p, j)
					}
				}
			}
			return
		}
	case w.kind == combined && (w.madeUp || len(c.branches(w)) == 1 || c.generated() && w.op == allOf):
		if i := alike(c.branches(w), r); i >= 0 {
			p.include(c.pair(w.parts[i], r))
			if w.op == anyOf && len(w.parts) > 1 {
				p.add("type-narrowed", w.at, r.at, says...)
			}
			return
		}
	case w.kind == combined && w.op != allOf:
		for _, branch := range c.branches(w) {
			if _, ok := c.readable(p, branch, r); ok {
				p.add("type-narrowed", w.at, r.at, says...)
				return
			}
		}
	}
	p.add("type-changed", w.at, r.at, says...)
}

// alike returns the first of the parts that a shape is compared with: one of its kind,
// or the only one; -1 if there is none.
func alike(parts []*shape, s *shape) int {
	return slices.IndexFunc(parts, func(part *shape) bool { return len(parts) == 1 || part.kind == s.kind })
}

// not swaps the two: the set of values that must not match may only shrink.
func (c *comparison) not(p *pair) {
	w, r := p.writer.s, p.reader.s
	q := c.pair(c.shape(r.Not), c.shape(w.Not))
	if !c.holds(p, q) {
		p.add("not-widened", at(w, "not"), at(r, "not"))
		return
	}
	if back := c.pair(c.shape(w.Not), c.shape(r.Not)); !c.holds(p, back) {
		p.add("not-narrowed", at(w, "not"), at(r, "not"))
	}
}
