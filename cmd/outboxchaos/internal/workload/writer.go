package workload

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/history"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/testdata/service/events"
	"github.com/outboxgen/outboxgen/testdata/service/events/outboxdb"
)

// Tables are the writers' own tables: a counter for each key, whose row is the lock
// that covers the key, and the transactions that were committed.
const Tables = `
CREATE TABLE chaos_key (topic text, key text, n bigint NOT NULL DEFAULT 0, PRIMARY KEY (topic, key));
CREATE TABLE chaos_tx (id uuid PRIMARY KEY);
INSERT INTO chaos_key (topic, key)
SELECT topic, 'k' || i FROM (VALUES ('chaos.hot', 4), ('chaos.cold', 300), ('chaos.small', 30), ('chaos.fleeting', 20)) AS t (topic, keys),
       generate_series(1, keys) AS i;`

// insert has the statements of generated code.
var insert = gen.SQL{One: outboxdb.InsertEvent, Many: outboxdb.InsertEvents}

var keys = map[string]int{TopicHot: 4, TopicCold: 300, TopicSmall: 30, TopicFleeting: 20}

// Config is the configuration of a writer.
type Config struct {
	Pool    *pgxpool.Pool
	Outbox  *outbox.Outbox
	History *history.History
	Rand    *rand.Rand
	// Pause is about how long a writer pauses between two transactions.
	Pause time.Duration
	// Fleeting is false while nothing may be written to TopicFleeting.
	Fleeting *atomic.Bool
	// Poison is true if some events shall be ones that cannot be sent until they are
	// fixed.
	Poison bool
	// Past is a time in milliseconds, as in a UUIDv7: the ids of some events are of that time, as
	// after a wrong clock. nil, and 0: of none.
	Past *atomic.Int64
}

// Writer runs transactions one after the other.
type Writer struct{ Config }

type plan struct {
	id     uuid.UUID
	way    way
	events []*planned
	hold   time.Duration // before the end
	abort  bool          // roll back at the end
}

// planned is one event of a plan. row and n are set when it is inserted.
type planned struct {
	topic  string
	key    string
	keyed  bool
	pad    int
	poison bool // headers that do not parse
	delay  time.Duration

	n       int64
	row     outbox.Row
	made    bool
	dropped bool
}

// way is how a transaction inserts its events.
type way int

const (
	ride      way = iota // on an outbox.Tx, with COMMIT
	savepoint            // the same, with savepoints, some rolled back
	plain                // on the service's own pgx.Tx, immediately
	copied               // by COPY
	batched              // on the caller's batch
	ways
)

// Run writes until ctx ends. Then the current transaction is cancelled.
func (w *Writer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		w.transaction(ctx)
		wait.For(ctx, time.Duration(w.Rand.Int64N(int64(2*w.Pause)+1)))
	}
}

// makePlan plans the next transaction completely before it begins.
func (w *Writer) makePlan() plan {
	r := w.Rand
	p := plan{id: uuid.New(), way: way(r.IntN(int(ways)))}
	n := 1 + r.IntN(4)
	if r.IntN(8) == 0 {
		n = 1 + r.IntN(50)
	}
	chosen := map[[2]string]bool{}
	for range n {
		e := w.makeEvent()
		if p.way != copied && r.IntN(20) == 0 {
			e.delay = time.Duration(r.Int64N(int64(5 * time.Second)))
		}
		if len(chosen) >= 5 && e.keyed { // few locks, many events
			for k := range chosen {
				if k[0] != TopicSmall || e.pad < SmallLimit {
					e.topic, e.key = k[0], k[1]
				}
				break
			}
		}
		if e.keyed {
			chosen[[2]string{e.topic, e.key}] = true
		}
		p.events = append(p.events, e)
	}
	// All writers take locks in the same order, so that they do not deadlock.
	slices.SortStableFunc(p.events, func(a, b *planned) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.key, b.key))
	})
	p.abort = r.IntN(7) == 0
	switch r.IntN(40) {
	case 0:
		if !w.locksHot(p) {
			p.hold = time.Second + time.Duration(r.Int64N(int64(8*time.Second)))
		}
	case 1, 2, 3:
		p.hold = time.Duration(r.Int64N(int64(100 * time.Millisecond)))
	}
	return p
}

