package ecma_test

import (
	"regexp"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// differs finds what package regexp reads differently: a dot, escapes, a class that
// begins with a ], [:alpha:], and counts that begin with a 0.
var differs = regexp.MustCompile(`\.|\\[^bBdDwWtnrvf]|\[\^?\]|\[:|[{,]0\d`)

// No pattern panics. If package regexp reads a pattern the same way, the matches are
// the same.
func FuzzExpr(f *testing.F) {
	for _, line := range table(f, "syntax.txt") {
		f.Add(line[1], "ab")
	}
	for i, line := range table(f, "match.txt") {
		if i%41 == 0 {
			f.Add(line[1], line[2])
		}
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 200 {
			t.Skip("longer ones are slow to compare and say no more")
		}
		ecma.Valid(pattern)
		x, err := ecma.Compile(pattern)
		if err != nil {
			return
		}
		got := x.MatchString(text)
		if re, err := regexp.Compile(pattern); err == nil && !differs.MatchString(pattern) && got != re.MatchString(text) {
			t.Errorf("%q in %q: got %v", pattern, text, got)
		}
	})
}
