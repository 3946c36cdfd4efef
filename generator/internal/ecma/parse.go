package ecma

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads a pattern of ECMA-262.
type parser struct {
	source  string
	pos     int
	depth   int
	dotAll  bool // the flag s
	flagged bool // the pattern sets flags

	loosely   bool // back references are read, see Loosely
	captures  []*node
	names     map[string]int // of captures
	forbidden int            // how many negative look-arounds are open
	copied    int            // nodes
}

// maxDepth is how deep groups may stand in each other.
const maxDepth = 200

func (p *parser) broken(offset int, reason string) error {
	return &Error{Reason: reason, Offset: offset, Broken: true}
}

func (p *parser) lacks(offset int, reason string) error {
	return &Error{Reason: reason, Offset: offset}
}

func (p *parser) rest() string { return p.source[p.pos:] }

func (p *parser) done() bool { return p.pos >= len(p.source) }

func (p *parser) take(prefix string) bool {
	if strings.HasPrefix(p.rest(), prefix) {
		p.pos += len(prefix)
		return true
	}
	return false
}

func (p *parser) parse() (*node, error) {
	if !utf8.ValidString(p.source) {
		return nil, p.lacks(0, "bytes that are not UTF-8")
	}
	n, err := p.alternatives()
	if err == nil && !p.done() {
		err = p.broken(p.pos, "a ) closes nothing")
	}
	return n, err
}

// alternatives reads up to the end or a closing bracket.
func (p *parser) alternatives() (*node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, p.lacks(p.pos, "groups that are nested too deep")
	}
	dotAll, start := p.dotAll, p.pos
	defer func() { p.dotAll = dotAll }()
	var all []*node
	for {
		one, err := p.sequence()
		if err != nil {
			return nil, err
		}
		all = append(all, one)
		if !p.take("|") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return &node{kind: alt, offset: start, subs: all}, nil
}

func (p *parser) sequence() (*node, error) {
	s := &node{kind: seq, offset: p.pos}
	for !p.done() && p.source[p.pos] != '|' && p.source[p.pos] != ')' {
		start := p.pos
		if text, _, _, ok := p.quantifier(); ok {
			return nil, p.broken(start, "there is nothing for "+text+" to repeat")
		}
		atom, err := p.atom()
		if err != nil {
			return nil, err
		}
		if atom, err = p.repeated(atom); err != nil {
			return nil, err
		}
		s.subs = append(s.subs, atom)
	}
	return s, nil
}

// repeated reads the quantifier of an atom, if there is one.
func (p *parser) repeated(atom *node) (*node, error) {
	start := p.pos
	text, low, high, ok := p.quantifier()
	if !ok {
		return atom, nil
	}
	if high >= 0 && low > high {
		return nil, p.broken(start, "the repeat "+text+" is backwards")
	}
	n := &node{kind: repeat, offset: start, min: low, max: high, subs: []*node{atom}}
	n.lazy = p.take("?")
	if strings.HasPrefix(p.rest(), "+") {
		return nil, p.lacks(p.pos, "a possessive repeat, which ECMA-262 does not have")
	}
	if again, _, _, ok := p.quantifier(); ok {
		return nil, p.lacks(start, "the repeat "+again+" of a repeat")
	}
	if atom.kind == flags {
		return nil, p.broken(start, "there is nothing for "+text+" to repeat")
	}
	if atom.kind == look {
		if low == 0 {
			return sequence(), nil
		}
		return atom, nil
	}
	return n, nil
}

var counted = regexp.MustCompile(`^\{(\d+)(?:(,)(\d*))?\}`)

// quantifier reads a quantifier. One that has more digits than Go can count is
// the greatest that it can.
func (p *parser) quantifier() (text string, low, high int, ok bool) {
	if p.done() {
		return "", 0, 0, false
	}
	switch c := p.source[p.pos]; c {
	case '*', '+', '?':
		p.pos++
		low, high = 0, -1
		if c == '+' {
			low = 1
		}
		if c == '?' {
			high = 1
		}
		return string(c), low, high, true
	case '{':
		found := counted.FindStringSubmatch(p.rest())
		if found == nil {
			return "", 0, 0, false
		}
		p.pos += len(found[0])
		low = count(found[1])
		switch {
		case found[2] == "":
			high = low
		case found[3] == "":
			high = -1
		default:
			high = count(found[3])
		}
		return found[0], low, high, true
	}
	return "", 0, 0, false
}

