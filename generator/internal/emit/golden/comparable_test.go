package golden_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	comparables "github.com/outboxgen/outboxgen/testdata/golden/comparable/events"
)

// With unknown: drop, unknown properties are dropped unless the validation needs them,
// and structs with plain fields can be compared with ==.
func TestUnknownDropped(t *testing.T) {
	t.Parallel()
	const document = `{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","to":{"x":1,"y":2,"z":3},"counted":{"by":"me"},` +
		`"checked":{"inside":{"lid":true,"hinge":1},"forbidden":1},"more":{}}`
	var v comparables.MovedV1
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	if v.To != (comparables.Place{X: 1, Y: 2}) {
		t.Errorf("%+v", v.To)
	}
	if err := v.Validate(); err == nil {
		t.Error("the forbidden property is not seen")
	}
	got, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","to":{"x":1,"y":2},"counted":{"by":"me"},` +
		`"checked":{"inside":{"lid":true,"hinge":1},"forbidden":1}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
