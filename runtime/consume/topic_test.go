package consume_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// foreign is a record of a producer that does not use outboxgen.
func foreign(value string, headers ...string) consume.Message {
	m := consume.Message{
		Topic: "vendor.orders", Partition: 3, Offset: 7, Key: []byte("k"), Value: []byte(value),
		Timestamp: time.UnixMilli(1_790_000_000_123),
	}
	for i := 0; i < len(headers); i += 2 {
		m.Headers = append(m.Headers, outbox.Header{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return m
}

const foreignOrder = `{"order": "7", "cents": 995, "kind": "order.paid.v1", "meta": {"id": "4711", "n": [8, 9]}, "uid": "018fd0a0-0000-7000-8000-000000000001"}`

// handled is what a typed handler got.
type handled struct {
	ID   uuid.UUID
	Time time.Time
	Data orderPaid
}

func TestRecordsOfOtherProducers(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_790_000_000_123).UTC()
	order := orderPaid{Order: "7", Cents: 995}
	for name, tc := range map[string]struct {
		options consume.TopicOptions
		m       consume.Message
		want    []handled
		err     string
		skipped uint64
	}{
		"by topic, without headers": {
			options: consume.TopicOptions{EventType: "order.paid.v1"}, m: foreign(foreignOrder),
			want: []handled{{uuid.MustParse("1c21a8df-5803-5071-8ce1-3ebd33fe94f5"), at, order}},
		},
		"a header event_id": {
			options: consume.TopicOptions{EventType: "order.paid.v1"}, m: foreign(foreignOrder, "event_id", eventID.String()),
			want: []handled{{eventID, at, order}},
		},
		"headers with another meaning": {
			options: consume.TopicOptions{EventType: "order.paid.v1", IDFrom: consume.FromJSON("/uid")},
			m:       foreign(foreignOrder, "event_type", "PAID", "event_id", "17", "schema_version", "2", "occurred_at", "yesterday"),
			want:    []handled{{eventID, at, order}},
		},
		"its time is a header": {
			options: consume.TopicOptions{EventType: "order.paid.v1", IDFrom: consume.FromJSON("/uid")},
			m:       foreign(foreignOrder, "occurred_at", "2026-01-02T03:04:05Z"),
			want:    []handled{{eventID, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), order}},
		},
		"an id that is no UUID": {
			options: consume.TopicOptions{EventType: "order.paid.v1", IDFrom: consume.FromJSON("/meta/id")}, m: foreign(foreignOrder),
			want: []handled{{uuid.MustParse("5e4ead3a-7198-5784-ae63-8f4d59858c2c"), at, order}},
		},
		"the same id in a header": {
			options: consume.TopicOptions{EventType: "order.paid.v1", IDFrom: consume.FromHeader("x-id")}, m: foreign(foreignOrder, "x-id", "4711"),
			want: []handled{{uuid.MustParse("5e4ead3a-7198-5784-ae63-8f4d59858c2c"), at, order}},
		},
		"a number in an array": {
			options: consume.TopicOptions{EventType: "order.paid.v1", IDFrom: consume.FromJSON("/meta/n/1")}, m: foreign(foreignOrder),
			want: []handled{{uuid.MustParse("fddd0f39-4499-5077-a0a6-97b062867cbe"), at, order}},
		},
		"the type is a member": {
			options: consume.TopicOptions{TypeFrom: consume.FromJSON("/kind"), IDFrom: consume.FromJSON("/uid")}, m: foreign(foreignOrder),
			want: []handled{{eventID, at, order}},
		},
		"another type": {
			options: consume.TopicOptions{TypeFrom: consume.FromHeader("ce_type")}, m: foreign(foreignOrder, "ce_type", "order.gone.v1"), skipped: 1,
		},
		"no type": {
			options: consume.TopicOptions{TypeFrom: consume.FromHeader("ce_type")}, m: foreign(`not JSON`), skipped: 1,
		},
		"no id where it is read": {
			options: consume.TopicOptions{EventType: "order.paid.v1", IDFrom: consume.FromHeader("x-id")}, m: foreign(foreignOrder),
			err: "consume: decode record vendor.orders/3@7 type=order.paid.v1: the event has no id where TopicOptions.IDFrom of topic vendor.orders reads it; " +
				"read another value of the record, or leave out IDFrom to use the record's position",
		},
		"an id that is an object": {
			options: consume.TopicOptions{EventType: "order.paid.v1", IDFrom: consume.FromJSON("/meta")}, m: foreign(foreignOrder),
			err: "consume: decode record vendor.orders/3@7 type=order.paid.v1: read the event id: /meta is neither a string nor a number; " +
				"regenerate from the producer's schema if it has a newer version, or skip the record",
		},
		"the nil UUID": {
			options: consume.TopicOptions{EventType: "order.paid.v1"}, m: foreign(foreignOrder, "event_id", uuid.Nil.String()),
			err: "consume: decode record vendor.orders/3@7 type=order.paid.v1 event_id=00000000-0000-0000-0000-000000000000: the event id is the nil UUID; " +
				"set TopicOptions.IDFrom to a value that differs in each event",
		},
		"an attribute that panics": {
			options: consume.TopicOptions{TypeFrom: func(consume.Message) (string, error) { panic("boom") }}, m: foreign(foreignOrder),
			err: "consume: decode record vendor.orders/3@7: read the event type: panic: boom; " +
				"regenerate from the producer's schema if it has a newer version, or skip the record",
		},
		"only the id is described": {
			options: consume.TopicOptions{IDFrom: consume.FromJSON("/uid")}, m: foreign(foreignOrder, "event_type", "order.paid.v1"),
			want: []handled{{eventID, at, order}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, _ := textLog()
			for _, batches := range []bool{false, true} {
				r := consume.NewRouter(consume.ForTopic("vendor.orders", tc.options), consume.Logger(log))
				var got []handled
				if batches {
					consume.OnBatch(r, onOrderPaid, consume.BatchOptions{}, func(_ context.Context, batch []outbox.Envelope[orderPaid]) error {
						for _, e := range batch {
							got = append(got, handled{e.EventID, e.EventTimestamp, e.Data})
						}
						return nil
					})
				} else {
					onOrderPaid(r, func(_ context.Context, e outbox.Envelope[orderPaid]) error {
						got = append(got, handled{e.EventID, e.EventTimestamp, e.Data})
						return nil
					})
				}
				var err error
				if b, _ := r.Batch(tc.m); b != nil { // as package kafka does
					err = b.Dispatch(t.Context(), []consume.Message{tc.m}).Err
				} else {
					err = r.Dispatch(t.Context(), tc.m)
				}
				said := ""
				if err != nil {
					said = err.Error()
				}
				if diff := cmp.Diff(tc.err, said); diff != "" {
					t.Errorf("batches %v: error (-want +got):\n%s", batches, diff)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("batches %v: handled (-want +got):\n%s", batches, diff)
				}
				if n := r.Counts().SkippedUnknown; n != tc.skipped {
					t.Errorf("batches %v: %d records were skipped, want %d", batches, n, tc.skipped)
				}
			}
		})
	}
}

func onOrderPaid(r gen.Router, handle func(context.Context, outbox.Envelope[orderPaid]) error) {
	gen.On(r, orderPaidType(gen.EnvelopeNone), handle)
}

// The same record has the same id. Another record, and the record at the same place of a
// topic that was created again, have another one.
func TestIDsFromPositions(t *testing.T) {
	t.Parallel()
	ids := map[uuid.UUID]int{}
	r := consume.NewRouter(
		consume.ForTopic("vendor.orders", consume.TopicOptions{EventType: "order.paid.v1"}),
		consume.ForTopic("vendor.others", consume.TopicOptions{EventType: "order.paid.v1"}),
		// Middleware, such as that of redisinbox, gets the same id.
		consume.Use(func(next consume.Handler) consume.Handler {
			return func(ctx context.Context, m consume.Message) error {
				id, err := m.EventID()
				if err != nil {
					return err
				}
				ids[id]++
				return next(ctx, m)
			}
		}))
	onOrderPaid(r, func(_ context.Context, e outbox.Envelope[orderPaid]) error {
		ids[e.EventID]++
		return nil
	})
	m := foreign(foreignOrder)
	next, partition, recreated, other, again := m, m, m, m, m
	next.Offset++
	partition.Partition++
	recreated.Timestamp = recreated.Timestamp.Add(time.Millisecond)
	other.Topic = "vendor.others"
	again.Offset, again.Timestamp = 99, again.Timestamp.Add(time.Hour) // outboxrelay redrive sent it back
	again.Headers = []outbox.Header{{Key: "outbox_redrive_position", Value: []byte("vendor.orders/3/7/1790000000123")}}
	for _, m := range []consume.Message{m, m, next, partition, recreated, other, again} {
		if err := r.Dispatch(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[int]int{}
	for _, n := range ids {
		seen[n]++
	}
	if diff := cmp.Diff(map[int]int{6: 1, 2: 4}, seen); diff != "" {
		t.Errorf("ids by how often middleware and handler got them (-want +got):\n%s", diff)
	}
}

// The type of a topic selects the handler of a tombstone, too.
func TestTombstonesOfOtherProducers(t *testing.T) {
	t.Parallel()
	r := consume.NewRouter(consume.ForTopic("vendor.orders", consume.TopicOptions{EventType: "order.paid.v1"}))
	var keys []string
	gen.OnTombstone(r, orderPaidType(gen.EnvelopeNone), gen.KeyString[string], func(_ context.Context, key string) error {
		keys = append(keys, key)
		return nil
	})
	m := foreign("")
	m.Value = nil
	if err := r.Dispatch(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"k"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// An error of a record that its producer did not describe says what to do.
func TestErrorsOfRecordsWithoutTypeOrID(t *testing.T) {
	t.Parallel()
	const remedy = "; if its producer does not use outboxgen, describe the topic with consume.ForTopic"
	for name, tc := range map[string]struct {
		m    consume.Message
		want string
	}{
		"no type":  {foreign(foreignOrder), "neither the header event_type nor the body says what type of event this is" + remedy},
		"not JSON": {foreign("text"), "there is no header event_type, and the body is not an event envelope: invalid character 'e' in literal true (expecting 'r')" + remedy},
		"no id":    {foreign(foreignOrder, "event_type", "order.paid.v1"), "the event has no id, neither in its envelope nor in its headers" + remedy},
	} {
		r := consume.NewRouter()
		onOrderPaid(r, func(context.Context, outbox.Envelope[orderPaid]) error { return nil })
		err := r.Dispatch(t.Context(), tc.m)
		if _, ok := errors.AsType[*consume.DecodeError](err); !ok {
			t.Errorf("%s: the error is a %T", name, err)
			continue
		}
		record := tc.m.Record().String()
		if diff := cmp.Diff("consume: decode record "+record+": "+tc.want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	r := consume.NewRouter(consume.OnUnknown(consume.Fail), consume.ForTopic("vendor.orders", consume.TopicOptions{TypeFrom: consume.FromHeader("ce_type")}))
	want := "consume: record vendor.orders/3@7 event_id=1c21a8df-5803-5071-8ce1-3ebd33fe94f5: the record does not say its event type; " +
		"read the type from another place with TopicOptions.TypeFrom, or make the router with OnUnknown(Skip)"
	if diff := cmp.Diff(want, r.Dispatch(t.Context(), foreign(`{}`)).Error()); diff != "" {
		t.Errorf("no type under Fail (-want +got):\n%s", diff)
	}
}

func TestTopicOptionsThatContradict(t *testing.T) {
	t.Parallel()
	for want, option := range map[string]func(){
		"consume: ForTopic: the topic is empty": func() { consume.ForTopic("", consume.TopicOptions{}) },
		`consume: ForTopic: the options of topic "t" have both EventType and TypeFrom; set one of them`: func() {
			consume.ForTopic("t", consume.TopicOptions{EventType: "e", TypeFrom: consume.FromHeader("h")})
		},
		`consume: ForTopic: topic "t" has options already`: func() {
			consume.NewRouter(consume.ForTopic("t", consume.TopicOptions{}), consume.ForTopic("t", consume.TopicOptions{}))
		},
		`consume: FromJSON: "id" is not a JSON Pointer: it must begin with /`: func() { consume.FromJSON("id") },
	} {
		func() {
			defer func() {
				if diff := cmp.Diff(any(want), recover()); diff != "" {
					t.Errorf("panic (-want +got):\n%s", diff)
				}
			}()
			option()
		}()
	}
}
