package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A dead tombstone that names a partition is listed, replayed, sent and discarded like
// any other row. A delayed one is listed too.
func TestTombstonesOfOperators(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), `
		UPDATE event_outbox SET event_data = NULL, headers = '{"trace_id":"t"}', partition = 7, dead_at = now(), retry_count = 10, last_error = 'no partition 7' WHERE seq < 3;
		UPDATE event_outbox SET published_at = now() WHERE seq = 3;
		INSERT INTO event_outbox_delayed (id, aggregate_type, aggregate_id, event_type, topic, event_key, headers, partition, deliver_at)
		VALUES ('00000000-0000-7000-8000-000000000009', 'order', '9', 'order.late', 'orders', 'k9', '{"trace_id":"t"}', 6, now() + interval '1 day')`)
	if err != nil {
		t.Fatal(err)
	}
	const first = "00000000-0000-7000-8000-000000000001"
	for _, step := range []struct {
		args []string
		want answer
	}{
		{[]string{"dead", "--key", "k1"}, answer{Stdout: listed + "1  EVENT  order.placed  orders  k1  partition 7  tombstone  order/1  TIME  10  no partition 7\n"}},
		{[]string{"delayed"}, answer{Stdout: "EVENT  TYPE  TOPIC  KEY  AGGREGATE  DUE AT  DUE\n" +
			"EVENT  order.late  orders  k9  partition 6  tombstone  order/9  TIME  in AGE\n"}},
		{[]string{"replay", "--event-id", first}, answer{Stdout: "replayed 1 dead row; no relay leads now, so nothing is sent yet\n"}},
		{[]string{"discard", "--key", "k2", "--reason", "test", "--yes"}, answer{Stdout: "discarded 1 dead row\n"}},
	} {
		if diff := cmp.Diff(step.want, narrow(steady(call(env, step.args...)))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", step.args, diff)
		}
		if list := step.args[0]; list == "dead" || list == "delayed" {
			type letter struct {
				Partition *int32
				Tombstone bool
			}
			var got letter
			if err := json.Unmarshal([]byte(call(env, append(step.args, "--json")...).Stdout), &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]letter{"dead": {new(int32(7)), true}, "delayed": {new(int32(6)), true}}[list]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("as JSON (-want +got):\n%s", diff)
			}
		}
	}
	sent := call(env, "run", "--sink", "stdout", "--drain", "--listen", "", "--log-level", "error")
	var got map[string]any
	if err := json.Unmarshal([]byte(sent.Stdout), &got); err != nil {
		t.Fatalf("%v in %+v", err, sent)
	}
	delete(got, "created_at")
	want := map[string]any{
		"topic": "orders", "key": "k1", "partition": 7.0, "seq": 1.0, "tombstone": true,
		"headers": map[string]any{"event_id": first, "event_type": "order.placed", "trace_id": "t"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}
