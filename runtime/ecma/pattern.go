package ecma

import (
	"errors"
	"regexp"
	"strings"
)

// Pattern is a compiled pattern of a schema: one expression in Go's syntax; several if
// the schema's pattern has look-arounds, which Go lacks; or an [Expr]. It is safe for
// concurrent use.
type Pattern struct {
	alternatives [][]search
	whole        *Expr // if there are no alternatives
}

// search is an expression that must be found in a text, or must not.
type search struct {
	expr *regexp.Regexp
	not  bool
}

// CompilePattern compiles an expression in Go's syntax. Such expressions may
// stand in front of it:
//
//	(?=expr)  expr must be found in the text as well
//	(?!expr)  expr must not be found in the text
//
// Each is searched in the whole text: (?!^foo)^[a-z]+$ accepts what ^[a-z]+$ accepts
// and ^foo does not. Alternatives have | between them and consist only of such
// expressions: (?!^foo)(?=^[a-z]+$)|(?=^[0-9]+$).
//
// A source that begins with (?u) is a pattern for [Compile].
func CompilePattern(source string) (*Pattern, error) {
	if expr, is := strings.CutPrefix(source, "(?u)"); is {
		whole, err := Compile(expr)
		return &Pattern{whole: whole}, err
	}
	p := &Pattern{}
	for rest := source; ; rest = rest[1:] {
		var all []search
		for isSearch(rest) {
			length := groupLength(rest)
			if length == 0 {
				return nil, errors.New("a ( is not closed: " + source)
			}
			one, err := newSearch(rest[len("(?="):length-1], rest[2] == '!')
			if err != nil {
				return nil, err
			}
			all = append(all, one)
			rest = rest[length:]
		}
		if !strings.HasPrefix(rest, "|(?") || !isSearch(rest[1:]) {
			if rest != "" || all == nil {
				one, err := newSearch(rest, false)
				if err != nil {
					return nil, err
				}
				all = append(all, one)
			}
			p.alternatives = append(p.alternatives, all)
			return p, nil
		}
		p.alternatives = append(p.alternatives, all)
	}
}

// MustCompilePattern is CompilePattern for a pattern that the generator has checked. It
// panics if the pattern does not compile.
func MustCompilePattern(source string) *Pattern {
	p, err := CompilePattern(source)
	if err != nil {
		panic("ecma: " + err.Error())
	}
	return p
}

func isSearch(rest string) bool {
	return strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!")
}

func newSearch(source string, not bool) (search, error) {
	expr, err := regexp.Compile(source)
	return search{expr, not}, err
}

// groupLength returns the length of the group at the start of text, or 0 if it is not
// closed.
func groupLength(text string) int {
	depth, class := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
			if strings.HasPrefix(text[i+1:], "^]") {
				i += 2
			} else if strings.HasPrefix(text[i+1:], "]") {
				i++
			}
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// MatchString reports whether the pattern is found in text.
func (p *Pattern) MatchString(text string) bool {
	if p.whole != nil {
		return p.whole.MatchString(text)
	}
	return p.matches(func(expr *regexp.Regexp) bool { return expr.MatchString(text) })
}

// Match reports whether the pattern is found in text.
func (p *Pattern) Match(text []byte) bool {
	if p.whole != nil {
		return p.whole.MatchString(string(text))
	}
	return p.matches(func(expr *regexp.Regexp) bool { return expr.Match(text) })
}

func (p *Pattern) matches(found func(*regexp.Regexp) bool) bool {
	for _, all := range p.alternatives {
		if meets(all, found) {
			return true
		}
	}
	return false
}

func meets(all []search, found func(*regexp.Regexp) bool) bool {
	for _, s := range all {
		if found(s.expr) == s.not {
			return false
		}
	}
	return true
}
