package ecma_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// Patterns, with the texts that they match.
func TestPattern(t *testing.T) {
	t.Parallel()
	texts := []string{"", "foo", "bar", "foobar", "7", "(", "]"}
	for source, want := range map[string][]string{
		``:                                 {"", "foo", "bar", "foobar", "7", "(", "]"},
		`^foo`:                             {"foo", "foobar"},
		`foo|7`:                            {"foo", "foobar", "7"},
		`(?!^foo)^[a-z]+$`:                 {"bar"},
		`(?=bar)^foo`:                      {"foobar"},
		`(?=bar)(?!^bar)`:                  {"foobar"},
		`(?!bar)7|^f`:                      {"foo", "7"},
		`(?!^foo)(?=^[a-z]+$)|(?=^[0-9]$)`: {"bar", "7"},
		`(?!foo)|(?=bar)`:                  {"", "bar", "foobar", "7", "(", "]"},
		`(?![)(|]|\]|[^]a-z7]|[])])^.*$`:   {"", "foo", "bar", "foobar", "7"},
		`(?!(?:f(o|x)o|\(|\]))b?`:          {"", "bar", "7"},
		`(?u)o(?=b)|(?<!.)[(7]`:            {"foobar", "7", "("},
	} {
		p, err := ecma.CompilePattern(source)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, text := range texts {
			if p.MatchString(text) {
				got = append(got, text)
			}
			if p.MatchString(text) != p.Match([]byte(text)) {
				t.Errorf("%s: Match and MatchString differ about %q", source, text)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
}

func TestPatternThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	for _, source := range []string{`(`, `(?=`, `(?!a`, `(?!()`, `(?=a)(`, `a(?=b)`, `(?=a)|(?!`, `(?=[a)`, `(?=a)b|(?=c)`, `\`, `(?=\`, `(?u)(`, `(?u)(?`} {
		if _, err := ecma.CompilePattern(source); err == nil {
			t.Errorf("%s compiles", source)
		}
	}
}
