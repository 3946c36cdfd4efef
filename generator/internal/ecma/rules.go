package ecma

import (
	"slices"
	"unicode"

	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

// pinned solves a look-ahead whose place is known from the start or the end.
func (s *solver) pinned(way []*node, backward bool) (dnf, bool, error) {
	last := len(way) - 1
	for i, n := range way {
		if n.Op != syntax.Look || n.Behind {
			continue
		}
		rest := slices.Delete(slices.Clone(way), i, i+1)
		if way[0].Op == syntax.Begin {
			if before, fixed := fixedWidth(way[1:i]...); fixed {
				check, err := s.ask(backward, begun(before, n.Subs[0])...)
				if err != nil {
					return nil, false, err
				}
				return s.together(check, n, backward, rest)
			}
		}
		if way[last].Op != syntax.End || i == last {
			continue
		}
		after, fixed := fixedWidth(way[i+1 : last]...)
		if !fixed {
			continue
		}
		var check dnf
		bodies := alternativesOf(n.Subs[0])
		if slices.ContainsFunc(bodies, func(n *node) bool { _, fixed := fixedWidth(n); return !fixed }) {
			continue
		}
		for _, body := range bodies {
			width, _ := fixedWidth(body)
			if width > after {
				continue
			}
			found, err := s.ask(backward, slices.Concat([]*node{body}, exactly(after-width), []*node{way[last]})...)
			if err != nil {
				return nil, false, err
			}
			check = append(check, found...)
		}
		return s.together(check, n, backward, rest)
	}
	return nil, false, nil
}

// begun returns body after the given number of characters of the text.
func begun(before int, body *node) []*node {
	return slices.Concat([]*node{{Op: syntax.Begin}}, exactly(before), []*node{body})
}

func exactly(n int) []*node {
	if n == 0 {
		return nil
	}
	return []*node{anyTimes(n, n)}
}

// alternativesOf is n as alternatives.
func alternativesOf(n *node) []*node {
	for n.Op == syntax.Group || n.Op == syntax.Sequence && len(n.Subs) == 1 {
		n = n.Subs[0]
	}
	if n.Op == syntax.Alternatives {
		return n.Subs
	}
	return []*node{n}
}

// push moves the look-ahead at i one step to the right. It returns false if what
// follows is unknown.
func push(way []*node, i int) ([][]*node, bool) {
	n := way[i]
	wanted, ok := charsOf(n.Subs[0], true)
	if !ok {
		return nil, false
	}
	if len(wanted) != 1 {
		return pushEach(way, i, wanted), true
	}
	list := wanted[0]
	j := i + 1
	for j < len(way) && (way[j].Op == syntax.Look || way[j].Op == syntax.Word || way[j].Op == syntax.Begin) {
		j++
	}
	if j == len(way) && len(list) > 0 {
		return nil, false
	}
	before := slices.Concat(way[:i], way[i+1:j])
	unchanged := [][]*node{slices.Concat(before, way[j:])}
	held := func(holds bool) ([][]*node, bool) {
		if holds == n.Not {
			return nil, true
		}
		return unchanged, true
	}
	if len(list) == 0 {
		return held(true)
	}
	next, rest := way[j], way[j+1:]
	switch next.Op {
	case syntax.End:
		return held(list[0].Op == syntax.End)
	case syntax.Set:
		if list[0].Op == syntax.End {
			return held(false)
		}
		return through(before, n, list, next, rest), true
	case syntax.Repeat:
		return unfold(way[:j], next, rest)
	case syntax.Group:
		if next.Text != "(" && next.Text != "(?:" {
			return nil, false
		}
		return [][]*node{slices.Concat(way[:j], flatten(next.Subs[0]), rest)}, true
	case syntax.Sequence:
		return [][]*node{slices.Concat(way[:j], next.Subs, rest)}, true
	case syntax.Alternatives:
		var all [][]*node
		for _, sub := range next.Subs {
			all = append(all, slices.Concat(way[:j], []*node{sub}, rest))
		}
		return all, true
	default:
		return nil, false
	}
}

func flatten(n *node) []*node {
	if n.Op == syntax.Sequence {
		return n.Subs
	}
	return []*node{n}
}

// pushEach returns a look-ahead for several texts: one look-ahead for each of them.
func pushEach(way []*node, i int, wanted [][]*node) [][]*node {
	var each []*node
	for _, list := range wanted {
		one := *way[i]
		one.Subs = []*node{sequence(list...)}
		each = append(each, &one)
	}
	if way[i].Not {
		return [][]*node{slices.Concat(way[:i], each, way[i+1:])}
	}
	var all [][]*node
	for _, one := range each {
		all = append(all, slices.Concat(way[:i], []*node{one}, way[i+1:]))
	}
	return all
}

// through returns the rest of a look-ahead n for the characters in list, after the
// first of them has matched the character next.
func through(before []*node, n *node, list []*node, next *node, rest []*node) [][]*node {
	have, want := rangesOf(next.Text), rangesOf(list[0].Text)
	common, others := intersection(have, want), without(have, want)
	taking := func(ranges []rune) *node {
		if slices.Equal(ranges, have) {
			return next
		}
		return setOf(setText(ranges))
	}
	var after []*node
	if len(list) > 1 {
		left := *n
		left.Subs = []*node{sequence(list[1:]...)}
		after = []*node{&left}
	}
	var all [][]*node
	if n.Not && len(others) > 0 {
		all = append(all, slices.Concat(before, []*node{taking(others)}, rest))
	}
	if len(common) > 0 && (!n.Not || after != nil) {
		all = append(all, slices.Concat(before, []*node{taking(common)}, after, rest))
	}
	return all
}

// unfold returns a repeat as alternatives: none, or one and the rest of the repeat.
func unfold(before []*node, n *node, rest []*node) ([][]*node, bool) {
	sub := n.Subs[0]
	if low, _ := width(sub); low == 0 || looks(sub) {
		return nil, false
	}
	var all [][]*node
	if n.Max != 0 {
		fewer := *n
		fewer.Min = max(0, n.Min-1)
		if n.Max > 0 {
			fewer.Max = n.Max - 1
		}
		all = append(all, slices.Concat(before, []*node{sub, &fewer}, rest))
	}
	if n.Min == 0 {
		all = append(all, slices.Concat(before, rest))
	}
	return all, true
}

// charsOf returns the texts that n matches, each as its characters and possibly the
// end. For a repeat at the end of a look-ahead the minimum is enough.
func charsOf(n *node, last bool) ([][]*node, bool) {
	switch n.Op {
	case syntax.Set, syntax.End:
		return [][]*node{{n}}, n.Op == syntax.Set || last
	case syntax.Group:
		if n.Text != "(" && n.Text != "(?:" {
			return nil, false
		}
		return charsOf(n.Subs[0], last)
	case syntax.Sequence:
		all := [][]*node{nil}
		for i, sub := range n.Subs {
			next, ok := charsOf(sub, last && i == len(n.Subs)-1)
			if !ok {
				return nil, false
			}
			if all = product(all, next); len(all) > maxAlternatives {
				return nil, false
			}
		}
		return all, true
	case syntax.Alternatives:
		var all [][]*node
		for _, sub := range n.Subs {
			next, ok := charsOf(sub, last)
			if !ok {
				return nil, false
			}
			all = append(all, next...)
		}
		return all, len(all) <= maxAlternatives
	case syntax.Repeat:
		return charsOfRepeat(n, last)
	default:
		return nil, false
	}
}

// maxChars is how many characters of a look-ahead are handled one by one.
const maxChars = 32

func charsOfRepeat(n *node, last bool) ([][]*node, bool) {
	most := n.Max
	if last {
		most = n.Min
	}
	if most < 0 || most > maxChars {
		return nil, false
	}
	var all [][]*node
	for times := n.Min; times <= most; times++ {
		next, ok := charsOf(sequence(slices.Repeat(n.Subs, times)...), last)
		if !ok {
			return nil, false
		}
		if all = append(all, next...); len(all) > maxAlternatives {
			return nil, false
		}
	}
	return all, true
}

// edge solves a look-ahead that ends the pattern.
func (s *solver) edge(way []*node, backward bool) (dnf, bool, error) {
	last := len(way) - 1
	n := way[last]
	if n.Op != syntax.Look || n.Behind {
		return nil, false, nil
	}
	body := n.Subs[0]
	if n.Not {
		lists, ok := charsOf(body, true)
		if !ok {
			return nil, false, nil
		}
		body = otherThan(lists)
	}
	found, err := s.ask(backward, append(slices.Clone(way[:last]), body)...)
	return found, err == nil, err
}

// otherThan returns an expression for places where none of the texts is.
func otherThan(lists [][]*node) *node {
	type region struct {
		ranges []rune
		tails  [][]*node
	}
	regions := []region{{ranges: []rune{0, unicode.MaxRune}}}
	atEnd := true
	for _, list := range lists {
		if len(list) == 0 {
			return setOf(syntax.Never) // the text is present whatever follows
		}
		if list[0].Op == syntax.End {
			atEnd = false
			continue
		}
		want := rangesOf(list[0].Text)
		var next []region
		for _, r := range regions {
			if common := intersection(r.ranges, want); len(common) > 0 {
				next = append(next, region{common, append(slices.Clone(r.tails), list[1:])})
			}
			if others := without(r.ranges, want); len(others) > 0 {
				next = append(next, region{others, r.tails})
			}
		}
		regions = next
	}
	var ways []*node
	if atEnd {
		ways = append(ways, &node{Op: syntax.End})
	}
	for _, r := range regions {
		switch {
		case len(r.tails) == 0:
			ways = append(ways, setOf(setText(r.ranges)))
		case slices.ContainsFunc(r.tails, func(tail []*node) bool { return len(tail) == 0 }):
		default:
			ways = append(ways, sequence(setOf(setText(r.ranges)), otherThan(r.tails)))
		}
	}
	if len(ways) == 0 {
		return setOf(syntax.Never)
	}
	return oneOf(ways...)
}

// tempered solves ^(?:(?!foo).)*$, also with parts of a fixed width around the repeat.
func (s *solver) tempered(way []*node, backward bool) (dnf, bool, error) {
	last := len(way) - 1
	if way[0].Op != syntax.Begin || way[last].Op != syntax.End {
		return nil, false, nil
	}
	for i, n := range way {
		if n.Op != syntax.Repeat || !looks(n) {
			continue
		}
		inner := flat(n.Subs[0])
		before, fixedBefore := fixedWidth(way[1:i]...)
		after, fixedAfter := fixedWidth(way[i+1 : last]...)
		if len(inner) != 2 || inner[0].Op != syntax.Look || inner[0].Behind || !inner[0].Not || inner[1].Op != syntax.Set || !fixedBefore || !fixedAfter {
			continue
		}
		body := inner[0].Subs[0]
		width, high := width(body)
		if width == 0 || after > 0 && width != high {
			continue
		}
		forbidden := []*node{body}
		if before > 0 {
			forbidden = begun(before, sequence(anyTimes(0, -1), body))
		}
		if after+1 > width {
			forbidden = append(forbidden, exactly(after+1-width)...)
		}
		check, err := s.ask(backward, forbidden...)
		if err != nil {
			return nil, false, err
		}
		plain := *n
		plain.Subs = inner[1:]
		rest := slices.Clone(way)
		rest[i] = &plain
		return s.together(check, inner[0], backward, rest)
	}
	return nil, false, nil
}

// everywhere solves a look-ahead after a character that no other part of a pattern for
// the whole text matches.
func (s *solver) everywhere(way []*node, backward bool) (dnf, bool, error) {
	if way[0].Op != syntax.Begin || way[len(way)-1].Op != syntax.End {
		return nil, false, nil
	}
	root := sequence(way...)
	rest, char, n := takeAfterChar(root)
	if n == nil || takers(root, char) != 1 {
		return nil, false, nil
	}
	opposite := *n
	opposite.Not = !n.Not
	check, err := s.ask(backward, char, &opposite)
	if err != nil {
		return nil, false, nil //nolint:nilerr // it is solved in no other way
	}
	forbidden := *n
	forbidden.Not = true
	return s.together(check, &forbidden, backward, rest.Subs)
}

// takeAfterChar returns root without the first look-ahead that follows a character.
func takeAfterChar(root *node) (rest, char, taken *node) {
	if root.Op == syntax.Look {
		return root, nil, nil
	}
	m := *root
	for i, sub := range root.Subs {
		if root.Op == syntax.Sequence && i > 0 && root.Subs[i-1].Op == syntax.Set && sub.Op == syntax.Look && !sub.Behind {
			m.Subs = slices.Delete(slices.Clone(root.Subs), i, i+1)
			return &m, root.Subs[i-1], sub
		}
		if inner, char, taken := takeAfterChar(sub); taken != nil {
			m.Subs = slices.Clone(root.Subs)
			m.Subs[i] = inner
			return &m, char, taken
		}
	}
	return root, nil, nil
}

// takers returns how many parts of root match a character that char matches, including
// char itself.
func takers(root, char *node) int {
	if root.Op == syntax.Look {
		return 0
	}
	if root.Op == syntax.Set && len(intersection(rangesOf(root.Text), rangesOf(char.Text))) > 0 {
		return 1
	}
	n := 0
	for _, sub := range root.Subs {
		n += takers(sub, char)
	}
	return n
}
