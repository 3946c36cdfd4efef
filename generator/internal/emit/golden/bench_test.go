package golden_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

// handWritten is what a team writes without a generator: the event AssessmentResultV1
// for encoding/json.
type handWritten struct {
	EventName          string           `json:"event_name"`
	EntityID           *string          `json:"entity_id"`
	EntityType         *string          `json:"entity_type"`
	ParentID           *string          `json:"parent_id"`
	Timestamp          time.Time        `json:"timestamp"`
	BatchID            string           `json:"batch_id"`
	CJAssessmentJobID  string           `json:"cj_assessment_job_id"`
	AssessmentMethod   string           `json:"assessment_method"`
	ModelUsed          string           `json:"model_used"`
	ModelProvider      string           `json:"model_provider"`
	AssignmentID       *string          `json:"assignment_id"`
	ModelVersion       *string          `json:"model_version"`
	EssayResults       []handWrittenOne `json:"essay_results"`
	AssessmentMetadata map[string]any   `json:"assessment_metadata"`
	AssessedAt         time.Time        `json:"assessed_at"`
}

type handWrittenOne struct {
	EssayID         string  `json:"essay_id"`
	NormalizedScore float64 `json:"normalized_score"`
	LetterGrade     string  `json:"letter_grade"`
	ConfidenceScore float64 `json:"confidence_score"`
	ConfidenceLabel string  `json:"confidence_label"`
	BTScore         float64 `json:"bt_score"`
	Rank            int64   `json:"rank"`
	IsAnchor        bool    `json:"is_anchor"`
	FeedbackURI     *string `json:"feedback_uri"`
	MetricsURI      *string `json:"metrics_uri"`
	DisplayName     *string `json:"display_name"`
}

var grade = regexp.MustCompile(`^([A-F][+-]?|U)$`)

func (h *handWritten) validate() error {
	if h.EventName == "" || h.BatchID == "" || h.Timestamp.IsZero() {
		return errors.New("incomplete")
	}
	if h.AssignmentID != nil && len([]rune(*h.AssignmentID)) > 100 {
		return errors.New("assignment_id is too long")
	}
	for i, r := range h.EssayResults {
		if r.NormalizedScore < 0 || r.NormalizedScore > 1 || r.ConfidenceScore < 0 || r.ConfidenceScore > 1 || r.Rank <= 0 {
			return fmt.Errorf("essay_results[%d] is out of range", i)
		}
		if !grade.MatchString(r.LetterGrade) || !slices.Contains([]string{"HIGH", "MID", "LOW"}, r.ConfidenceLabel) {
			return fmt.Errorf("essay_results[%d] has no such grade", i)
		}
	}
	return nil
}

// twoKilobytes is an AssessmentResultV1 of about 2 kB.
func twoKilobytes(b *testing.B) []byte {
	b.Helper()
	var v events.AssessmentResultV1
	if err := json.Unmarshal(example(b, "assessment_result.v1.full"), &v); err != nil {
		b.Fatal(err)
	}
	one := v.EssayResults[0]
	v.EssayResults = nil
	for {
		one.EssayID = fmt.Sprintf("essay-%02d", len(v.EssayResults))
		one.Rank = int64(len(v.EssayResults) + 1)
		v.EssayResults = append(v.EssayResults, one)
		out, err := v.MarshalJSON()
		if err != nil {
			b.Fatal(err)
		}
		if len(out) >= 2000 {
			return out
		}
	}
}

// Decoding and validating with generated code must not take longer than with
// encoding/json and hand-written checks.
func BenchmarkDecodeAndValidate(b *testing.B) {
	input := twoKilobytes(b)
	b.Run("generated", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		b.ReportAllocs()
		for b.Loop() {
			var v events.AssessmentResultV1
			if err := v.UnmarshalJSON(input); err != nil {
				b.Fatal(err)
			}
			if err := v.Validate(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		b.ReportAllocs()
		for b.Loop() {
			var v handWritten
			if err := json.Unmarshal(input, &v); err != nil {
				b.Fatal(err)
			}
			if err := v.validate(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	input := twoKilobytes(b)
	var generated events.AssessmentResultV1
	var byHand handWritten
	if err := errors.Join(json.Unmarshal(input, &generated), json.Unmarshal(input, &byHand)); err != nil {
		b.Fatal(err)
	}
	b.Run("generated", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := generated.MarshalJSON(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(input)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&byHand); err != nil {
				b.Fatal(err)
			}
		}
	})
}
