package syntax

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxDepth is how deep groups may be nested for Parse, so that walking a tree needs no
// deep stack.
const MaxDepth = 200

// Check returns why pattern is not a regular expression of ECMA-262 with the flag u, in
// the editions from 2018 to 2024; the error is an *Error. Its time depends only on the
// length of the pattern, and groups may be nested to any depth.
func Check(pattern string) error {
	p := parser{source: pattern, strict: true}
	_, err := p.parse()
	return err
}

// Parse parses a pattern. It accepts more than Check. The error is an *Error.
func Parse(pattern string) (*Tree, error) {
	if !utf8.ValidString(pattern) {
		return nil, lacks(0, "bytes that are not UTF-8")
	}
	p := parser{source: pattern}
	return p.parse()
}

// parser parses a pattern of ECMA-262.
type parser struct {
	source string
	pos    int
	strict bool // accepts only ECMA-262; no tree is kept
	levels []*level
	flags
	tree     Tree
	captures int
	names    map[string]int // of captures, by index
}

// flags are the flags that change how a pattern is read.
type flags struct{ dotAll, fold bool }

// level is an open group, or the whole pattern.
type level struct {
	node  *Node // nil for the whole pattern
	all   []*Node
	part  *Node // the current sequence, the last of all
	outer flags
}

func broken(offset int, reason string) error {
	return &Error{Reason: reason, Offset: offset, Broken: true}
}

func lacks(offset int, reason string) error { return &Error{Reason: reason, Offset: offset} }

func (p *parser) rest() string { return p.source[p.pos:] }

func (p *parser) done() bool { return p.pos >= len(p.source) }

func (p *parser) take(prefix string) bool {
	if strings.HasPrefix(p.rest(), prefix) {
		p.pos += len(prefix)
		return true
	}
	return false
}

func (p *parser) parse() (*Tree, error) {
	p.names = map[string]int{}
	p.begin(nil, flags{})
	for !p.done() {
		if err := p.part(); err != nil {
			return nil, err
		}
	}
	whole := p.levels[len(p.levels)-1]
	if whole.node != nil {
		return nil, broken(whole.node.Pos, "a ( is not closed")
	}
	p.tree.Root = whole.body(p.pos)
	return &p.tree, p.resolve()
}

// begin starts a level.
func (p *parser) begin(n *Node, outer flags) {
	p.levels = append(p.levels, &level{node: n, outer: outer})
	p.alternative()
}

// alternative starts an alternative of the innermost level.
func (p *parser) alternative() {
	l := p.levels[len(p.levels)-1]
	if l.part != nil {
		l.part.End = p.pos - len("|")
	}
	l.part = &Node{Op: Sequence, Pos: p.pos}
	if !p.strict || l.all == nil {
		l.all = append(l.all, l.part)
	}
}

// body returns the content of a level that ends.
func (l *level) body(end int) *Node {
	l.part.End = end
	if len(l.all) == 1 {
		return l.all[0]
	}
	return &Node{Op: Alternatives, Pos: l.all[0].Pos, End: end, Subs: l.all}
}

// part reads one part of a sequence, or the beginning or end of one.
func (p *parser) part() error {
	start := p.pos
	if q, ok := p.quantifier(); ok {
		return broken(start, "there is nothing for "+q.text+" to repeat")
	}
	var n *Node
	var err error
	switch p.source[p.pos] {
	case '|':
		p.pos++
		p.alternative()
	case '(':
		n, err = p.group()
	case ')':
		p.pos++
		n, err = p.closed()
	default:
		n, err = p.atom()
	}
	if n == nil || err != nil {
		return err
	}
	if n, err = p.repeated(n); err != nil || p.strict {
		return err
	}
	part := p.levels[len(p.levels)-1].part
	part.Subs = append(part.Subs, n)
	return nil
}