const maxCount = 1 << 30

func count(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return maxCount
	}
	return min(n, maxCount)
}

func (p *parser) atom() (*node, error) {
	start := p.pos
	r, size := utf8.DecodeRuneInString(p.rest())
	switch r {
	case '^':
		p.pos++
		return &node{kind: begin, offset: start}, nil
	case '$':
		p.pos++
		return &node{kind: end, offset: start}, nil
	case '.':
		p.pos++
		if p.dotAll {
			return &node{kind: set, offset: start, text: anything}, nil
		}
		return &node{kind: set, offset: start, text: `[^\n\r\x{2028}\x{2029}]`}, nil
	case '(':
		return p.group()
	case '[':
		return p.class()
	case '\\':
		return p.outsideEscape()
	case '{', ']':
		p.pos++
		return &node{kind: set, offset: start, text: `\` + string(r)}, nil
	default:
		p.pos += size
		return &node{kind: set, offset: start, text: string(r)}, nil
	}
}

var (
	named    = regexp.MustCompile(`^\(\?P?<[\p{L}\p{Nl}_$][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}$]*>`)
	modified = regexp.MustCompile(`^\(\?([imsux]*)(?:-([imsux]*))?([:)])`)
)

func (p *parser) group() (*node, error) {
	n, capture := &node{kind: group, offset: p.pos, text: "("}, false
	switch {
	case p.take("(?:"):
		n.text = "(?:"
	case p.take("(?="), p.take("(?!"), p.take("(?<="), p.take("(?<!"):
		opened := p.source[n.offset:p.pos]
		n = &node{kind: look, offset: n.offset, behind: strings.Contains(opened, "<"), not: strings.HasSuffix(opened, "!")}
	case strings.HasPrefix(p.rest(), "(?"):
		if name := named.FindString(p.rest()); name != "" {
			p.pos += len(name)
			p.named(name)
			capture = true
			break
		}
		found := modified.FindStringSubmatch(p.rest())
		if found == nil {
			return nil, p.unknownGroup()
		}
		if strings.ContainsAny(found[1]+found[2], "mux") {
			return nil, p.lacks(p.pos, "the flags "+found[0])
		}
		return p.modifiers(found)
	default:
		p.pos++
		capture = true
	}
	if n.not {
		p.forbidden++
		defer func() { p.forbidden-- }()
	}
	if !capture {
		return p.close(n)
	}
	index := len(p.captures)
	p.captures = append(p.captures, nil)
	closed, err := p.close(n)
	p.captures[index] = closed
	return closed, err
}

// close reads the rest of a group.
func (p *parser) close(n *node) (*node, error) {
	inner, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.broken(n.offset, "a ( is not closed")
	}
	n.subs = []*node{inner}
	return n, nil
}

// modifiers reads flags: (?i) up to the end of the group, or (?i:…).
func (p *parser) modifiers(found []string) (*node, error) {
	start := p.pos
	p.pos += len(found[0])
	p.flagged = true
	dotAll := p.dotAll
	if strings.Contains(found[1], "s") {
		p.dotAll = true
	}
	if strings.Contains(found[2], "s") {
		p.dotAll = false
	}
	if found[3] == ")" {
		return &node{kind: flags, offset: start, text: found[0]}, nil
	}
	defer func() { p.dotAll = dotAll }()
	return p.close(&node{kind: group, offset: start, text: found[0]})
}

// unknownGroup says what is wrong with a group that begins with (?.
func (p *parser) unknownGroup() error {
	opened := p.rest()
	if len(opened) > 3 {
		opened = opened[:3]
	}
	if !strings.Contains(p.rest(), ")") {
		return p.broken(p.pos, "a ( is not closed")
	}
	return p.lacks(p.pos, "a group "+strings.ToValidUTF8(opened, "")+", which ECMA-262 does not have")
}
