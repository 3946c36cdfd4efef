// Package golden_test calls the golden packages under testdata. It is separate from the
// tests of package emit, so that those can write the golden packages even while these
// do not compile.
package golden_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

// root is the repository.
const root = "../../../.."

// example returns the data of an example envelope.
func example(t testing.TB, name string) json.RawMessage {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "schemas/huleedu/examples", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(content, &envelope); err != nil {
		t.Fatal(err)
	}
	return envelope.Data
}

// document is JSON as a value that can be compared.
func document(t testing.TB, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

// data has the methods of every generated type.
type data interface {
	json.Marshaler
	Validate() error
}

// roundTrip decodes, validates and encodes a document, and compares the result with it.
func roundTrip[T data](t *testing.T, input []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(input, &v); err != nil {
		t.Fatalf("decode: %v", err)
	}
	if err := v.Validate(); err != nil {
		t.Fatalf("validate: %v", err)
	}
	output, err := v.MarshalJSON()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	if diff := cmp.Diff(document(t, input), document(t, output)); diff != "" {
		t.Fatalf("the document changed (-in +out):\n%s", diff)
	}
	return v
}

// Every example of the contract decodes, is valid, and encodes to an equal document.
func TestHuleEduExamples(t *testing.T) {
	t.Parallel()
	trips := map[string]func(*testing.T, []byte){
		"assessment_result":         func(t *testing.T, in []byte) { t.Helper(); roundTrip[events.AssessmentResultV1](t, in) },
		"cj_assessment_completed":   func(t *testing.T, in []byte) { t.Helper(); roundTrip[events.CJAssessmentCompletedV1](t, in) },
		"cj_assessment_failed":      func(t *testing.T, in []byte) { t.Helper(); roundTrip[events.CJAssessmentFailedV1](t, in) },
		"cj_assessment_requested":   func(t *testing.T, in []byte) { t.Helper(); roundTrip[events.CJAssessmentRequestedV1](t, in) },
		"class_updated":             func(t *testing.T, in []byte) { t.Helper(); roundTrip[events.ClassUpdatedV1](t, in) },
		"essay_content_provisioned": func(t *testing.T, in []byte) { t.Helper(); roundTrip[events.EssayContentProvisionedV1](t, in) },
		"spellcheck_phase_completed": func(t *testing.T, in []byte) {
			t.Helper()
			roundTrip[events.SpellcheckPhaseCompletedV1](t, in)
		},
	}
	files, err := filepath.Glob(filepath.Join(root, "schemas/huleedu/examples/*.json"))
	if err != nil || len(files) < len(trips) {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event, _, _ := strings.Cut(name, ".")
			trips[event](t, example(t, name))
		})
	}
}

// Unknown properties are kept, at every level.
func TestUnknownMembersSurvive(t *testing.T) {
	t.Parallel()
	var changed map[string]any
	if err := json.Unmarshal(example(t, "cj_assessment_completed.v1"), &changed); err != nil {
		t.Fatal(err)
	}
	changed["added_later"] = []any{1.0, map[string]any{"deep": nil}}
	changed["system_metadata"].(map[string]any)["added_later"] = "too"
	input, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	v := roundTrip[events.CJAssessmentCompletedV1](t, input)
	if diff := cmp.Diff(`[1,{"deep":null}]`, string(v.Unknown["added_later"])); diff != "" {
		t.Error(diff)
	}
}

// A value is made in Go, found invalid, fixed, and encoded as JSON.
func TestHuleEduByHand(t *testing.T) {
	t.Parallel()
	v := events.NewEssayResult(events.EssayResult{
		EssayID: "essay-1", NormalizedScore: 1.5, LetterGrade: "Z", ConfidenceLabel: "SURE", FeedbackURI: outbox.Null[string](),
	})
	err := v.Validate()
	want := &outbox.ValidationError{Type: "EssayResult", Violations: []outbox.Violation{
		{Pointer: "/confidence_label", Rule: "enum", Schema: "assessment_result.v1.yaml#/$defs/essay_result/properties/confidence_label/enum", Message: `"SURE" is not one of "HIGH", "MID", "LOW"`},
		{Pointer: "/letter_grade", Rule: "pattern", Schema: "assessment_result.v1.yaml#/$defs/essay_result/properties/letter_grade/pattern", Message: "must match ^([A-F][+-]?|U)$"},
		{Pointer: "/normalized_score", Rule: "maximum", Schema: "assessment_result.v1.yaml#/$defs/essay_result/properties/normalized_score/maximum", Message: "must be at most 1"},
		{Pointer: "/rank", Rule: "exclusiveMinimum", Schema: "assessment_result.v1.yaml#/$defs/essay_result/properties/rank/exclusiveMinimum", Message: "must be greater than 0"},
	}}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	result := events.AssessmentResultV1{EssayResults: []events.EssayResult{v}}
	var invalid *outbox.ValidationError
	if err := result.Validate(); !errors.As(err, &invalid) || invalid.Violations[3].Pointer != "/essay_results/0/rank" {
		t.Errorf("inside an array: %v", err)
	}
	v.NormalizedScore, v.LetterGrade, v.ConfidenceLabel, v.Rank = 0.5, "B+", events.ConfidenceLabelHigh, 1
	if err := v.Validate(); err != nil {
		t.Error(err)
	}
	got, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"essay_id":"essay-1","normalized_score":0.5,"letter_grade":"B+","confidence_score":0,"confidence_label":"HIGH",` +
		`"bt_score":0,"rank":1,"is_anchor":false,"feedback_uri":null}`
	if diff := cmp.Diff(text, string(got)); diff != "" {
		t.Error(diff)
	}
}

// The event type finds the aggregate's id in the data.
func TestHuleEduRow(t *testing.T) {
	t.Parallel()
	var v events.ClassUpdatedV1
	if err := json.Unmarshal(example(t, "class_updated.v1"), &v); err != nil {
		t.Fatal(err)
	}
	row, err := v.NewRow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := outbox.Row{AggregateType: row.AggregateType, AggregateID: row.AggregateID, EventType: row.EventType, Topic: row.Topic, Key: row.Key, CorrelationID: row.CorrelationID}
	want := outbox.Row{
		AggregateType: "class", AggregateID: "class-9b", EventType: "huleedu.class.updated.v1", Topic: "huleedu.class.updated.v1",
		Key: new("class-9b"), CorrelationID: "3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	envelope, err := events.DecodeClassUpdatedV1(row.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v, envelope.Data); diff != "" {
		t.Errorf("(-sent +received):\n%s", diff)
	}
}
