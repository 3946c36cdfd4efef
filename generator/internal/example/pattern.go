package example

import (
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
)

// fitting returns a text that a pattern matches, with at least least characters if it
// finds one.
func fitting(pattern string, turn, least int) string {
	translated, err := ecma.Translate(pattern)
	if err != nil {
		return ""
	}
	matcher := translated.Matcher()
	const most = 64 // repeats
	first := ""
	for more := 0; more <= most; more = 2*more + 1 {
		text := sample(pattern, turn, more)
		if !matcher.MatchString(text) {
			continue
		}
		if utf8.RuneCountInString(text) >= least {
			return text
		}
		if first == "" {
			first = text
		}
	}
	return first
}

// sample returns a text that a pattern probably matches. turn takes other branches and
// characters, and more is how many times a repeat is written beyond its least.
func sample(pattern string, turn, more int) string {
	translated, err := ecma.Translate(pattern)
	if err != nil || len(translated.Alternatives) == 0 {
		return ""
	}
	checks := translated.Alternatives[turn%len(translated.Alternatives)]
	for i := len(checks) - 1; i >= 0; i-- {
		if checks[i].Not {
			continue
		}
		parsed, err := syntax.Parse(checks[i].Expr, syntax.Perl)
		if err != nil {
			return ""
		}
		s := sampler{turn: turn, more: more}
		s.write(parsed)
		return s.out.String()
	}
	return "example"
}

// sampler writes a text for an expression.
type sampler struct {
	turn, more int
	out        strings.Builder
}

func (s *sampler) write(e *syntax.Regexp) {
	const longest = 5000
	if s.out.Len() > longest {
		return
	}
	switch e.Op { // what matches nothing writes nothing
	case syntax.OpLiteral:
		s.out.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		s.out.WriteRune(character(e.Rune, s.turn))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		s.out.WriteByte('x')
	case syntax.OpCapture:
		s.write(e.Sub[0])
	case syntax.OpStar, syntax.OpQuest, syntax.OpPlus, syntax.OpRepeat:
		for range s.count(e) {
			s.write(e.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range e.Sub {
			s.write(sub)
		}
	case syntax.OpAlternate:
		s.write(e.Sub[s.turn%len(e.Sub)])
	}
}

// count returns how often a repeat is written.
func (s *sampler) count(e *syntax.Regexp) int {
	low, high := e.Min, e.Max
	switch e.Op {
	case syntax.OpStar:
		low, high = 0, -1
	case syntax.OpQuest:
		low, high = 0, 1
	case syntax.OpPlus:
		low, high = 1, -1
	}
	count := low + s.more
	if high >= 0 {
		count = min(count, high)
	}
	const most = 2000
	return min(count, most)
}

// character returns one character of a class, given as ranges: a letter or a digit if
// there is one.
func character(ranges []rune, turn int) rune {
	common := []rune("aA1bB2cC3-_ ")
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
