package admin

import (
	"context"
	"fmt"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// DeadLetters returns the dead letters that f selects, in seq order, after the given
// seq: at most 1,000. For the next page, call it with the last seq.
func DeadLetters(ctx context.Context, db DB, f Filter, after int64) ([]DeadLetter, error) {
	return DeadLettersAfter(ctx, db, f, after, pageRows)
}

// DeadLettersAfter is DeadLetters with another limit, from 1 to 1,000.
func DeadLettersAfter(ctx context.Context, db DB, f Filter, after int64, limit int) ([]DeadLetter, error) {
	if err := checkPage(f, limit); err != nil {
		return nil, err
	}
	outbox, err := visibleRowsOf(ctx, db, defaultLease)
	if err != nil {
		return nil, err
	}
	return deadPage(ctx, outbox, f, after, limit)
}

// deadPage is DeadLettersAfter without its checks.
func deadPage(ctx context.Context, outbox rows, f Filter, after int64, limit int) ([]DeadLetter, error) {
	rows, err := outbox.dead(ctx, admindb.DeadRowsParams{
		After:     after,
		Ids:       texts(f.EventIDs),
		EventType: optional(f.EventType),
		Topic:     optional(f.Topic),
		EventKey:  f.Key,
		MaxRows:   int32(limit),

		AggregateType: optional(f.AggregateType), AggregateID: optional(f.AggregateID), Error: optional(f.Error),
		OlderMs: inMilliseconds(f.OlderThan), NewerMs: inMilliseconds(f.NewerThan),
	})
	if err != nil {
		return nil, fmt.Errorf("admin: read the dead letters: %w", missing(err))
	}
	var out []DeadLetter
	for _, r := range rows {
		out = append(out, letterOf(r))
	}
	return out, nil
}

// DeadLettersBefore returns the dead letters that f selects and that come before the given
// seq, the last one first: at most limit, from 1 to 1,000. For the next page, call it with
// the last seq; for the first one, with math.MaxInt64.
func DeadLettersBefore(ctx context.Context, db DB, f Filter, before int64, limit int) ([]DeadLetter, error) {
	if err := checkPage(f, limit); err != nil {
		return nil, err
	}
	outbox, err := visibleRowsOf(ctx, db, defaultLease)
	if err != nil {
		return nil, err
	}
	rows, err := outbox.deadBefore(ctx, admindb.DeadRowsBeforeParams{
		Before:    before,
		Ids:       texts(f.EventIDs),
		EventType: optional(f.EventType),
		Topic:     optional(f.Topic),
		EventKey:  f.Key,
		MaxRows:   int32(limit),

		AggregateType: optional(f.AggregateType), AggregateID: optional(f.AggregateID), Error: optional(f.Error),
		OlderMs: inMilliseconds(f.OlderThan), NewerMs: inMilliseconds(f.NewerThan),
	})
	if err != nil {
		return nil, fmt.Errorf("admin: read the dead letters: %w", missing(err))
	}
	var out []DeadLetter
	for _, r := range rows {
		out = append(out, letterOf(r))
	}
	return out, nil
}

// checkPage says what is wrong with a request for a page of dead letters.
func checkPage(f Filter, limit int) error {
	if err := f.validate(); err != nil {
		return err
	}
	if limit < 1 || limit > pageRows {
		return fmt.Errorf("admin: a page has 1 to %d dead letters, not %d", pageRows, limit)
	}
	return nil
}

func letterOf(r admindb.DeadRowsRow) DeadLetter {
	return DeadLetter{
		Seq: r.Seq, EventID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID,
		EventType: r.EventType, Topic: r.Topic, Key: r.EventKey, Partition: r.Partition, Tombstone: r.Tombstone,
		CreatedAt: r.CreatedAt, DeadAt: value(r.DeadAt),
		RetryCount: int(r.RetryCount), LastError: value(r.LastError),
	}
}
