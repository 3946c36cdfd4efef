package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// PublishedEvent is a row that was published.
type PublishedEvent struct {
	Seq       int64     `json:"seq"`
	EventID   uuid.UUID `json:"event_id"`
	EventType string    `json:"event_type"`
	Topic     string    `json:"topic"`
	Key       *string   `json:"key"`
	CreatedAt time.Time `json:"created_at"`
	// PublishedAt is when the relay recorded it, by the database's clock; zero if Deleted.
	PublishedAt time.Time `json:"published_at,omitzero"`
	// Deleted is true if the row waited and is gone. With settle: delete it was published,
	// unless an operator discarded it. In a log it was discarded, or somebody deleted it.
	Deleted bool `json:"deleted,omitempty"`
	// Data is the row's data, if TailConfig.Data is set; null: a tombstone.
	Data json.RawMessage `json:"data,omitempty"`
}

// TailConfig says what a Tail follows.
type TailConfig struct {
	// Filter selects events by type, topic and key. Its other fields must not be set.
	Filter Filter
	// Data is true to read the data too.
	Data bool
	// Latest is how many events that were published before are returned first. 0: none.
	Latest int
}

// Tail follows the rows that are published. Each look is a short transaction that only reads,
// by indexes, so it does not disturb the relay. It reads what is new since the last look, and
// looks again at the rows that waited. The first look reads the first rows that wait, and the
// first dead ones, which may be replayed. A program that must see every event consumes the
// topic instead: a row that is published and deleted between two looks is not seen.
type Tail struct {
	conn    Beginner
	cfg     TailConfig
	since   string // snapshot whose rows were read
	waiting map[uuid.UUID]PublishedEvent
	looked  int64 // the seq up to which the rows that wait were looked at last
	bytes   int   // of the data in waiting
	started bool
	missed  bool
	isLog   *bool // whether the outbox is a log; nil: not known
}

const (
	// tailRows limits the new rows of a look, the rows that wait at first, and the rows that
	// are waited for.
	tailRows = 10_000
	// tailDead limits the dead rows that are waited for from the first look.
	tailDead = 1_000
	// tailPage limits a read of rows with data, and how many rows that wait are looked at
	// while none of them is published.
	tailPage = 1_000
	// tailBytes limits the data of a look, and of the rows that are waited for.
	tailBytes = 64 << 20
)

// NewTail returns a Tail that begins now. It reads with the first call of Next. Each look
// begins a transaction on conn.
func NewTail(conn Beginner, cfg TailConfig) (*Tail, error) {
	f := cfg.Filter
	if len(f.EventIDs) > 0 || f.AggregateType != "" || f.AggregateID != "" || f.Error != "" || f.OlderThan != 0 || f.NewerThan != 0 {
		return nil, errors.New("admin: TailConfig.Filter selects by event type, topic and key only")
	}
	return &Tail{conn: conn, cfg: cfg, waiting: map[uuid.UUID]PublishedEvent{}}, nil
}

// Reconnect makes the Tail continue on another connection, where it stopped.
func (t *Tail) Reconnect(conn Beginner) { t.conn, t.isLog = conn, nil }

// Missed reports whether there were more rows at once, or more data, than a look reads or a
// Tail keeps, so that events were left out, and forgets it.
func (t *Tail) Missed() bool {
	missed := t.missed
	t.missed = false
	return missed
}

// Next looks once and returns the events that were published since the last look, by the
// time at which the relay recorded them, and then by seq. After an error the next call
// continues where the last one did.
func (t *Tail) Next(ctx context.Context) ([]PublishedEvent, error) {
	var l look
	isLog := t.isLog
	err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		// One snapshot for all statements: a row that is published between two of them would
		// be seen by both, or by neither.
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"); err != nil {
			return fmt.Errorf("admin: begin: %w", err)
		}
		if isLog == nil {
			kind, err := visibleKind(ctx, tx)
			if err != nil {
				return err
			}
			isLog = &kind.IsLog
		}
		outbox := rowsOfKind(tx, defaultLease, *isLog)
		l = look{Tail: t, q: outbox.tail(), rows: outbox}
		if !t.started {
			return l.first(ctx)
		}
		return l.again(ctx)
	})
	if err != nil {
		t.isLog = nil // it may have moved to the other store
		return nil, err
	}
	t.isLog = isLog
	t.since, t.started, t.missed, t.looked = l.upto, true, t.missed || l.missed, l.upToSeq
	for _, e := range l.published {
		t.forget(e.EventID)
	}
	for _, e := range l.pending {
		t.keep(e)
	}
	slices.SortFunc(l.published, inOrder)
	return l.published, nil
}

