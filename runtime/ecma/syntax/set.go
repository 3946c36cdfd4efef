package syntax

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
)

const (
	// Never is the text of a Set without characters.
	Never = `[^\x00-\x{10FFFF}]`
	// Any is the text of a Set of all characters.
	Any = `(?s:.)`
)

// whiteSpace is \s of ECMA-262, for a class.
const whiteSpace = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`

var noWhiteSpace = classOf(Ranges("[^"+whiteSpace+"]", false))

// Ranges returns the characters of a Set's text, as pairs of the first and the last of
// a range. With fold, it ignores case.
func Ranges(text string, fold bool) []rune {
	flags := syntax.Perl
	if fold {
		flags |= syntax.FoldCase
	}
	re, err := syntax.Parse(text, flags)
	if err != nil {
		return nil
	}
	switch re.Op {
	case syntax.OpLiteral:
		r := re.Rune[0]
		ranges := []rune{r, r}
		if re.Flags&syntax.FoldCase != 0 {
			for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
				ranges = append(ranges, other, other)
			}
		}
		return ranges
	case syntax.OpCharClass:
		return re.Rune
	case syntax.OpAnyChar:
		return []rune{0, unicode.MaxRune}
	case syntax.OpAnyCharNotNL: // [^\n]
		return []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}
	default:
		return nil
	}
}

// classOf returns ranges for a class.
func classOf(ranges []rune) string {
	var b strings.Builder
	for i := 0; i < len(ranges); i += 2 {
		fmt.Fprintf(&b, `\x{%x}`, ranges[i])
		if ranges[i+1] > ranges[i] {
			fmt.Fprintf(&b, `-\x{%x}`, ranges[i+1])
		}
	}
	return b.String()
}
