package admin

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// rows are the statements that differ between an outbox that is a table and one that is a
// log.
type rows interface {
	count(ctx context.Context) (admindb.CountRowsRow, error)
	// oldest and late return the first pending row whose topic is not one of without: of the
	// first rows, and of the last ones.
	oldest(ctx context.Context, without []string) ([]admindb.OldestPendingRow, error)
	late(ctx context.Context, without []string) ([]admindb.OldestPendingRow, error)
	// gap reports whether rows between the first ones and the newest are not looked at.
	gap(ctx context.Context) (bool, error)
	retrying(ctx context.Context, most int32) ([]admindb.RetryingRowsRow, error)
	dead(ctx context.Context, p admindb.DeadRowsParams) ([]admindb.DeadRowsRow, error)
	deadBefore(ctx context.Context, p admindb.DeadRowsBeforeParams) ([]admindb.DeadRowsRow, error)
	nextDead(ctx context.Context, p admindb.NextDeadParams) (admindb.NextDeadRow, error)
	deadBetween(ctx context.Context, p admindb.DeadBetweenParams) ([]admindb.DeadRowsRow, error)
	countDead(ctx context.Context, p admindb.CountDeadParams) ([]admindb.CountDeadRow, error)
	idsOfSeq(ctx context.Context, seq int64) ([]uuid.UUID, error)
	whole(ctx context.Context, id string) ([]admindb.WholeRowRow, error)
	beginning(ctx context.Context, p admindb.RowBeginningParams) ([]admindb.WholeRowRow, error)
	behind(ctx context.Context, of keyed, most int32) ([]admindb.RowsBehindRow, error)
	countBehind(ctx context.Context, of keyed, most int32) (int64, error)
	replay(ctx context.Context, p admindb.ReplayParams) (outcome, error)
	discard(ctx context.Context, p admindb.DiscardParams) (outcome, error)
	stillDead(ctx context.Context, seqs []int64) (int64, error)
	publishedOfKeys(ctx context.Context, p admindb.PublishedOfKeysParams) ([]admindb.PublishedOfKeysRow, error)
	keptSince(ctx context.Context, p admindb.KeptSinceParams) (bool, error)
	usesTopic(ctx context.Context, topic string) (admindb.UsesTopicRow, error)
	topics(ctx context.Context, most int32) ([]admindb.UsedTopicsRow, error)
	publishedLately(ctx context.Context) (int64, error)
	tables(ctx context.Context) ([]admindb.TableHealthRow, error)
	// tail returns the queries that read published rows. pending lists the rows that wait, and
	// tailDead the dead ones. known returns which of the rows that waited are published or gone.
	tail() *admindb.Queries
	pending(ctx context.Context, p admindb.TailPendingParams) ([]admindb.TailPendingRow, error)
	tailDead(ctx context.Context, p admindb.TailDeadParams) ([]admindb.TailDeadRow, error)
	known(ctx context.Context, ids []string, seqs []int64) ([]admindb.TailKnownRow, error)
}

// keyed is a row with its key.
type keyed struct {
	seq        int64
	key, topic string
}

// rowsOf returns the statements for the outbox.
func rowsOf(ctx context.Context, db DB) (rows, error) {
	isLog, err := admindb.New(db).IsLog(ctx)
	if err != nil {
		return nil, fmt.Errorf("admin: look at event_outbox: %w", err)
	}
	return rowsOfKind(db, defaultLease, isLog), nil
}

// visibleRowsOf is rowsOf, after refuseHidden, with one statement for both.
func visibleRowsOf(ctx context.Context, db DB, lease string) (rows, error) {
	kind, err := visibleKind(ctx, db)
	if err != nil {
		return nil, err
	}
	return rowsOfKind(db, lease, kind.IsLog), nil
}

// visibleKind returns what the outbox is, after refuseHidden.
func visibleKind(ctx context.Context, db DB) (admindb.KindRow, error) {
	kind, err := admindb.New(db).Kind(ctx)
	if err != nil {
		return kind, fmt.Errorf("admin: look at event_outbox: %w", err)
	}
	return kind, hiddenError(kind.Hidden)
}

