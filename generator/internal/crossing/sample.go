package crossing

import (
	"regexp/syntax"
	"strings"
)

// textsOf returns strings for a pattern: the listed ones, or two that are made of its
// parts.
func textsOf(pattern string) []any {
	if listed, ok := byPattern[pattern]; ok {
		return listed
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return []any{sample(parsed, 0), sample(parsed, 1)}
}

// sample returns a string that an expression probably matches. The second turn takes
// other branches, later characters and one more repeat.
func sample(e *syntax.Regexp, turn int) string {
	var out strings.Builder
	switch e.Op { // what matches nothing adds nothing
	case syntax.OpLiteral:
		out.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		out.WriteRune(character(e.Rune, turn))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		out.WriteByte('x')
	case syntax.OpCapture, syntax.OpPlus:
		out.WriteString(sample(e.Sub[0], turn))
	case syntax.OpStar, syntax.OpQuest:
		if turn > 0 {
			out.WriteString(sample(e.Sub[0], turn))
		}
	case syntax.OpRepeat:
		count := e.Min
		if turn > 0 && (e.Max < 0 || e.Max > e.Min) {
			count++
		}
		for range min(count, 2000) {
			out.WriteString(sample(e.Sub[0], turn))
		}
	case syntax.OpConcat:
		for _, sub := range e.Sub {
			out.WriteString(sample(sub, turn))
		}
	case syntax.OpAlternate:
		out.WriteString(sample(e.Sub[turn%len(e.Sub)], turn))
	}
	return out.String()
}

// character returns one character of a class, given as ranges: a letter or a digit if
// there is one, because engines treat others differently.
func character(ranges []rune, turn int) rune {
	common := []rune("a1A0-_ ")
	for i := range common {
		c := common[(i+turn)%len(common)]
		for at := 0; at+1 < len(ranges); at += 2 {
			if ranges[at] <= c && c <= ranges[at+1] {
				return c
			}
		}
	}
	if len(ranges) == 0 {
		return 'x'
	}
	return ranges[0]
}
