// Package ecma translates the regular expressions of JSON Schema, which are those of
// ECMA-262, into Go's. It works on one pattern and does not know schemas.
//
// A pattern has the meaning of ECMA-262 with the flag u. Package syntax of the runtime
// parses it, and documents what it accepts beyond that.
//
// Go has no look-around. Most patterns with look-ahead or look-behind can be split into
// several Go expressions: ^(?!foo)[a-z]+$ is true for a text in which ^[a-z]+$ is found
// and ^foo is not. [Translate] does that if the result is exact. Other patterns with
// look-arounds, and those with repeats that are too large for Go, stay whole for
// package ecma of the runtime, which is slower. Translate returns an [Error] for what
// neither can check: a back reference, because no known way finds one in time that
// grows only with the text.
package ecma

import (
	"strings"

	"github.com/outboxgen/outboxgen/runtime/ecma"
	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

// Pattern is a translated pattern: a text matches if it passes all checks of at least
// one alternative. If there are no alternatives, package ecma of the runtime matches it
// Whole.
type Pattern struct {
	Alternatives [][]Check
	Whole        string
}

// Check is an expression in Go's syntax that must be found in a text or, with Not, must
// not be found.
type Check struct {
	Expr string
	Not  bool
}

// Error says why a pattern cannot be checked.
type Error = syntax.Error

// Translate translates a pattern. The error is an *Error.
func Translate(pattern string) (Pattern, error) {
	tree, err := syntax.Parse(pattern)
	if err != nil {
		return Pattern{}, err
	}
	if len(tree.References) > 0 {
		return Pattern{}, &Error{Reason: "a back reference", Offset: tree.References[0].Pos}
	}
	alternatives, err := split(tree)
	if err == nil {
		return Pattern{Alternatives: alternatives}, nil
	}
	if _, large := ecma.Compile(pattern); large != nil {
		return Pattern{}, err
	}
	return Pattern{Whole: pattern}, nil
}

// split returns the pattern as expressions of Go.
func split(tree *syntax.Tree) ([][]Check, error) {
	if !looks(tree.Root) {
		expr, err := write(tree.Root)
		return [][]Check{{{Expr: expr}}}, err
	}
	if tree.Flagged {
		return nil, &Error{Reason: "a look-around beside flags", Offset: firstLook(tree.Root)}
	}
	s := solver{}
	alternatives, err := s.solve(tree.Root)
	return simplify(alternatives), err
}

// String returns the pattern in the form of package ecma of the runtime: one Go
// expression; or (?=…) for each expression that must be found and (?!…) for each that
// must not, the last of which may be without brackets if it must be found; or several
// of these alternatives with | between them, all in brackets; or (?u) and the whole
// pattern.
func (p Pattern) String() string {
	if p.Alternatives == nil {
		return "(?u)" + p.Whole
	}
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
func (p Pattern) Matcher() *Matcher { return ecma.MustCompilePattern(p.String()) }

// Matcher is a compiled pattern.
type Matcher = ecma.Pattern
