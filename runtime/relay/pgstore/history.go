package pgstore

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logview"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// HistoryDB is what a [History] needs of a connection: *pgx.Conn and *pgxpool.Pool have it.
type HistoryDB = pgdb.DBTX

// History reads the published rows of event_outbox again: a [replay.History]. These are
// the rows that a relay in mode Mark keeps for its retention. Rows that are pending, dead
// or discarded, and those that the retention deleted, are not part of it.
//
// Of a log they are the published events that it still has; days are dropped as a whole.
//
// It needs SELECT on event_outbox, of a log on the view event_outbox_history and on
// event_outbox_deleted, and no other privilege. It locks no rows, and its statements are short
// transactions of their own. It reads in the order of seq, so event_outbox needs an index on
// seq for all rows, unless it is small.
type History struct {
	db HistoryDB
	q  *pgdb.Queries
	// isLog is true if the outbox is a log. Then db and q read the view event_outbox_history.
	isLog bool
	// rowBytes is the size of a row, by those that were read last.
	rowBytes int64
	// unpublished is a seq up to which no row was published when Reach looked, so that it
	// need not look at many pending rows again.
	unpublished int64
	// removed means that rows may have been deleted: see HistoryWhole.
	removed bool
}

var _ replay.History = (*History)(nil)

const (
	// historyWindow limits the rows that one statement looks at.
	historyWindow = 5_000
	// countWindow is historyWindow for counting, which reads no data.
	countWindow = 20_000
	// historyProbeRows limits the rows that are looked at to find out when those at a seq,
	// or the oldest ones, were published.
	historyProbeRows = 100
	// assumedHistoryRow is the size of a row before any was read. It is large, so that
	// the first page is small.
	assumedHistoryRow = 16 << 10
	// clocksDiffer allows for a database whose clock was set, or that failed over.
	clocksDiffer = 10 * time.Minute
	// LongestTransaction limits how long after the end of a range a [History] looks for
	// events of transactions that began in it.
	LongestTransaction = time.Hour
	// unindexedBytes is the largest event_outbox that is read without an index.
	unindexedBytes = 64 << 20
)

// NewHistory returns the history of the event_outbox in the search path. It returns a
// *relay.SetupError if the table cannot be read, or only by scanning all of a large table
// again and again.
func NewHistory(ctx context.Context, db HistoryDB) (*History, error) {
	h := &History{db: db, q: pgdb.New(db), rowBytes: assumedHistoryRow, unpublished: math.MinInt64}
	table, err := h.q.HistoryTable(ctx)
	if err != nil {
		return nil, h.wrap("look at event_outbox", err)
	}
	switch {
	case !table.Found:
		return nil, &relay.SetupError{
			Problem: "there is no table event_outbox in the search path, or the role has no USAGE on its schema",
			Remedy:  "set the schema of the outbox, or create the table (outboxgen migration)",
		}
	case table.Hidden:
		return nil, &relay.SetupError{
			Problem: "row-level security hides rows of event_outbox from this role",
			Remedy:  "give the role BYPASSRLS, or ALTER TABLE event_outbox DISABLE ROW LEVEL SECURITY",
		}
	case !table.Indexed && table.Bytes > unindexedBytes:
		return nil, &relay.SetupError{
			Problem: "event_outbox is large and has no index on seq for all rows, so each page would read the whole table",
			Remedy:  "CREATE INDEX CONCURRENTLY ix_event_outbox_seq ON event_outbox (seq)",
		}
	}
	if h.isLog = table.IsLog; h.isLog {
		h.db = logview.In(db)
		h.q = pgdb.New(h.db)
	}
	return h, nil
}

// Reach implements replay.History.
func (h *History) Reach(ctx context.Context, after replay.Cursor) (replay.Reach, error) {
	reach, err := h.reach(ctx, after)
	if err != nil {
		return reach, err
	}
	if h.isLog {
		return h.logReach(ctx, reach)
	}
	if reach.Empty || h.removed {
		return reach, nil
	}
	whole, err := h.q.HistoryWhole(ctx, pgdb.HistoryWholeParams{Back: reach.Back, WindowRows: countWindow})
	if err != nil {
		return replay.Reach{}, h.wrap("look for deleted rows", err)
	}
	if h.removed = !whole; whole {
		reach.Back = time.Time{}
	}
	return reach, nil
}