// look is what one look finds. It changes nothing of the Tail.
type look struct {
	*Tail
	q         *admindb.Queries
	rows      rows
	upto      string // its snapshot
	published []PublishedEvent
	pending   []PublishedEvent
	upToSeq   int64 // the rows that wait were looked at up to here
	missed    bool
}

// first reads the latest events, and the rows that wait.
func (l *look) first(ctx context.Context) error {
	if err := l.snapshot(ctx); err != nil {
		return err
	}
	f := l.cfg.Filter
	if l.cfg.Latest > 0 {
		rows, err := l.q.TailLatest(ctx, admindb.TailLatestParams{
			WithData: l.cfg.Data, EventType: optional(f.EventType), Topic: optional(f.Topic), EventKey: f.Key,
			MaxRows: int32(min(l.cfg.Latest, tailRows)), MaxBytes: tailBytes,
		})
		if err != nil {
			return fmt.Errorf("admin: read the latest rows: %w", missing(err))
		}
		l.published = events(rows, l.cfg.Data)
		l.missed = dataOf(l.published) >= tailBytes
	}
	var err error
	l.pending, err = l.pages(func(after int64, rows int32, bytes int64) ([]PublishedEvent, error) {
		page, err := l.rows.pending(ctx, admindb.TailPendingParams{
			After:    after,
			WithData: l.cfg.Data, EventType: optional(f.EventType), Topic: optional(f.Topic), EventKey: f.Key, MaxRows: rows, MaxBytes: bytes,
		})
		return events(page, l.cfg.Data), err
	})
	if err != nil {
		return fmt.Errorf("admin: read the pending rows: %w", missing(err))
	}
	room, bytes := tailRows-len(l.pending), tailBytes-dataOf(l.pending)
	if room <= 0 || bytes <= 0 {
		return nil
	}
	dead, err := l.rows.tailDead(ctx, admindb.TailDeadParams{
		WithData: l.cfg.Data, EventType: optional(f.EventType), Topic: optional(f.Topic), EventKey: f.Key,
		MaxRows: int32(min(room, tailDead)), MaxBytes: int64(bytes),
	})
	if err != nil {
		return fmt.Errorf("admin: read the dead rows: %w", missing(err))
	}
	l.pending = append(l.pending, events(dead, l.cfg.Data)...)
	return nil
}

// again reads what is new, and the rows that waited.
func (l *look) again(ctx context.Context) error {
	if err := l.snapshot(ctx); err != nil {
		return err
	}
	if err := l.known(ctx); err != nil {
		return err
	}
	if xmax(l.upto) < xmax(l.since) { // another server, with other transactions
		l.missed = true
		return nil
	}
	f := l.cfg.Filter
	count, err := l.q.CountNew(ctx, admindb.CountNewParams{Since: l.since, Upto: l.upto, Cap: tailRows + 1})
	if err != nil {
		return fmt.Errorf("admin: count the new rows: %w", missing(err))
	}
	if count == 0 {
		return nil
	}
	l.missed = l.missed || count > tailRows
	fresh, err := l.pages(func(after int64, rows int32, bytes int64) ([]PublishedEvent, error) {
		page, err := l.q.TailNew(ctx, admindb.TailNewParams{
			Since: l.since, Upto: l.upto, After: after, Cap: tailRows,
			WithData: l.cfg.Data, EventType: optional(f.EventType), Topic: optional(f.Topic), EventKey: f.Key, MaxRows: rows, MaxBytes: bytes,
		})
		return events(page, l.cfg.Data), err
	})
	if err != nil {
		return fmt.Errorf("admin: read the new rows: %w", missing(err))
	}
	for _, e := range fresh {
		_, known := l.waiting[e.EventID] // its transaction has changed, after a restored backup
		switch {
		case known:
		case e.PublishedAt.IsZero():
			l.pending = append(l.pending, e)
		default:
			l.published = append(l.published, e)
		}
	}
	return nil
}

// xmax returns the first transaction of a snapshot that had not begun.
func xmax(snapshot string) uint64 {
	parts := strings.Split(snapshot, ":")
	if len(parts) < 2 {
		return 0
	}
	n, _ := strconv.ParseUint(parts[1], 10, 64) // it is a number
	return n
}

