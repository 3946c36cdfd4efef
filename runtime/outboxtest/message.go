package outboxtest

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
)

// Message returns the record that a relay sends for a row, to test a handler:
//
//	err := router.Dispatch(ctx, outboxtest.Message(t, row))
//
// row is that of a Recorder, or one that RequireInserted, RequireTombstone, Pending or
// Delayed returns. The headers are event_id, event_type and those of the row. Offset is
// 0, and so is Partition unless the row names one. It ends the test if the headers are
// not a JSON object of strings. It does not read headers from the data, as the relay
// does for rows of older writers.
func Message[R outbox.Row | StoredRow](t testing.TB, row R) consume.Message {
	t.Helper()
	switch row := any(row).(type) {
	case outbox.Row:
		return message(t, row, time.Time{})
	case StoredRow:
		return message(t, outbox.Row{
			ID: row.ID, EventType: row.EventType, Topic: row.Topic, Key: row.Key, Partition: row.Partition, Data: row.Data, Headers: row.Headers,
		}, row.CreatedAt)
	}
	panic("unreachable")
}

func message(t testing.TB, row outbox.Row, at time.Time) consume.Message {
	t.Helper()
	m := consume.Message{Topic: row.Topic, Value: row.Data, Timestamp: at, Headers: headers(t, row.ID, row.EventType, row.Headers)}
	if row.Key != nil {
		m.Key = []byte(*row.Key)
	}
	if row.Partition != nil {
		m.Partition = *row.Partition
	}
	return m
}

func headers(t testing.TB, id uuid.UUID, eventType string, row []byte) []outbox.Header {
	t.Helper()
	given := map[string]string{}
	if row != nil {
		if err := json.Unmarshal(row, &given); err != nil {
			t.Fatalf("outboxtest: the headers of event %s are not a JSON object of strings: %v", id, err)
		}
	}
	all := []outbox.Header{{Key: "event_id", Value: []byte(id.String())}, {Key: "event_type", Value: []byte(eventType)}}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name != "event_id" && name != "event_type" && name != "outbox_replay" { // as the relay
			all = append(all, outbox.Header{Key: name, Value: []byte(given[name])})
		}
	}
	return all
}
