package crossing

import (
	"regexp/syntax"
	"strings"
)

// textsOf is strings for a pattern: those that are listed, or two that are made
// of its parts.
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

// sample is a string that an expression is likely to match. The second turn
// takes other branches, later characters and one repeat more.
func sample(e *syntax.Regexp, turn int) string {
	var out strings.Builder
	switch e.Op { //nolint:exhaustive // what matches nothing adds nothing
	case syntax.OpLiteral:
		out.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		if at := 2 * (turn % max(1, len(e.Rune)/2)); at < len(e.Rune) {
			// A negated class begins with characters that cannot be printed.
			out.WriteRune(min(max(e.Rune[at], '0'), max(e.Rune[at+1], e.Rune[at])))
		}
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
