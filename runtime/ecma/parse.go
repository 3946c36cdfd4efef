package ecma

import (
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	set      kind = iota // one character
	begin                // ^
	end                  // $
	word                 // \b
	notWord              // \B
	sequence             // one after the other
	oneOf                // one of them
	repeat               // from low to high times, high < 0 for no limit
	ahead                // look-ahead
	behind               // look-behind
)

// node is a part of an expression.
type node struct {
	kind      kind
	chars     chars
	subs      []*node
	low, high int
	not       bool // ahead, behind
}

// parser reads an expression.
type parser struct {
	source string
	pos    int
	fold   bool // the flag i
	depth  int
}

// maxNested is how deep groups may stand in each other.
const maxNested = 500

func (p *parser) rest() string { return p.source[p.pos:] }

func (p *parser) take(prefix string) bool {
	if !strings.HasPrefix(p.rest(), prefix) {
		return false
	}
	p.pos += len(prefix)
	return true
}

func (p *parser) wrong(reason string) error {
	return fmt.Errorf("ecma: %s, at offset %d", reason, p.pos)
}

func (p *parser) parse() (*node, error) {
	n, err := p.alternatives()
	if err == nil && p.rest() != "" {
		err = p.wrong("a ) closes nothing")
	}
	return n, err
}

// alternatives reads up to the end or a closing bracket.
func (p *parser) alternatives() (*node, error) {
	p.depth++
	fold := p.fold
	defer func() { p.depth, p.fold = p.depth-1, fold }()
	if p.depth > maxNested {
		return nil, p.wrong("groups that are nested too deep")
	}
	all := &node{kind: oneOf}
	for {
		s := &node{kind: sequence}
		for p.rest() != "" && p.source[p.pos] != '|' && p.source[p.pos] != ')' {
			n, err := p.atom()
			if err != nil {
				return nil, err
			}
			if n, err = p.repeated(n); err != nil {
				return nil, err
			}
			s.subs = append(s.subs, n)
		}
		all.subs = append(all.subs, s)
		if !p.take("|") {
			return all, nil
		}
	}
}

func (p *parser) repeated(n *node) (*node, error) {
	low, high := 0, -1
	switch {
	case p.take("*"):
	case p.take("+"):
		low = 1
	case p.take("?"):
		high = 1
	case p.take("{"):
		inside, _, closed := strings.Cut(p.rest(), "}")
		first, second, two := strings.Cut(inside, ",")
		low = count(first)
		switch {
		case !two:
			high = low
		case second != "":
			if high = count(second); high < low {
				low = -1
			}
		}
		if !closed || low < 0 {
			return nil, p.wrong("a repeat that cannot be read")
		}
		p.pos += len(inside) + 1
	default:
		return n, nil
	}
	p.take("?") // finds the same
	return &node{kind: repeat, low: low, high: high, subs: []*node{n}}, nil
}

// count is the number in a repeat, -1 for a text that is none.
func count(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return -1
	}
	return n
}

func (p *parser) atom() (*node, error) {
	switch {
	case p.take("^"):
		return &node{kind: begin}, nil
	case p.take("$"):
		return &node{kind: end}, nil
	case p.take(`\b`):
		return &node{kind: word}, nil
	case p.take(`\B`):
		return &node{kind: notWord}, nil
	case p.take("(?="):
		return p.group(&node{kind: ahead})
	case p.take("(?!"):
		return p.group(&node{kind: ahead, not: true})
	case p.take("(?<="):
		return p.group(&node{kind: behind})
	case p.take("(?<!"):
		return p.group(&node{kind: behind, not: true})
	case p.take("(?i)"):
		p.fold = true
		return &node{kind: sequence}, nil
	case p.take("(?-i)"):
		p.fold = false
		return &node{kind: sequence}, nil
	case p.take("(?i:"):
		return p.folded(true)
	case p.take("(?-i:"):
		return p.folded(false)
	case p.take("(?:"), p.take("("):
		return p.group(&node{kind: sequence})
	}
	return p.character()
}

func (p *parser) folded(on bool) (*node, error) {
	fold := p.fold
	p.fold = on
	defer func() { p.fold = fold }()
	return p.group(&node{kind: sequence})
}

// group reads the rest of a group.
func (p *parser) group(n *node) (*node, error) {
	inner, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.wrong("a ( is not closed")
	}
	n.subs = []*node{inner}
	return n, nil
}

// character reads what stands for one character, as package regexp does.
func (p *parser) character() (*node, error) {
	text := p.rest()[:p.characterLength()]
	flags := syntax.Perl
	if p.fold {
		flags |= syntax.FoldCase
	}
	switch {
	case text == "" || strings.Trim(text, "*+?{") == "":
		return nil, p.wrong("there is nothing to repeat")
	case text[0] == '\\' && len(text) > 1 && '0' <= text[1] && text[1] <= '9':
		return nil, p.wrong("a back reference or an octal number")
	}
	re, err := syntax.Parse(text, flags)
	if err != nil {
		return nil, err
	}
	p.pos += len(text)
	switch {
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1:
		return &node{kind: set, chars: newChars(equivalents(re.Rune[0], re.Flags))}, nil
	case re.Op == syntax.OpCharClass:
		return &node{kind: set, chars: newChars(re.Rune)}, nil
	case re.Op == syntax.OpNoMatch:
		return &node{kind: set}, nil
	case re.Op == syntax.OpAnyCharNotNL:
		return &node{kind: set, chars: newChars([]rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune})}, nil
	case re.Op == syntax.OpAnyChar:
		return &node{kind: set, chars: newChars([]rune{0, unicode.MaxRune})}, nil
	}
	return nil, p.wrong("more than a character")
}

// equivalents is a character as ranges, with those that equal it if case counts
// for nothing.
func equivalents(r rune, flags syntax.Flags) []rune {
	ranges := []rune{r, r}
	if flags&syntax.FoldCase != 0 {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			ranges = append(ranges, other, other)
		}
	}
	return ranges
}

// characterLength is how long the text for the next character is.
func (p *parser) characterLength() int {
	rest := p.rest()
	switch {
	case strings.HasPrefix(rest, "["):
		return classLength(rest)
	case strings.HasPrefix(rest, `\x{`), strings.HasPrefix(rest, `\p{`), strings.HasPrefix(rest, `\P{`):
		return min(strings.IndexByte(rest+"}", '}')+1, len(rest))
	case strings.HasPrefix(rest, `\x`):
		return min(4, len(rest))
	case strings.HasPrefix(rest, `\p`), strings.HasPrefix(rest, `\P`):
		return min(3, len(rest))
	case strings.HasPrefix(rest, `\`):
		_, size := utf8.DecodeRuneInString(rest[1:])
		return 1 + size
	}
	_, size := utf8.DecodeRuneInString(rest)
	return size
}

func classLength(rest string) int {
	i := 1
	if strings.HasPrefix(rest, "[^") {
		i = 2
	}
	for first := i; i < len(rest); i++ {
		switch {
		case rest[i] == '\\':
			i++
		case rest[i] == ']' && i > first:
			return i + 1
		}
	}
	return len(rest)
}
