package ecma_test

import (
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

func compile(t testing.TB, source string) *ecma.Expr {
	t.Helper()
	x, err := ecma.Compile(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return x
}

// An expression matches what an engine of ECMA-262 matches with the flag u. The table
// has the engine's answers.
func TestMatchString(t *testing.T) {
	t.Parallel()
	for _, line := range table(t, "match.txt") {
		source, text, want := line[1], line[2], line[0] == "found"
		if got := compile(t, source).MatchString(text); got != want {
			t.Errorf("%q in %q: got %v, want %v", source, text, got, want)
		}
	}
}

// With the flag i, case does not matter, up to the end of the group.
func TestFlagOfCase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source, text string
		want         bool
	}{
		{"(?i)a(?=B)", "Ab", true},
		{"(?i)[k-l]", "\u212a", true},
		{"(?i)k", "\u212a", true},
		{"(?i:a)(?=B)", "Ab", false},
		{"(?i:a)(?=B)", "AB", true},
		{"(?:(?i)a)(?=b)", "AB", false},
		{"(?i)a(?-i)(?=b)", "Ab", true},
		{"(?i)a(?-i)(?=b)", "AB", false},
		{"(?i)a(?-i:b)(?=C)", "Abc", true},
		{"(?i)a(?-i:b)(?=C)", "ABc", false},
	} {
		if got := compile(t, c.source).MatchString(c.text); got != c.want {
			t.Errorf("%q in %q: got %v, want %v", c.source, c.text, got, c.want)
		}
	}
}

// Patterns that make a backtracking engine run forever match in time that is linear in
// the text.
func TestMatchStringOfLongTexts(t *testing.T) {
	t.Parallel()
	const n = 50_000
	for _, c := range []struct {
		source, text string
		want         bool
	}{
		{"(?:a|a|aa)+(?=c)", strings.Repeat("a", n), false},
		{"(?:(?:a*)*)*(?=b)c", strings.Repeat("a", n), false},
		{"(?=[^b]*b)[^c]*c", strings.Repeat("a", n), false},
		{"^(?=(?:a+)+$)(?:a+)+b", strings.Repeat("a", n), false},
		{"(?<=b[^c]*)c", strings.Repeat("a", n), false},
		{"^[a-z]{1,65535}$", strings.Repeat("a", n), true},
		{"[a-z]{1,40000}$", strings.Repeat("a", n), true},
		{"[a-z]{40000}b", strings.Repeat("a", n), false},
		{"^[a-z]{1,40000}$", strings.Repeat("a", n), false},
		{"[a-z]{20000}(?=b)", strings.Repeat("a", n) + "b", true},
	} {
		if got := compile(t, c.source).MatchString(c.text); got != c.want {
			t.Errorf("%q: got %v, want %v", c.source, got, c.want)
		}
	}
}

// Invalid expressions are errors.
func TestCompileErrors(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"(a":                               "ecma: a ( is not closed, at offset 0",
		"a)":                               "ecma: a ) closes nothing, at offset 1",
		"*a":                               "ecma: there is nothing for * to repeat, at offset 0",
		"a{2,1}":                           "ecma: the repeat {2,1} is backwards, at offset 1",
		"[a":                               "ecma: a [ is not closed, at offset 0",
		`(a)\1`:                            "ecma: no way is known to find a back reference in time that grows with the text alone",
		"(?:ab){30000}":                    "ecma: the expression is too large",
		"(?:(?:ab){1000}){1000}":           "ecma: the expression is too large",
		"(?:a|){1000000000}":               "ecma: the expression is too large",
		strings.Repeat("(", 201):           "ecma: groups that are nested too deep, at offset 200",
		strings.Repeat("(?=", 1001) + "a)": "ecma: groups that are nested too deep, at offset 600",
	} {
		_, err := ecma.Compile(source)
		if err == nil || err.Error() != want {
			t.Errorf("%.40s: got %v, want %s", source, err, want)
		}
	}
	for _, source := range []string{"(?:){1000000000}", "(?:(?:){5,1000000000}){5,}", "[a-z]{1000000000}", "^{20}"} {
		if _, err := ecma.Compile(source); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}
