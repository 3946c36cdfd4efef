package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// A violation as JSON has the names that clients expect, and no empty members.
func TestViolationAsJSON(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		`{"type":"OrderV1","violations":[{"pointer":"/lines/0/sku","rule":"minLength","schema":"schemas/order.yaml#/$defs/Line/properties/sku/minLength","message":"must have at least 1 character"}]}`: &wire.ValidationError{
			Type: "OrderV1", Violations: []wire.Violation{{
				Pointer: "/lines/0/sku", Rule: "minLength", Schema: "schemas/order.yaml#/$defs/Line/properties/sku/minLength", Message: "must have at least 1 character",
			}},
		},
		`{"type":"OrderV1","violations":[{"pointer":"","rule":"type","message":"must be an object","offset":3}]}`: &wire.DecodeError{
			Type: "OrderV1", Violations: []wire.Violation{{Rule: "type", Message: "must be an object", Offset: 3}},
		},
	} {
		got, failed := json.Marshal(err)
		if failed != nil {
			t.Fatal(failed)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
