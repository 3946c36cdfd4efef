package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logview"
)

// logRows are the statements for a log.
type logRows struct {
	db     DB
	q      *admindb.Queries
	cursor *logCursor // nil: not read yet
}

// logCursor says where rows are that are not settled: see DESIGN.md of package logcursor.
type logCursor struct {
	admindb.LogCursorRow
	ahead []int64
}

func (l *logRows) at(ctx context.Context) (logCursor, error) {
	if l.cursor != nil {
		return *l.cursor, nil
	}
	row, err := l.q.LogCursor(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return logCursor{}, errors.New("event_outbox_cursor has no row, so nothing says which rows are published: stop the relays, and run outboxrelay store adopt as the owner of the tables")
	}
	if err != nil {
		return logCursor{}, fmt.Errorf("read the cursor: %w", err)
	}
	ahead, err := logcursor.Decode(row.Ahead)
	if err != nil {
		return logCursor{}, fmt.Errorf("read event_outbox_cursor.ahead: %w", err)
	}
	if ahead == nil {
		ahead = []int64{} // not NULL
	}
	l.cursor = &logCursor{row, ahead}
	return *l.cursor, nil
}

func (l *logRows) count(ctx context.Context) (admindb.CountRowsRow, error) {
	c, err := l.at(ctx)
	if err != nil {
		return admindb.CountRowsRow{}, err
	}
	row, err := l.q.CountLogRows(ctx, admindb.CountLogRowsParams{
		Cap: PendingCap, Floor: c.Floor, UpTo: c.UpTo, Top: c.Top, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Ahead: c.ahead,
	})
	return admindb.CountRowsRow(row), err
}

func (l *logRows) oldest(ctx context.Context, without []string) ([]admindb.OldestPendingRow, error) {
	c, err := l.at(ctx)
	if err != nil {
		return nil, err
	}
	list, err := l.q.OldestInLog(ctx, admindb.OldestInLogParams{
		Floor: c.Floor, UpTo: c.UpTo, Top: c.Top, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Ahead: c.ahead, Without: without,
	})
	return convert(list, func(r admindb.OldestInLogRow) admindb.OldestPendingRow { return admindb.OldestPendingRow(r) }), err
}

// late finds nothing: oldest has no cap on the rows of other topics.
func (l *logRows) late(context.Context, []string) ([]admindb.OldestPendingRow, error) {
	return nil, nil
}

func (l *logRows) gap(ctx context.Context) (bool, error) {
	c, err := l.at(ctx)
	return c.UpTo < c.Top, err
}

func (l *logRows) retrying(ctx context.Context, most int32) ([]admindb.RetryingRowsRow, error) {
	list, err := l.q.RetryingInLog(ctx, most)
	return convert(list, func(r admindb.RetryingInLogRow) admindb.RetryingRowsRow { return admindb.RetryingRowsRow(r) }), err
}

func (l *logRows) dead(ctx context.Context, p admindb.DeadRowsParams) ([]admindb.DeadRowsRow, error) {
	list, err := l.q.DeadInLog(ctx, admindb.DeadInLogParams(p))
	return convert(list, func(r admindb.DeadInLogRow) admindb.DeadRowsRow { return admindb.DeadRowsRow(r) }), err
}

func (l *logRows) deadBefore(ctx context.Context, p admindb.DeadRowsBeforeParams) ([]admindb.DeadRowsRow, error) {
	list, err := l.q.DeadInLogBefore(ctx, admindb.DeadInLogBeforeParams(p))
	return convert(list, func(r admindb.DeadInLogBeforeRow) admindb.DeadRowsRow { return admindb.DeadRowsRow(r) }), err
}

func (l *logRows) nextDead(ctx context.Context, p admindb.NextDeadParams) (admindb.NextDeadRow, error) {
	row, err := l.q.NextDeadInLog(ctx, admindb.NextDeadInLogParams(p))
	return admindb.NextDeadRow(row), err
}

func (l *logRows) deadBetween(ctx context.Context, p admindb.DeadBetweenParams) ([]admindb.DeadRowsRow, error) {
	list, err := l.q.DeadInLogBetween(ctx, admindb.DeadInLogBetweenParams(p))
	return convert(list, func(r admindb.DeadInLogBetweenRow) admindb.DeadRowsRow { return admindb.DeadRowsRow(r) }), err
}

