package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// DelayedEvent is an event that is not published before its time.
type DelayedEvent struct {
	Seq           int64     `json:"seq"` // orders delayed events with the same time; not the seq of event_outbox
	EventID       uuid.UUID `json:"event_id"`
	AggregateType string    `json:"aggregate_type"`
	AggregateID   string    `json:"aggregate_id"`
	EventType     string    `json:"event_type"`
	Topic         string    `json:"topic"`
	Key           *string   `json:"key"`
	Partition     *int32    `json:"partition,omitempty"` // nil: the one that the key gives
	Tombstone     bool      `json:"tombstone,omitempty"` // the row has no data
	CreatedAt     time.Time `json:"created_at"`
	// DeliverAt is the time before which the event is not sent. In JSON, a year beyond 9999
	// has a sign: "+12000-01-31T00:00:00Z".
	DeliverAt time.Time `json:"deliver_at"`
	// DueIn is the time until DeliverAt, by the database's clock; negative: it is over.
	DueIn time.Duration `json:"due_in_ns"`
}

// DelayedEvents returns the delayed events that f selects, in the order in which they will
// be sent, after the given one: at most 1,000. after is the zero value for the first page,
// and the last event of a page for the next one.
func DelayedEvents(ctx context.Context, db DB, f Filter, after DelayedEvent) ([]DelayedEvent, error) {
	if f.Error != "" || f.OlderThan != 0 || f.NewerThan != 0 {
		return nil, errors.New("admin: Filter.Error, Filter.OlderThan and Filter.NewerThan select dead letters; delayed events have neither")
	}
	if err := refuseHidden(ctx, db); err != nil {
		return nil, err
	}
	return delayedPage(ctx, admindb.New(db), f, after, pageRows)
}

func delayedPage(ctx context.Context, q *admindb.Queries, f Filter, after DelayedEvent, limit int32) ([]DelayedEvent, error) {
	rows, err := q.DelayedEvents(ctx, admindb.DelayedEventsParams{
		AfterTime: after.place(),
		AfterSeq:  after.Seq,
		Ids:       texts(f.EventIDs),
		EventType: optional(f.EventType),
		Topic:     optional(f.Topic),
		EventKey:  f.Key,
		MaxRows:   limit,

		AggregateType: optional(f.AggregateType), AggregateID: optional(f.AggregateID),
	})
	if err != nil {
		return nil, fmt.Errorf("admin: read the delayed events: %w", missing(err))
	}
	var out []DelayedEvent
	for _, r := range rows {
		out = append(out, DelayedEvent{
			Seq: r.Seq, EventID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID,
			EventType: r.EventType, Topic: r.Topic, Key: r.EventKey, Partition: r.Partition, Tombstone: r.Tombstone, CreatedAt: r.CreatedAt,
			DeliverAt: sinceY2K(r.DeliverAtUs),
			DueIn:     milliseconds(r.DueInMs),
		})
	}
	return out, nil
}

// milliseconds returns a duration, at most 100 years either way: the time until the year
// 9999 does not fit one.
func milliseconds(n int64) time.Duration {
	const most = int64(100 * 365 * 24 * time.Hour / time.Millisecond)
	return time.Duration(max(-most, min(n, most))) * time.Millisecond
}

// CancelDelayed deletes the delayed events that f selects and returns how many there
// were. Their data is lost. event_outbox_audit records each event and the reason, which
// is required. It runs transactions of 1,000 rows. If it returns an error, the number is
// that of the events that were deleted before it. An event whose time comes meanwhile may
// be sent instead; then it is not counted.
func CancelDelayed(ctx context.Context, conn Beginner, f Filter, d Decision) (int, error) {
	if strings.TrimSpace(d.Reason) == "" {
		return 0, errors.New("admin: Decision.Reason is empty: a cancellation cannot be taken back, so the audit needs to know why")
	}
	return decideDelayed(ctx, conn, f, d, true, func(q *admindb.Queries, ids []string) (admindb.CancelDelayedRow, error) {
		return q.CancelDelayed(ctx, admindb.CancelDelayedParams{Actor: d.Actor, Reason: optional(d.Reason), Ids: ids})
	})
}

// SendNow makes the delayed events that f selects due now and returns how many there were.
// The leading relay sends them about a second later, in the order of their former times.
// Events that are already due are not changed. Like CancelDelayed, it runs transactions of
// 1,000 rows and is recorded in event_outbox_audit.
func SendNow(ctx context.Context, conn Beginner, f Filter, d Decision) (int, error) {
	return decideDelayed(ctx, conn, f, d, false, func(q *admindb.Queries, ids []string) (admindb.CancelDelayedRow, error) {
		row, err := q.SendNow(ctx, admindb.SendNowParams{Actor: d.Actor, Reason: optional(d.Reason), Ids: ids})
		return admindb.CancelDelayedRow(row), err
	})
}

// decideDelayed acts on the selected events, page by page. dueToo says whether act is
// about events that are due too.
func decideDelayed(ctx context.Context, conn Beginner, f Filter, d Decision, dueToo bool,
	act func(*admindb.Queries, []string) (admindb.CancelDelayedRow, error),
) (int, error) {
	return decision[DelayedEvent]{
		nouns: "events", table: "event_outbox_delayed", state: "delayed", most: len(f.EventIDs),
		read: func(tx pgx.Tx, after DelayedEvent) ([]DelayedEvent, error) { return DelayedEvents(ctx, tx, f, after) },
		act: func(q *admindb.Queries, page []DelayedEvent) (outcome, error) {
			row, err := act(q, idsOf(page))
			return outcome(row), err
		},
		still: func(q *admindb.Queries, page []DelayedEvent) (int64, error) {
			return q.StillDelayed(ctx, admindb.StillDelayedParams{Ids: idsOf(page), DueToo: dueToo})
		},
	}.carryOut(ctx, conn, d)
}

func idsOf(page []DelayedEvent) []string {
	ids := make([]string, len(page))
	for i, e := range page {
		ids[i] = e.EventID.String()
	}
	return ids
}
