package golden_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

// handWrittenEnvelope is the envelope of an event, as written by hand for
// encoding/json.
type handWrittenEnvelope struct {
	EventID        uuid.UUID                  `json:"event_id"`
	EventType      string                     `json:"event_type"`
	EventTimestamp time.Time                  `json:"event_timestamp"`
	SourceService  string                     `json:"source_service"`
	SchemaVersion  int                        `json:"schema_version"`
	CorrelationID  string                     `json:"correlation_id"`
	DataSchemaURI  *string                    `json:"data_schema_uri"`
	Data           *handWritten               `json:"data"`
	Metadata       map[string]json.RawMessage `json:"metadata"`
}

func (h *handWrittenEnvelope) validate(eventType string) error {
	switch {
	case h.EventID == uuid.Nil, h.EventTimestamp.IsZero(), h.SourceService == "", h.CorrelationID == "", h.Data == nil:
		return errors.New("the envelope is incomplete")
	case h.EventType != eventType:
		return fmt.Errorf("the record is a %q", h.EventType)
	case h.SchemaVersion != 1:
		return fmt.Errorf("the envelope has version %d", h.SchemaVersion)
	}
	return h.Data.validate()
}

// record is a record of the relay: an envelope of about 2 kB with metadata, and
// headers.
func record(b *testing.B) (value []byte, headers []outbox.Header, eventType string) {
	b.Helper()
	var data events.AssessmentResultV1
	if err := json.Unmarshal(twoKilobytes(b), &data); err != nil {
		b.Fatal(err)
	}
	data.EssayResults = data.EssayResults[:len(data.EssayResults)-2] // the envelope takes their place
	row, err := data.NewRow(b.Context(), outbox.WithMetadata("tenant", "north"), outbox.WithMetadata("attempt", 3),
		outbox.WithCausationID(uuid.NewString()), outbox.WithCorrelationID(uuid.NewString()))
	if err != nil {
		b.Fatal(err)
	}
	var object map[string]string
	if err := json.Unmarshal(row.Headers, &object); err != nil {
		b.Fatal(err)
	}
	headers = []outbox.Header{{Key: "event_id", Value: []byte(row.ID.String())}, {Key: "event_type", Value: []byte(row.EventType)}}
	for name, value := range object {
		headers = append(headers, outbox.Header{Key: name, Value: []byte(value)})
	}
	return row.Data, headers, row.EventType
}

// inTurn runs two functions in turn, so that the load of the machine affects both. It
// reports the time of each and the ratio of the first to the second.
func inTurn(b *testing.B, ours, theirs func() error) {
	b.Helper()
	var took [2]time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		for i, do := range []func() error{ours, theirs} {
			start := time.Now()
			for range 20 { // so many that the clock costs little
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
			took[i] += time.Since(start)
		}
	}
	calls := float64(20 * rounds)
	b.ReportMetric(0, "ns/op") // it is of both together, and says nothing
	b.ReportMetric(float64(took[0].Nanoseconds())/calls, "generated-ns")
	b.ReportMetric(float64(took[1].Nanoseconds())/calls, "encoding-json-ns")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ratio")
}

// A consumer decodes a whole record and validates its data. The ratio must not
// be above 1.
func BenchmarkDecodeEnvelope(b *testing.B) {
	value, headers, eventType := record(b)
	ours := func() error {
		e, err := events.DecodeAssessmentResultV1(value, headers...)
		if err != nil {
			return err
		}
		return e.Data.Validate()
	}
	theirs := func() error {
		var e handWrittenEnvelope
		if err := json.Unmarshal(value, &e); err != nil {
			return err
		}
		return e.validate(eventType)
	}
	b.Run("ratio", func(b *testing.B) { inTurn(b, ours, theirs) })
	b.Run("generated", func(b *testing.B) { alone(b, len(value), ours) })
	b.Run("encoding-json", func(b *testing.B) { alone(b, len(value), theirs) })
}

func BenchmarkEncodeEnvelope(b *testing.B) {
	value, headers, _ := record(b)
	generated, err := events.DecodeAssessmentResultV1(value, headers...)
	var byHand handWrittenEnvelope
	if err := errors.Join(err, json.Unmarshal(value, &byHand)); err != nil {
		b.Fatal(err)
	}
	ours := func() error {
		_, err := generated.MarshalJSON()
		return err
	}
	theirs := func() error {
		_, err := json.Marshal(&byHand)
		return err
	}
	b.Run("ratio", func(b *testing.B) { inTurn(b, ours, theirs) })
	b.Run("generated", func(b *testing.B) { alone(b, len(value), ours) })
	b.Run("encoding-json", func(b *testing.B) { alone(b, len(value), theirs) })
}

// alone counts the bytes and allocations of one function.
func alone(b *testing.B, size int, do func() error) {
	b.Helper()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
}
