package endtoend_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	delivery "github.com/outboxgen/outboxgen/testdata/golden/delivery/events"
	huleedu "github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// pair is a header.
type pair struct{ Name, Value string }

// pairs has the members of a JSON object of strings, in order.
func pairs(t *testing.T, object *string) (list []pair) {
	t.Helper()
	if object == nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(*object))
	next := func() any {
		token, err := d.Token()
		must(t, err)
		return token
	}
	next() // {
	for d.More() {
		name, value := next().(string), next().(string)
		list = append(list, pair{name, value})
	}
	return list
}

// wireRow has what a record and its row share.
type wireRow struct {
	Topic, Value string
	Key          *string
	Headers      []pair
}

func ofRecord(r *kgo.Record) wireRow {
	w := wireRow{Topic: r.Topic, Value: string(r.Value)}
	if r.Key != nil {
		key := string(r.Key)
		w.Key = &key
	}
	for _, h := range r.Headers {
		w.Headers = append(w.Headers, pair{h.Key, string(h.Value)})
	}
	return w
}

func (p *path) ofRow(r row) wireRow {
	own := []pair{{"event_id", r.ID.String()}, {"event_type", r.EventType}}
	return wireRow{Topic: r.Topic, Value: r.Data, Key: r.Key, Headers: append(own, pairs(p.t, r.Headers)...)}
}

var (
	span = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xa1, 15: 1}, SpanID: trace.SpanID{0xb2, 7: 2}, TraceFlags: trace.FlagsSampled,
	})
	essay   = events.EssayGradedV1{BatchID: "b-1", EssayID: uuid.UUID{1}, Number: 1, Score: 0.75, Grade: events.GradeC, GradedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	unkeyed = delivery.UnkeyedV1{ID: uuid.UUID{2}, Number: 9007199254740993, Nick: outbox.Null[string](), Kind: "one", Part: delivery.UnkeyedV1Part{Key: "x"}}
	cloud   = delivery.CloudV1{ID: uuid.UUID{3}, Number: -1, Kind: "two", Nick: outbox.Value("corr-of-the-data"), Part: delivery.CloudV1Part{Key: "y"}}
	bare    = delivery.BareV1{ID: uuid.UUID{4}, Kind: "one", Part: delivery.BareV1Part{Key: "z"}}
	phase   = huleedu.SpellcheckPhaseCompletedV1{
		EntityID: "essay-1", BatchID: "batch-1", CorrelationID: "3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11", Status: "completed",
		CorrectedTextStorageID: outbox.Null[string](), ProcessingDurationMs: 12, Timestamp: time.Date(2026, 3, 1, 12, 0, 0, 5000, time.UTC),
	}
)

// awkward stays unchanged only if nothing parses and writes it again: white space, a
// repeated member, escapes, a number beyond float64.
const awkward = "{ \"event_type\" : \"old.v1\",\n\t\"n\": 1.10, \"n\": 12345678901234567890123, \"s\": \"\\u0041\\/<&>\u2028\" }"

// insertOfEveryKind inserts events in one transaction, in every way, and returns their
// number.
func (p *path) insertOfEveryKind() int {
	p.t.Helper()
	ctx := trace.ContextWithSpanContext(p.t.Context(), span)
	essay := essay
	comment := "<b>5 & 6</b> \u2028 åäö 🎓 \"\\"
	essay.Comment = &comment
	err := p.ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		if err := events.InsertEssayGradedV1(ctx, tx, essay, outbox.WithID(uuid.UUID{9}),
			outbox.WithCorrelationID("c-1"), outbox.WithCausationID("command-7"),
			outbox.WithTime(time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))),
			outbox.WithHeader("tenant", "skola ö"), outbox.WithHeader("empty", ""), outbox.WithMetadata("user", 7)); err != nil {
			return err
		}
		if err := delivery.InsertUnkeyedV1(ctx, tx, unkeyed); err != nil {
			return err
		}
		var batch pgx.Batch
		if err := huleedu.QueueSpellcheckPhaseCompletedV1(ctx, &batch, phase); err != nil {
			return err
		}
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		return events.InsertAll(ctx, tx, essay, unkeyed, cloud, bare, phase)
	})
	must(p.t, err)
	_, err = p.pg.Pool.Exec(ctx, `insert into event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		values ('1', 'old', 'old.v1', $1, 'old', $2)`, topic, json.RawMessage(awkward))
	must(p.t, err)
	return 9
}

var everyTopic = []string{topic, "golden.unkeyed.v1", "golden.cloud.v1", "golden.bare.v1", "huleedu.batch.spellcheck.phase.completed.v1"}