func rowsOfKind(db DB, lease string, isLog bool) rows {
	if isLog {
		return &logRows{db: db, q: admindb.New(db)}
	}
	return &tableRows{q: admindb.New(db), lease: lease}
}

// tableRows are the statements for a table.
type tableRows struct {
	q     *admindb.Queries
	lease string
	mark  *admindb.LowWaterRow // nil: not read yet
}

func (t *tableRows) low(ctx context.Context) (admindb.LowWaterRow, error) {
	if t.mark == nil {
		mark, err := t.q.LowWater(ctx, t.lease)
		if err != nil {
			return mark, fmt.Errorf("read the low-water mark: %w", err)
		}
		t.mark = &mark
	}
	return *t.mark, nil
}

func (t *tableRows) count(ctx context.Context) (admindb.CountRowsRow, error) {
	low, err := t.low(ctx)
	if err != nil {
		return admindb.CountRowsRow{}, err
	}
	return t.q.CountRows(ctx, admindb.CountRowsParams{Cap: PendingCap, LowWater: low.LowWater, UpTo: low.UpTo, Top: low.Top})
}

func (t *tableRows) oldest(ctx context.Context, without []string) ([]admindb.OldestPendingRow, error) {
	low, err := t.low(ctx)
	if err != nil {
		return nil, err
	}
	return t.q.OldestPending(ctx, admindb.OldestPendingParams{Cap: PendingCap, LowWater: low.LowWater, UpTo: low.UpTo, Top: low.Top, Without: without})
}

func (t *tableRows) late(ctx context.Context, without []string) ([]admindb.OldestPendingRow, error) {
	low, err := t.low(ctx)
	if err != nil {
		return nil, err
	}
	list, err := t.q.LatePending(ctx, admindb.LatePendingParams{Cap: PendingCap, LowWater: low.LowWater, UpTo: low.UpTo, Without: without})
	return convert(list, func(r admindb.LatePendingRow) admindb.OldestPendingRow { return admindb.OldestPendingRow(r) }), err
}

func (t *tableRows) gap(ctx context.Context) (bool, error) {
	low, err := t.low(ctx)
	return low.UpTo < low.Top, err
}

func (t *tableRows) retrying(ctx context.Context, most int32) ([]admindb.RetryingRowsRow, error) {
	return t.q.RetryingRows(ctx, most)
}

func (t *tableRows) dead(ctx context.Context, p admindb.DeadRowsParams) ([]admindb.DeadRowsRow, error) {
	return t.q.DeadRows(ctx, p)
}

func (t *tableRows) deadBefore(ctx context.Context, p admindb.DeadRowsBeforeParams) ([]admindb.DeadRowsRow, error) {
	list, err := t.q.DeadRowsBefore(ctx, p)
	return convert(list, func(r admindb.DeadRowsBeforeRow) admindb.DeadRowsRow { return admindb.DeadRowsRow(r) }), err
}

func (t *tableRows) nextDead(ctx context.Context, p admindb.NextDeadParams) (admindb.NextDeadRow, error) {
	return t.q.NextDead(ctx, p)
}

func (t *tableRows) deadBetween(ctx context.Context, p admindb.DeadBetweenParams) ([]admindb.DeadRowsRow, error) {
	list, err := t.q.DeadBetween(ctx, p)
	return convert(list, func(r admindb.DeadBetweenRow) admindb.DeadRowsRow { return admindb.DeadRowsRow(r) }), err
}

func (t *tableRows) countDead(ctx context.Context, p admindb.CountDeadParams) ([]admindb.CountDeadRow, error) {
	return t.q.CountDead(ctx, p)
}

func (t *tableRows) idsOfSeq(ctx context.Context, seq int64) ([]uuid.UUID, error) {
	return t.q.IDsOfSeq(ctx, seq)
}

func (t *tableRows) whole(ctx context.Context, id string) ([]admindb.WholeRowRow, error) {
	return t.q.WholeRow(ctx, id)
}

