package ecma

import (
	"slices"

	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

// node is a part of a pattern. Nodes are never changed.
type node = syntax.Node

func setOf(text string) *node { return &node{Op: syntax.Set, Text: text} }

func sequence(nodes ...*node) *node { return &node{Op: syntax.Sequence, Subs: nodes} }

// oneOf returns the alternatives as a group.
func oneOf(nodes ...*node) *node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	return &node{Op: syntax.Group, Text: "(?:", Subs: []*node{{Op: syntax.Alternatives, Subs: nodes}}}
}

// anyTimes returns a repeat of any characters.
func anyTimes(low, high int) *node {
	return &node{Op: syntax.Repeat, Min: low, Max: high, Subs: []*node{setOf(syntax.Any)}}
}

// looks reports whether n contains a look-around.
func looks(n *node) bool {
	return n.Op == syntax.Look || slices.ContainsFunc(n.Subs, looks)
}

// firstLook returns the place of the first look-around.
func firstLook(n *node) int {
	if looks(n) {
		return find(n).Pos
	}
	return n.Pos
}

// width returns the smallest and the greatest number of characters that n matches, -1
// for no limit.
func width(n *node) (low, high int) {
	switch n.Op {
	case syntax.Set:
		return 1, 1
	case syntax.Sequence, syntax.Group:
		for _, sub := range n.Subs {
			l, h := width(sub)
			low, high = low+l, plus(high, h)
		}
	case syntax.Alternatives:
		low, high = width(n.Subs[0])
		for _, sub := range n.Subs[1:] {
			l, h := width(sub)
			low = min(low, l)
			if high >= 0 && (h < 0 || h > high) {
				high = h
			}
		}
	case syntax.Repeat:
		low, high = width(n.Subs[0])
		low *= n.Min
		switch {
		case high == 0 || n.Max == 0:
			high = 0
		case high < 0 || n.Max < 0:
			high = -1
		default:
			high *= n.Max
		}
	case syntax.Begin, syntax.End, syntax.Word, syntax.Flags, syntax.Look, syntax.Reference:
	}
	return low, high
}

func plus(a, b int) int {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}

// fixedWidth returns how many characters the nodes match together, if that is fixed.
func fixedWidth(nodes ...*node) (int, bool) {
	low, high := width(sequence(nodes...))
	return low, low == high
}

// mirror returns n read from right to left.
func mirror(n *node) *node {
	m := *n
	m.Subs = make([]*node, len(n.Subs))
	for i, sub := range n.Subs {
		m.Subs[i] = mirror(sub)
	}
	switch n.Op {
	case syntax.Sequence:
		slices.Reverse(m.Subs)
	case syntax.Begin:
		m.Op = syntax.End
	case syntax.End:
		m.Op = syntax.Begin
	case syntax.Look:
		m.Behind = !n.Behind
	case syntax.Set, syntax.Word, syntax.Flags, syntax.Alternatives, syntax.Group, syntax.Repeat:
	}
	return &m
}

func mirrored(nodes []*node) []*node { return mirror(sequence(nodes...)).Subs }
