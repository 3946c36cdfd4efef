package ecma

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// whiteSpace is what \s means in ECMA-262, inside a class.
const whiteSpace = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`

// character is what an escape means: one character, or a class of them.
type character struct {
	r    rune   // one character, where class is ""
	text string // how it is written in Go
	// class is the characters as they stand in a class.
	class string
}

// outsideEscape reads an escape that is in no class.
func (p *parser) outsideEscape() (*node, error) {
	start := p.pos
	if strings.HasPrefix(p.rest(), `\k<`) || len(p.rest()) > 1 && '1' <= p.source[p.pos+1] && p.source[p.pos+1] <= '9' {
		return p.reference()
	}
	switch {
	case p.take(`\b`), p.take(`\B`):
		return &node{kind: word, offset: start, text: p.source[start:p.pos]}, nil
	case p.take(`\A`): // of other dialects, and of no use as the letter
		return &node{kind: begin, offset: start}, nil
	case p.take(`\z`):
		return &node{kind: end, offset: start}, nil
	}
	c, err := p.escape()
	if err != nil {
		return nil, err
	}
	n := &node{kind: set, offset: start, text: c.text}
	switch {
	case c.class != "" && c.text == "":
		n.text = "[" + c.class + "]"
	case c.class == "" && isSurrogate(c.r):
		n.text = never
	}
	return n, nil
}

// escape reads an escape that means characters.
func (p *parser) escape() (character, error) {
	start := p.pos
	p.pos++
	if p.done() {
		return character{}, p.broken(start, "it ends in a backslash")
	}
	c, size := utf8.DecodeRuneInString(p.rest())
	p.pos += size
	switch c {
	case 'd', 'D', 'w', 'W':
		return character{text: `\` + string(c), class: `\` + string(c)}, nil
	case 's':
		return character{class: whiteSpace}, nil
	case 'S':
		return character{text: "[^" + whiteSpace + "]", class: classOf(complement(rangesOf("[" + whiteSpace + "]")))}, nil
	case 'p', 'P':
		return p.property(start, c == 'P')
	case 't', 'n', 'v', 'f', 'r':
		return character{r: map[rune]rune{'t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r'}[c], text: `\` + string(c)}, nil
	case 'u':
		return p.unicode(start)
	case 'x':
		if digits := p.hex(2); digits != "" {
			r, _ := strconv.ParseUint(digits, 16, 32)
			return character{r: rune(r), text: `\x` + digits}, nil
		}
		return character{}, p.lacks(start, `\x without two digits`)
	case 'c':
		if !p.done() {
			if l := p.source[p.pos] | 0x20; 'a' <= l && l <= 'z' {
				p.pos++
				return character{r: rune(l - 'a' + 1), text: fmt.Sprintf(`\x%02x`, l-'a'+1)}, nil
			}
		}
		return character{}, p.lacks(start, `\c without a letter`)
	case '0':
		if !p.done() && '0' <= p.source[p.pos] && p.source[p.pos] <= '9' {
			return character{}, p.lacks(start, "an octal escape")
		}
		return character{text: `\x00`}, nil
	}
	if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' {
		return character{}, p.lacks(start, `the escape \`+string(c)+", which ECMA-262 does not have")
	}
	return character{r: c, text: quoted(c)}, nil
}

// quoted is a character outside a class.
func quoted(r rune) string {
	if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
		return `\` + string(r)
	}
	return string(r)
}

// hex reads so many hexadecimal digits, "" where there are fewer.
func (p *parser) hex(n int) string {
	if len(p.rest()) < n || !isHex(p.rest()[:n]) {
		return ""
	}
	p.pos += n
	return p.source[p.pos-n : p.pos]
}

func isHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

func isSurrogate(r rune) bool { return 0xd800 <= r && r <= 0xdfff }

// unicode reads the rest of \uXXXX, of a pair of them, or of \u{X…}.
func (p *parser) unicode(start int) (character, error) {
	if p.take("{") {
		digits, _, closed := strings.Cut(p.rest(), "}")
		r, err := strconv.ParseUint(digits, 16, 32)
		if !closed || !isHex(digits) || err != nil || r > utf8.MaxRune {
			return character{}, p.lacks(start, `\u{ without the number of a character`)
		}
		p.pos += len(digits) + 1
		return character{r: rune(r), text: `\x{` + digits + `}`}, nil
	}
	digits := p.hex(4)
	if digits == "" {
		return character{}, p.lacks(start, `\u without four digits`)
	}
	r, _ := strconv.ParseUint(digits, 16, 32)
	if 0xd800 <= r && r < 0xdc00 && strings.HasPrefix(p.rest(), `\u`) {
		if rest := p.rest(); len(rest) >= 6 && isHex(rest[2:6]) {
			if low, _ := strconv.ParseUint(rest[2:6], 16, 32); 0xdc00 <= low && low < 0xe000 {
				p.pos += 6
				pair := rune((r-0xd800)<<10 + (low - 0xdc00) + 0x10000)
				return character{r: pair, text: fmt.Sprintf(`\x{%x}`, pair)}, nil
			}
		}
	}
	return character{r: rune(r), text: `\x{` + digits + `}`}, nil
}
