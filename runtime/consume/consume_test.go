package consume_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// orderPaid is what the generator would write for a small schema.
type orderPaid struct {
	Order string
	Cents int64
}

func (o orderPaid) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"order": o.Order, "cents": o.Cents})
}

func (o *orderPaid) UnmarshalJSON(text []byte) error {
	var fields struct {
		Order *string `json:"order"`
		Cents int64   `json:"cents"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	if fields.Order == nil {
		return errors.New("the property order is missing")
	}
	o.Order, o.Cents = *fields.Order, fields.Cents
	return nil
}

func (orderPaid) Validate() error { return nil }

func orderPaidType(kind gen.EnvelopeKind) *gen.EventType[orderPaid] {
	return &gen.EventType[orderPaid]{
		Type: "order.paid.v1", Topic: "orders", Source: "shop", AggregateType: "order", Envelope: kind,
		AggregateID: func(o *orderPaid) (string, error) { return o.Order, nil },
	}
}

// paid returns an order.paid.v1 as the relay would send it.
func paid(t *testing.T, kind gen.EnvelopeKind, id uuid.UUID) consume.Message {
	t.Helper()
	row, err := orderPaidType(kind).NewRow(t.Context(), orderPaid{Order: "7", Cents: 995},
		outbox.WithID(id), outbox.WithCorrelationID("c-1"))
	if err != nil {
		t.Fatal(err)
	}
	var headers map[string]string
	if err := json.Unmarshal(row.Headers, &headers); err != nil {
		t.Fatal(err)
	}
	m := consume.Message{Topic: row.Topic, Partition: 2, Offset: 41, Key: []byte(*row.Key), Value: row.Data}
	headers["event_id"], headers["event_type"] = row.ID.String(), row.EventType // the relay takes them from the row
	for name, value := range headers {
		m.Headers = append(m.Headers, outbox.Header{Key: name, Value: []byte(value)})
	}
	return m
}

var eventID = uuid.MustParse("018fd0a0-0000-7000-8000-000000000001")

func withoutHeaders(m consume.Message) consume.Message {
	m.Headers = nil
	return m
}

func TestTypedHandlers(t *testing.T) {
	t.Parallel()
	for _, kind := range []gen.EnvelopeKind{gen.EnvelopeOutbox, gen.EnvelopeCloudEvents, gen.EnvelopeNone} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			type seen struct {
				ID                     uuid.UUID
				Type                   string
				Data                   orderPaid
				Correlation, Causation string
			}
			var got []seen
			r := consume.NewRouter()
			gen.On(r, orderPaidType(kind), func(ctx context.Context, e outbox.Envelope[orderPaid]) error {
				got = append(got, seen{e.EventID, e.EventType, e.Data,
					outbox.CorrelationIDFromContext(ctx), outbox.CausationIDFromContext(ctx)})
				return nil
			})
			m := paid(t, kind, eventID)
			if err := r.Dispatch(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			want := []seen{{eventID, "order.paid.v1", orderPaid{"7", 995}, "c-1", eventID.String()}}
			if kind != gen.EnvelopeNone { // an envelope has its own fields
				if err := r.Dispatch(t.Context(), withoutHeaders(m)); err != nil {
					t.Fatal(err)
				}
				want = append(want, want[0])
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestWhatAMessageSaysOfItself(t *testing.T) {
	t.Parallel()
	m := paid(t, gen.EnvelopeOutbox, eventID)
	for name, m := range map[string]consume.Message{"headers": m, "body": withoutHeaders(m)} {
		id, err := m.EventID()
		if err != nil || id != eventID {
			t.Errorf("by its %s the id is %v, %v", name, id, err)
		}
		eventType, err := m.EventType()
		if err != nil || eventType != "order.paid.v1" {
			t.Errorf("by its %s the type is %q, %v", name, eventType, err)
		}
		if c := m.CorrelationID(); c != "c-1" {
			t.Errorf("by its %s the correlation id is %q", name, c)
		}
	}
	if _, err := (consume.Message{Value: []byte(`{"event_id": "7"}`)}).EventID(); err == nil {
		t.Error("7 is not a uuid")
	}
	if _, err := (consume.Message{Value: []byte(`{}`)}).EventID(); err == nil {
		t.Error("there is no id")
	}
}

func TestErrorsNameTheRecord(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database is away")
	r := consume.NewRouter(consume.OnUnknown(consume.Fail))
	gen.On(r, orderPaidType(gen.EnvelopeOutbox), func(context.Context, outbox.Envelope[orderPaid]) error { return broken })

	good := paid(t, gen.EnvelopeOutbox, eventID)
	unfit := good
	unfit.Value = []byte(`{"event_type": "order.paid.v1"}`)
	stranger := withoutHeaders(good)
	stranger.Value = []byte(`{"event_type": "order.gone.v1"}`)
	garbage := withoutHeaders(good)
	garbage.Value = []byte("\x00\x00\x00\x00\x01avro")

	at := consume.Record{Topic: "orders", Partition: 2, Offset: 41}
	full := at
	full.EventID, full.EventType = eventID.String(), "order.paid.v1"
	gone := at
	gone.EventType = "order.gone.v1"
	for _, c := range []struct {
		name      string
		m         consume.Message
		record    consume.Record
		kind      string
		permanent bool
	}{
		{"the handler fails", good, full, "*consume.HandlerError", false},
		{"the envelope is incomplete", unfit, full, "*consume.DecodeError", true},
		{"nobody handles it", stranger, gone, "*consume.UnknownTypeError", true},
		{"not an event", garbage, at, "*consume.DecodeError", true},
	} {
		err := r.Dispatch(t.Context(), c.m)
		if got := fmt.Sprintf("%T", err); got != c.kind {
			t.Errorf("%s: %s: %v", c.name, got, err)
			continue
		}
		var record consume.Record
		switch err := err.(type) { //nolint:errorlint // Dispatch returns these types themselves
		case *consume.DecodeError:
			record = err.Record
		case *consume.HandlerError:
			record = err.Record
		case *consume.UnknownTypeError:
			record = err.Record
		}
		if diff := cmp.Diff(c.record, record); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if consume.Permanent(err) != c.permanent {
			t.Errorf("%s: Permanent is %v", c.name, !c.permanent)
		}
	}
	if err := r.Dispatch(t.Context(), good); !errors.Is(err, broken) {
		t.Errorf("the handler's error is hidden: %v", err)
	}
	const want = `consume: handle record orders/2@41 type=order.paid.v1 event_id=018fd0a0-0000-7000-8000-000000000001: the database is away`
	if got := r.Dispatch(t.Context(), good).Error(); got != want {
		t.Errorf("the message is\n%s\nnot\n%s", got, want)
	}
}

func TestUnknownTypesAreSkipped(t *testing.T) {
	t.Parallel()
	r := consume.NewRouter()
	for name, m := range map[string]consume.Message{
		"another type": {Value: []byte(`{"event_type": "order.gone.v1"}`)},
		"a tombstone":  {Key: []byte("7")},
	} {
		if err := r.Dispatch(t.Context(), m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	var calls []string
	wrap := func(name string) consume.Middleware {
		return func(next consume.Handler) consume.Handler {
			return func(ctx context.Context, m consume.Message) error {
				calls = append(calls, name+" before")
				defer func() { calls = append(calls, name+" after") }()
				return next(ctx, m)
			}
		}
	}
	r := consume.NewRouter(consume.Use(wrap("outer"), wrap("inner")))
	r.Handle("a", func(context.Context, consume.Message) error {
		calls = append(calls, "handler")
		return nil
	})
	if err := r.Dispatch(t.Context(), consume.Message{Value: []byte(`{"event_type": "a"}`)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"outer before", "inner before", "handler", "inner after", "outer after"}, calls); diff != "" {
		t.Fatal(diff)
	}
}

func TestMistakesInTheWiring(t *testing.T) {
	t.Parallel()
	handler := func(context.Context, consume.Message) error { return nil }
	for name, wire := range map[string]func(r *consume.Router){
		"two handlers": func(r *consume.Router) { r.Handle("a", handler); r.Handle("a", handler) },
		"no type":      func(r *consume.Router) { r.Handle("", handler) },
		"no handler":   func(r *consume.Router) { r.Handle("a", nil) },
		"no typed handler": func(r *consume.Router) {
			gen.On[orderPaid](r, orderPaidType(gen.EnvelopeOutbox), nil)
		},
		"two tombstone handlers": func(r *consume.Router) { r.HandleTombstone("a", handler); r.HandleTombstone("a", handler) },
		"no tombstone topic":     func(r *consume.Router) { r.HandleTombstone("", handler) },
		"no tombstone handler":   func(r *consume.Router) { r.HandleTombstone("a", nil) },
		"no typed tombstone handler": func(r *consume.Router) {
			consume.OnTombstone[string](r, "a", nil)
		},
		"no tombstone handler of an event": func(r *consume.Router) {
			gen.OnTombstone(r, orderPaidType(gen.EnvelopeOutbox), gen.KeyString[string], nil)
		},
		"two tombstone handlers of an event": func(r *consume.Router) {
			for range 2 {
				gen.OnTombstone(r, orderPaidType(gen.EnvelopeOutbox), gen.KeyString[string], func(context.Context, string) error { return nil })
			}
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			wire(consume.NewRouter())
		}()
	}
	r := consume.NewRouter()
	r.Handle("b", handler)
	r.Handle("a", handler)
	if got := r.EventTypes(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the types are %v", got)
	}
}
