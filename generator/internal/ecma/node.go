package ecma

import (
	"slices"
)

type kind int

const (
	set    kind = iota // one character, text is the expression for it
	begin              // ^
	end                // $
	word               // \b, \B
	flags              // (?i) up to the end of the group
	seq                // one after the other
	alt                // one of them
	group              // in brackets
	repeat             // from min to max times, max < 0 for no limit
	look               // look-ahead or look-behind
)

// node is a part of a pattern. Nodes are never changed once they are made.
type node struct {
	kind     kind
	offset   int
	text     string // set, word, flags: in Go's syntax; group: how it opens
	subs     []*node
	min, max int
	lazy     bool
	behind   bool // look
	not      bool // look
}

// never is a character that does not exist.
const never = `[^\x00-\x{10FFFF}]`

// anything is any character.
const anything = `(?s:.)`

func setOf(text string) *node { return &node{kind: set, text: text} }

func sequence(nodes ...*node) *node { return &node{kind: seq, subs: nodes} }

// oneOf is the alternatives as a group.
func oneOf(nodes ...*node) *node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	return &node{kind: group, text: "(?:", subs: []*node{{kind: alt, subs: nodes}}}
}

// anyTimes is so many characters of any kind.
func anyTimes(low, high int) *node {
	return &node{kind: repeat, min: low, max: high, subs: []*node{setOf(anything)}}
}

// looks reports whether there is a look-around in n.
func (n *node) looks() bool {
	return n.kind == look || slices.ContainsFunc(n.subs, (*node).looks)
}

// firstLook is where the first look-around stands.
func (n *node) firstLook() int {
	if n.kind == look {
		return n.offset
	}
	for _, sub := range n.subs {
		if sub.looks() {
			return sub.firstLook()
		}
	}
	return n.offset
}

// width is the least and the greatest number of characters that n takes, -1 for
// no limit.
func (n *node) width() (low, high int) {
	switch n.kind {
	case set:
		return 1, 1
	case seq, group:
		for _, sub := range n.subs {
			l, h := sub.width()
			low, high = low+l, plus(high, h)
		}
	case alt:
		low, high = n.subs[0].width()
		for _, sub := range n.subs[1:] {
			l, h := sub.width()
			low = min(low, l)
			if high >= 0 && (h < 0 || h > high) {
				high = h
			}
		}
	case repeat:
		low, high = n.subs[0].width()
		low *= n.min
		switch {
		case high == 0 || n.max == 0:
			high = 0
		case high < 0 || n.max < 0:
			high = -1
		default:
			high *= n.max
		}
	case begin, end, word, flags, look:
	}
	return low, high
}

func plus(a, b int) int {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}

// fixedWidth is how many characters the nodes take together, where that does not
// depend on the text.
func fixedWidth(nodes ...*node) (int, bool) {
	low, high := sequence(nodes...).width()
	return low, low == high
}

// mirror is n read from right to left.
func (n *node) mirror() *node {
	m := *n
	m.subs = make([]*node, len(n.subs))
	for i, sub := range n.subs {
		m.subs[i] = sub.mirror()
	}
	switch n.kind {
	case seq:
		slices.Reverse(m.subs)
	case begin:
		m.kind = end
	case end:
		m.kind = begin
	case look:
		m.behind = !n.behind
	case set, word, flags, alt, group, repeat:
	}
	return &m
}

func mirrored(nodes []*node) []*node { return sequence(nodes...).mirror().subs }
