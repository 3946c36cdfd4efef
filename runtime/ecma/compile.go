package ecma

import (
	"errors"
	"fmt"
	"slices"

	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

type op int

const (
	opChar  op = iota // reads a character of chars
	opRun             // reads from low to high characters of chars
	opFork            // continues at next and at other
	opBegin           // at the start of the text
	opEnd
	opWord // where a word begins or ends, or with not where none does
	opLook // where a look-around is true
	opFound
)

// step is an instruction of a program.
type step struct {
	op          op
	next, other int
	chars       chars
	low, high   int // opRun
	index       int // opRun: index of the run; opLook: index of the look-around
	not         bool
}

// program finds an expression, or the body of a look-around.
type program struct {
	steps    []step
	start    int
	runs     []int // the steps that are opRun
	backward bool  // reads the text from the end to the start
}

// Expr is a compiled expression. It is safe for concurrent use.
type Expr struct {
	looks []*program // each depends only on those before it
	main  *program
}

const (
	// maxSteps is how many instructions an expression may have, unless its pattern is
	// longer. The time of matching grows with it.
	maxSteps = 20_000
	// minRun is the smallest count of a repeated character that is counted instead of
	// written out.
	minRun = 20
)

// Valid reports whether pattern is a regular expression of ECMA-262 with the flag u, in
// the editions from 2018 to 2024. Its time grows only with the length of the pattern.
func Valid(pattern string) bool { return syntax.Check(pattern) == nil }

// Compile compiles a pattern that [syntax.Parse] reads and that has no back
// references.
func Compile(pattern string) (*Expr, error) {
	tree, err := syntax.Parse(pattern)
	if err != nil {
		return nil, fmt.Errorf("ecma: %w", err)
	}
	if len(tree.References) > 0 {
		return nil, errors.New("ecma: no way is known to find a back reference in time that grows with the text alone")
	}
	c := compiler{expr: &Expr{}, sets: map[*syntax.Node]chars{}, most: max(maxSteps, 2*len(pattern))}
	c.expr.main = c.program(tree.Root, false)
	if c.total > c.most {
		return nil, errors.New("ecma: the expression is too large")
	}
	return c.expr, nil
}

type compiler struct {
	expr  *Expr
	total int // steps so far; above most, nothing more is compiled
	most  int
	sets  map[*syntax.Node]chars
}

// chars returns the characters of a set. They are computed once, however often the set
// is repeated.
func (c *compiler) chars(n *syntax.Node) chars {
	set, known := c.sets[n]
	if !known {
		set = newChars(syntax.Ranges(n.Text, n.Fold))
		c.sets[n] = set
	}
	return set
}

// program compiles the steps for n, from the last to the first, because each step needs
// the one after it.
func (c *compiler) program(n *syntax.Node, backward bool) *program {
	p := &program{backward: backward}
	p.start = c.node(p, n, c.add(p, step{op: opFound}))
	return p
}

// add adds a step, unless there are too many, and returns its place.
func (c *compiler) add(p *program, s step) int {
	if c.total++; c.total > c.most {
		return s.next
	}
	p.steps = append(p.steps, s)
	return len(p.steps) - 1
}

// node adds the steps for n, after which next follows, and returns the first.
func (c *compiler) node(p *program, n *syntax.Node, next int) int {
	if c.total > c.most {
		return next
	}
	switch n.Op {
	case syntax.Set:
		return c.add(p, step{op: opChar, chars: c.chars(n), next: next})
	case syntax.Begin:
		return c.add(p, step{op: opBegin, next: next})
	case syntax.End:
		return c.add(p, step{op: opEnd, next: next})
	case syntax.Word:
		return c.add(p, step{op: opWord, not: n.Not, next: next})
	case syntax.Repeat:
		return c.repeat(p, n, next)
	case syntax.Alternatives:
		return c.oneOf(p, n.Subs, next)
	case syntax.Look:
		// The body of a look-ahead begins at its place: it is found by reading backward
		// from its end.
		body := c.program(n.Subs[0], !n.Behind)
		c.expr.looks = append(c.expr.looks, body)
		return c.add(p, step{op: opLook, index: len(c.expr.looks) - 1, not: n.Not, next: next})
	case syntax.Sequence, syntax.Group, syntax.Flags, syntax.Reference:
	}
	subs := n.Subs
	if !p.backward {
		subs = slices.Clone(subs)
		slices.Reverse(subs)
	}
	for _, sub := range subs {
		next = c.node(p, sub, next)
	}
	return next
}

func (c *compiler) oneOf(p *program, subs []*syntax.Node, next int) int {
	last := -1
	for _, sub := range slices.Backward(subs) {
		one := c.node(p, sub, next)
		if last >= 0 {
			one = c.add(p, step{op: opFork, next: one, other: last})
		}
		last = one
	}
	return last
}

func (c *compiler) repeat(p *program, n *syntax.Node, next int) int {
	sub := single(n.Subs[0])
	if sub.Op == syntax.Set && max(n.Min, n.Max) >= minRun {
		p.runs = append(p.runs, len(p.steps))
		return c.add(p, step{op: opRun, chars: c.chars(sub), low: n.Min, high: n.Max, index: len(p.runs) - 1, next: next})
	}
	if n.Max < 0 {
		loop := c.add(p, step{op: opFork, other: next})
		body := c.node(p, sub, loop)
		p.steps[loop].next = body
		next = loop
	}
	after := next
	for range max(0, n.Max-n.Min) {
		one := c.node(p, sub, next)
		if one == next {
			break // it matches the empty text, however often
		}
		next = c.add(p, step{op: opFork, next: one, other: after})
	}
	for range n.Min {
		one := c.node(p, sub, next)
		if one == next {
			break
		}
		next = one
	}
	return next
}

// single is n without the groups around it.
func single(n *syntax.Node) *syntax.Node {
	for (n.Op == syntax.Sequence || n.Op == syntax.Group) && len(n.Subs) == 1 {
		n = n.Subs[0]
	}
	return n
}
