package golden_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	collections "github.com/outboxgen/outboxgen/testdata/golden/collections/events"
	combined "github.com/outboxgen/outboxgen/testdata/golden/combined/events"
	conditions "github.com/outboxgen/outboxgen/testdata/golden/conditions/events"
	constraints "github.com/outboxgen/outboxgen/testdata/golden/constraints/events"
	defaults "github.com/outboxgen/outboxgen/testdata/golden/defaults/events"
	formats "github.com/outboxgen/outboxgen/testdata/golden/formats/events"
	huleedu "github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
	matching "github.com/outboxgen/outboxgen/testdata/golden/matching/events"
	pointers "github.com/outboxgen/outboxgen/testdata/golden/pointers/events"
	presence "github.com/outboxgen/outboxgen/testdata/golden/presence/events"
	recursion "github.com/outboxgen/outboxgen/testdata/golden/recursion/events"
	tuples "github.com/outboxgen/outboxgen/testdata/golden/tuples/events"
	unions "github.com/outboxgen/outboxgen/testdata/golden/unions/events"
	values "github.com/outboxgen/outboxgen/testdata/golden/values/events"
)

// fuzzed are the types that FuzzGeneratedDecoders uses, except the shapes.
var fuzzed = []func(*testing.T, []byte){
	again[huleedu.AssessmentResultV1],
	again[huleedu.CJAssessmentRequestedV1],
	again[presence.PresenceV1],
	again[collections.TreeV1],
	again[constraints.ConstraintsV1],
	again[formats.FormatsV1],
	again[unions.TaggedV1],
	again[unions.MixedV1],
	again[unions.PaymentV1],
	again[unions.SourcedV1],
	again[combined.OrderPlacedV1],
	again[conditions.ClosedChangedV1],
	again[conditions.OlderChangedV1],
	again[conditions.ShipmentChangedV1],
	again[defaults.DefaultsV1],
	again[matching.MatchingV1],
	again[pointers.PresenceV1],
	again[recursion.RecursionV1],
	again[tuples.OlderTuplesV1],
	again[tuples.TuplesV1],
	again[values.EncodingsV1],
	again[values.NumbersV1],
	again[values.ValuesV1],
}

// FuzzGeneratedDecoders decodes any bytes as a generated type, which which selects. No
// type may panic. What decodes must encode to a document that decodes to the same
// value.
func FuzzGeneratedDecoders(f *testing.F) {
	targets := slices.Clone(fuzzed)
	seed := func(document string) {
		for which := range fuzzed {
			f.Add(uint16(which), []byte(document))
		}
	}
	seed(string(example(f, "assessment_result.v1.full")))
	seed(string(example(f, "cj_assessment_requested.v1.full")))
	seed("{" + required + `,"null_items":[1,null],"opt_null_text":null,"x":{"y":[1e5]}}`)
	seed(`{"id":1,"root":{"value":"a","right":null,"named":{"x":{"value":"e"}}},"closed":{},"typed":{"name":"n","one":1}}`)
	seed(`{"id":"12","cents":0.07,"few":["a","b"],"grid":[[],[0]],"labels":{"a":"b"},"half":0.5}`)
	seed(`{"uuid":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","date_time":"2024-05-01T12:00:00.120000+00:00","duration":"P1DT2H","bytes":"aGk=","ratio":"1/3"}`)
	for _, documents := range unionDocuments {
		for _, document := range documents {
			seed(document)
		}
	}
	seed(`{"id":"1","pet":{"kind":"cat","name":"x","kind":"dog"},"method":{"card":"1","iban":"2"}}`)
	shapes := map[string]shape{}
	for _, members := range shapesByFamily {
		maps.Copy(shapes, members)
	}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		documents := documentsOf(f, name)
		for _, document := range slices.Concat(documents.Valid, documents.Invalid) {
			f.Add(uint16(len(targets)), []byte(document))
		}
		targets = append(targets, shapes[name].again)
	}
	f.Fuzz(func(t *testing.T, which uint16, document []byte) {
		targets[int(which)%len(targets)](t, document)
	})
}

func again[T data](t *testing.T, document []byte) {
	t.Helper()
	var v, w T
	if json.Unmarshal(document, &v) != nil {
		return
	}
	found := violations(v.Validate()) // may find anything, must not panic
	if diff := cmp.Diff(found, violations(v.Validate())); diff != "" {
		t.Fatalf("%T does not find the same again:\n%s", v, diff)
	}
	first, err := v.MarshalJSON()
	if err != nil {
		t.Fatalf("%T decodes but does not encode: %v", v, err)
	}
	if err := json.Unmarshal(first, &w); err != nil {
		t.Fatalf("%T writes what it does not read: %v in %s", v, err, first)
	}
	second, err := w.MarshalJSON()
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%T is not stable: %s, then %s, %v", v, first, second, err)
	}
}
