package compat

// combinations judges two combinations: how they combine, and whether their
// branches pair up so that each of the smaller side has a partner.
func (c *comparison) combinations(p *pair) {
	w, r := p.writer, p.reader
	before, after := c.branches(w), c.branches(r)
	if w.op != r.op {
		single := func(s *shape) bool { return len(c.branches(s)) == 1 }
		widens := r.op == anyOf || single(w) && single(r) || single(w) && r.op == oneOf || single(r) && w.op == allOf
		switch {
		case widens:
			p.add("COMBINATION_WIDENED", w.at, r.at, c.describe(w), c.describe(r))
		case w.madeUp || r.madeUp:
			p.add("TYPE_CHANGED", w.at, r.at, c.describe(w), c.describe(r))
			return
		default:
			p.add("COMBINATION_CHANGED", w.at, r.at, w.op, r.op)
			return
		}
	}

	m := matching{c: c, p: p, before: before, after: after}
	m.find()
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
	short := len(before)-len(left) < min(len(before), len(after))
	left, right = c.changed(p, left, right)
	for _, i := range left {
		c.branchRemoved(p, i)
	}
	for _, j := range right {
		c.branchAdded(p, j)
	}
	if short && c.nothingBreaks(p) {
		p.add("VARIANT_CHANGED", w.at, r.at, r.op)
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

// changed pairs branches without a partner that are probably the same one
// before and after, reports how they differ, and returns the others.
func (c *comparison) changed(p *pair, left, right []int) (removed, added []int) {
	w, r := p.writer, p.reader
	madeUp := w.madeUp && r.madeUp
	taken := map[int]bool{}
	partner := func(same func(j int) bool) int {
		for _, j := range right {
			if !taken[j] && same(j) {
				taken[j] = true
				return j
			}
		}
		return -1
	}
	for _, i := range left {
		j := partner(func(j int) bool {
			if madeUp {
				return w.parts[i].kind == r.parts[j].kind
			}
			return named(w, i) != "" && named(w, i) == named(r, j)
		})
		known := j >= 0
		if j < 0 && !madeUp {
			j = partner(func(j int) bool { return w.parts[i].kind == r.parts[j].kind })
			known = j >= 0 && only(w.parts, left, i) && only(r.parts, right, j)
		}
		if j < 0 && !madeUp {
			j = partner(func(int) bool { return true })
		}
		if j < 0 {
			removed = append(removed, i)
			continue
		}
		if !madeUp {
			id := "VARIANT_CHANGED"
			if r.op == allOf {
				id = "ALL_OF_BRANCH_CHANGED"
			}
			p.add(id, branchPlace(w, i), branchPlace(r, j), r.op)
		}
		if known || len(left) == 1 && len(right) == 1 {
			p.include(c.pair(w.parts[i], r.parts[j]))
		}
	}
	for _, j := range right {
		if !taken[j] {
			added = append(added, j)
		}
	}
	return removed, added
}

// only reports whether no other of the branches is of the kind of the branch i.
func only(parts []*shape, branches []int, i int) bool {
	for _, other := range branches {
		if other != i && parts[other].kind == parts[i].kind {
			return false
		}
	}
	return true
}

// named is what tells a branch from its neighbors: the reference that it is, or
// its title.
func named(s *shape, i int) string {
	if s.subs == nil {
		return ""
	}
	if ref := s.subs[i].Ref; ref != nil {
		return ref.Text
	}
	return s.parts[i].s.Title
}

// branchRemoved reports a branch of the writer that the reader has not.
func (c *comparison) branchRemoved(p *pair, i int) {
	w, r := p.writer, p.reader
	from := branchPlace(w, i)
	switch {
	case w.op == allOf && w.madeUp:
		id, args := constraint(w.parts[i], "REMOVED", c)
		p.add(id, from, r.at, args...)
	case w.op == allOf:
		p.add("ALL_OF_BRANCH_REMOVED", from, r.at)
	case w.madeUp:
		p.add("TYPE_NARROWED", from, r.at, c.describe(w), c.describe(r))
	default:
		p.add("VARIANT_REMOVED", from, r.at, w.op)
	}
}

// branchAdded reports a branch of the reader that the writer has not.
func (c *comparison) branchAdded(p *pair, j int) {
	w, r := p.writer, p.reader
	to := branchPlace(r, j)
	switch {
	case r.op == allOf && r.madeUp:
		id, args := constraint(r.parts[j], "ADDED", c)
		p.add(id, w.at, to, args...)
	case r.op == allOf:
		p.add("ALL_OF_BRANCH_ADDED", w.at, to)
	case r.madeUp:
		p.add("TYPE_WIDENED", w.at, to, c.describe(w), c.describe(r))
	default:
		p.add("VARIANT_ADDED", w.at, to, r.op)
	}
}

// constraint names the rule for one part of a schema that says several things.
func constraint(part *shape, predicate string, c *comparison) (string, []any) {
	switch part.kind {
	case enumKind:
		return "ENUM_" + predicate, nil
	case constKind:
		return "CONST_" + predicate, nil
	case notKind:
		return "NOT_" + predicate, nil
	case conditionKind:
		return "CONDITION_" + predicate, nil
	default:
		return "CONSTRAINT_" + predicate, []any{c.describe(part)}
	}
}

// matching pairs the branches of two combinations, each with at most one of the
// other side that can read it, so that as many as possible have a partner. Each
// way to pair two is judged once and remembered as a pair of the comparison.
type matching struct {
	c             *comparison
	p             *pair
	before, after []*shape
	partner       []int   // of each branch before; -1: none
	owner         []int   // of each branch after; -1: none
	edges         [][]int // of each branch before: what can read it; nil: not asked for yet
	seen          []int   // of each branch after: the round that it was last seen in
}

func (m *matching) find() {
	m.partner, m.owner = minusOnes(len(m.before)), minusOnes(len(m.after))
	m.edges, m.seen = make([][]int, len(m.before)), minusOnes(len(m.after))
	// Most branches stay what and where they were; only the others need a look at
	// every pair.
	byName := map[string]int{}
	for j := range m.after {
		if name := named(m.p.reader, j); name != "" {
			byName[name] = j
		}
	}
	for i := range m.before {
		j := i
		if other, ok := byName[named(m.p.writer, i)]; ok {
			j = other
		}
		if j < len(m.after) && m.owner[j] < 0 {
			if _, ok := m.c.readable(m.p, m.before[i], m.after[j]); ok {
				m.partner[i], m.owner[j] = j, i
			}
		}
	}
	for i := range m.before {
		if m.partner[i] < 0 && m.c.work < mostWork {
			m.augment(i, i)
		}
	}
}

// augment finds a partner for the branch i, moving others to another partner
// where that makes room.
func (m *matching) augment(i, round int) bool {
	if m.edges[i] == nil {
		m.edges[i] = []int{}
		for j := range m.after {
			if _, ok := m.c.readable(m.p, m.before[i], m.after[j]); ok {
				m.edges[i] = append(m.edges[i], j)
			}
		}
	}
	for _, j := range m.edges[i] {
		if m.c.work++; m.seen[j] == round {
			continue
		}
		m.seen[j] = round
		if m.owner[j] < 0 || m.augment(m.owner[j], round) {
			m.partner[i], m.owner[j] = j, i
			return true
		}
	}
	return false
}

func minusOnes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = -1
	}
	return out
}
