package syntax

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// class reads a class, from its opening bracket.
func (p *parser) class() (*Node, error) {
	start := p.pos
	p.pos++
	negated := p.take("^")
	var items []string
	for !p.take("]") {
		if p.done() {
			return nil, broken(start, "a [ is not closed")
		}
		item, err := p.classItem()
		if err != nil {
			return nil, err
		}
		if item != "" && !p.strict {
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
		text = Any
	case len(items) == 0:
		text = Never
	case negated:
		text = "[^" + text[1:]
	case slices.Equal(Ranges(text, false), []rune{0, unicode.MaxRune}):
		text = Any
	}
	return p.leaf(Set, start, text), nil
}

// unescapedDash reports whether the class that was just read begins or ends with an
// unescaped -.
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
	switch {
	case err != nil:
		return "", err
	case (from.set != "" || to.set != "") && p.strict:
		return "", lacks(start, "the range "+p.source[start:p.pos]+" of more than characters")
	case from.set != "" || to.set != "":
		return from.item() + `\-` + to.item(), nil // no range: the - is a character
	case from.r > to.r:
		return "", broken(start, "the range "+p.source[start:p.pos]+" is backwards")
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

// item returns the character for a class; "" for an unpaired surrogate, which no text
// contains.
func (c character) item() string {
	switch {
	case c.set != "":
		return c.set
	case isSurrogate(c.r):
		return ""
	case strings.ContainsRune(`\[]^-`, c.r):
		return `\` + string(c.r)
	}
	return c.text
}

func (p *parser) classAtom() (character, error) {
	start := p.pos
	r, size := utf8.DecodeRuneInString(p.rest())
	switch {
	case r != '\\':
		p.pos += size
		return character{r: r, text: string(r)}, nil
	case p.take(`\b`):
		return character{r: '\b', text: `\x08`}, nil
	case p.take(`\B`):
		return character{}, lacks(start, `\B in a character class`)
	case p.take(`\-`):
		return character{r: '-', text: "-"}, nil
	}
	c, err := p.escape()
	if err == nil && c.set == "" && strings.HasPrefix(c.text, `\`) && c.text == quoted(c.r) {
		c.text = string(c.r) // item escapes it as a class requires
	}
	return c, err
}