// logReach is Reach for a log. event_outbox_deleted has up to when events were deleted. Days
// before the oldest partition may have been dropped by hand.
func (h *History) logReach(ctx context.Context, reach replay.Reach) (replay.Reach, error) {
	day, err := h.q.HistoryOldestDay(ctx)
	if err != nil {
		return replay.Reach{}, h.wrap("look for the oldest partition", err)
	}
	deleted, err := h.q.HistoryDeleted(ctx)
	if err != nil {
		return replay.Reach{}, h.wrap("look for what was deleted", err)
	}
	if reach.Empty {
		return reach, nil
	}
	reach.Back = day.UTC()
	if deleted.After(day) {
		reach.Back = deleted.UTC()
	}
	return reach, nil
}

// reach is Reach for a table of which rows may have been deleted.
func (h *History) reach(ctx context.Context, after replay.Cursor) (replay.Reach, error) {
	at := int64(math.MinInt64) // below all rows
	if after != "" {
		var err error
		if at, err = seqAt(after); err != nil {
			return replay.Reach{}, err
		}
	}
	const what = "look for the oldest published rows"
	row, err := h.q.HistoryReach(ctx, pgdb.HistoryReachParams{After: at, ProbeRows: historyProbeRows})
	if err != nil {
		return replay.Reach{}, h.wrap(what, err)
	}
	reach := replay.Reach{Back: row.Back.UTC(), Empty: row.Unknown, Place: row.Place.UTC()}
	for whole := h.unpublished == math.MinInt64; reach.Empty; {
		next, err := h.q.HistoryPublished(ctx, pgdb.HistoryPublishedParams{After: h.unpublished, WindowRows: countWindow})
		switch {
		case err != nil:
			return replay.Reach{}, h.wrap(what, err)
		case next.Found:
			reach.Back, reach.Empty = next.Back.UTC(), false
		case next.Last > 0:
			h.unpublished = next.Last
		case whole:
			return reach, nil
		default: // rows that were pending may be published now
			h.unpublished, whole = math.MinInt64, true
		}
	}
	return reach, nil
}

// Read implements replay.History.
func (h *History) Read(ctx context.Context, s replay.Selection, after replay.Cursor, limit relay.Limit) (replay.Page, error) {
	at, end, done, err := h.window(ctx, s, after, historyWindow)
	if err != nil || done {
		return replay.Page{After: cursor(at), End: done}, err
	}
	p := paramsOf(s)
	p.After, p.UpTo = at, end
	p.MaxRows = int32(min(max(leastRows, limit.Bytes/h.rowBytes), int64(max(limit.Rows, 1)), historyWindow))
	sizes, err := h.q.HistorySizes(ctx, p)
	if err != nil {
		return replay.Page{}, h.wrap("read the history", err)
	}
	var seqs []int64
	var total int64
	for _, row := range sizes {
		if len(seqs) > 0 && total+row.Bytes > limit.Bytes {
			break
		}
		seqs, total = append(seqs, row.Seq), total+row.Bytes
	}
	if len(seqs) == 0 {
		return replay.Page{After: cursor(end)}, nil
	}
	h.rowBytes = max(total/int64(len(seqs)), 1)
	if len(seqs) < len(sizes) || len(sizes) == int(p.MaxRows) {
		end = seqs[len(seqs)-1]
	}
	rows, err := h.rows(ctx, seqs)
	if err != nil {
		return replay.Page{}, h.wrap("read the history", err)
	}
	page := replay.Page{After: cursor(end), Events: make([]replay.Event, len(rows))}
	for i, row := range rows {
		page.Events[i] = replay.Event{Row: row, At: cursor(row.Seq)}
	}
	return page, nil
}

// rows reads rows with their data. Those that were deleted meanwhile are left out: see
// Reach.
func (h *History) rows(ctx context.Context, seqs []int64) ([]relay.Row, error) {
	rows, err := h.db.Query(ctx, pgdb.HistoryRows, seqs)
	if err != nil {
		return nil, err
	}
	page, _, err := scanPage(rows, relay.Limit{Rows: len(seqs), Bytes: math.MaxInt64}, func() {})
	return page.Rows, err
}

// Count implements replay.History.
func (h *History) Count(ctx context.Context, s replay.Selection, after replay.Cursor) (replay.Counts, error) {
	at, end, done, err := h.window(ctx, s, after, countWindow)
	if err != nil || done {
		return replay.Counts{After: cursor(at), End: done}, err
	}
	p := paramsOf(s)
	rows, err := h.q.HistoryCounts(ctx, pgdb.HistoryCountsParams{
		After: at, UpTo: end, FromTime: p.FromTime, ToTime: p.ToTime, EventTypes: p.EventTypes, Topics: p.Topics,
		EventKey: p.EventKey, AggregateType: p.AggregateType, AggregateID: p.AggregateID,
	})
	if err != nil {
		return replay.Counts{}, h.wrap("count the history", err)
	}
	out := replay.Counts{After: cursor(end)}
	for _, r := range rows {
		out.Counts = append(out.Counts, replay.Count{
			EventType: r.EventType, Topic: r.Topic, Events: r.Events, First: r.First.UTC(), Last: r.Last.UTC(),
		})
	}
	return out, nil
}