func (l *look) snapshot(ctx context.Context) (err error) {
	if l.upto, err = l.q.CurrentSnapshot(ctx); err != nil {
		return fmt.Errorf("admin: read the snapshot: %w", err)
	}
	return nil
}

// pages reads rows in the order of seq until there are no more, or too many.
func (l *look) pages(read func(after int64, rows int32, bytes int64) ([]PublishedEvent, error)) ([]PublishedEvent, error) {
	var out []PublishedEvent
	var after int64
	bytes := 0
	for {
		rows := tailRows - len(out)
		if l.cfg.Data {
			rows = min(rows, tailPage)
		}
		page, err := read(after, int32(rows), int64(tailBytes-bytes))
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		bytes += dataOf(page)
		switch {
		case len(out) >= tailRows || bytes >= tailBytes:
			l.missed = true
			return out, nil
		case len(page) < rows:
			return out, nil
		}
		after = page[len(page)-1].Seq
	}
}

// known reads the rows that waited and are published or gone. It looks at a page of them, in
// the order of seq from where the last look stopped, and at further pages only while it finds
// some: if Kafka is down, thousands of rows wait and none changes.
func (l *look) known(ctx context.Context) error {
	if len(l.waiting) == 0 {
		return nil
	}
	waiting := slices.SortedFunc(maps.Values(l.waiting), func(a, b PublishedEvent) int { return cmp.Compare(a.Seq, b.Seq) })
	from, _ := slices.BinarySearchFunc(waiting, l.looked+1, func(e PublishedEvent, seq int64) int { return cmp.Compare(e.Seq, seq) })
	waiting = slices.Concat(waiting[from:], waiting[:from])
	for page := range slices.Chunk(waiting, tailPage) {
		ids, seqs := make([]string, len(page)), make([]int64, len(page))
		for i, e := range page {
			ids[i], seqs[i] = e.EventID.String(), e.Seq
		}
		rows, err := l.rows.known(ctx, ids, seqs)
		if err != nil {
			return fmt.Errorf("admin: look at the rows that waited: %w", missing(err))
		}
		for _, r := range rows {
			e := l.waiting[r.ID]
			e.PublishedAt, e.Deleted = value(r.PublishedAt), r.PublishedAt == nil
			l.published = append(l.published, e)
		}
		l.upToSeq = page[len(page)-1].Seq
		if len(rows) == 0 {
			return nil
		}
	}
	return nil
}

// keep waits for a row.
func (t *Tail) keep(e PublishedEvent) {
	if _, known := t.waiting[e.EventID]; known {
		return
	}
	if len(t.waiting) >= tailRows || t.bytes+len(e.Data) > tailBytes {
		t.missed = true
		return
	}
	t.waiting[e.EventID] = e
	t.bytes += len(e.Data)
}

func (t *Tail) forget(id uuid.UUID) {
	t.bytes -= len(t.waiting[id].Data)
	delete(t.waiting, id)
}

// inOrder sorts by the time of publication; deleted rows, whose time is unknown, come last.
func inOrder(a, b PublishedEvent) int {
	if a.Deleted != b.Deleted {
		return cmp.Compare(map[bool]int{true: 1}[a.Deleted], map[bool]int{true: 1}[b.Deleted])
	}
	return cmp.Or(a.PublishedAt.Compare(b.PublishedAt), cmp.Compare(a.Seq, b.Seq))
}

// tailRow is a row of each of the queries.
type tailRow admindb.TailNewRow

type tailQueryRow interface {
	admindb.TailNewRow | admindb.TailLatestRow | admindb.TailPendingRow | admindb.TailDeadRow
}

func events[R tailQueryRow](rows []R, data bool) []PublishedEvent {
	var out []PublishedEvent
	for _, r := range rows {
		out = append(out, publishedEvent(tailRow(r), data))
	}
	return out
}

func dataOf(events []PublishedEvent) int {
	n := 0
	for _, e := range events {
		n += len(e.Data)
	}
	return n
}

func publishedEvent(r tailRow, data bool) PublishedEvent {
	e := PublishedEvent{
		Seq: r.Seq, EventID: r.ID, EventType: r.EventType, Topic: r.Topic, Key: r.EventKey, CreatedAt: r.CreatedAt, PublishedAt: value(r.PublishedAt),
	}
	switch {
	case !data:
	case r.Data == "": // no JSON document is empty
		e.Data = json.RawMessage("null")
	default:
		e.Data = json.RawMessage(r.Data)
	}
	return e
}