func (t *tableRows) beginning(ctx context.Context, p admindb.RowBeginningParams) ([]admindb.WholeRowRow, error) {
	list, err := t.q.RowBeginning(ctx, p)
	return convert(list, func(r admindb.RowBeginningRow) admindb.WholeRowRow { return admindb.WholeRowRow(r) }), err
}

func (t *tableRows) behind(ctx context.Context, of keyed, most int32) ([]admindb.RowsBehindRow, error) {
	low, err := t.low(ctx)
	if err != nil {
		return nil, err
	}
	return t.q.RowsBehind(ctx, admindb.RowsBehindParams{
		After: of.seq, LowWater: low.LowWater, UpTo: low.UpTo, Top: low.Top, EventKey: of.key, Topic: of.topic, MaxRows: most,
	})
}

func (t *tableRows) countBehind(ctx context.Context, of keyed, most int32) (int64, error) {
	low, err := t.low(ctx)
	if err != nil {
		return 0, err
	}
	return t.q.CountBehind(ctx, admindb.CountBehindParams{
		After: of.seq, LowWater: low.LowWater, UpTo: low.UpTo, Top: low.Top, EventKey: of.key, Topic: of.topic, Cap: most,
	})
}

func (t *tableRows) replay(ctx context.Context, p admindb.ReplayParams) (outcome, error) {
	row, err := t.q.Replay(ctx, p)
	return outcome(row), err
}

func (t *tableRows) discard(ctx context.Context, p admindb.DiscardParams) (outcome, error) {
	row, err := t.q.Discard(ctx, p)
	return outcome(row), err
}

func (t *tableRows) stillDead(ctx context.Context, seqs []int64) (int64, error) {
	return t.q.StillDead(ctx, seqs)
}

func (t *tableRows) publishedOfKeys(ctx context.Context, p admindb.PublishedOfKeysParams) ([]admindb.PublishedOfKeysRow, error) {
	return t.q.PublishedOfKeys(ctx, p)
}

func (t *tableRows) keptSince(ctx context.Context, p admindb.KeptSinceParams) (bool, error) {
	return t.q.KeptSince(ctx, p)
}

func (t *tableRows) usesTopic(ctx context.Context, topic string) (admindb.UsesTopicRow, error) {
	low, err := t.low(ctx)
	if err != nil {
		return admindb.UsesTopicRow{}, err
	}
	return t.q.UsesTopic(ctx, admindb.UsesTopicParams{LowWater: low.LowWater, UpTo: low.UpTo, Topic: topic})
}

func (t *tableRows) topics(ctx context.Context, most int32) ([]admindb.UsedTopicsRow, error) {
	low, err := t.low(ctx)
	if err != nil {
		return nil, err
	}
	return t.q.UsedTopics(ctx, admindb.UsedTopicsParams{MaxRows: most, LowWater: low.LowWater, UpTo: low.UpTo, Top: low.Top})
}

func (t *tableRows) publishedLately(ctx context.Context) (int64, error) {
	return t.q.PublishedLately(ctx)
}

func (t *tableRows) tables(ctx context.Context) ([]admindb.TableHealthRow, error) {
	return t.q.TableHealth(ctx)
}

func (t *tableRows) tail() *admindb.Queries { return t.q }

func (t *tableRows) pending(ctx context.Context, p admindb.TailPendingParams) ([]admindb.TailPendingRow, error) {
	low, err := t.low(ctx)
	if err != nil {
		return nil, err
	}
	p.LowWater, p.UpTo, p.Top = low.LowWater, low.UpTo, low.Top
	return t.q.TailPending(ctx, p)
}

func (t *tableRows) tailDead(ctx context.Context, p admindb.TailDeadParams) ([]admindb.TailDeadRow, error) {
	return t.q.TailDead(ctx, p)
}

func (t *tableRows) known(ctx context.Context, ids []string, _ []int64) ([]admindb.TailKnownRow, error) {
	return t.q.TailKnown(ctx, ids)
}
