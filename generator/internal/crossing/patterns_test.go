package crossing

import (
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// beyondGo are the patterns of this package that Go's regexp does not compile, as
// functions for the validator.
var beyondGo = map[string]func(string) bool{
	"^(?!x)[a-z]+$": func(s string) bool {
		return s != "" && s[0] != 'x' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
	},
	"^a{0,2000}$": func(s string) bool { return len(s) <= 2000 && strings.Trim(s, "a") == "" },
}

type byHand struct {
	pattern string
	match   func(string) bool
}

func (p byHand) MatchString(s string) bool { return p.match(s) }
func (p byHand) String() string            { return p.pattern }

// WithPatterns is an option for verdict.Validator that supports every pattern of this
// package.
func WithPatterns(c *jsonschema.Compiler) {
	c.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		if match, ok := beyondGo[pattern]; ok {
			return byHand{pattern, match}, nil
		}
		compiled, err := regexp.Compile(pattern)
		return compiled, err
	})
}