// A record has the bytes of event_data, the key or none, the headers that the
// relay adds and those of the row, and nothing else.
func TestRecordsAreTheirRows(t *testing.T) {
	each(t, func(p *path) {
		n := p.insertOfEveryKind()
		p.relay()
		p.published(n)

		want, got := map[string]wireRow{}, map[string]wireRow{}
		byID := map[string]row{}
		for _, r := range p.rows() {
			want[r.ID.String()], byID[r.ID.String()] = p.ofRow(r), r
		}
		records := p.records(everyTopic...)
		for _, r := range records {
			got[header(r, "event_id")] = ofRecord(r)
		}
		equal(p.t, "the records", want, got)
		if len(records) != n {
			p.t.Errorf("%d records, want %d", len(records), n)
		}

		// One of them, written out in full.
		id := uuid.UUID{9}.String()
		key := "b-1"
		equal(p.t, "the record with every option", wireRow{
			Topic: topic, Key: &key,
			Value: `{"event_id":"` + id + `","event_type":"grading.essay.graded.v1","event_timestamp":"2026-03-01T12:00:00Z",` +
				`"source_service":"grading_service","schema_version":1,"correlation_id":"c-1",` +
				`"data_schema_uri":"https://schemas.grading.example/essay_graded.v1",` +
				`"data":{"batch_id":"b-1","essay_id":"01000000-0000-0000-0000-000000000000","number":1,"score":0.75,"grade":"C",` +
				`"comment":"<b>5 & 6</b> \u2028 åäö 🎓 \"\\","graded_at":"2026-03-01T12:00:00Z"},` +
				`"metadata":{"causation_id":"command-7","user":7}}`,
			Headers: []pair{
				{"event_id", id}, {"event_type", "grading.essay.graded.v1"},
				{"trace_id", "c-1"}, {"causation_id", "command-7"}, {"source_service", "grading_service"},
				{"schema_version", "1"}, {"occurred_at", "2026-03-01T12:00:00Z"}, {"content_type", "application/json"},
				{"traceparent", "00-a1000000000000000000000000000001-b200000000000002-01"},
				{"tenant", "skola ö"}, {"empty", ""},
			},
		}, got[id])
		for id, r := range byID {
			w := got[id]
			switch r.EventType {
			case "golden.unkeyed.v1":
				if w.Key != nil {
					p.t.Errorf("an event without key has the key %q", *w.Key)
				}
			case "old.v1":
				equal(p.t, "the row written by hand", awkward, w.Value)
			}
		}
	}, everyTopic...)
}

// decoded decodes a record with the generated package of its type and writes the
// envelope again.
func decoded(t *testing.T, r *kgo.Record) (document []byte, ok bool) {
	t.Helper()
	headers := make([]outbox.Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = outbox.Header(h)
	}
	again := func(e json.Marshaler, err error) ([]byte, bool) {
		t.Helper()
		must(t, err)
		text, err := e.MarshalJSON()
		must(t, err)
		return text, true
	}
	switch header(r, "event_type") {
	case "grading.essay.graded.v1":
		return again(wrap(events.DecodeEssayGradedV1(r.Value, headers...)))
	case "golden.unkeyed.v1":
		return again(wrap(delivery.DecodeUnkeyedV1(r.Value, headers...)))
	case "golden.cloud.v1":
		return again(wrap(delivery.DecodeCloudV1(r.Value, headers...)))
	case "golden.bare.v1":
		return again(wrap(delivery.DecodeBareV1(r.Value, headers...)))
	case "huleedu.batch.spellcheck.phase.completed.v1":
		return again(wrap(huleedu.DecodeSpellcheckPhaseCompletedV1(r.Value, headers...)))
	}
	return nil, false
}

func wrap[T any](e outbox.Envelope[T], err error) (json.Marshaler, error) { return e, err }

// The generated package decodes and encodes every event without a change, and the
// generated handlers get what was inserted.
func TestEnvelopesSurviveARoundTrip(t *testing.T) {
	each(t, func(p *path) {
		n := p.insertOfEveryKind()
		p.relay()
		p.published(n)
		written := 0
		for _, r := range p.records(everyTopic...) {
			if text, ok := decoded(p.t, r); ok {
				written++
				equal(p.t, "the envelope decoded and written again", string(r.Value), string(text))
			}
		}
		equal(p.t, "envelopes written again", n-1, written)

		got := make(chan any, 2*n)
		router := consume.NewRouter(consume.OnUnknown(consume.Skip))
		events.OnEssayGradedV1(router, taken[events.EssayGradedV1](got))
		delivery.OnUnkeyedV1(router, taken[delivery.UnkeyedV1](got))
		delivery.OnCloudV1(router, taken[delivery.CloudV1](got))
		delivery.OnBareV1(router, taken[delivery.BareV1](got))
		huleedu.OnSpellcheckPhaseCompletedV1(router, taken[huleedu.SpellcheckPhaseCompletedV1](got))
		p.consume(router, everyTopic...)
		counts := map[string]int{}
		timeout := time.After(patience)
		for range n - 1 {
			select {
			case v := <-got:
				switch v := v.(type) {
				case outbox.Envelope[events.EssayGradedV1]:
					counts["essay"]++
					v.Data.Comment = nil
					equal(p.t, "essay", essay, v.Data)
				case outbox.Envelope[delivery.UnkeyedV1]:
					counts["unkeyed"]++
					equal(p.t, "unkeyed", unkeyed, v.Data)
				case outbox.Envelope[delivery.CloudV1]:
					counts["cloud"]++
					equal(p.t, "cloud", cloud, v.Data)
					equal(p.t, "correlation id from the data", "corr-of-the-data", v.CorrelationID)
				case outbox.Envelope[delivery.BareV1]:
					counts["bare"]++
					equal(p.t, "bare", bare, v.Data)
				case outbox.Envelope[huleedu.SpellcheckPhaseCompletedV1]:
					counts["phase"]++
					equal(p.t, "phase", phase, v.Data)
					equal(p.t, "correlation id from the data", phase.CorrelationID, v.CorrelationID)
				}
			case <-timeout:
				p.t.Fatalf("after %s only %v were handled", patience, counts)
			}
		}
		equal(p.t, "handled", map[string]int{"essay": 2, "unkeyed": 2, "cloud": 1, "bare": 1, "phase": 2}, counts)
	}, everyTopic...)
}

// taken sends envelopes to the channel.
func taken[T any](to chan<- any) func(context.Context, outbox.Envelope[T]) error {
	return func(_ context.Context, e outbox.Envelope[T]) error {
		to <- e
		return nil
	}
}
