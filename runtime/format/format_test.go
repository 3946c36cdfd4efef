package format_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/format"
)

// Every format refuses something, and a name that is not one of them refuses nothing.
func TestNames(t *testing.T) {
	t.Parallel()
	const never = "( {"
	for _, name := range format.Names() {
		if !format.Known(name) || format.Valid(never, name) {
			t.Errorf("%s: known %t, takes %q: %t", name, format.Known(name), never, format.Valid(never, name))
		}
	}
	if format.Known("password") || !format.Valid(never, "password") {
		t.Error("a format without a check is known or refuses a string")
	}
}

// An email address is one of RFC 5321 in ASCII.
func TestEmail(t *testing.T) {
	t.Parallel()
	want := map[string]bool{
		"a@b.se":                         true,
		"first.last+tag@mail.example.se": true,
		"~joe@example.com":               true,
		`"joe bloggs"@example.com`:       true,
		`"a@b"@example.com`:              true,
		"joe@[127.0.0.1]":                true,
		"joe@[IPv6:::1]":                 true,
		"":                               false,
		"@b.se":                          false,
		"a@":                             false,
		"a b@c.se":                       false,
		".a@b.se":                        false,
		"a..b@c.se":                      false,
		"a@-b.c":                         false,
		"joe@invalid=domain.com":         false,
		"joe@[127.0.0.300]":              false,
		"joe@[::1]":                      false,
		"joe@[127.0.0.1":                 false,
		"å@b.se":                         false,
		"a(comment)@b.se":                false,
		"Joe <joe@example.com>":          false,
		`joe "x"@example.com`:            false,
		`"joe" x@example.com`:            false,
		`"open@example.com`:              false,
	}
	got := map[string]bool{}
	for _, address := range slices.Sorted(maps.Keys(want)) {
		got[address] = format.Valid(address, "email")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("taken as email (-want +got):\n%s", diff)
	}
}

// The format regex is that of ECMA-262, not of package regexp.
func TestRegexFormat(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"":                     true,
		`^(?!-)[a-z-]+(?<!-)$`: true,
		`(?<a>.)\k<a>\1`:       true,
		`\cA\u{1F600}\p{L}`:    true,
		`\a`:                   false,
		`^\S(|(.|\n)*\S)\Z`:    false,
		"(?i)a":                false,
		"(?P<a>b)":             false,
		"^(abc]":               false,
		"a**":                  false,
	} {
		if got := format.Valid(text, "regex"); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
