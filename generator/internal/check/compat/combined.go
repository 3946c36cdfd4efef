package compat

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// combinations checks two combinations: how they combine, and whether each branch of
// the smaller side has a partner.
func (c *comparison) combinations(p *pair) {
	w, r := p.writer, p.reader
	before, after := c.branches(w), c.branches(r)
	if w.op != r.op {
		single := func(s *shape) bool { return len(c.branches(s)) == 1 }
		widens := r.op == anyOf || single(w) && single(r) || single(w) && r.op == oneOf || single(r) && w.op == allOf
		switch {
		case widens:
			p.add("combination-widened", w.at, r.at, c.describe(w), c.describe(r))
		case w.madeUp || r.madeUp:
			p.add("type-changed", w.at, r.at, c.describe(w), c.describe(r))
			return
		default:
			p.add("combination-changed", w.at, r.at, w.op, r.op)
			return
		}
	}

	m := matching{c: c, p: p, before: before, after: after}
	m.find()
	p.partner = m.partner
	var left, right []int
	for i, j := range m.partner {
		if j < 0 {
			left = append(left, i)
			continue
		}
		q, _ := c.readable(p, before[i], after[j])
		p.include(q)
	}
	for j, i := range m.owner {
		if i < 0 {
			right = append(right, j)
		}
	}
	c.selection(p, m.partner)
	short := len(before)-len(left) < min(len(before), len(after))
	left, right = c.changed(p, left, right)
	for _, i := range left {
		c.branchRemoved(p, i)
	}
	for _, j := range right {
		c.branchAdded(p, j)
	}
	if short && c.nothingBreaks(p) {
		p.add("variant-changed", w.at, r.at, r.op)
	}
}

// nothingBreaks reports whether nothing that p has found so far is
// incompatible.
func (c *comparison) nothingBreaks(p *pair) bool {
	for _, d := range p.differences {
		if !c.allows(d.rule) {
			return false
		}
	}
	for _, part := range p.parts {
		if !c.holds(p, part) {
			return false
		}
	}
	return true
}

// changed pairs the branches without a partner that are probably the same branch before
// and after, reports their differences, and returns the others.
func (c *comparison) changed(p *pair, left, right []int) (removed, added []int) {
	w, r := p.writer, p.reader
	madeUp := w.madeUp && r.madeUp
	nullables := c.nullable(w) != nil && c.nullable(r) != nil // there is but one variant, and its own changes say it all
	free := newUnpaired(r, right)
	kindsLeft, kindsRight := kinds(w.parts, left), kinds(r.parts, right)
	for _, i := range left {
		c.work++
		kind := w.parts[i].kind
		j, known := -1, true
		if !madeUp {
			j = free.named(named(w, i))
		}
		if j < 0 {
			j = free.ofKind(kind)
			known = madeUp || kindsLeft[kind] == 1 && kindsRight[kind] == 1
		}
		if j < 0 && !madeUp {
			j, known = free.any(), false
		}
		if j < 0 {
			removed = append(removed, i)
			continue
		}
		if !madeUp && !nullables {
			id := "variant-changed"
			if r.op == allOf {
				id = "all-of-branch-changed"
			}
			p.add(id, branchPlace(w, i), branchPlace(r, j), r.op)
		}
		if known || len(left) == 1 && len(right) == 1 {
			p.include(c.pair(w.parts[i], r.parts[j]))
		}
	}
	for _, j := range right {
		if !free.taken[j] {
			added = append(added, j)
		}
	}
	return removed, added
}

// unpaired are the branches of a reader without a partner, each list in the order of
// the branches.
type unpaired struct {
	all    []int
	byName map[string][]int
	byKind map[kind][]int
	taken  map[int]bool
}

func newUnpaired(s *shape, branches []int) *unpaired {
	u := &unpaired{all: branches, byName: map[string][]int{}, byKind: map[kind][]int{}, taken: map[int]bool{}}
	for _, j := range branches {
		if name := named(s, j); name != "" {
			u.byName[name] = append(u.byName[name], j)
		}
		u.byKind[s.parts[j].kind] = append(u.byKind[s.parts[j].kind], j)
	}
	return u
}

// named takes the first branch with that name, ofKind the first of that kind, and any
// the first of all; -1 if none is left.
func (u *unpaired) named(name string) (j int) {
	j, u.byName[name] = u.first(u.byName[name])
	return j
}

