package wire_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// integerOrAny is a union of an integer and any value, as it is generated.
type integerOrAny struct{ Raw json.RawMessage }

func (v integerOrAny) asInteger(asks *wire.Checker) (int64, error) {
	return wire.As(asks, v.Raw, "int64", (*wire.Decoder).Int, nil)
}

func (v integerOrAny) asValue(asks *wire.Checker) (any, error) {
	return wire.As(asks, v.Raw, "any", (*wire.Decoder).Any, nil)
}

func (v integerOrAny) asText(asks *wire.Checker) (string, error) {
	return wire.As(asks, v.Raw, "string", (*wire.Decoder).String, nil)
}

// An integer beyond int64 is still an integer. If the other branch is any value, both
// match, and oneOf refuses it.
func TestOneOfCountsBranchesOfTooSmallAType(t *testing.T) {
	t.Parallel()
	const integer, text = "cannot decode int64: (document): ", "is an integer beyond 64 bits (type) at byte 0"
	tests := map[string]struct {
		raw   string
		check func(integerOrAny, *wire.Checker)
		want  string
	}{
		"one of integer and any value": {"9223372036854775808", func(v integerOrAny, c *wire.Checker) {
			wire.OneOf(c.Schema("s.json#"), v, "Integer and Value", wire.Refusal(v.asInteger), wire.Refusal(v.asValue))
		}, "must be exactly one of Integer and Value, may be 2 of them: " + integer + text},
		"no integer": {"0.5", func(v integerOrAny, c *wire.Checker) {
			wire.OneOf(c.Schema("s.json#"), v, "Integer and Value", wire.Refusal(v.asInteger), wire.Refusal(v.asValue))
		}, ""},
		"any of integer and any value": {"9223372036854775808", func(v integerOrAny, c *wire.Checker) {
			wire.AnyOf(c.Schema("s.json#"), v, "Integer and Value", wire.Refusal(v.asInteger), wire.Refusal(v.asValue))
		}, ""},
		"one of integer and text": {"9223372036854775808", func(v integerOrAny, c *wire.Checker) {
			wire.OneOf(c.Schema("s.json#"), v, "Integer and Text", wire.Refusal(v.asInteger), wire.Refusal(v.asText))
		}, "must be one of Integer and Text, is none of them: " + integer + text + "; cannot decode string: (document): must be a string, is a number (type) at byte 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := wire.Validate(&tt, func(c *wire.Checker) { tt.check(integerOrAny{Raw: json.RawMessage(tt.raw)}, c) })
			got := ""
			var invalid *wire.ValidationError
			if errors.As(err, &invalid) {
				got = invalid.Violations[0].Message
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
