package ecma

import (
	"errors"
	"regexp"
	gosyntax "regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

const (
	// maxRepeat is Go's limit for a count, and for the product of the counts of nested
	// repeats.
	maxRepeat = 1000
	// maxSize is how many instructions an expression may have, unless it has more
	// characters. The time that matching takes grows with it.
	maxSize = 20_000
	// maxText is how long an expression may be, unless the pattern has as many parts.
	maxText = 100_000
)

var errSize = errors.New("too large")

// write returns n in Go's syntax. n must have no look-around.
func write(n *node) (string, error) {
	tooLarge := &Error{Reason: "repeats that are too large together", Offset: n.Pos}
	if !repeats(n) {
		tooLarge.Reason = "an expression that is too long"
	}
	if most := max(maxSize, nodes(n)); size(n, most) > most {
		return "", tooLarge
	}
	p := printer{most: max(maxText, 20*nodes(n))}
	if _, err := p.node(n); err != nil {
		return "", tooLarge
	}
	text := p.out.String()
	if _, err := regexp.Compile(text); err != nil {
		reason := err.Error()
		var wrong *gosyntax.Error
		if errors.As(err, &wrong) {
			reason = wrong.Code.String() + " " + wrong.Expr
		}
		return "", &Error{Reason: reason, Offset: n.Pos}
	}
	return text, nil
}

// size returns roughly how many instructions n becomes, at most a little more than most.
func size(n *node, most int) int {
	total := 1
	for _, sub := range n.Subs {
		total = min(total+size(sub, most), most+1)
	}
	if n.Op == syntax.Repeat {
		times := max(n.Min, n.Max, 1)
		if times > most {
			return most + 1
		}
		total = min((total-1)*times, most+1)
	}
	return total
}

// nodes returns how many nodes n has.
func nodes(n *node) int {
	total := 1
	for _, sub := range n.Subs {
		total += nodes(sub)
	}
	return total
}

// repeats reports whether n has a repeat.
func repeats(n *node) bool {
	return n.Op == syntax.Repeat || slices.ContainsFunc(n.Subs, repeats)
}

type printer struct {
	out  strings.Builder
	most int // how long out may become
}

// node writes n and returns the product of the counts of nested repeats.
func (p *printer) node(n *node) (int, error) {
	if p.out.Len() > p.most {
		return 0, errSize
	}
	switch n.Op {
	case syntax.Begin:
		p.out.WriteByte('^')
	case syntax.End:
		p.out.WriteByte('$')
	case syntax.Set, syntax.Word, syntax.Flags:
		p.out.WriteString(n.Text)
	case syntax.Sequence:
		return p.list(n.Subs, "")
	case syntax.Alternatives:
		return p.list(n.Subs, "|")
	case syntax.Group:
		p.out.WriteString(n.Text)
		product, err := p.node(n.Subs[0])
		p.out.WriteByte(')')
		return product, err
	case syntax.Repeat:
		return p.repeat(n)
	case syntax.Look, syntax.Reference:
		panic("ecma: a look-around or a back reference has no form in Go")
	}
	return 1, nil
}

func (p *printer) list(nodes []*node, between string) (int, error) {
	product := 1
	for i, n := range nodes {
		if i > 0 {
			p.out.WriteString(between)
		}
		if n.Op == syntax.Alternatives && between == "" {
			n = oneOf(n.Subs...)
		}
		inner, err := p.node(n)
		if err != nil {
			return 0, err
		}
		product = max(product, inner)
	}
	return product, nil
}

// repeat writes a repeat, in parts if Go does not accept its count.
func (p *printer) repeat(n *node) (int, error) {
	sub := n.Subs[0]
	if sub.Op != syntax.Set && sub.Op != syntax.Group && sub.Op != syntax.Begin && sub.Op != syntax.End && sub.Op != syntax.Word {
		sub = &node{Op: syntax.Group, Text: "(?:", Subs: []*node{sub}}
	}
	inner := printer{most: p.most}
	product, err := inner.node(sub)
	if err != nil {
		return 0, err
	}
	r := repeater{p: p, text: inner.out.String(), most: max(1, maxRepeat/product)}
	if n.Lazy {
		r.suffix = "?"
	}
	if err := r.write(n.Min, n.Max); err != nil {
		return 0, err
	}
	if times := max(n.Min, n.Max); times > 1 {
		return product * min(times, r.most), nil
	}
	return product, nil
}

// repeater writes a repeated text, with a limited count at once.
type repeater struct {
	p      *printer
	text   string
	suffix string
	most   int
}

func (r repeater) write(low, high int) error {
	for low > r.most || high > r.most && low == r.most {
		if err := r.piece(r.most, r.most); err != nil {
			return err
		}
		low -= r.most
		if high >= 0 {
			high -= r.most
		}
	}
	if high <= r.most {
		return r.piece(low, high)
	}
	// Either as many as Go accepts followed by the rest, or fewer: one way for each
	// number, which keeps matching fast.
	r.p.out.WriteString("(?:")
	if err := r.piece(r.most, r.most); err != nil {
		return err
	}
	if err := r.write(0, high-r.most); err != nil {
		return err
	}
	r.p.out.WriteByte('|')
	if err := r.piece(low, r.most-1); err != nil {
		return err
	}
	r.p.out.WriteByte(')')
	return nil
}

func (r repeater) piece(low, high int) error {
	if r.p.out.Len() > r.p.most {
		return errSize
	}
	out := &r.p.out
	switch {
	case high == 0:
		return nil
	case low == 1 && high == 1:
		out.WriteString(r.text)
		return nil
	case low == 0 && high == 1:
		out.WriteString(r.text + "?")
	case low == 0 && high < 0:
		out.WriteString(r.text + "*")
	case low == 1 && high < 0:
		out.WriteString(r.text + "+")
	case high < 0:
		out.WriteString(r.text + "{" + strconv.Itoa(low) + ",}")
	case low == high:
		out.WriteString(r.text + "{" + strconv.Itoa(low) + "}")
	default:
		out.WriteString(r.text + "{" + strconv.Itoa(low) + "," + strconv.Itoa(high) + "}")
	}
	out.WriteString(r.suffix)
	return nil
}
