package wire_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/rule"
	"github.com/outboxgen/outboxgen/runtime/wire"
)

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
		var c wire.Checker
		wire.Format(&c, address, "email")
		got[address] = c.Err("T") == nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("taken as email (-want +got):\n%s", diff)
	}
}

// Rules take an encoding for a format: text that could not come back as it was
// has none.
func TestRulesCheckEncodings(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]bool{
		"base64":    {"": true, "YQ==": true, "YQ": false, "YR==": false, "YQ==\n": false, "****": false},
		"base64url": {"YQ": true, "YQ==": true, "-_-_": true, "+/+/": false},
		"base32":    {"ME======": true, "MF======": false, "ME": false},
		"base16":    {"0aF0": true, "0a0": false},
		"7bit":      {"a": true, "å": false},
	}
	got := map[string]map[string]bool{}
	for format, texts := range want {
		got[format] = map[string]bool{}
		set := &rule.Set{Rules: []*rule.Schema{{At: "a.json#", Format: format}}}
		for text := range texts {
			c := &wire.Checker{}
			wire.Rules(c, text, (*wire.Encoder).String, set)
			got[format][text] = c.Err("text") == nil
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
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
		var c wire.Checker
		wire.Format(&c, text, "regex")
		if got := c.Err("T") == nil; got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
