package endtoend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox/redisinbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// oldEnvelope is an event as a service in Python writes it into event_data: the dump of
// its envelope, without the topic and the headers that it adds for the relay.
func oldEnvelope(id uuid.UUID, number int) string {
	return fmt.Sprintf(`{"event_id": %q, "event_type": "grading.essay.graded.v1", "event_timestamp": "2026-03-09T09:15:27.201944Z", `+
		`"source_service": "grading_service", "schema_version": 1, "correlation_id": "3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11", "data_schema_uri": null, `+
		`"data": {"batch_id": "b-1", "essay_id": "018fd0a0-0000-7000-8000-000000000001", "number": %d, "score": 0.5, "grade": "C", `+
		`"graded_at": "2026-03-09T09:15:27Z", "comment": "\u00e5 {\"topic\": 1}"}, "metadata": null`, id, number)
}

// insertOld inserts events as such a service does: with the columns of its own table,
// and the topic in event_data. The first event has the number first. Each is inserted
// twice, as by a job that makes event ids from business data and was repeated after a
// crash. It returns event_data of all rows.
func (p *path) insertOld(first int, ids ...uuid.UUID) (data []string) {
	p.t.Helper()
	// The upgrade of an older table leaves the column open for such writers.
	_, err := p.pg.Pool.Exec(p.t.Context(), `alter table event_outbox alter column topic drop not null`)
	must(p.t, err)
	for i, id := range ids {
		for range 2 {
			data = append(data, oldEnvelope(id, first+i)+
				`, "topic": "`+topic+`", "headers": {"trace_id": "of the headers", "tenant": "sk\u00e5ne", "attempt": 1, "tags": ["a"]}}`)
			_, err := p.pg.Pool.Exec(p.t.Context(), `insert into event_outbox (aggregate_id, aggregate_type, event_type, event_key, event_data)
				values ('b-1', 'batch', 'EssayGraded', 'b-1', $1)`, data[len(data)-1])
			must(p.t, err)
		}
	}
	return data
}

// An event of a writer that fills no headers has the same identity in the record's
// headers, in its body, and in both inboxes. An event that was inserted twice is
// handled once.
func TestOldWritersEventsAreHandledOnce(t *testing.T) {
	each(t, func(p *path) {
		ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
		data := p.insertOld(1, ids...)
		p.relay()
		p.published(6)

		type sent struct {
			ID, Type, Trace, Tenant, Attempt, Tags, Value string
			Compression                                   uint8
		}
		var want, got []sent
		for i, value := range data {
			want = append(want, sent{ids[i/2].String(), topic, "3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11", "skåne", "1", "", value, 0})
		}
		for _, r := range p.records(topic) {
			got = append(got, sent{header(r, "event_id"), header(r, "event_type"), header(r, "trace_id"), header(r, "tenant"),
				header(r, "attempt"), header(r, "tags"), string(r.Value), r.Attrs.CompressionType()})
		}
		equal(p.t, "the records", want, got)

		p.consume(p.journal(), topic)
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{services.Redis(p.t).Addr}})
		must(p.t, err)
		p.t.Cleanup(client.Close)
		in, err := redisinbox.New(client, "mailer", redisinbox.Options{Logger: quiet()})
		must(p.t, err)
		handled := make(chan uuid.UUID, 2*len(data))
		router := consume.NewRouter(consume.Use(in.Once), consume.OnUnknown(consume.Fail))
		events.OnEssayGradedV1(router, func(_ context.Context, e outbox.Envelope[events.EssayGradedV1]) error {
			handled <- e.EventID
			return nil
		})
		p.consume(router, topic)

		// There is one partition, so when the last event is handled, the repeats before
		// it were read.
		last := uuid.New()
		p.insertOld(4, last)
		p.handled(4)
		var byRedis []uuid.UUID
		for len(byRedis) == 0 || byRedis[len(byRedis)-1] != last {
			select {
			case id := <-handled:
				byRedis = append(byRedis, id)
			case <-time.After(patience):
				p.t.Fatalf("only %v were handled", byRedis)
			}
		}
		equal(p.t, "what the consumer with the Redis inbox handled", append(ids, last), byRedis)
		p.requireNothingCounted()
	}, topic)
}

// With StripRouting the record's value is the writer's own envelope.
func TestRoutingOfOldWritersIsStripped(t *testing.T) {
	k := services.KFake(t)
	k.CreateTopic(t, topic, 3)
	p := newPath(t, services.Postgres(t), k, nil)
	id := uuid.New()
	p.insertOld(1, id)
	p.relay(func(c *relay.Config) { c.StripRouting = true })
	p.published(2)
	var got []string
	for _, r := range p.records(topic) {
		got = append(got, string(r.Value))
		if tenant := header(r, "tenant"); tenant != "skåne" {
			t.Errorf("the header tenant is %q", tenant)
		}
	}
	value := oldEnvelope(id, 1) + "}"
	equal(t, "the records", []string{value, value}, got)
}

// Rows whose event_data lacks headers are sent with the values of their columns, and
// stop no other rows.
func TestOldWritersMistakesStopNothing(t *testing.T) {
	k := services.KFake(t)
	k.CreateTopic(t, topic, 3)
	p := newPath(t, services.Postgres(t), k, nil)
	deep := strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000)
	data := []string{
		`[]`, `"text"`, `7`, `null`, `{}`,
		`{"event_id": 7, "event_type": {}, "correlation_id": [], "headers": "none"}`,
		`{"event_id": "00000000-0000-0000-0000-000000000000", "event_type": "", "headers": {"": "x", "a": {"b": "c"}}}`,
		`{"event_type": "\ud800", "headers": {"half": "\udc00", "nul": "\u0000"}}`,
		`{"headers": {"deep": ` + deep + `}, "x": ` + deep + `}`,
		`{"headers": {"huge": "` + strings.Repeat("x", 400_000) + `"}}`,
	}
	type sent struct{ ID, Value string }
	var want []sent
	for _, text := range data {
		id := uuid.New()
		_, err := p.pg.Pool.Exec(t.Context(), `insert into event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			values ($1, 'b-1', 'batch', 'EssayGraded', $2, 'b-1', $3::json)`, id, topic, text)
		must(t, err)
		want = append(want, sent{id.String(), text})
	}
	watch := &leftOutWatch{}
	p.relay(func(c *relay.Config) { c.Observer = watch })
	p.published(len(data))
	var got []sent
	for _, r := range p.records(topic) {
		got = append(got, sent{header(r, "event_id"), string(r.Value)})
		if !json.Valid(r.Value) {
			t.Errorf("%s is not JSON", r.Value)
		}
	}
	equal(t, "the records", want, got)
	p.requireNothingCounted()
	if n := watch.n.Load(); n != 10 {
		t.Errorf("%d headers were left out, want 10", n)
	}
}

// leftOutWatch counts the headers that a relay left out.
type leftOutWatch struct {
	relay.NopObserver
	n atomic.Int64
}

func (w *leftOutWatch) HeadersLeftOut(headers int) { w.n.Add(int64(headers)) }
