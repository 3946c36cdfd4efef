// Package ecma translates the regular expressions of JSON Schema, which are
// those of ECMA-262, into Go's. It reads one pattern and knows nothing of
// schemas.
//
// A pattern means what ECMA-262 says with the flag u. Escapes that the flag
// forbids, such as \- or \_, mean the character that they escape.
//
// Go has no look-around. Most patterns with look-ahead or look-behind can be
// told apart into several expressions that Go has: ^(?!foo)[a-z]+$ holds for a
// text in which ^[a-z]+$ is found and ^foo is not. [Translate] does that where
// the result is exact, and reports an [Error] where it is not possible.
package ecma

import (
	"fmt"
	"regexp"
	"strings"
)

// A Pattern is a translated pattern: a text matches if it meets all checks of at
// least one alternative.
type Pattern struct {
	Alternatives [][]Check
}

// A Check is an expression in Go's syntax that must be found in a text, or with
// Not must not be found.
type Check struct {
	Expr string
	Not  bool
}

// An Error says why a pattern cannot be checked.
type Error struct {
	// Reason is what stands in the way, as the object of "has" or after a colon:
	// "a back reference".
	Reason string
	// Offset is where in the pattern, in bytes.
	Offset int
	// Broken is set for a text that is a regular expression in no dialect.
	Broken bool
}

func (e *Error) Error() string { return fmt.Sprintf("%s, at offset %d", e.Reason, e.Offset) }

// Translate translates a pattern. The error is an *Error.
func Translate(pattern string) (Pattern, error) {
	p := parser{source: pattern}
	root, err := p.parse()
	if err != nil {
		return Pattern{}, err
	}
	if !root.looks() {
		expr, err := write(root)
		if err != nil {
			return Pattern{}, err
		}
		return Pattern{[][]Check{{{Expr: expr}}}}, nil
	}
	if p.flagged {
		return Pattern{}, &Error{Reason: "a look-around beside flags", Offset: root.firstLook()}
	}
	s := solver{}
	alternatives, err := s.solve(root)
	if err != nil {
		return Pattern{}, err
	}
	return Pattern{simplify(alternatives)}, nil
}

// Expr is the pattern as one expression of Go. It is false where the pattern is
// several.
func (p Pattern) Expr() (string, bool) {
	if len(p.Alternatives) == 1 && len(p.Alternatives[0]) == 1 && !p.Alternatives[0][0].Not {
		return p.Alternatives[0][0].Expr, true
	}
	return "", false
}

// String is the pattern as package rule of the runtime reads it: one expression
// of Go; or (?=…) for each expression that must be found and (?!…) for each that
// must not, the last of which may stand without brackets if it must be found; or
// several of these alternatives with | between them, all in brackets.
func (p Pattern) String() string {
	var parts []string
	for _, checks := range p.Alternatives {
		var b strings.Builder
		for i, c := range checks {
			switch {
			case c.Not:
				b.WriteString("(?!" + c.Expr + ")")
			case len(p.Alternatives) == 1 && i == len(checks)-1:
				b.WriteString(c.Expr)
			default:
				b.WriteString("(?=" + c.Expr + ")")
			}
		}
		parts = append(parts, b.String())
	}
	return strings.Join(parts, "|")
}

// Matcher compiles the pattern.
func (p Pattern) Matcher() *Matcher {
	m := &Matcher{}
	for _, checks := range p.Alternatives {
		var compiled []compiledCheck
		for _, c := range checks {
			compiled = append(compiled, compiledCheck{regexp.MustCompile(c.Expr), c.Not})
		}
		m.alternatives = append(m.alternatives, compiled)
	}
	return m
}

// A Matcher is a compiled pattern.
type Matcher struct {
	alternatives [][]compiledCheck
}

type compiledCheck struct {
	expr *regexp.Regexp
	not  bool
}

// MatchString reports whether the pattern is found in text.
func (m *Matcher) MatchString(text string) bool {
	for _, checks := range m.alternatives {
		if meets(checks, text) {
			return true
		}
	}
	return false
}

func meets(checks []compiledCheck, text string) bool {
	for _, c := range checks {
		if c.expr.MatchString(text) == c.not {
			return false
		}
	}
	return true
}
