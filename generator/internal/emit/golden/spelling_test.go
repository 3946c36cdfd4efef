package golden_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	eventunions "github.com/outboxgen/outboxgen/testdata/golden/eventunions/events"
	roots "github.com/outboxgen/outboxgen/testdata/golden/roots/events"
	shapes "github.com/outboxgen/outboxgen/testdata/golden/shapes/events"
	values "github.com/outboxgen/outboxgen/testdata/golden/values/events"
)

// Values that Go writes in only one form are encoded as in the document: UUIDs, bytes
// and times, in structs, in branches of unions, in items and beside null.
func TestTextsComeBack(t *testing.T) {
	t.Parallel()
	const id = `"3F2B7C1E-5D0A-4C69-8B1C-7F4F0A9B2E11"`
	comesBack[shapes.FormatUUIDV1](t, `{"value":`+id+`}`)
	comesBack[shapes.OptionalNullableUUIDV1](t, `{"value":`+id+`}`)
	comesBack[shapes.OptionalNullableUUIDV1](t, `{"value":null}`)
	comesBack[values.EncodingsV1](t, `{"id":"1","base64":"","base64url":"aGVsbG8","base16":["ab","CD","eF"],"who":`+id+`}`)
	comesBack[eventunions.OrderChangedV1](t, `{"order_id":1,"customer":{"id":`+id+`},"change":"shipped","part_of":{"order_id":2,"customer":{"id":`+id+`},"change":"refused"}}`)
	comesBack[roots.ManyV1](t, `{"items":[{"id":`+id+`},{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"},{"id":`+id+`,"more":1}]}`)
	comesBack[shapes.FormatDateTimeV1](t, `{"value":"2016-12-31t15:59:60.000-08:00"}`)
	comesBack[shapes.FormatTimeV1](t, `{"value":"12:00:00.000+00:00"}`)
	comesBack[shapes.FormatDurationV1](t, `{"value":"P0D"}`)
}

func comesBack[T any](t *testing.T, document string) {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Errorf("%T: %v", v, err)
		return
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Errorf("%T: %v", v, err)
		return
	}
	var want, got any
	if err := errors.Join(json.Unmarshal([]byte(document), &want), json.Unmarshal(out, &got)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%T (-want +got):\n%s", v, diff)
	}
}
