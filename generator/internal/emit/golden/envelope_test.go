package golden_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

// envelopeTrip decodes a whole envelope, encodes it, and compares the documents.
func envelopeTrip[T gen.Data](decode func([]byte, ...outbox.Header) (outbox.Envelope[T], error)) func(*testing.T, []byte) {
	return func(t *testing.T, input []byte) {
		t.Helper()
		envelope, err := decode(input)
		if err != nil {
			t.Fatal(err)
		}
		output, err := envelope.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(document(t, input), document(t, output)); diff != "" {
			t.Errorf("the envelope changed (-in +out):\n%s", diff)
		}
	}
}

// An envelope that Python published is decoded and encoded without a change.
func TestHuleEduEnvelopes(t *testing.T) {
	t.Parallel()
	trips := map[string]func(*testing.T, []byte){
		"assessment_result":          envelopeTrip(events.DecodeAssessmentResultV1),
		"cj_assessment_completed":    envelopeTrip(events.DecodeCJAssessmentCompletedV1),
		"cj_assessment_failed":       envelopeTrip(events.DecodeCJAssessmentFailedV1),
		"cj_assessment_requested":    envelopeTrip(events.DecodeCJAssessmentRequestedV1),
		"class_updated":              envelopeTrip(events.DecodeClassUpdatedV1),
		"essay_content_provisioned":  envelopeTrip(events.DecodeEssayContentProvisionedV1),
		"spellcheck_phase_completed": envelopeTrip(events.DecodeSpellcheckPhaseCompletedV1),
	}
	files, err := filepath.Glob(filepath.Join(root, "schemas/huleedu/examples/*.json"))
	if err != nil || len(files) < len(trips) {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			input, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			event, _, _ := strings.Cut(filepath.Base(file), ".")
			trips[event](t, input)
			// Python writes +00:00 for Pydantic's Z, and microseconds with trailing
			// zeros.
			other := strings.Replace(string(input), `.201944Z"`, `.201900+00:00"`, 1)
			trips[event](t, []byte(other))
		})
	}
}