// repeated reads the quantifier of an atom, if there is one.
func (p *parser) repeated(atom *Node) (*Node, error) {
	start := p.pos
	q, ok := p.quantifier()
	if !ok {
		return atom, nil
	}
	if q.backwards {
		return nil, broken(start, "the repeat "+q.text+" is backwards")
	}
	n := &Node{Op: Repeat, Pos: atom.Pos, Min: q.low, Max: q.high, Subs: []*Node{atom}, Lazy: p.take("?")}
	n.End = p.pos
	if strings.HasPrefix(p.rest(), "+") {
		return nil, lacks(p.pos, "a possessive repeat, which ECMA-262 does not have")
	}
	if again, ok := p.quantifier(); ok {
		return nil, lacks(start, "the repeat "+again.text+" of a repeat")
	}
	switch {
	case atom.Op == Flags, p.strict && (atom.Op == Begin || atom.Op == End || atom.Op == Word || atom.Op == Look):
		return nil, broken(start, "there is nothing for "+q.text+" to repeat")
	case atom.Op == Look && q.low == 0:
		return &Node{Op: Sequence, Pos: n.Pos, End: n.End}, nil
	case atom.Op == Look:
		atom.End = n.End
		return atom, nil
	}
	return n, nil
}

type quantifier struct {
	text      string
	low, high int
	backwards bool
}

var counted = regexp.MustCompile(`^\{(\d+)(?:(,)(\d*))?\}`)

// quantifier reads a quantifier. A number with too many digits for Go becomes the
// largest int.
func (p *parser) quantifier() (quantifier, bool) {
	switch {
	case p.take("*"):
		return quantifier{text: "*", high: -1}, true
	case p.take("+"):
		return quantifier{text: "+", low: 1, high: -1}, true
	case p.take("?"):
		return quantifier{text: "?", high: 1}, true
	case !strings.HasPrefix(p.rest(), "{"):
		return quantifier{}, false
	}
	found := counted.FindStringSubmatch(p.rest())
	if found == nil {
		return quantifier{}, false
	}
	p.pos += len(found[0])
	q := quantifier{text: found[0], low: count(found[1]), high: -1}
	switch {
	case found[2] == "":
		q.high = q.low
	case found[3] != "":
		q.high = count(found[3])
		low, high := strings.TrimLeft(found[1], "0"), strings.TrimLeft(found[3], "0")
		q.backwards = len(low) > len(high) || len(low) == len(high) && low > high
	}
	return q, true
}

const maxCount = 1 << 30

func count(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return maxCount
	}
	return min(n, maxCount)
}

