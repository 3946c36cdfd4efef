package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	huleedu "github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

// codecTime is how long one measurement decodes.
const codecTime = 300 * time.Millisecond

func codecVariants(ctx context.Context, _ *lab) ([]variant, error) {
	value, err := assessment(ctx)
	if err != nil {
		return nil, err
	}
	timed := func(decode func([]byte) error) func(context.Context) ([]float64, error) {
		return func(context.Context) ([]float64, error) {
			n, start := 0, time.Now()
			for ; n%100 != 0 || time.Since(start) < codecTime; n++ {
				if err := decode(value); err != nil {
					return nil, err
				}
			}
			return []float64{float64(time.Since(start)) / float64(n) / float64(time.Microsecond)}, nil
		}
	}
	return []variant{
		{name: "encoding/json, own checks", label: bareLabel, measure: timed(decodeByHand)},
		{name: "generated", label: "generated", measure: timed(func(value []byte) error {
			e, err := huleedu.DecodeAssessmentResultV1(value)
			if err != nil {
				return err
			}
			return e.Data.Validate()
		})},
	}, nil
}

// assessment is an envelope of about 2 kB.
func assessment(ctx context.Context) ([]byte, error) {
	const essays = 5
	now := time.Now().UTC()
	data := huleedu.AssessmentResultV1{
		EventName: "assessment.result.published", EntityID: outbox.Value("batch-17"), EntityType: outbox.Value("batch"),
		Timestamp: now, BatchID: "batch-17", CJAssessmentJobID: uuid.NewString(), AssessmentMethod: "cj_assessment",
		ModelUsed: "some-model", ModelProvider: "some-provider", AssignmentID: outbox.Null[string](), AssessedAt: now,
	}
	anchor := false
	for rank := range essays {
		data.EssayResults = append(data.EssayResults, huleedu.EssayResult{
			EssayID: uuid.NewString(), NormalizedScore: 0.8125, LetterGrade: "B+", ConfidenceScore: 0.75,
			ConfidenceLabel: huleedu.ConfidenceLabelHigh, BtScore: 1.375, Rank: int64(rank + 1), IsAnchor: &anchor,
			FeedbackURI: outbox.Value("store://feedback/" + uuid.NewString()), DisplayName: outbox.Null[string](),
		})
	}
	row, err := data.NewRow(ctx)
	return row.Data, err
}

// The structs and checks that one writes by hand for this event.
type (
	handEnvelope struct {
		EventID       uuid.UUID      `json:"event_id"`
		EventType     string         `json:"event_type"`
		Timestamp     time.Time      `json:"event_timestamp"`
		SourceService string         `json:"source_service"`
		SchemaVersion int            `json:"schema_version"`
		CorrelationID string         `json:"correlation_id"`
		DataSchemaURI *string        `json:"data_schema_uri"`
		Data          handAssessment `json:"data"`
		Metadata      map[string]any `json:"metadata"`
	}
	handAssessment struct {
		EventName          string         `json:"event_name"`
		EntityID           *string        `json:"entity_id"`
		EntityType         *string        `json:"entity_type"`
		ParentID           *string        `json:"parent_id"`
		Timestamp          time.Time      `json:"timestamp"`
		BatchID            string         `json:"batch_id"`
		JobID              string         `json:"cj_assessment_job_id"`
		AssessmentMethod   string         `json:"assessment_method"`
		ModelUsed          string         `json:"model_used"`
		ModelProvider      string         `json:"model_provider"`
		AssignmentID       *string        `json:"assignment_id"`
		ModelVersion       *string        `json:"model_version"`
		EssayResults       []handEssay    `json:"essay_results"`
		AssessmentMetadata map[string]any `json:"assessment_metadata"`
		AssessedAt         time.Time      `json:"assessed_at"`
	}
	handEssay struct {
		EssayID         string  `json:"essay_id"`
		NormalizedScore float64 `json:"normalized_score"`
		LetterGrade     string  `json:"letter_grade"`
		ConfidenceScore float64 `json:"confidence_score"`
		ConfidenceLabel string  `json:"confidence_label"`
		BtScore         float64 `json:"bt_score"`
		Rank            int64   `json:"rank"`
		IsAnchor        *bool   `json:"is_anchor"`
		FeedbackURI     *string `json:"feedback_uri"`
		MetricsURI      *string `json:"metrics_uri"`
		DisplayName     *string `json:"display_name"`
	}
)

var letterGrade = regexp.MustCompile(`^([A-F][+-]?|U)$`)

func decodeByHand(value []byte) error {
	var e handEnvelope
	if err := json.Unmarshal(value, &e); err != nil {
		return err
	}
	a := &e.Data
	switch {
	case e.EventID == uuid.Nil || e.EventType == "" || e.Timestamp.IsZero() || e.SchemaVersion != 1:
		return errors.New("the envelope lacks a member")
	case a.EventName == "" || a.BatchID == "" || a.JobID == "" || a.AssessmentMethod == "" ||
		a.ModelUsed == "" || a.ModelProvider == "" || a.Timestamp.IsZero() || a.AssessedAt.IsZero() || a.EssayResults == nil:
		return errors.New("the data lack a member")
	case a.AssignmentID != nil && utf8.RuneCountInString(*a.AssignmentID) > 100:
		return errors.New("assignment_id is too long")
	}
	for i, r := range a.EssayResults {
		switch {
		case r.EssayID == "":
			return fmt.Errorf("essay %d has no id", i)
		case r.NormalizedScore < 0 || r.NormalizedScore > 1 || r.ConfidenceScore < 0 || r.ConfidenceScore > 1:
			return fmt.Errorf("essay %d has a score beyond 0 to 1", i)
		case !letterGrade.MatchString(r.LetterGrade):
			return fmt.Errorf("essay %d has the grade %q", i, r.LetterGrade)
		case r.ConfidenceLabel != "HIGH" && r.ConfidenceLabel != "MID" && r.ConfidenceLabel != "LOW":
			return fmt.Errorf("essay %d has the confidence %q", i, r.ConfidenceLabel)
		}
	}
	return nil
}