func (l *logRows) countDead(ctx context.Context, p admindb.CountDeadParams) ([]admindb.CountDeadRow, error) {
	list, err := l.q.CountDeadInLog(ctx, admindb.CountDeadInLogParams(p))
	return convert(list, func(r admindb.CountDeadInLogRow) admindb.CountDeadRow { return admindb.CountDeadRow(r) }), err
}

func (l *logRows) idsOfSeq(ctx context.Context, seq int64) ([]uuid.UUID, error) {
	return l.q.IDsOfSeqInLog(ctx, seq)
}

func (l *logRows) whole(ctx context.Context, id string) ([]admindb.WholeRowRow, error) {
	list, err := l.q.WholeInLog(ctx, id)
	return convert(list, func(r admindb.WholeInLogRow) admindb.WholeRowRow { return admindb.WholeRowRow(r) }), err
}

func (l *logRows) beginning(ctx context.Context, p admindb.RowBeginningParams) ([]admindb.WholeRowRow, error) {
	list, err := l.q.BeginningInLog(ctx, admindb.BeginningInLogParams(p))
	return convert(list, func(r admindb.BeginningInLogRow) admindb.WholeRowRow { return admindb.WholeRowRow(r) }), err
}

// stateOf returns the state of an event without a copy and without a time of publication. The
// view has that time only when the cursor has passed the event's tick.
func (l *logRows) stateOf(ctx context.Context, e *Event) (EventState, error) {
	c, err := l.at(ctx)
	if err != nil {
		return "", err
	}
	is, err := l.q.PassedInLog(ctx, admindb.PassedInLogParams{Base: c.Base, Seq: c.Seq, Shown: c.Shown, ID: e.EventID.String(), RowSeq: e.Seq})
	if err != nil {
		return "", err
	}
	if is.Discarded {
		return Discarded, nil
	}
	if _, ahead := slices.BinarySearch(c.ahead, e.Seq); (is.Passed || ahead) && !is.Waits {
		return Published, nil
	}
	return Pending, nil
}

func (l *logRows) behind(ctx context.Context, of keyed, most int32) ([]admindb.RowsBehindRow, error) {
	c, err := l.at(ctx)
	if err != nil {
		return nil, err
	}
	list, err := l.q.BehindInLog(ctx, admindb.BehindInLogParams{
		Floor: c.Floor, UpTo: c.UpTo, Top: c.Top, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Ahead: c.ahead,
		After: of.seq, EventKey: of.key, Topic: of.topic, MaxRows: most,
	})
	return convert(list, func(r admindb.BehindInLogRow) admindb.RowsBehindRow { return admindb.RowsBehindRow(r) }), err
}

func (l *logRows) countBehind(ctx context.Context, of keyed, most int32) (int64, error) {
	c, err := l.at(ctx)
	if err != nil {
		return 0, err
	}
	return l.q.CountBehindInLog(ctx, admindb.CountBehindInLogParams{
		Floor: c.Floor, UpTo: c.UpTo, Top: c.Top, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Ahead: c.ahead,
		After: of.seq, EventKey: of.key, Topic: of.topic, Cap: most,
	})
}

func (l *logRows) replay(ctx context.Context, p admindb.ReplayParams) (outcome, error) {
	row, err := l.q.ReplayInLog(ctx, admindb.ReplayInLogParams(p))
	return outcome(row), err
}

func (l *logRows) discard(ctx context.Context, p admindb.DiscardParams) (outcome, error) {
	row, err := l.q.DiscardInLog(ctx, admindb.DiscardInLogParams(p))
	return outcome(row), err
}

func (l *logRows) stillDead(ctx context.Context, seqs []int64) (int64, error) {
	return l.q.StillDeadInLog(ctx, seqs)
}