// locksHot reports whether the plan takes a lock that all writers use.
func (w *Writer) locksHot(p plan) bool {
	return slices.ContainsFunc(p.events, func(e *planned) bool { return e.topic == TopicHot && e.keyed })
}

func (w *Writer) makeEvent() *planned {
	r := w.Rand
	e := &planned{keyed: r.IntN(12) != 0, pad: r.IntN(300)}
	switch n := r.IntN(20); {
	case n < 7:
		e.topic = TopicHot
	case n < 16:
		e.topic = TopicCold
	case n < 18:
		e.topic = TopicSmall
	default:
		e.topic = TopicFleeting
		if !w.Fleeting.Load() {
			e.topic = TopicCold
		}
	}
	e.key = fmt.Sprintf("k%d", 1+r.IntN(keys[e.topic]))
	if !w.Poison {
		return e
	}
	switch {
	case e.topic == TopicSmall && r.IntN(60) == 0:
		e.pad = 3 * SmallLimit // too large for the topic
	case e.topic == TopicCold && r.IntN(1500) == 0:
		e.poison = true
	case e.topic == TopicCold && r.IntN(4000) == 0:
		e.pad = 1_400_000 // too large for the broker's default
	}
	return e
}

var errAbort = errors.New("the plan is to roll back")

func (w *Writer) transaction(ctx context.Context) {
	p := w.makePlan()
	var err error
	if p.way == ride || p.way == savepoint || p.way == batched && w.Rand.IntN(2) == 0 {
		err = w.Outbox.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error { return w.perform(ctx, tx, &p) })
	} else {
		err = w.byHand(ctx, &p)
	}
	outcome := history.Committed
	switch {
	case err == nil:
	case outbox.IsCommitUnknown(err), errors.Is(err, errUnknown):
		outcome = history.Unknown
	default:
		outcome = history.RolledBack
	}
	w.History.Transaction(p.id, outcome, p.made())
}

// errUnknown is the error of a manual commit if the connection broke.
var errUnknown = errors.New("the outcome of COMMIT is unknown")

// byHand returns a transaction that the outbox does not know.
func (w *Writer) byHand(ctx context.Context, p *plan) error {
	tx, err := w.Pool.Begin(ctx)
	if err != nil {
		return err
	}
	if err := w.perform(ctx, tx, p); err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx)) // the cause is known already
		return err
	}
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err = tx.Commit(commit)
	switch {
	case err == nil:
		if w.Rand.IntN(2) == 0 {
			w.Outbox.Wake()
		}
		return nil
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return err
	}
	return fmt.Errorf("%w: %w", errUnknown, err)
}

func (p *plan) made() []history.Event {
	var out []history.Event
	for _, e := range p.events {
		if !e.made {
			continue
		}
		h := history.Event{
			ID: e.row.ID, Topic: e.topic, Keyed: e.keyed, N: e.n, Sum: history.Sum(e.row.Data),
			Dropped: e.dropped, Poison: e.poison || e.pad > SmallLimit, DeliverAt: e.row.DeliverAt,
		}
		if e.keyed {
			h.Key = e.key
		}
		out = append(out, h)
	}
	return out
}

// perform runs the plan in a transaction. It returns an error if the transaction has to
// be rolled back.
func (w *Writer) perform(ctx context.Context, tx pgx.Tx, p *plan) error {
	if w.Rand.IntN(2) == 0 { // the transaction id is assigned early, or with the first lock
		if _, err := tx.Exec(ctx, "SELECT pg_current_xact_id()"); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "INSERT INTO chaos_tx (id) VALUES ($1)", p.id); err != nil {
		return err
	}
	var err error
	switch p.way {
	case savepoint:
		err = w.performNested(ctx, tx, p)
	case copied:
		err = w.performCopy(ctx, tx, p)
	case batched:
		err = w.performBatch(ctx, tx, p)
	default:
		err = w.performPlain(ctx, tx, p.events)
	}
	if err != nil {
		return err
	}
	if p.hold > 0 && !wait.For(ctx, p.hold) {
		return ctx.Err()
	}
	if !p.abort {
		return nil
	}
	if w.Rand.IntN(3) == 0 { // by a statement that fails
		_, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 5; SELECT pg_sleep(1)")
		return errors.Join(errAbort, err)
	}
	return errAbort
}

