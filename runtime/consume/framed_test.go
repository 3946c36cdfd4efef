package consume_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// Records with a schema id before the value or in a header reach the typed handler and
// are identified, with and without the headers of the relay.
func TestRecordsOfRegistries(t *testing.T) {
	t.Parallel()
	const guid = "\x89\x79\x17\x62\x23\x36\x41\x86\x96\x74\x29\x9b\x90\xa8\x02\xe2"
	for name, change := range map[string]func(*consume.Message){
		"bare":             func(*consume.Message) {},
		"number before it": func(m *consume.Message) { m.Value = append([]byte("\x00\x00\x00\x01\x02"), m.Value...) },
		"GUID before it":   func(m *consume.Message) { m.Value = append([]byte("\x01"+guid), m.Value...) },
		"GUID in a header": func(m *consume.Message) {
			m.Headers = append(m.Headers, outbox.Header{Key: "__value_schema_id", Value: []byte("\x01" + guid)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type seen struct {
				ID   uuid.UUID
				Data orderPaid
			}
			var got []seen
			r := consume.NewRouter(consume.OnUnknown(consume.Fail))
			gen.On(r, orderPaidType(gen.EnvelopeOutbox), func(_ context.Context, e outbox.Envelope[orderPaid]) error {
				got = append(got, seen{e.EventID, e.Data})
				return nil
			})
			m := paid(t, gen.EnvelopeOutbox, eventID)
			body := m.Value
			change(&m)
			for _, m := range []consume.Message{m, withoutHeaders(m)} {
				if err := r.Dispatch(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(body), string(m.Body())); diff != "" {
					t.Errorf("Body (-want +got):\n%s", diff)
				}
				id, err := m.EventID()
				if diff := cmp.Diff(eventID, id); err != nil || diff != "" {
					t.Errorf("EventID: %v (-want +got):\n%s", err, diff)
				}
			}
			want := seen{eventID, orderPaid{"7", 995}}
			if diff := cmp.Diff([]seen{want, want}, got); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
		})
	}
}

// A value that is too short to have an id is returned unchanged, without a panic.
func TestBodiesOfOddValues(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"": "", "\x00": "\x00", "\x00\x00\x00\x00": "\x00\x00\x00\x00", "\x00\x00\x00\x00\x01": "",
		"\x01\x00\x00\x00\x01{}": "\x01\x00\x00\x00\x01{}", "\x02{}": "\x02{}", "17": "17",
	} {
		m := consume.Message{Value: []byte(value)}
		if diff := cmp.Diff(want, string(m.Body())); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
	if (consume.Message{}).Body() != nil {
		t.Error("a tombstone has a body")
	}
}