// publishedOfKeys also finds rows that the cursor has passed and the history does not show as
// published yet.
func (l *logRows) publishedOfKeys(ctx context.Context, p admindb.PublishedOfKeysParams) ([]admindb.PublishedOfKeysRow, error) {
	l.cursor = nil // rows may have been published since
	c, err := l.at(ctx)
	if err != nil {
		return nil, err
	}
	list, err := l.q.PublishedOfKeysInLog(ctx, admindb.PublishedOfKeysInLogParams{
		After: p.After, UpTo: p.UpTo, EventKeys: p.EventKeys, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Ahead: c.ahead,
	})
	return convert(list, func(r admindb.PublishedOfKeysInLogRow) admindb.PublishedOfKeysRow {
		return admindb.PublishedOfKeysRow(r)
	}), err
}

func (l *logRows) keptSince(ctx context.Context, p admindb.KeptSinceParams) (bool, error) {
	return l.q.KeptInLogSince(ctx, p.At)
}

// usesTopic reads the topics of all these rows: a log has none in event_data only.
func (l *logRows) usesTopic(ctx context.Context, topic string) (admindb.UsesTopicRow, error) {
	c, err := l.at(ctx)
	if err != nil {
		return admindb.UsesTopicRow{}, err
	}
	used, err := l.q.LogUsesTopic(ctx, admindb.LogUsesTopicParams{Topic: topic, Floor: c.Floor})
	return admindb.UsesTopicRow{Used: used}, err
}

func (l *logRows) topics(ctx context.Context, most int32) ([]admindb.UsedTopicsRow, error) {
	c, err := l.at(ctx)
	if err != nil {
		return nil, err
	}
	list, err := l.q.TopicsInLog(ctx, admindb.TopicsInLogParams{
		Floor: c.Floor, UpTo: c.UpTo, Top: c.Top, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Ahead: c.ahead, MaxRows: most,
	})
	return convert(list, func(r admindb.TopicsInLogRow) admindb.UsedTopicsRow { return admindb.UsedTopicsRow(r) }), err
}

func (l *logRows) publishedLately(ctx context.Context) (int64, error) {
	return l.q.LogPublishedLately(ctx)
}

func (l *logRows) tables(ctx context.Context) ([]admindb.TableHealthRow, error) {
	list, err := l.q.TableHealthOfLog(ctx)
	return convert(list, func(r admindb.TableHealthOfLogRow) admindb.TableHealthRow { return admindb.TableHealthRow(r) }), err
}

func (l *logRows) tail() *admindb.Queries { return admindb.New(logview.In(l.db)) }

func (l *logRows) pending(ctx context.Context, p admindb.TailPendingParams) ([]admindb.TailPendingRow, error) {
	c, err := l.at(ctx)
	if err != nil {
		return nil, err
	}
	// Also what is published, and the history has no time of it yet.
	list, err := l.q.TailPendingInLog(ctx, admindb.TailPendingInLogParams{
		Floor: c.Floor, UpTo: c.UpTo, Top: c.Top, Base: c.Noted, Shown: c.Noted, Seq: 0, Ahead: []int64{}, After: p.After,
		WithData: p.WithData, EventType: p.EventType, Topic: p.Topic, EventKey: p.EventKey, MaxRows: p.MaxRows, MaxBytes: p.MaxBytes,
	})
	return convert(list, func(r admindb.TailPendingInLogRow) admindb.TailPendingRow { return admindb.TailPendingRow(r) }), err
}

func (l *logRows) tailDead(ctx context.Context, p admindb.TailDeadParams) ([]admindb.TailDeadRow, error) {
	list, err := l.q.TailDeadInLog(ctx, admindb.TailDeadInLogParams(p))
	return convert(list, func(r admindb.TailDeadInLogRow) admindb.TailDeadRow { return admindb.TailDeadRow(r) }), err
}

func (l *logRows) known(ctx context.Context, ids []string, seqs []int64) ([]admindb.TailKnownRow, error) {
	list, err := l.q.TailKnownInLog(ctx, admindb.TailKnownInLogParams{Ids: ids, Seqs: seqs})
	return convert(list, func(r admindb.TailKnownInLogRow) admindb.TailKnownRow {
		if r.Gone {
			return admindb.TailKnownRow{ID: r.ID}
		}
		return admindb.TailKnownRow{ID: r.ID, PublishedAt: &r.PublishedAt}
	}), err
}

func convert[A, B any](list []A, one func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = one(a)
	}
	return out
}
