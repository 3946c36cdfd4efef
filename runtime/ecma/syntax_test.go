package ecma_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// table reads the lines of a file of testdata as words and JSON texts.
func table(t testing.TB, name string) [][]string {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]string
	for row := range strings.Lines(string(content)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(row, "\n"), " ")
		line := []string{word}
		for d := json.NewDecoder(strings.NewReader(rest)); d.More(); {
			var text string
			if err := d.Decode(&text); err != nil {
				t.Fatalf("%s%v", line, err)
			}
			line = append(line, text)
		}
		lines = append(lines, line)
	}
	return lines
}

// Valid agrees with an engine of ECMA-262 with the flag u about each pattern. The table
// has the engine's answers.
func TestValid(t *testing.T) {
	t.Parallel()
	for _, line := range table(t, "syntax.txt") {
		pattern, want := line[1], line[0] == "valid"
		if got := ecma.Valid(pattern); got != want {
			t.Errorf("%q: got %v, want %v", pattern, got, want)
		}
	}
}

// A long pattern needs no deep stack, and each part of it is read once.
func TestValidOfLongPatterns(t *testing.T) {
	t.Parallel()
	const n = 200_000
	for name, c := range map[string]struct {
		pattern string
		want    bool
	}{
		"groups":          {strings.Repeat("(", n) + strings.Repeat(")", n), true},
		"open groups":     {strings.Repeat("(", n), false},
		"look-aheads":     {strings.Repeat("(?=", n) + strings.Repeat(")", n), true},
		"alternatives":    {strings.Repeat("|", n), true},
		"open classes":    {strings.Repeat("[", n), false},
		"properties":      {strings.Repeat(`\p{Alphabetic}`, n), true},
		"open properties": {strings.Repeat(`\p{`, n), false},
		"braces":          {strings.Repeat("a{", n), false},
		"references":      {strings.Repeat(`\k<a>`, n) + "(?<a>)", true},
		"number":          {"a{" + strings.Repeat("9", n) + "}", true},
		"reference":       {`\` + strings.Repeat("9", n), false},
	} {
		if got := ecma.Valid(c.pattern); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
