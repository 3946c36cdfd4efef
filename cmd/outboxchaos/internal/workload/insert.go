package workload

import (
	"context"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/service/events/outboxdb"
)

// insertRow inserts single rows, as generated code does.
func insertRow(ctx context.Context, db outbox.DBTX, rows []outbox.Row) (int64, error) {
	var n int64
	for _, r := range rows {
		inserted, err := outboxdb.New(db).InsertEvent(ctx, outboxdb.InsertEventParams{
			ID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID, EventType: r.EventType,
			Topic: r.Topic, EventKey: r.Key, EventData: r.Data, Headers: r.Headers,
		})
		if err != nil {
			return n, err
		}
		n += inserted
	}
	return n, nil
}
