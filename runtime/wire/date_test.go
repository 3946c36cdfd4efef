package wire_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// A date and a time that do not exist are violations at their places, next to others.
func TestExists(t *testing.T) {
	t.Parallel()
	err := wire.Validate(json.RawMessage(nil), func(c *wire.Checker) {
		wire.Exists(c, wire.Date{Year: 2024, Month: 2, Day: 29}, "date", "leap")
		wire.Exists(c, wire.Date{Year: 2026, Month: 2, Day: 30}, "date", "taken_on")
		wire.Exists(c, wire.Date{}, "date", "days", 0)
		wire.Exists(c, wire.TimeOfDay{}, "time", "midnight")
		wire.Exists(c, wire.TimeOfDay{Hour: 25}, "time", "at")
		wire.MinLength(c, "", 1, "barcode")
	})

	var invalid *wire.ValidationError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v, want a ValidationError", err)
	}
	got := map[string]string{}
	for _, v := range invalid.Violations {
		got[v.Pointer] = v.Rule + ": " + v.Message
	}
	want := map[string]string{
		"/taken_on": "format: must be a date that exists, not 2026-02-30",
		"/days/0":   "format: must be a date that exists, not 0000-00-00",
		"/at":       "format: must be a time that exists, not 25:00:00Z",
		"/barcode":  "minLength: must have at least 1 character",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