// lock takes the lock that covers the event's key and draws its number.
func (e *planned) lock(ctx context.Context, tx pgx.Tx) error {
	if !e.keyed {
		return nil
	}
	return tx.QueryRow(ctx, "UPDATE chaos_key SET n = n + 1 WHERE topic = $1 AND key = $2 RETURNING n", e.topic, e.key).Scan(&e.n)
}

// event is the event for the insert functions. It keeps the row that they build.
type event struct {
	w *Writer
	p *planned
}

// NewRow implements outbox.Event.
func (e event) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	c := Change{Key: e.p.key, N: e.p.n, Pad: e.w.padding(e.p.pad)}
	if e.p.delay > 0 {
		opts = append(opts, outbox.WithDeliverAt(time.Now().Add(e.p.delay)))
	}
	if e.w.Past != nil && e.w.Rand.IntN(3) == 0 {
		if at := e.w.Past.Load(); at > 0 {
			opts = append(opts, outbox.WithID(idAt(at)))
		}
	}
	row, err := EventType(e.p.topic, e.p.keyed).NewRow(ctx, c, opts...)
	if err != nil {
		return row, err
	}
	if e.p.poison {
		row.Headers = []byte(`{"unreadable": [1, 2]}`)
	}
	e.p.row, e.p.made = row, true
	return row, nil
}

// idAt returns a UUIDv7 of a time in milliseconds.
func idAt(ms int64) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}

// padding returns text that does not compress well.
func (w *Writer) padding(n int) string {
	b := make([]byte, n*3/4)
	for i := range b {
		b[i] = byte(w.Rand.Uint32())
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (w *Writer) performPlain(ctx context.Context, tx pgx.Tx, planned []*planned) error {
	if w.Rand.IntN(2) == 0 { // one by one
		for _, p := range planned {
			if err := p.lock(ctx, tx); err != nil {
				return err
			}
			if err := events.InsertAll(ctx, tx, event{w, p}); err != nil {
				return err
			}
		}
		return nil
	}
	all, err := w.locked(ctx, tx, planned)
	if err != nil {
		return err
	}
	return events.InsertAll(ctx, tx, all...)
}

func (w *Writer) locked(ctx context.Context, tx pgx.Tx, planned []*planned) ([]outbox.Event, error) {
	all := make([]outbox.Event, len(planned))
	for i, p := range planned {
		if err := p.lock(ctx, tx); err != nil {
			return nil, err
		}
		all[i] = event{w, p}
	}
	return all, nil
}

// performNested divides the events into parts. Every second part is in a savepoint, and
// some savepoints are rolled back.
func (w *Writer) performNested(ctx context.Context, tx pgx.Tx, p *plan) error {
	for rest := p.events; len(rest) > 0; {
		n := 1 + w.Rand.IntN(len(rest))
		part := rest[:n]
		rest = rest[n:]
		if w.Rand.IntN(3) == 0 {
			if err := w.performPlain(ctx, tx, part); err != nil {
				return err
			}
			continue
		}
		nested, err := tx.Begin(ctx)
		if err != nil {
			return err
		}
		if err := w.performPlain(ctx, nested, part); err != nil {
			return err
		}
		if w.Rand.IntN(3) != 0 {
			if err := nested.Commit(ctx); err != nil {
				return err
			}
			continue
		}
		for _, e := range part {
			e.dropped = true
		}
		if err := nested.Rollback(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) performCopy(ctx context.Context, tx pgx.Tx, p *plan) error {
	all, err := w.locked(ctx, tx, p.events)
	if err != nil {
		return err
	}
	rows := make([][]any, len(all))
	for i, e := range all {
		r, err := e.NewRow(ctx)
		if err != nil {
			return err
		}
		rows[i] = []any{r.ID, r.AggregateType, r.AggregateID, r.EventType, r.Topic, r.Key, string(r.Data), string(r.Headers)}
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"event_outbox"},
		[]string{"id", "aggregate_type", "aggregate_id", "event_type", "topic", "event_key", "event_data", "headers"}, pgx.CopyFromRows(rows))
	return err
}

func (w *Writer) performBatch(ctx context.Context, tx pgx.Tx, p *plan) error {
	all, err := w.locked(ctx, tx, p.events)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	for _, e := range all {
		if err := gen.Queue(ctx, batch, insert, e); err != nil {
			return err
		}
	}
	return tx.SendBatch(ctx, batch).Close()
}
