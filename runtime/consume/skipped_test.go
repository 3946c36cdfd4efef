package consume_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// textLog returns a logger without times, and what it wrote.
func textLog() (*slog.Logger, *bytes.Buffer) {
	var text bytes.Buffer
	return slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), &text
}

// Another kind of relay writes a column's value into the header. The writer's own name
// of the event is in the envelope.
func TestTypeInTheEnvelope(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		header  string // "-": none
		value   string // "": an order.paid.v1
		want    string // the type whose handler is called; "": the record is skipped
		skipped map[string]uint64
	}{
		{name: "the header is right", header: "order.paid.v1", want: "order.paid.v1"},
		{name: "the header is missing", header: "-", want: "order.paid.v1"},
		{name: "the header is empty", header: "", want: "order.paid.v1"},
		{name: "the header is unknown", header: "OrderPaid", want: "order.paid.v1"},
		{name: "both are handled: the header counts", header: "order.gone.v1", want: "order.gone.v1"},
		{
			name: "both are unknown", header: "Other", value: `{"event_type": "other.v1"}`,
			skipped: map[string]uint64{"Other": 1},
		},
		{
			name: "the body is not an envelope", header: "Other", value: `"text"`,
			skipped: map[string]uint64{"Other": 1},
		},
		{
			name: "the body is not JSON", header: "Other", value: "\x00\x00\x00\x00\x01",
			skipped: map[string]uint64{"Other": 1},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := paid(t, gen.EnvelopeOutbox, eventID)
			if tc.value != "" {
				m.Value = []byte(tc.value)
			}
			m.Headers = nil
			if tc.header != "-" {
				m.Headers = []outbox.Header{{Key: "event_type", Value: []byte(tc.header)}}
			}
			log, _ := textLog()
			called := ""
			r := consume.NewRouter(consume.Logger(log))
			gen.On(r, orderPaidType(gen.EnvelopeOutbox), func(context.Context, outbox.Envelope[orderPaid]) error {
				called = "order.paid.v1"
				return nil
			})
			r.Handle("order.gone.v1", func(context.Context, consume.Message) error {
				called = "order.gone.v1"
				return nil
			})
			if err := r.Dispatch(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if called != tc.want {
				t.Errorf("the handler of %q was called, want %q", called, tc.want)
			}
			if diff := cmp.Diff(tc.skipped, r.Counts().SkippedByType); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSkippedTypesAreLoggedOnceAndCounted(t *testing.T) {
	t.Parallel()
	log, text := textLog()
	r := consume.NewRouter(consume.Logger(log))
	r.Handle("order.paid.v1", func(context.Context, consume.Message) error { return nil })
	for n := range 3 {
		for _, header := range []string{"Renamed", "Gone"} {
			m := paid(t, gen.EnvelopeOutbox, eventID)
			m.Offset += int64(n)
			m.Value = bytes.ReplaceAll(m.Value, []byte("order.paid.v1"), []byte("order.sent.v1"))
			m.Headers = []outbox.Header{{Key: "event_type", Value: []byte(header)}}
			if header == "Gone" {
				m.Value = []byte(`[]`)
			}
			if err := r.Dispatch(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	const line = `level=INFO msg="no handler for this event type: its records are skipped; further ones are only counted" `
	const place = ` topic=orders partition=2 offset=41 event_id=`
	want := line + `event_type=Renamed event_type_in_envelope=order.sent.v1` + place + eventID.String() + " handled_types=[order.paid.v1]\n" +
		line + `event_type=Gone` + place + `"" handled_types=[order.paid.v1]` + "\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	counts := consume.Counts{SkippedUnknown: 6, SkippedByType: map[string]uint64{"Renamed": 3, "Gone": 3}}
	if diff := cmp.Diff(counts, r.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// A producer that uses a new type in each record fills neither the memory nor the log.
func TestSkippedTypesAreBounded(t *testing.T) {
	t.Parallel()
	const types = 3_000
	log, text := textLog()
	r := consume.NewRouter(consume.Logger(log))
	for n := range types {
		m := consume.Message{Topic: "t", Value: []byte(`{}`), Headers: []outbox.Header{{Key: "event_type", Value: fmt.Append(nil, "type ", n)}}}
		if err := r.Dispatch(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	counts := r.Counts()
	if counts.SkippedUnknown != types || len(counts.SkippedByType) != 1_000 {
		t.Errorf("%d records of %d types are counted, want %d of 1000", counts.SkippedUnknown, len(counts.SkippedByType), types)
	}
	if lines := strings.Count(text.String(), "\n"); lines != 1_000 {
		t.Errorf("%d lines in the log, want 1000", lines)
	}
}
