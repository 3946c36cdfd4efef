package ir

import (
	"errors"
	"regexp"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
)

// goPattern is a pattern as package rule of the runtime reads it. The second
// result says what Go lacks, "" when there is nothing.
func goPattern(source string) (string, string) {
	p, err := ecma.Translate(source)
	var wrong *ecma.Error
	if errors.As(err, &wrong) {
		return "", wrong.Reason
	}
	return p.String(), ""
}

// brokenPattern says why a pattern is no regular expression, neither of
// ECMA-262 nor of any other dialect; "" where it may be one.
func brokenPattern(source string) string {
	_, err := ecma.Translate(source)
	var wrong *ecma.Error
	if errors.As(err, &wrong) && wrong.Broken {
		return wrong.Reason
	}
	return ""
}

// matcherOf matches a pattern that goPattern has translated.
func matcherOf(source string) *ecma.Matcher {
	p, err := ecma.Translate(source)
	if err != nil {
		panic("ir: " + err.Error())
	}
	return p.Matcher()
}

// literalPrefix is what every text that an expression of Go matches begins with;
// "" for a pattern that is several expressions.
func literalPrefix(source string) string {
	re, err := regexp.Compile(source)
	if err != nil {
		return ""
	}
	begin, _ := re.LiteralPrefix()
	return begin
}
