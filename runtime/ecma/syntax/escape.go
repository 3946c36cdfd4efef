package syntax

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// character is the meaning of an escape: one character, or a set.
type character struct {
	r    rune   // one character, if set is ""
	text string // its text in Go outside a class
	set  string // the characters for a class
}

// outsideEscape reads an escape outside a class.
func (p *parser) outsideEscape() (*Node, error) {
	start := p.pos
	if n, err := p.reference(); n != nil || err != nil {
		return n, err
	}
	switch {
	case p.take(`\b`), p.take(`\B`):
		n := p.leaf(Word, start, p.source[start:p.pos])
		n.Not = n.Text == `\B`
		return n, nil
	case !p.strict && p.take(`\A`): // from other dialects, and useless as the letter
		return p.leaf(Begin, start, ""), nil
	case !p.strict && p.take(`\z`):
		return p.leaf(End, start, ""), nil
	}
	c, err := p.escape()
	if err != nil {
		return nil, err
	}
	text := c.text
	switch {
	case c.set != "" && text == "":
		text = "[" + c.set + "]"
	case c.set == "" && isSurrogate(c.r):
		text = Never
	}
	return p.leaf(Set, start, text), nil
}

// escape reads an escape for characters.
func (p *parser) escape() (character, error) {
	start := p.pos
	p.pos++
	if p.done() {
		return character{}, broken(start, "it ends in a backslash")
	}
	c, size := utf8.DecodeRuneInString(p.rest())
	p.pos += size
	switch c {
	case 'd', 'D', 'w', 'W':
		return character{text: `\` + string(c), set: `\` + string(c)}, nil
	case 's':
		return character{set: whiteSpace}, nil
	case 'S':
		return character{text: "[^" + whiteSpace + "]", set: noWhiteSpace}, nil
	case 'p', 'P':
		return p.property(start, c == 'P')
	case 't', 'n', 'v', 'f', 'r':
		return character{r: rune("\t\n\v\f\r"[strings.IndexRune("tnvfr", c)]), text: `\` + string(c)}, nil
	case 'u':
		return p.unicode(start)
	case 'x':
		if digits := p.hex(2); digits != "" {
			return character{r: hexRune(digits), text: `\x` + digits}, nil
		}
		return character{}, lacks(start, `\x without two digits`)
	case 'c':
		if !p.done() {
			if l := p.source[p.pos] | 0x20; 'a' <= l && l <= 'z' {
				p.pos++
				return character{r: rune(l - 'a' + 1), text: fmt.Sprintf(`\x%02x`, l-'a'+1)}, nil
			}
		}
		return character{}, lacks(start, `\c without a letter`)
	case '0':
		if !p.done() && '0' <= p.source[p.pos] && p.source[p.pos] <= '9' {
			return character{}, lacks(start, "an octal escape")
		}
		return character{text: `\x00`}, nil
	}
	if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || p.strict && !strings.ContainsRune(special+"/", c) {
		return character{}, lacks(start, `the escape \`+string(c)+", which ECMA-262 does not have")
	}
	return character{r: c, text: quoted(c)}, nil
}

// special are the characters with a meaning in an expression.
const special = `\.+*?()|[]{}^$`

// quoted returns a character for use outside a class.
func quoted(r rune) string {
	if strings.ContainsRune(special, r) {
		return `\` + string(r)
	}
	return string(r)
}

// hex reads n hexadecimal digits, or returns "" if there are fewer.
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

// hexRune returns the character with a hexadecimal number, or a value above all
// characters.
func hexRune(digits string) rune {
	r, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || r > utf8.MaxRune {
		return utf8.MaxRune + 1
	}
	return rune(r)
}

func isSurrogate(r rune) bool { return 0xd800 <= r && r <= 0xdfff }

// unicode reads the rest of \uXXXX, of a pair of them, or of \u{X…}.
func (p *parser) unicode(start int) (character, error) {
	if p.take("{") {
		digits, _, closed := strings.Cut(p.rest(), "}")
		if !closed || !isHex(digits) || hexRune(digits) > utf8.MaxRune {
			return character{}, lacks(start, `\u{ without the number of a character`)
		}
		p.pos += len(digits) + 1
		return character{r: hexRune(digits), text: `\x{` + digits + `}`}, nil
	}
	digits := p.hex(4)
	if digits == "" {
		return character{}, lacks(start, `\u without four digits`)
	}
	high := hexRune(digits)
	if rest := p.rest(); 0xd800 <= high && high < 0xdc00 && len(rest) >= 6 && rest[:2] == `\u` && isHex(rest[2:6]) {
		if low := hexRune(rest[2:6]); 0xdc00 <= low && low < 0xe000 {
			p.pos += 6
			pair := (high-0xd800)<<10 + (low - 0xdc00) + 0x10000
			return character{r: pair, text: fmt.Sprintf(`\x{%x}`, pair)}, nil
		}
	}
	return character{r: high, text: `\x{` + digits + `}`}, nil
}
