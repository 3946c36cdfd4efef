package ecma

import (
	"errors"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

// The rules that turn look-arounds into separate checks. Each keeps the exact meaning.
//
//   - pinned: a look-around whose place in the text is known, because everything
//     between it and the ^ or the $ has a fixed width, becomes a separate check.
//   - push: a look-ahead for single characters moves to the right into what
//     follows it, where it removes characters.
//   - edge: a look-ahead at the end of the pattern becomes its last part.
//   - tempered: in ^(?:(?!foo).)*$ the look-ahead forbids foo everywhere.
//   - everywhere: a look-ahead after a character that nothing else in an
//     anchored pattern matches applies to every such character of the text.
//
// Look-behinds are look-aheads of the pattern read from right to left.

// dnf is alternatives of checks. No alternatives are never true; an empty alternative
// is always true.
type dnf [][]Check

const (
	// maxAlternatives is how many alternatives a pattern may become.
	maxAlternatives = 64
	// maxUnroll is how often a repeat that contains a look-around is written out.
	maxUnroll = 4
	// maxSteps limits the work.
	maxSteps = 4000
)

type solver struct {
	steps int // so far
}

var errStuck = errors.New("stuck")

// solve returns the condition for texts in which n is found.
func (s *solver) solve(n *node) (dnf, error) {
	ways, err := s.expand(n)
	if err != nil {
		return nil, err
	}
	return each(ways, n, s.sequence)
}

// each returns the alternatives that do finds for all ways of n together.
func each[T any, S ~[]T](ways [][]*node, n *node, do func(way []*node) (S, error)) (S, error) {
	var all S
	for _, way := range ways {
		found, err := do(way)
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); len(all) > maxAlternatives {
			return nil, tooMany(n)
		}
	}
	return all, nil
}

func tooMany(n *node) error {
	return &Error{Reason: "look-arounds with too many alternatives", Offset: firstLook(n)}
}

func cannot(n *node) error {
	what := "ahead"
	if n.Behind {
		what = "behind"
	}
	if n.Not {
		return &Error{Reason: "a negative look-" + what + " in the middle", Offset: n.Pos}
	}
	return &Error{Reason: "a look-" + what + " in the middle", Offset: n.Pos}
}

// expand returns n as alternatives of sequences in which no group contains a
// look-around, except repeats.
func (s *solver) expand(n *node) ([][]*node, error) {
	if s.steps++; s.steps > maxSteps {
		return nil, tooMany(n)
	}
	if !looks(n) {
		return [][]*node{flat(n)}, nil
	}
	switch n.Op {
	case syntax.Group:
		return s.expand(n.Subs[0])
	case syntax.Sequence:
		ways := [][]*node{nil}
		for _, sub := range n.Subs {
			next, err := s.expand(sub)
			if err != nil {
				return nil, err
			}
			if ways = product(ways, next); len(ways) > maxAlternatives {
				return nil, tooMany(n)
			}
		}
		return ways, nil
	case syntax.Alternatives:
		var ways [][]*node
		var plain []*node
		for _, sub := range n.Subs {
			if !looks(sub) {
				plain = append(plain, sub)
				continue
			}
			next, err := s.expand(sub)
			if err != nil {
				return nil, err
			}
			ways = append(ways, next...)
		}
		for _, sub := range plain {
			ways = append(ways, flat(sub))
		}
		if len(ways) > maxAlternatives {
			return nil, tooMany(n)
		}
		return ways, nil
	case syntax.Repeat:
		if inner, ok := s.inside(n); ok {
			return [][]*node{{inner}}, nil
		}
		if n.Max < 0 || n.Max > maxUnroll {
			return [][]*node{{n}}, nil
		}
		var ways [][]*node
		for times := n.Min; times <= n.Max; times++ {
			next, err := s.expand(sequence(slices.Repeat(n.Subs, times)...))
			if err != nil {
				return nil, err
			}
			ways = append(ways, next...)
		}
		return ways, nil
	default:
		return [][]*node{{n}}, nil
	}
}

func product(ways, next [][]*node) [][]*node {
	var all [][]*node
	for _, way := range ways {
		for _, rest := range next {
			all = append(all, slices.Concat(way, rest))
		}
	}
	return all
}

// flat returns n as a sequence, without groups that have no effect.
func flat(n *node) []*node {
	if n.Op == syntax.Group && !strings.HasPrefix(n.Text, "(?:") && n.Text != "(" {
		return []*node{n}
	}
	inner := n
	for inner.Op == syntax.Group {
		inner = inner.Subs[0]
	}
	if inner.Op != syntax.Sequence {
		return []*node{n}
	}
	var all []*node
	for _, sub := range inner.Subs {
		all = append(all, flat(sub)...)
	}
	return all
}

// inside returns a repeat without its look-arounds, if they can be pushed into what is
// next to them in the repeat.
func (s *solver) inside(n *node) (*node, bool) {
	ways, err := s.expand(n.Subs[0])
	if err != nil {
		return nil, false
	}
	var alternatives []*node
	for _, way := range ways {
		pushed, err := s.pushAll(way)
		if err != nil {
			return nil, false
		}
		for _, way := range pushed {
			alternatives = append(alternatives, sequence(way...))
		}
	}
	m := *n
	switch len(alternatives) {
	case 0:
		alternatives = []*node{setOf(syntax.Never)}
		fallthrough
	case 1:
		m.Subs = []*node{{Op: syntax.Group, Text: "(?:", Subs: alternatives}}
	default:
		m.Subs = []*node{oneOf(alternatives...)}
	}
	return &m, true
}

