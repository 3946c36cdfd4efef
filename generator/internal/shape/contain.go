package shape

import (
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
)

// cycles is the groups of structs that contain each other by value.
type cycles struct {
	group map[*ir.Named]*group // of each struct in a cycle
}

type group struct {
	structs map[*ir.Named]bool
	work    int // structs that were looked at since the group was found
}

func cyclesOf(claims []*naming.Claim) *cycles {
	all := map[*ir.Named]bool{}
	for _, claim := range claims {
		all[claim.Named] = true
	}
	c := &cycles{group: map[*ir.Named]*group{}}
	c.find(all)
	return c
}

// reaches reports whether a struct contains another one.
func (c *cycles) reaches(from, to *ir.Named) bool {
	g := c.group[to]
	if from == to || g == nil || c.group[from] != g {
		return from == to
	}
	seen := map[*ir.Named]bool{from: true}
	for open := []*ir.Named{from}; len(open) > 0; {
		n := open[len(open)-1]
		open = open[:len(open)-1]
		g.work++
		for _, f := range n.Fields {
			next := f.Type.Named
			switch {
			case !byValue(f):
			case next == to:
				return true
			case g.structs[next] && !seen[next]:
				seen[next] = true
				open = append(open, next)
			}
		}
	}
	return false
}

// leave removes a struct that does not contain itself any more from its group, and finds
// the groups that are left once that is worth it.
func (c *cycles) leave(n *ir.Named) {
	g := c.group[n]
	if g == nil {
		return
	}
	delete(c.group, n)
	delete(g.structs, n)
	if g.work < len(g.structs) {
		return
	}
	for other := range g.structs {
		delete(c.group, other)
	}
	c.find(g.structs)
}

// find finds the groups among structs: the strongly connected components, by Tarjan's
// algorithm.
func (c *cycles) find(among map[*ir.Named]bool) {
	index, low, onStack := map[*ir.Named]int{}, map[*ir.Named]int{}, map[*ir.Named]bool{}
	var stack []*ir.Named
	var visit func(n *ir.Named)
	visit = func(n *ir.Named) {
		index[n] = len(index) + 1
		low[n] = index[n]
		stack, onStack[n] = append(stack, n), true
		for _, f := range n.Fields {
			next := f.Type.Named
			switch {
			case !byValue(f) || !among[next]:
			case index[next] == 0:
				visit(next)
				low[n] = min(low[n], low[next])
			case onStack[next]:
				low[n] = min(low[n], index[next])
			}
		}
		if low[n] != index[n] {
			return
		}
		g := &group{structs: map[*ir.Named]bool{}}
		for !g.structs[n] {
			last := stack[len(stack)-1]
			stack, onStack[last] = stack[:len(stack)-1], false
			g.structs[last] = true
		}
		if len(g.structs) > 1 {
			for one := range g.structs {
				c.group[one] = g
			}
		}
	}
	for n := range among {
		if index[n] == 0 {
			visit(n)
		}
	}
}
