package consume_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// A consumer sees which records were replayed, and can skip them, events and tombstones.
func TestReplayedRecords(t *testing.T) {
	t.Parallel()
	header := func(key, value string) outbox.Header { return outbox.Header{Key: key, Value: []byte(value)} }
	live := consume.Message{Topic: "orders", Key: []byte("k"), Value: []byte("{}"), Headers: []outbox.Header{header("event_type", "placed")}}
	replayed := live
	replayed.Headers = append(replayed.Headers[:1:1], header(replay.Header, "id-1"))
	tombstone := replayed
	tombstone.Value = nil

	type got struct {
		ID string
		OK bool
	}
	for _, test := range []struct {
		options []consume.Option
		want    []got
	}{
		{nil, []got{{}, {"id-1", true}, {"id-1", true}}},
		{[]consume.Option{consume.Use(consume.SkipReplays)}, []got{{}}},
	} {
		var seen []got
		handle := func(_ context.Context, m consume.Message) error {
			id, ok := m.Replay()
			seen = append(seen, got{id, ok})
			return nil
		}
		r := consume.NewRouter(test.options...)
		r.Handle("placed", handle)
		r.HandleTombstone("orders", handle)
		for _, m := range []consume.Message{live, replayed, tombstone} {
			if err := r.Dispatch(t.Context(), m); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(test.want, seen); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	}
}
