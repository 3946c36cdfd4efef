package example

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
)

// patterns has what is known of the patterns of a schema, by their source.
type patterns map[string]*pattern

// pattern is a pattern that was needed.
type pattern struct {
	matcher *ecma.Matcher // nil: the pattern cannot be checked
	// shapes are expressions of which one is found in a text that matches; nil for one
	// that is always found.
	shapes []*syntax.Regexp
	texts  map[demand]string // the results of fitting
	failed int               // demands for which no text was found
}

// demand is what a text has to be.
type demand struct{ turn, least, most int }

func (p patterns) of(source string) *pattern {
	known := p[source]
	if known == nil {
		known = newPattern(source)
		p[source] = known
	}
	return known
}

func newPattern(source string) *pattern {
	p := &pattern{texts: map[demand]string{}}
	translated, err := ecma.Translate(source)
	if err != nil {
		return p
	}
	p.matcher = translated.Matcher()
	for _, checks := range translated.Alternatives {
		var shape *syntax.Regexp
		for _, check := range slices.Backward(checks) {
			if check.Not {
				continue
			}
			if parsed, err := syntax.Parse(check.Expr, syntax.Perl); err == nil {
				shape = parsed
				break
			}
		}
		p.shapes = append(p.shapes, shape)
	}
	return p
}

// match reports whether a text is known to match a pattern.
func (p patterns) match(source, text string) bool {
	matcher := p.of(source).matcher
	return matcher != nil && matcher.MatchString(text)
}

// fitting returns a text that a pattern matches, with at least least and, unless most is
// negative, at most most characters if it finds one. In another turn it is another text,
// if possible. "" if it finds none.
func (p patterns) fitting(source string, turn, least, most int) string {
	known := p.of(source)
	if known.matcher == nil || len(known.shapes) == 0 {
		return ""
	}
	want := demand{turn, least, most}
	const mostFailed = 30 // an array can have thousands of items with a pattern
	text, ok := known.texts[want]
	if !ok && known.failed < mostFailed {
		text = known.find(want)
		known.texts[want] = text
	}
	return text
}

// find returns a text that is what is wanted; otherwise, one that matches, or "".
func (p *pattern) find(want demand) string {
	first, found := "", false
	for _, vary := range []bool{true, false} {
		for _, more := range []int{0, 1, 3, 7, 15, 31, 63, 2, want.least - 1, want.least} {
			text, left := p.sample(want.turn, max(more, 0), vary)
			if !p.matcher.MatchString(text) {
				continue
			}
			n := utf8.RuneCountInString(text)
			if n >= want.least && (want.most < 0 || n <= want.most) && (left == 0 || !vary) {
				return text
			}
			if !found || utf8.RuneCountInString(first) < want.least {
				first, found = text, true
			}
		}
	}
	p.failed++
	return first
}

// sample returns a text that the pattern probably matches. more is how many times a
// repeat is written beyond its least. With vary, turn counts through the texts, and left
// is what remains of it: it is 0 if no lower turn has the same text. Without, turn moves
// each choice by as much.
func (p *pattern) sample(turn, more int, vary bool) (text string, left int) {
	s := sampler{turn: turn, more: more, vary: vary, steps: mostSteps}
	shape := p.shapes[s.choose(len(p.shapes))]
	if shape == nil {
		return "example", s.turn
	}
	s.write(shape)
	return s.out.String(), s.turn
}

// mostSteps limits the work for one text. Nested repeats of what writes nothing would
// otherwise take time that grows exponentially.
const mostSteps = 20_000

// sampler writes a text for an expression.
type sampler struct {
	turn, more int
	vary       bool
	steps      int // that are left
	out        strings.Builder
}

// choose returns which of n choices is taken.
func (s *sampler) choose(n int) int {
	choice := s.turn % n
	if s.vary {
		s.turn /= n
	}
	return choice
}

func (s *sampler) write(e *syntax.Regexp) {
	const longest = 5000
	if s.steps--; s.steps < 0 || s.out.Len() > longest {
		return
	}
	switch e.Op { // what matches nothing writes nothing
	case syntax.OpLiteral:
		s.out.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		s.out.WriteRune(s.character(e.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		s.out.WriteRune(rune('x' - s.choose(len("abcdefghijklmnopqrstuvwx"))))
	case syntax.OpCapture:
		s.write(e.Sub[0])
	case syntax.OpStar, syntax.OpQuest, syntax.OpPlus, syntax.OpRepeat:
		for range s.count(e) {
			if s.write(e.Sub[0]); s.steps < 0 {
				return
			}
		}
	case syntax.OpConcat:
		for _, sub := range e.Sub {
			s.write(sub)
		}
	case syntax.OpAlternate:
		s.write(e.Sub[s.choose(len(e.Sub))])
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

// usual are the characters that are taken if a class has them, the best first.
const usual = "aA1bB2cC3dD4eE5fF6gG7hH8iI9jJ0kKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ-_ "

// character returns one character of a class, given as ranges: a letter or a digit if
// there is one.
func (s *sampler) character(ranges []rune) rune {
	var all []rune
	for _, c := range usual {
		for at := 0; at+1 < len(ranges); at += 2 {
			if ranges[at] <= c && c <= ranges[at+1] {
				all = append(all, c)
				break
			}
		}
	}
	switch {
	case len(all) > 0:
		return all[s.choose(len(all))]
	case len(ranges) > 0:
		return ranges[0]
	default:
		return 'x'
	}
}
