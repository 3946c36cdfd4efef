package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

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
	// unless an operator discarded it.
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

// Tail follows the rows that are published. It reads what is new since its last look, and
// looks again at the rows that waited. Each look is a few statements that read by an index,
// lock nothing and end at once, so it does not disturb the relay. A program that must see
// every event consumes the topic instead: a row that is published and deleted between two
// looks is not seen.
type Tail struct {
	db      DB
	cfg     TailConfig
	since   string // snapshot whose rows were read
	waiting map[uuid.UUID]PublishedEvent
	bytes   int // of the data in waiting
	started bool
	missed  bool
}

const (
	// tailRows limits each read of a look, and the rows that are waited for.
	tailRows = 10_000
	// tailBytes limits the data of the rows that are waited for.
	tailBytes = 64 << 20
)

// NewTail returns a Tail that begins now. It reads with the first call of Next.
func NewTail(db DB, cfg TailConfig) (*Tail, error) {
	f := cfg.Filter
	if len(f.EventIDs) > 0 || f.AggregateType != "" || f.AggregateID != "" || f.Error != "" || f.OlderThan != 0 || f.NewerThan != 0 {
		return nil, errors.New("admin: TailConfig.Filter selects by event type, topic and key only")
	}
	return &Tail{db: db, cfg: cfg, waiting: map[uuid.UUID]PublishedEvent{}}, nil
}

// Missed reports whether there were more rows at once than a look reads or a Tail keeps, so
// that events were left out, and forgets it.
func (t *Tail) Missed() bool {
	missed := t.missed
	t.missed = false
	return missed
}

// Next looks once and returns the events that were published since the last look, by the
// time at which the relay recorded them, and then by seq. After an error the next call
// continues where the last one did.
func (t *Tail) Next(ctx context.Context) ([]PublishedEvent, error) {
	q := admindb.New(t.db)
	if !t.started {
		return t.start(ctx, q)
	}
	upto, err := q.CurrentSnapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("admin: read the snapshot: %w", err)
	}
	f := t.cfg.Filter
	fresh, err := q.TailNew(ctx, admindb.TailNewParams{
		WithData: t.cfg.Data, Since: t.since, Upto: upto, EventType: optional(f.EventType), Topic: optional(f.Topic), EventKey: f.Key, MaxRows: tailRows,
	})
	if err != nil {
		return nil, fmt.Errorf("admin: read the new rows: %w", missing(err))
	}
	known, err := t.lookAgain(ctx, q)
	if err != nil {
		return nil, err
	}
	pending, err := t.pending(ctx, q)
	if err != nil {
		return nil, err
	}
	t.since = upto
	t.missed = t.missed || len(fresh) == tailRows
	out := known
	for _, r := range fresh {
		if e := publishedEvent(tailRow(r), t.cfg.Data); !e.PublishedAt.IsZero() {
			out = append(out, e)
			t.forget(e.EventID)
		} else {
			t.keep(e)
		}
	}
	for _, e := range pending {
		t.keep(e)
	}
	slices.SortFunc(out, inOrder)
	return out, nil
}

// start reads the latest events, and the rows that wait.
func (t *Tail) start(ctx context.Context, q *admindb.Queries) ([]PublishedEvent, error) {
	if err := refuseHidden(ctx, t.db); err != nil {
		return nil, err
	}
	since, err := q.CurrentSnapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("admin: read the snapshot: %w", err)
	}
	f := t.cfg.Filter
	var out []PublishedEvent
	if t.cfg.Latest > 0 {
		rows, err := q.TailLatest(ctx, admindb.TailLatestParams{
			WithData: t.cfg.Data, EventType: optional(f.EventType), Topic: optional(f.Topic), EventKey: f.Key, MaxRows: int32(min(t.cfg.Latest, tailRows)),
		})
		if err != nil {
			return nil, fmt.Errorf("admin: read the latest rows: %w", missing(err))
		}
		for _, r := range rows {
			out = append(out, publishedEvent(tailRow(r), t.cfg.Data))
		}
	}
	pending, err := t.pending(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, e := range pending {
		t.keep(e)
	}
	t.since, t.started = since, true
	slices.SortFunc(out, inOrder)
	return out, nil
}

// pending reads the first rows that wait.
func (t *Tail) pending(ctx context.Context, q *admindb.Queries) ([]PublishedEvent, error) {
	f := t.cfg.Filter
	low, err := q.LowWater(ctx, defaultLease)
	if err != nil {
		return nil, fmt.Errorf("admin: read the low-water mark: %w", missing(err))
	}
	rows, err := q.TailPending(ctx, admindb.TailPendingParams{
		LowWater: low.LowWater, UpTo: low.UpTo, Top: low.Top,
		WithData: t.cfg.Data, EventType: optional(f.EventType), Topic: optional(f.Topic), EventKey: f.Key, MaxRows: tailRows,
	})
	if err != nil {
		return nil, fmt.Errorf("admin: read the pending rows: %w", missing(err))
	}
	t.missed = t.missed || len(rows) == tailRows
	out := make([]PublishedEvent, len(rows))
	for i, r := range rows {
		out[i] = publishedEvent(tailRow(r), t.cfg.Data)
	}
	return out, nil
}

// lookAgain returns those of the rows that waited that are published or gone.
func (t *Tail) lookAgain(ctx context.Context, q *admindb.Queries) ([]PublishedEvent, error) {
	if len(t.waiting) == 0 {
		return nil, nil
	}
	ids := make([]string, 0, len(t.waiting))
	for id := range t.waiting {
		ids = append(ids, id.String())
	}
	rows, err := q.TailKnown(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("admin: look at the rows that waited: %w", missing(err))
	}
	there := make(map[uuid.UUID]*time.Time, len(rows))
	for _, r := range rows {
		there[r.ID] = r.PublishedAt
	}
	var out []PublishedEvent
	for id, e := range t.waiting {
		at, ok := there[id]
		switch {
		case !ok:
			e.Deleted = true
		case at == nil:
			continue
		default:
			e.PublishedAt = *at
		}
		out = append(out, e)
	}
	for _, e := range out {
		t.forget(e.EventID)
	}
	return out, nil
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