// pushAll returns a sequence as alternatives without look-arounds.
func (s *solver) pushAll(way []*node) ([][]*node, error) {
	if s.steps++; s.steps > maxSteps {
		return nil, errStuck
	}
	i := slices.IndexFunc(way, func(n *node) bool { return n.Op == syntax.Look })
	if i < 0 {
		if looks(sequence(way...)) {
			return nil, errStuck
		}
		return [][]*node{way}, nil
	}
	next, err := s.pushEither(way)
	if err != nil {
		return nil, err
	}
	return each(next, way[i], s.pushAll)
}

// pushEither pushes one of the look-arounds of a sequence one step.
func (s *solver) pushEither(way []*node) ([][]*node, error) {
	for i, n := range way {
		if n.Op != syntax.Look {
			continue
		}
		if !n.Behind {
			if next, ok := push(way, i); ok {
				return next, nil
			}
			continue
		}
		if next, ok := push(mirrored(way), len(way)-1-i); ok {
			for k := range next {
				next[k] = mirrored(next[k])
			}
			return next, nil
		}
	}
	return nil, errStuck
}

// sequence returns the condition for texts in which a sequence is found.
func (s *solver) sequence(way []*node) (dnf, error) {
	if s.steps++; s.steps > maxSteps {
		return nil, tooMany(sequence(way...))
	}
	if !looks(sequence(way...)) {
		text, err := write(sequence(way...))
		if err != nil {
			return nil, err
		}
		if text == "" {
			return dnf{{}}, nil
		}
		return dnf{{{Expr: text}}}, nil
	}
	if found, ok, err := s.either(way, s.pinned); ok || err != nil {
		return found, err
	}
	if next, err := s.pushEither(way); err == nil {
		return each(next, sequence(way...), func(way []*node) (dnf, error) { return s.solve(sequence(way...)) })
	}
	for _, step := range []step{s.edge, s.tempered, s.everywhere} {
		if found, ok, err := s.either(way, step); ok || err != nil {
			return found, err
		}
	}
	return nil, cannot(find(sequence(way...)))
}

// find returns the first look-around in n.
func find(n *node) *node {
	for n.Op != syntax.Look {
		n = n.Subs[slices.IndexFunc(n.Subs, looks)]
	}
	return n
}

// step solves one look-ahead of a sequence, if it can. backward means that the sequence
// is read from right to left, so it was a look-behind.
type step func(way []*node, backward bool) (dnf, bool, error)

// either tries a step in both directions.
func (s *solver) either(way []*node, try step) (dnf, bool, error) {
	if found, ok, err := try(way, false); ok || err != nil {
		return found, ok, err
	}
	return try(mirrored(way), true)
}

// ask solves a sequence that is read in a direction.
func (s *solver) ask(backward bool, way ...*node) (dnf, error) {
	n := sequence(way...)
	if backward {
		n = mirror(n)
	}
	return s.solve(n)
}

// together turns a look-around into a separate check, and solves the rest of its
// sequence.
func (s *solver) together(check dnf, at *node, backward bool, rest []*node) (dnf, bool, error) {
	var err error
	if at.Not {
		if check, err = negation(check, at); err != nil {
			return nil, false, err
		}
	}
	others, err := s.ask(backward, rest...)
	if err != nil {
		return nil, false, err
	}
	all, err := both(check, others, at)
	return all, true, err
}

func both(a, b dnf, at *node) (dnf, error) {
	var all dnf
	for _, x := range a {
		for _, y := range b {
			all = append(all, slices.Concat(x, y))
		}
	}
	if len(all) > maxAlternatives {
		return nil, tooMany(at)
	}
	return all, nil
}

// negation returns a condition that is true where d is not.
func negation(d dnf, at *node) (dnf, error) {
	all := dnf{{}}
	for _, checks := range d {
		var opposite dnf
		for _, c := range checks {
			opposite = append(opposite, []Check{{c.Expr, !c.Not}})
		}
		var err error
		if all, err = both(all, opposite, at); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// simplify removes repeated checks, and combines alternatives of one check each into
// one expression.
func simplify(d dnf) [][]Check {
	var plain []string
	var all [][]Check
	for _, checks := range d {
		var once []Check
		for _, c := range checks {
			if !slices.Contains(once, c) {
				once = append(once, c)
			}
		}
		switch {
		case len(once) == 0:
			return [][]Check{{{}}} // always true
		case len(once) == 1 && !once[0].Not:
			if !slices.Contains(plain, once[0].Expr) {
				plain = append(plain, once[0].Expr)
			}
		case !slices.ContainsFunc(all, func(other []Check) bool { return slices.Equal(other, once) }):
			all = append(all, once)
		}
	}
	if len(plain) > 0 {
		all = append(all, []Check{{Expr: strings.Join(plain, "|")}})
	}
	if all == nil {
		return [][]Check{{{Expr: syntax.Never}}}
	}
	return all
}
