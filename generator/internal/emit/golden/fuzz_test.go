package golden_test

import (
	"bytes"
	"encoding/json"
	"testing"

	collections "github.com/outboxgen/outboxgen/testdata/golden/collections/events"
	constraints "github.com/outboxgen/outboxgen/testdata/golden/constraints/events"
	formats "github.com/outboxgen/outboxgen/testdata/golden/formats/events"
	huleedu "github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
	presence "github.com/outboxgen/outboxgen/testdata/golden/presence/events"
	unions "github.com/outboxgen/outboxgen/testdata/golden/unions/events"
)

// FuzzGeneratedDecoders feeds any bytes to generated types: none may panic, and
// what decodes must encode to something that decodes to the same again.
func FuzzGeneratedDecoders(f *testing.F) {
	f.Add([]byte(example(f, "assessment_result.v1.full")))
	f.Add([]byte(example(f, "cj_assessment_requested.v1.full")))
	f.Add([]byte("{" + required + `,"null_items":[1,null],"opt_null_text":null,"x":{"y":[1e5]}}`))
	f.Add([]byte(`{"id":1,"root":{"value":"a","right":null,"named":{"x":{"value":"e"}}},"closed":{},"typed":{"name":"n","one":1}}`))
	f.Add([]byte(`{"id":"12","cents":0.07,"few":["a","b"],"grid":[[],[0]],"labels":{"a":"b"},"half":0.5}`))
	f.Add([]byte(`{"uuid":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","date_time":"2024-05-01T12:00:00.120000+00:00","duration":"P1DT2H","bytes":"aGk=","ratio":"1/3"}`))
	for _, documents := range unionDocuments {
		for _, document := range documents {
			f.Add([]byte(document))
		}
	}
	f.Add([]byte(`{"id":"1","pet":{"kind":"cat","name":"x","kind":"dog"},"method":{"card":"1","iban":"2"}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		again[huleedu.AssessmentResultV1](t, document)
		again[huleedu.CJAssessmentRequestedV1](t, document)
		again[presence.PresenceV1](t, document)
		again[collections.TreeV1](t, document)
		again[constraints.ConstraintsV1](t, document)
		again[formats.FormatsV1](t, document)
		again[unions.TaggedV1](t, document)
		again[unions.MixedV1](t, document)
		again[unions.PaymentV1](t, document)
		again[unions.SourcedV1](t, document)
	})
}

func again[T data](t *testing.T, document []byte) {
	t.Helper()
	var v, w T
	if json.Unmarshal(document, &v) != nil {
		return
	}
	_ = v.Validate() // may find anything, must not panic
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
