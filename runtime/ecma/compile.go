package ecma

import (
	"errors"
	"slices"
)

type op int

const (
	opChar  op = iota // takes a character of chars
	opRun             // takes from low to high characters of chars
	opFork            // goes on at next and at other
	opBegin           // at the begin of the text
	opEnd
	opWord
	opNotWord
	opLook // where a look-around holds
	opFound
)

// step is an instruction of a program.
type step struct {
	op          op
	next, other int
	chars       chars
	low, high   int // opRun
	index       int // opRun: among the runs; opLook: among the look-arounds
	not         bool
}

// program finds an expression, or the body of a look-around.
type program struct {
	steps    []step
	start    int
	runs     []int // the steps that are opRun
	backward bool  // it reads the text from the end to the begin
}

// An Expr is a compiled expression. It is safe for concurrent use.
type Expr struct {
	looks []*program // each needs those before it alone
	main  *program
}

const (
	// maxSteps is how many instructions an expression may have. The time that
	// matching takes grows with it.
	maxSteps = 20_000
	// minRun is the least count from which a repeat of a character is counted
	// instead of written out.
	minRun = 20
)

var errSteps = errors.New("ecma: the expression is too large")

// Compile compiles an expression: one in the syntax of package regexp, as far as
// it takes one character or is ^, $, \b, \B, a group or a repeat, with
// look-aheads (?=…), (?!…) and look-behinds (?<=…), (?<!…) anywhere. There is no
// flag but i.
func Compile(source string) (*Expr, error) {
	p := parser{source: source}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	c := compiler{expr: &Expr{}}
	c.expr.main, err = c.program(root, false)
	return c.expr, err
}

type compiler struct {
	expr  *Expr
	total int // steps so far
}

// program compiles the steps for n. They are added from the last to the first, as
// each knows the one after it.
func (c *compiler) program(n *node, backward bool) (*program, error) {
	p := &program{backward: backward}
	found, err := c.add(p, step{op: opFound})
	if err != nil {
		return nil, err
	}
	p.start, err = c.node(p, n, found)
	return p, err
}

func (c *compiler) add(p *program, s step) (int, error) {
	if c.total++; c.total > maxSteps {
		return 0, errSteps
	}
	p.steps = append(p.steps, s)
	return len(p.steps) - 1, nil
}

// node adds the steps for n, after which next follows, and returns the first.
func (c *compiler) node(p *program, n *node, next int) (int, error) {
	switch n.kind {
	case set:
		return c.add(p, step{op: opChar, chars: n.chars, next: next})
	case begin:
		return c.add(p, step{op: opBegin, next: next})
	case end:
		return c.add(p, step{op: opEnd, next: next})
	case word:
		return c.add(p, step{op: opWord, next: next})
	case notWord:
		return c.add(p, step{op: opNotWord, next: next})
	case repeat:
		return c.repeat(p, n, next)
	case oneOf:
		return c.oneOf(p, n.subs, next)
	case ahead, behind:
		// What a look-ahead looks for begins where it stands: it is found by
		// reading from where it ends.
		body, err := c.program(n.subs[0], n.kind == ahead)
		if err != nil {
			return 0, err
		}
		c.expr.looks = append(c.expr.looks, body)
		return c.add(p, step{op: opLook, index: len(c.expr.looks) - 1, not: n.not, next: next})
	case sequence:
	}
	subs := n.subs
	if !p.backward {
		subs = slices.Clone(subs)
		slices.Reverse(subs)
	}
	for _, sub := range subs {
		var err error
		if next, err = c.node(p, sub, next); err != nil {
			return 0, err
		}
	}
	return next, nil
}

func (c *compiler) oneOf(p *program, subs []*node, next int) (int, error) {
	last := -1
	for _, sub := range slices.Backward(subs) {
		one, err := c.node(p, sub, next)
		if err == nil && last >= 0 {
			one, err = c.add(p, step{op: opFork, next: one, other: last})
		}
		if err != nil {
			return 0, err
		}
		last = one
	}
	return last, nil
}

func (c *compiler) repeat(p *program, n *node, next int) (int, error) {
	sub := single(n.subs[0])
	if sub.kind == set && max(n.low, n.high) >= minRun {
		p.runs = append(p.runs, len(p.steps))
		return c.add(p, step{op: opRun, chars: sub.chars, low: n.low, high: n.high, index: len(p.runs) - 1, next: next})
	}
	if n.high < 0 {
		loop, err := c.add(p, step{op: opFork, other: next})
		if err != nil {
			return 0, err
		}
		body, err := c.node(p, sub, loop)
		if err != nil {
			return 0, err
		}
		p.steps[loop].next = body
		next = loop
	}
	after := next
	for range max(0, n.high-n.low) {
		one, err := c.node(p, sub, next)
		if err != nil {
			return 0, err
		}
		if one == next {
			break // it takes nothing, however often
		}
		if next, err = c.add(p, step{op: opFork, next: one, other: after}); err != nil {
			return 0, err
		}
	}
	for range n.low {
		one, err := c.node(p, sub, next)
		if err != nil {
			return 0, err
		}
		if one == next {
			break
		}
		next = one
	}
	return next, nil
}

// single is n without the groups around it.
func single(n *node) *node {
	for (n.kind == sequence || n.kind == oneOf) && len(n.subs) == 1 {
		n = n.subs[0]
	}
	return n
}
