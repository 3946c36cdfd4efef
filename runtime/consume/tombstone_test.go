package consume_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// A tombstone goes to the handler of its event type, whatever its topic; one without a
// type, or of a type without such a handler, goes to the handler of its topic.
func TestTombstonesOfAnEvent(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	typed := func(eventType string) []outbox.Header {
		return []outbox.Header{{Key: "event_type", Value: []byte(eventType)}, {Key: "event_id", Value: []byte("cause")}, {Key: "trace_id", Value: []byte("corr")}}
	}
	for name, c := range map[string]struct {
		m    consume.Message
		want []string
		err  bool
	}{
		"of the event":                   {m: consume.Message{Topic: "orders", Key: []byte(id.String()), Headers: typed("order.paid.v1")}, want: []string{"event " + id.String() + " corr cause"}},
		"of the event, another topic":    {m: consume.Message{Topic: "tenant-7", Key: []byte(id.String()), Headers: typed("order.paid.v1")}, want: []string{"event " + id.String() + " corr cause"}},
		"without a type":                 {m: consume.Message{Topic: "orders", Key: []byte("7")}, want: []string{"topic 7"}},
		"of another event":               {m: consume.Message{Topic: "orders", Key: []byte("8"), Headers: typed("order.lost.v1")}, want: []string{"topic 8"}},
		"of neither":                     {m: consume.Message{Topic: "bills", Key: []byte("9"), Headers: typed("order.lost.v1")}},
		"a key that does not fit":        {m: consume.Message{Topic: "orders", Key: []byte("7"), Headers: typed("order.paid.v1")}, err: true},
		"no key":                         {m: consume.Message{Topic: "orders", Headers: typed("order.paid.v1")}, err: true},
		"an empty value is no tombstone": {m: consume.Message{Topic: "orders", Key: []byte(id.String()), Value: []byte{}, Headers: typed("order.paid.v1")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := consume.NewRouter()
			if !r.Empty() {
				t.Error("a new router is not empty")
			}
			var got []string
			gen.OnTombstone(r, orderPaidType(gen.EnvelopeOutbox), gen.KeyUUID, func(ctx context.Context, key uuid.UUID) error {
				got = append(got, fmt.Sprintf("event %s %s %s", key, outbox.CorrelationIDFromContext(ctx), outbox.CausationIDFromContext(ctx)))
				return nil
			})
			if r.Empty() {
				t.Error("a router with a handler of tombstones is empty")
			}
			consume.OnTombstone(r, "orders", func(_ context.Context, key string) error {
				got = append(got, "topic "+key)
				return nil
			})
			err := r.Dispatch(t.Context(), c.m)
			if _, ok := errors.AsType[*consume.DecodeError](err); ok != c.err || err != nil && !ok {
				t.Errorf("Dispatch returns %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			skipped := r.Counts().SkippedTombstones
			if want := name == "of neither"; (skipped == 1) != want {
				t.Errorf("%d tombstones were skipped", skipped)
			}
		})
	}
}

// A tombstone without a key deletes nothing, also where the key can be any text.
func TestTombstoneWithoutAKey(t *testing.T) {
	t.Parallel()
	for _, key := range [][]byte{nil, {}} {
		r := consume.NewRouter()
		gen.OnTombstone(r, orderPaidType(gen.EnvelopeOutbox), gen.KeyString[string], func(context.Context, string) error {
			t.Errorf("the handler is called for the key %#v", key)
			return nil
		})
		err := r.Dispatch(t.Context(), consume.Message{
			Topic: "orders", Key: key, Headers: []outbox.Header{{Key: "event_type", Value: []byte("order.paid.v1")}},
		})
		if _, ok := errors.AsType[*consume.DecodeError](err); !ok {
			t.Errorf("Dispatch returns %v for the key %#v", err, key)
		}
	}
}

// The key comes in the type that the schema gives it.
func TestKeysOfTombstones(t *testing.T) {
	t.Parallel()
	type region string
	type number int64
	id := uuid.New()
	for key, parse := range map[string]func(string) (any, error){
		id.String():            func(k string) (any, error) { v, err := gen.KeyUUID(k); return v == id, err },
		"north":                func(k string) (any, error) { v, err := gen.KeyString[region](k); return v == "north", err },
		"-7":                   func(k string) (any, error) { v, err := gen.KeyInt[number](k); return v == -7, err },
		"18446744073709551615": func(k string) (any, error) { v, err := gen.KeyUint(k); return v == 1<<64-1, err },
	} {
		if same, err := parse(key); err != nil || same != true {
			t.Errorf("%s: %v, %v", key, same, err)
		}
	}
	_, notUUID := gen.KeyUUID("x")
	_, notInt := gen.KeyInt[int64]("1.5")
	_, notUint := gen.KeyUint("-1")
	for _, err := range []error{notUUID, notInt, notUint} {
		if err == nil {
			t.Error("a key that does not fit is accepted")
		}
	}
}
