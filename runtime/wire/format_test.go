package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/rule"
	"github.com/outboxgen/outboxgen/runtime/wire"
)

// Rules treat an encoding as a format. Text that could not be written back unchanged is
// invalid.
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