func (p *parser) atom() (*Node, error) {
	start := p.pos
	r, size := utf8.DecodeRuneInString(p.rest())
	switch r {
	case '[':
		return p.class()
	case '\\':
		return p.outsideEscape()
	}
	p.pos += size
	text := string(r)
	switch r {
	case '^':
		return p.leaf(Begin, start, ""), nil
	case '$':
		return p.leaf(End, start, ""), nil
	case '.':
		if p.dotAll {
			return p.leaf(Set, start, Any), nil
		}
		return p.leaf(Set, start, `[^\n\r\x{2028}\x{2029}]`), nil
	case '{', '}', ']':
		if p.strict {
			return nil, lacks(start, "a "+text+" without a backslash")
		}
		if r != '}' {
			text = `\` + text
		}
	}
	return p.leaf(Set, start, text), nil
}

// leaf returns a node without children for the text that was just read.
func (p *parser) leaf(op Op, start int, text string) *Node {
	return &Node{Op: op, Pos: start, End: p.pos, Text: text, Fold: p.fold && op == Set}
}

// group reads the beginning of a group, or flags.
func (p *parser) group() (*Node, error) {
	n, captures, outer := &Node{Op: Group, Pos: p.pos, Text: "("}, false, p.flags
	switch {
	case p.take("(?:"):
		n.Text = "(?:"
	case p.take("(?="), p.take("(?!"), p.take("(?<="), p.take("(?<!"):
		opened := p.source[n.Pos:p.pos]
		n = &Node{Op: Look, Pos: n.Pos, Behind: strings.Contains(opened, "<"), Not: strings.HasSuffix(opened, "!")}
	case p.take("(?<"), !p.strict && p.take("(?P<"):
		name, ok := p.name()
		if !ok {
			p.pos = n.Pos
			return nil, p.unknownGroup()
		}
		if _, twice := p.names[name]; twice && p.strict {
			return nil, lacks(n.Pos, "two groups of the name "+name)
		}
		p.names[name] = p.captures
		captures = true
	case strings.HasPrefix(p.rest(), "(?"):
		text, closing, err := p.modifiers()
		if err != nil {
			return nil, err
		}
		if n.Text = text; closing == ")" {
			return p.leaf(Flags, n.Pos, text), nil
		}
	default:
		p.pos++
		captures = true
	}
	if captures {
		p.captures++
		if !p.strict {
			p.tree.Captures = append(p.tree.Captures, n)
		}
	}
	if len(p.levels) >= MaxDepth && !p.strict {
		return nil, lacks(p.pos, "groups that are nested too deep")
	}
	p.begin(n, outer)
	return nil, nil // the group becomes a part when it is closed
}

// closed returns the group that a bracket has just closed.
func (p *parser) closed() (*Node, error) {
	last := len(p.levels) - 1
	l := p.levels[last]
	if l.node == nil {
		return nil, broken(p.pos-1, "a ) closes nothing")
	}
	p.levels, p.flags = p.levels[:last], l.outer
	l.node.Subs, l.node.End = []*Node{l.body(p.pos - 1)}, p.pos
	return l.node, nil
}

var modified = regexp.MustCompile(`^\(\?([imsux]*)(?:-([imsux]*))?([:)])`)

// modifiers reads flags, which (?i) sets up to the end of the group and (?i:
// inside one.
func (p *parser) modifiers() (text, closing string, err error) {
	found := modified.FindStringSubmatch(p.rest())
	if found == nil || p.strict {
		return "", "", p.unknownGroup()
	}
	text, on, off := found[0], found[1], found[2]
	if strings.ContainsAny(on+off, "mux") {
		return "", "", lacks(p.pos, "the flags "+text)
	}
	p.pos += len(text)
	p.tree.Flagged = true
	p.dotAll = (p.dotAll || strings.Contains(on, "s")) && !strings.Contains(off, "s")
	p.fold = (p.fold || strings.Contains(on, "i")) && !strings.Contains(off, "i")
	return text, found[3], nil
}

// unknownGroup returns the error for an invalid group that begins with (?.
func (p *parser) unknownGroup() error {
	opened := p.rest()
	if len(opened) > 3 {
		opened = opened[:3]
	}
	if !strings.Contains(p.rest(), ")") {
		return broken(p.pos, "a ( is not closed")
	}
	return lacks(p.pos, "a group "+strings.ToValidUTF8(opened, "")+", which ECMA-262 does not have")
}

// name reads the name of a group up to its >.
func (p *parser) name() (string, bool) {
	var name strings.Builder
	for !p.take(">") {
		start := p.pos
		r, size := utf8.DecodeRuneInString(p.rest())
		p.pos += size
		if r == '\\' {
			if !p.take("u") {
				return "", false
			}
			c, err := p.unicode(start)
			if r = c.r; err != nil {
				return "", false
			}
		}
		if size == 0 || !isNameRune(r, name.Len() == 0) {
			return "", false
		}
		name.WriteRune(r)
	}
	return name.String(), name.Len() > 0
}

func isNameRune(r rune, first bool) bool {
	switch {
	case r == '$', r == '_', unicode.IsLetter(r), unicode.Is(unicode.Nl, r), unicode.Is(unicode.Other_ID_Start, r):
		return !unicode.Is(unicode.Pattern_Syntax, r) || r == '$' || r == '_'
	case first:
		return false
	}
	return r == '\u200c' || r == '\u200d' || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
}

var number = regexp.MustCompile(`^\\[1-9]\d*`)

// reference reads a back reference, if there is one. An unknown name may be that of a
// later group.
func (p *parser) reference() (*Node, error) {
	start := p.pos
	if digits := number.FindString(p.rest()); digits != "" {
		p.pos += len(digits)
		n := p.leaf(Reference, start, "")
		n.Index = count(digits[1:]) - 1
		p.tree.References = append(p.tree.References, n)
		return n, nil
	}
	if !p.take(`\k<`) {
		return nil, nil // it is another escape
	}
	name, ok := p.name()
	if !ok {
		return nil, lacks(start, "a back reference")
	}
	n := p.leaf(Reference, start, name)
	n.Index = -1
	if index, known := p.names[name]; known {
		n.Index = index
	}
	p.tree.References = append(p.tree.References, n)
	return n, nil
}

// resolve finds the groups of all references.
func (p *parser) resolve() error {
	for _, n := range p.tree.References {
		if n.Index < 0 {
			n.Index = p.captures
			if index, known := p.names[n.Text]; known {
				n.Index = index
			}
		}
		if p.strict && n.Index >= p.captures {
			return lacks(n.Pos, "a back reference to a group that is not there")
		}
	}
	return nil
}
