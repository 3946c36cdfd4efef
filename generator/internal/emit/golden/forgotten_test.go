package golden_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	forgotten "github.com/outboxgen/outboxgen/testdata/golden/forgotten/events"
	zeros "github.com/outboxgen/outboxgen/testdata/golden/zeros/events"
)

// A forgotten field is refused before anything is inserted, with its full pointer. Zero
// values that the schema lists, null where it is allowed, and absent fields are
// accepted.
func TestForgottenFields(t *testing.T) {
	t.Parallel()
	const (
		noUUID = "is required and not set: the UUID is all zeros"
		noTime = "is required and not set: the time is Go's zero time, in year 1"
		file   = "schemas/forgotten.yaml#"
	)
	given, at := uuid.MustParse("3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		data forgotten.ForgottenV1
		want []outbox.Violation
	}{
		"nothing is set": {forgotten.ForgottenV1{
			List: []forgotten.Part{{ID: given}, {}}, ByName: map[string]forgotten.Part{"a/b": {}}, Optional: &uuid.Nil, Change: forgotten.Moved{},
		}, []outbox.Violation{
			{Pointer: "/by_name/a~1b/id", Rule: "required", Schema: file + "/$defs/Part/required", Message: noUUID},
			{Pointer: "/change/at", Rule: "required", Schema: file + "/$defs/Moved/required", Message: noTime},
			{Pointer: "/change/kind", Rule: "const", Schema: file + "/$defs/Moved/properties/kind/const", Message: `must be "moved"; NewMoved sets it`},
			{Pointer: "/id", Rule: "required", Schema: file + "/required", Message: noUUID},
			{Pointer: "/list/1/id", Rule: "required", Schema: file + "/$defs/Part/required", Message: noUUID},
			{Pointer: "/made_at", Rule: "required", Schema: file + "/required", Message: noTime},
			{Pointer: "/position/0", Rule: "required", Message: noUUID},
			{Pointer: "/position/1", Rule: "required", Message: noTime},
		}},
		"no change": {forgotten.ForgottenV1{
			ID: given, MadeAt: at, Position: forgotten.ForgottenV1Position{First: given, Second: at},
		}, []outbox.Violation{{
			Pointer: "/change", Rule: "required", Schema: file + "/properties/change/oneOf",
			Message: `is required and missing: must be an object with "kind" "moved" or an object with "kind" "lost"`,
		}}},
		"a pointer to a change": {forgotten.ForgottenV1{
			ID: given, MadeAt: at, Position: forgotten.ForgottenV1Position{First: given, Second: at}, Change: new(forgotten.NewLost(forgotten.Lost{})),
		}, []outbox.Violation{{
			Pointer: "/change", Rule: "oneOf", Schema: file + "/properties/change/oneOf",
			Message: "is a *events.Lost; store the value that it points to",
		}}},
		"all is set": {forgotten.ForgottenV1{
			ID: given, MadeAt: at, Position: forgotten.ForgottenV1Position{First: given, Second: at}, Change: forgotten.NewLost(forgotten.Lost{}),
		}, nil},
	} {
		_, err := test.data.NewRow(t.Context())
		var invalid *outbox.ValidationError
		if err != nil && !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []outbox.Violation
		if invalid != nil {
			got = invalid.Violations
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A reader accepts zero values. Only inserts check for forgotten fields.
func TestZeroValuesAreRead(t *testing.T) {
	t.Parallel()
	const none = `"00000000-0000-0000-0000-000000000000"`
	const year1 = `"0001-01-01T00:00:00Z"`
	roundTrip[forgotten.ForgottenV1](t, []byte(`{"id":`+none+`,"made_at":`+year1+`,"none":`+none+`,"epoch":`+year1+`,"maybe":null,
		"list":[{"id":`+none+`}],"by_name":{},"position":[`+none+`,`+year1+`],"change":{"kind":"moved","at":`+year1+`},"raw":{"id":`+none+`}}`))
}

// With zero: allow, inserts accept them too.
func TestZeroValuesAllowed(t *testing.T) {
	t.Parallel()
	row, err := zeros.ZerosV1{}.NewRow(t.Context())
	if err != nil || row.AggregateID != uuid.Nil.String() {
		t.Errorf("%q, %v", row.AggregateID, err)
	}
}
