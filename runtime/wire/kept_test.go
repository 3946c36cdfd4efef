package wire_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// A union that keeps its bytes, as it is generated. Its branches are a short text, and an
// object with such a union.
type shortOrNest struct{ Raw json.RawMessage }

type nest struct{ Inner shortOrNest }

func (v shortOrNest) asShort(asks *wire.Checker) (string, error) {
	return wire.As(asks, v.Raw, "string", (*wire.Decoder).String, func(v *string, c *wire.Checker) { wire.MaxLength(c, *v, 3) })
}

func (v shortOrNest) asNest(asks *wire.Checker) (nest, error) {
	return wire.As(asks, v.Raw, "nest", func(d *wire.Decoder) nest {
		var n nest
		o := d.Object("inner")
		for o.Next() {
			if string(o.Name) == "inner" {
				n.Inner.Raw = d.Raw()
			}
		}
		return n
	}, func(n *nest, c *wire.Checker) { c.In(n.Inner.check, "inner") })
}

func (v shortOrNest) check(c *wire.Checker) {
	wire.AnyOf(c, v, "Short and Nest", wire.Refusal(v.asShort), wire.Refusal(v.asNest))
}

// The reasons why no branch matches have JSON Pointers that begin at the validated value,
// however deep the union is in it. An error of a single branch begins at the union.
func TestReasonsOfUnionsHaveWholePointers(t *testing.T) {
	t.Parallel()
	value := shortOrNest{Raw: json.RawMessage(`{"inner": {"inner": 7}}`)}
	err := wire.Validate(&value, func(c *wire.Checker) { c.In(value.check, "items", 2) })
	invalid, ok := errors.AsType[*wire.ValidationError](err)
	if !ok {
		t.Fatalf("no ValidationError: %v", err)
	}
	const none = "must be one of Short and Nest, is none of them"
	want := []wire.Violation{{
		Pointer: "/items/2", Rule: "anyOf",
		Message: none + ": cannot decode string: /items/2: must be a string, is an object (type) at byte 0; " +
			"nest breaks its schema: /items/2/inner: " + none + ": cannot decode string: /items/2/inner: must be a string, is an object (type) at byte 0; " +
			"nest breaks its schema: /items/2/inner/inner: " + none + " (anyOf) (anyOf)",
	}}
	if diff := cmp.Diff(want, invalid.Violations); diff != "" {
		t.Errorf("Validate (-want +got):\n%s", diff)
	}
	_, err = value.asNest(nil)
	invalid, ok = errors.AsType[*wire.ValidationError](err)
	if !ok || invalid.Violations[0].Pointer != "/inner" {
		t.Errorf("as a branch: %v", err)
	}
}
