package ecma

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// class reads a class, from its opening bracket.
func (p *parser) class() (*node, error) {
	start := p.pos
	p.pos++
	negated := p.take("^")
	var items []string
	for !p.take("]") {
		if p.done() {
			return nil, p.broken(start, "a [ is not closed")
		}
		item, err := p.classItem()
		if err != nil {
			return nil, err
		}
		if item != "" {
			items = append(items, item)
		}
	}
	if n := len(items) - 1; n >= 0 {
		for _, edge := range []int{0, n} {
			if items[edge] == `\-` && p.unescapedDash(start, edge == 0) {
				items[edge] = "-"
			}
		}
	}
	text := "[" + strings.Join(items, "") + "]"
	switch {
	case len(items) == 0 && negated:
		text = anything
	case len(items) == 0:
		text = never
	case negated:
		text = "[^" + text[1:]
	default:
		if r := rangesOf(text); len(r) == 2 && r[0] == 0 && r[1] == unicode.MaxRune {
			text = anything
		}
	}
	return &node{kind: set, offset: start, text: text}, nil
}

// unescapedDash reports whether the class that has just been read begins, or
// ends, with a - that no backslash escapes.
func (p *parser) unescapedDash(start int, first bool) bool {
	inside := strings.TrimPrefix(p.source[start+1:p.pos-1], "^")
	if first {
		return strings.HasPrefix(inside, "-")
	}
	return strings.HasSuffix(inside, "-") && !strings.HasSuffix(inside, `\-`)
}

// classItem reads one character, range or escape of a class.
func (p *parser) classItem() (string, error) {
	start := p.pos
	from, err := p.classAtom()
	if err != nil {
		return "", err
	}
	if rest := p.rest(); !strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "-]") || rest == "-" {
		return from.item(), nil
	}
	p.pos++
	to, err := p.classAtom()
	if err != nil {
		return "", err
	}
	if from.class != "" || to.class != "" {
		return from.item() + `\-` + to.item(), nil // no range: the - is one of the characters
	}
	if from.r > to.r {
		return "", p.broken(start, "the range "+p.source[start:p.pos]+" is backwards")
	}
	if isSurrogate(from.r) {
		from = character{r: 0xe000, text: `\x{e000}`}
	}
	if isSurrogate(to.r) {
		to = character{r: 0xd7ff, text: `\x{d7ff}`}
	}
	if from.r > to.r {
		return "", nil
	}
	return from.item() + "-" + to.item(), nil
}

// item is the character as it stands in a class; "" for half a surrogate pair,
// which no text has.
func (c character) item() string {
	if c.class == "" && isSurrogate(c.r) {
		return ""
	}
	if c.class != "" {
		return c.class
	}
	if strings.ContainsRune(`\[]^-`, c.r) {
		return `\` + string(c.r)
	}
	return c.text
}

func (p *parser) classAtom() (character, error) {
	r, size := utf8.DecodeRuneInString(p.rest())
	if r != '\\' {
		p.pos += size
		return character{r: r, text: string(r)}, nil
	}
	start := p.pos
	switch {
	case p.take(`\b`):
		return character{r: '\b', text: `\x08`}, nil
	case p.take(`\B`):
		return character{}, p.lacks(start, `\B in a character class`)
	}
	c, err := p.escape()
	if err == nil && c.class == "" && strings.HasPrefix(c.text, `\`) && c.text == quoted(c.r) {
		c.text = string(c.r) // item escapes what a class wants escaped
	}
	return c, err
}

// rangesOf is the characters of an expression for one of them, as pairs of the
// first and the last of a range.
func rangesOf(text string) []rune {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil
	}
	switch re.Op {
	case syntax.OpLiteral:
		return []rune{re.Rune[0], re.Rune[0]}
	case syntax.OpCharClass:
		return re.Rune
	case syntax.OpAnyChar:
		return []rune{0, unicode.MaxRune}
	default:
		return nil
	}
}

func complement(ranges []rune) []rune {
	var out []rune
	next := rune(0)
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i] > next {
			out = append(out, next, ranges[i]-1)
		}
		next = ranges[i+1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, next, unicode.MaxRune)
	}
	return out
}

func intersection(a, b []rune) []rune {
	var out []rune
	for len(a) > 0 && len(b) > 0 {
		if low, high := max(a[0], b[0]), min(a[1], b[1]); low <= high {
			out = append(out, low, high)
		}
		if a[1] < b[1] {
			a = a[2:]
		} else {
			b = b[2:]
		}
	}
	return out
}

func without(a, b []rune) []rune { return intersection(a, complement(b)) }

// setText is an expression for one of the characters in ranges.
func setText(ranges []rune) string {
	if len(ranges) == 0 {
		return never
	}
	if slices.Equal(ranges, []rune{0, unicode.MaxRune}) {
		return anything
	}
	return (&syntax.Regexp{Op: syntax.OpCharClass, Rune: ranges}).String()
}

// classOf is ranges as they stand in a class.
func classOf(ranges []rune) string {
	var b strings.Builder
	for i := 0; i < len(ranges); i += 2 {
		b.WriteString(hexRune(ranges[i]))
		if ranges[i+1] > ranges[i] {
			b.WriteString("-" + hexRune(ranges[i+1]))
		}
	}
	return b.String()
}
