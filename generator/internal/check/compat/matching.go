package compat

import (
	"maps"
	"slices"
)

// matching pairs the branches of two combinations, each with at most one branch of the
// other side that can read it, so that as many as possible have a partner. Each
// possible pair is checked once and kept as a pair of the comparison.
type matching struct {
	c             *comparison
	p             *pair
	before, after []*shape
	partner       []int   // of each branch before; -1: none
	owner         []int   // of each branch after; -1: none
	edges         [][]int // of each branch before: the branches that can read it; nil: not computed yet
	seen          []int   // of each branch after: the last round that saw it
	index         *branchIndex
}

func (m *matching) find() {
	none := []int{-1}
	m.partner, m.owner = slices.Repeat(none, len(m.before)), slices.Repeat(none, len(m.after))
	m.edges, m.seen = make([][]int, len(m.before)), slices.Repeat(none, len(m.after))
	// Most branches are unchanged; only the others need a look at every pair.
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

// augment finds a partner for branch i, and moves others to another partner if needed.
func (m *matching) augment(i, round int) bool {
	if m.edges[i] == nil {
		m.edges[i] = []int{}
		if m.index == nil {
			m.index = m.c.indexed(m.after)
		}
		for _, j := range m.index.candidates(m.c, m.before[i]) {
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

// branchIndex finds the branches that may read another one without checking all of
// them; readable rejects all others. In a union whose variants differ in a property
// with a constant, one branch is left for each variant.
type branchIndex struct {
	ofKind map[kind][]int
	tags   map[tag]*tagged
}

// tagged are the branches in which one property has a constant.
type tagged struct {
	byValue map[string][]int
	count   int
	without []int // the objects without it; nil: not computed yet
}

func (c *comparison) indexed(branches []*shape) *branchIndex {
	x := &branchIndex{ofKind: map[kind][]int{}, tags: map[tag]*tagged{}}
	for j, branch := range branches {
		c.work++
		x.ofKind[branch.kind] = append(x.ofKind[branch.kind], j)
		if branch.kind != objectKind {
			continue
		}
		for name, value := range c.constants(branch) {
			c.work++
			t := x.tags[name]
			if t == nil {
				t = &tagged{byValue: map[string][]int{}}
				x.tags[name] = t
			}
			t.byValue[value] = append(t.byValue[value], j)
			t.count++
		}
	}
	return x
}

// candidates returns the branches that may read the writer's branch, in order.
func (x *branchIndex) candidates(c *comparison, writer *shape) []int {
	var lists [][]int
	switch writer.kind {
	case combined, nothing:
		lists = slices.Collect(maps.Values(x.ofKind))
	case objectKind:
		lists = append(x.objects(c, writer), x.ofKind[combined], x.ofKind[anything])
	case anything:
		lists = [][]int{x.ofKind[combined], x.ofKind[anything]}
	case enumKind, constKind:
		lists = [][]int{x.ofKind[enumKind], x.ofKind[constKind], x.ofKind[combined], x.ofKind[anything]}
	default:
		lists = [][]int{x.ofKind[writer.kind], x.ofKind[combined], x.ofKind[anything]}
	}
	found := slices.Concat(lists...)
	slices.Sort(found)
	return found
}

// objects returns the objects that do not contradict the writer in one property: the
// property that leaves the fewest.
func (x *branchIndex) objects(c *comparison, writer *shape) [][]int {
	all := x.ofKind[objectKind]
	least := len(all)
	var best tag
	var value string
	for name, v := range c.constants(writer) {
		c.work++
		if t := x.tags[name]; t != nil {
			if n := len(all) - t.count + len(t.byValue[v]); n < least {
				least, best, value = n, name, v
			}
		}
	}
	t := x.tags[best]
	if t == nil {
		return [][]int{all}
	}
	if t.without == nil {
		t.without = []int{}
		has := map[int]bool{}
		for _, list := range t.byValue {
			for _, j := range list {
				has[j] = true
			}
		}
		for _, j := range all {
			if c.work++; !has[j] {
				t.without = append(t.without, j)
			}
		}
	}
	return [][]int{t.byValue[value], t.without}
}
