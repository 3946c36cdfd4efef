package admin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// OrderError is returned by ReplayInOrder if earlier dead letters of the same topics and keys
// would stay dead. Its transaction changed nothing.
type OrderError struct {
	Earlier []DeadLetter // the first of them, in seq order
	More    bool         // there are more
}

func (e *OrderError) Error() string {
	first := e.Earlier[0]
	text := fmt.Sprintf("%d earlier dead rows of the same keys are not selected; the selected rows would be sent before them; the first one is", len(e.Earlier))
	switch {
	case e.More:
		text = "more than " + text
	case len(e.Earlier) == 1:
		text = "1 earlier dead row of the same key is not selected; the selected rows would be sent before it:"
	}
	return fmt.Sprintf("%s seq %d, event %s, topic %s, key %s", text, first.Seq, first.EventID, first.Topic, value(first.Key))
}

// ReplayInOrder is Replay for whoever wants to keep the order of each key: if a dead letter of
// the same topic and key comes before a selected one and is not selected, it returns an
// *OrderError. It looks for them in the transaction that replays, so a letter that became dead
// in the meantime counts.
func ReplayInOrder(ctx context.Context, conn Beginner, f Filter, d Decision) (int, error) {
	c := replaying(ctx, f, d)
	c.allowed = func(tx pgx.Tx, page []DeadLetter) error {
		earlier, err := EarlierDead(ctx, tx, seqsOf(page), 0)
		if err != nil || len(earlier) == 0 {
			return err
		}
		return &OrderError{earlier, len(earlier) == pageRows}
	}
	return c.carryOut(ctx, conn, d)
}

// EarlierDead returns the dead letters that come before one of the given rows of the same topic
// and key and are not given themselves, in seq order, after the given seq: at most 1,000.
func EarlierDead(ctx context.Context, db DB, seqs []int64, after int64) ([]DeadLetter, error) {
	outbox, err := rowsOf(ctx, db, defaultLease)
	if err != nil {
		return nil, err
	}
	rows, err := outbox.earlierDead(ctx, admindb.EarlierDeadRowsParams{After: after, Seqs: seqs, MaxRows: pageRows})
	if err != nil {
		return nil, fmt.Errorf("admin: look for earlier dead letters of the keys: %w", missing(err))
	}
	var out []DeadLetter
	for _, r := range rows {
		out = append(out, DeadLetter{
			Seq: r.Seq, EventID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID,
			EventType: r.EventType, Topic: r.Topic, Key: r.EventKey, Partition: r.Partition, Tombstone: r.Tombstone,
			CreatedAt: r.CreatedAt, DeadAt: value(r.DeadAt),
			RetryCount: int(r.RetryCount), LastError: value(r.LastError),
		})
	}
	return out, nil
}
