package sqltext

import (
	"regexp"
	"strconv"
	"unicode/utf8"
)

// escapeClause says which character escapes in the string or name before it.
var escapeClause = regexp.MustCompile(`(?i)^(?:\s|--[^\r\n]*[\r\n]|/\*[^*]*\*/)*uescape\s*'([^'])'`)

// unescaped returns what a string or name of the form U& says. It goes over the UESCAPE
// that may follow.
func (l *lexer) unescaped(said string) string {
	escape, _ := utf8.DecodeRuneInString(`\`)
	if m := escapeClause.FindSubmatchIndex(l.text[l.at:]); m != nil {
		escape, _ = utf8.DecodeRune(l.text[l.at+m[2]:])
		l.at += m[1]
	}
	in := []rune(said)
	var out []rune
	for i := 0; i < len(in); i++ {
		if in[i] != escape {
			out = append(out, in[i])
			continue
		}
		r, size := escaped(in[i+1:], escape)
		out = append(out, r)
		i += size
	}
	return string(out)
}

// escaped returns the character that stands behind an escape, and how many of the runes
// say it: four digits, a plus and six, or the escape itself.
func escaped(in []rune, escape rune) (r rune, size int) {
	digits := func(from, count int) (rune, bool) {
		if len(in) < from+count {
			return 0, false
		}
		n, err := strconv.ParseUint(string(in[from:from+count]), 16, 32)
		return rune(n), err == nil
	}
	switch {
	case len(in) > 0 && in[0] == escape:
		return escape, 1
	case len(in) > 0 && in[0] == '+':
		if r, ok := digits(1, 6); ok {
			return r, 7
		}
	default:
		if r, ok := digits(0, 4); ok {
			return r, 4
		}
	}
	return escape, 0
}