func (u *unpaired) ofKind(k kind) (j int) {
	j, u.byKind[k] = u.first(u.byKind[k])
	return j
}

func (u *unpaired) any() (j int) {
	j, u.all = u.first(u.all)
	return j
}

// first takes the first branch of a list that is not taken, and returns the rest of the
// list.
func (u *unpaired) first(list []int) (j int, rest []int) {
	for n, j := range list {
		if !u.taken[j] {
			u.taken[j] = true
			return j, list[n+1:]
		}
	}
	return -1, nil
}

// kinds counts the branches of each kind.
func kinds(parts []*shape, branches []int) map[kind]int {
	count := map[kind]int{}
	for _, i := range branches {
		count[parts[i].kind]++
	}
	return count
}

// named returns what distinguishes a branch: its reference or its title.
func named(s *shape, i int) string {
	if s.subs == nil {
		return ""
	}
	if ref := s.subs[i].Ref; ref != nil {
		return ref.Text
	}
	return s.parts[i].s.Title
}

// branchRemoved reports a branch of the writer that the reader does not have.
func (c *comparison) branchRemoved(p *pair, i int) {
	w, r := p.writer, p.reader
	from := branchPlace(w, i)
	switch {
	case w.op == allOf && w.madeUp:
		id, args := constraint(w.parts[i], "removed", c)
		p.add(id, from, r.at, args...)
	case w.op == allOf:
		p.add("all-of-branch-removed", from, r.at)
	case w.madeUp:
		p.add("type-narrowed", from, r.at, c.describe(w), c.describe(r))
	default:
		p.add("variant-removed", from, r.at, w.op)
	}
}

// branchAdded reports a branch of the reader that the writer does not have.
func (c *comparison) branchAdded(p *pair, j int) {
	w, r := p.writer, p.reader
	to := branchPlace(r, j)
	switch {
	case r.op == allOf && r.madeUp && c.saidByValues(w, r.parts[j]):
	case r.op == allOf && r.madeUp:
		id, args := constraint(r.parts[j], "added", c)
		p.add(id, w.at, to, args...)
	case r.op == allOf:
		p.add("all-of-branch-added", w.at, to)
	case r.madeUp:
		p.add("type-widened", w.at, to, c.describe(w), c.describe(r))
	default:
		p.add("variant-added", w.at, to, r.op)
	}
}

// constraint names the rule for one part of a schema that says several things.
func constraint(part *shape, predicate string, c *comparison) (string, []any) {
	switch part.kind {
	case enumKind:
		return "enum-" + predicate, nil
	case constKind:
		return "const-" + predicate, nil
	case notKind:
		return "not-" + predicate, nil
	case conditionKind:
		return "condition-" + predicate, nil
	default:
		return "constraint-" + predicate, []any{c.describe(part)}
	}
}

// saidByValues reports whether a part of the reader says nothing but a type that all
// values have which the writer lists.
func (c *comparison) saidByValues(writer, part *shape) bool {
	s := part.s
	if !c.generated() || len(s.Types) != 1 || part.at.keyword != "type" || s.Format+s.ContentEncoding+s.ContentMediaType != "" {
		return false
	}
	for _, g := range groups {
		if g.kind == part.kind && slices.ContainsFunc(g.keywords, func(keyword string) bool { return has(s, keyword) }) {
			return false
		}
	}
	parts := []*shape{writer}
	if writer.kind == combined && writer.madeUp && writer.op == allOf {
		parts = writer.parts
	}
	return slices.ContainsFunc(parts, func(of *shape) bool {
		values := listing(of)
		return values != nil && !slices.ContainsFunc(values, func(v *schema.Value) bool { return !hasType(v, s.Types[0]) })
	})
}

func hasType(v *schema.Value, name string) bool {
	switch name {
	case "string":
		return v.Kind == schema.String
	case "integer":
		return v.Kind == schema.NumberKind && v.IsInt64()
	case "number":
		return v.Kind == schema.NumberKind
	case "boolean":
		return v.Kind == schema.Bool
	case "null":
		return v.Kind == schema.Null
	case "object":
		return v.Kind == schema.Object
	case "array":
		return v.Kind == schema.Array
	}
	return false
}