// window returns the rows to look at next: those after at, up to end. done is true if
// there are none that can be selected.
func (h *History) window(ctx context.Context, s replay.Selection, after replay.Cursor, rows int32) (at, end int64, done bool, err error) {
	if at, err = h.position(ctx, s, after); err != nil {
		return 0, 0, false, err
	}
	_, to := timesOf(s)
	w, err := h.q.HistoryWindow(ctx, pgdb.HistoryWindowParams{After: at, WindowRows: rows, Beyond: to.Add(LongestTransaction)})
	if err != nil {
		return 0, 0, false, h.wrap("read the history", err)
	}
	return at, w.Last, w.Beyond, nil
}

// position returns the seq after which to read.
func (h *History) position(ctx context.Context, s replay.Selection, after replay.Cursor) (int64, error) {
	if after == "" {
		begin, err := h.seek(ctx, s)
		return begin, h.wrap("find the beginning of the range", err)
	}
	return seqAt(after)
}

// seek returns a seq below all rows of the range, and as high as it can find out. A row
// that was published before the range tells that all rows with a lower seq were created
// before it too. published_at need not be in the order of seq: each answer is true, and
// they only have to be found.
func (h *History) seek(ctx context.Context, s replay.Selection) (int64, error) {
	bounds, err := h.q.HistoryBounds(ctx)
	if err != nil {
		return 0, err
	}
	low, high := bounds.First-1, bounds.Last
	if s.From.IsZero() {
		return low, nil
	}
	for high-low > historyProbeRows {
		middle := low + (high-low)/2
		seq, err := h.q.HistoryProbe(ctx, pgdb.HistoryProbeParams{
			At: middle, Before: s.From.Add(-clocksDiffer), ProbeRows: historyProbeRows,
		})
		if err != nil {
			return 0, err
		}
		if seq > 0 {
			low = max(seq, middle)
		} else {
			high = middle
		}
	}
	return low, nil
}

func cursor(seq int64) replay.Cursor { return replay.Cursor(strconv.FormatInt(seq, 10)) }

// seqAt returns the seq of a cursor.
func seqAt(c replay.Cursor) (int64, error) {
	seq, err := strconv.ParseInt(string(c), 10, 64)
	if err != nil || cursor(seq) != c {
		return 0, fmt.Errorf("%q: %w", c, replay.ErrCursor)
	}
	return seq, nil
}

// timesOf returns the range of a selection, with limits that Postgres knows.
func timesOf(s replay.Selection) (from, to time.Time) {
	from, to = s.From, s.To
	if to.IsZero() {
		to = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return from, to
}

func paramsOf(s replay.Selection) pgdb.HistorySizesParams {
	p := pgdb.HistorySizesParams{EventTypes: patterns(s.EventTypes), Topics: patterns(s.Topics), EventKey: s.Key}
	p.FromTime, p.ToTime = timesOf(s)
	if s.AggregateType != "" {
		p.AggregateType = &s.AggregateType
	}
	if s.AggregateID != "" {
		p.AggregateID = &s.AggregateID
	}
	return p
}

// patterns returns patterns for LIKE; nil selects everything.
func patterns(names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, likePattern.Replace(name))
	}
	return out
}

// wrap adds what failed, and what a role or a table lacks.
func (h *History) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	switch sqlstate.Code(err) {
	case sqlstate.Denied:
		if h.isLog {
			return &relay.SetupError{
				Problem: "this role may not read event_outbox_history or event_outbox_deleted",
				Remedy:  "GRANT SELECT ON event_outbox_history, event_outbox_deleted to the role", Err: err,
			}
		}
		return &relay.SetupError{Problem: "this role may not read event_outbox", Remedy: "GRANT SELECT ON event_outbox to the role", Err: err}
	case sqlstate.UndefinedTable, sqlstate.UndefinedColumn:
		return &relay.SetupError{Problem: "event_outbox has the older shape", Remedy: "upgrade it: outboxgen migration --upgrade", Err: err}
	}
	return fmt.Errorf("pgstore: %s: %w", what, err)
}
