package inbox_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

type batchHandler = func(ctx context.Context, batch []outbox.Envelope[grade]) error

// batchInboxes makes a handler of each kind. h has the effects and ends with its error.
func batchInboxes(pool *pgxpool.Pool, h func(batch []outbox.Envelope[grade]) error) map[string]batchHandler {
	effects := func(ctx context.Context, tx outbox.Transaction, batch []outbox.Envelope[grade]) error {
		for _, e := range batch {
			if _, err := tx.Exec(ctx, `INSERT INTO effect (id) VALUES ($1)`, e.EventID); err != nil {
				return err
			}
		}
		return h(batch)
	}
	return map[string]batchHandler{
		"TxBatch": inbox.TxBatch(pool, "grades", func(ctx context.Context, tx pgx.Tx, batch []outbox.Envelope[grade]) error {
			return effects(ctx, tx, batch)
		}),
		"InTxBatch": inbox.InTxBatch(outbox.New(pool, outbox.Options{}).InTx, "grades", func(ctx context.Context, tx *outbox.Tx, batch []outbox.Envelope[grade]) error {
			return effects(ctx, tx, batch)
		}),
	}
}

func idsOf(batch []outbox.Envelope[grade]) (ids []uuid.UUID) {
	for _, e := range batch {
		ids = append(ids, e.EventID)
	}
	return ids
}

// The handler gets the events that were not handled before, each once and in their order.
func TestBatchesWithRepeats(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		var got [][]uuid.UUID
		for name, handle := range batchInboxes(pool, func(batch []outbox.Envelope[grade]) error {
			got = append(got, idsOf(batch))
			return nil
		}) {
			got = nil
			a, b, c, d := event(), event(), event(), event()
			for _, batch := range [][]outbox.Envelope[grade]{{c}, {d, c, a, d}, {a, b}, {a, b, c, d}} {
				if err := handle(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			want := [][]uuid.UUID{{c.EventID}, {d.EventID, a.EventID}, {b.EventID}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: handled (-want +got):\n%s", name, diff)
			}
			if n := count(t, pg, `SELECT count(*) FROM effect`); n != 4 {
				t.Errorf("%s: %d effects", name, n)
			}
			if _, err := pg.Pool.Exec(t.Context(), `TRUNCATE effect`); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A handler that fails or panics leaves all events of the batch to be handled, also if it
// says at which one: nothing is handled before that one.
func TestBatchesThatFail(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		broken := errors.New("no")
		for ending, end := range map[string]func() error{
			"error":    func() error { return broken },
			"at one":   func() error { return &consume.BatchError{Index: 1, Err: broken} },
			"panicked": func() error { panic(broken) },
		} {
			fails := true
			for name, handle := range batchInboxes(pool, func([]outbox.Envelope[grade]) error {
				if fails {
					return end()
				}
				return nil
			}) {
				fails = true
				batch := []outbox.Envelope[grade]{event(), event()}
				err := func() (err error) {
					defer consume.RecoverTo(&err)
					return handle(t.Context(), batch)
				}()
				if _, named := errors.AsType[*consume.BatchError](err); named || !errors.Is(err, broken) {
					t.Errorf("%s, %s: %v", name, ending, err)
				}
				if n := count(t, pg, `SELECT count(*) FROM effect`) + count(t, pg, `SELECT count(*) FROM event_inbox`); n != 0 {
					t.Errorf("%s, %s: it left %d rows", name, ending, n)
				}
				fails = false
				if err := handle(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
				if n := count(t, pg, `SELECT count(*) FROM effect`); n != 2 {
					t.Errorf("%s, %s: %d effects", name, ending, n)
				}
				if _, err := pg.Pool.Exec(t.Context(), `TRUNCATE effect, event_inbox`); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// Batches with the same events in another order, at the same time, do not deadlock: each
// event is handled once.
func TestBatchesAtTheSameTime(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		const rounds, events = 20, 50
		handle := batchInboxes(pool, func([]outbox.Envelope[grade]) error { return nil })["TxBatch"]
		for range rounds {
			batch := make([]outbox.Envelope[grade], events)
			for i := range batch {
				batch[i] = event()
			}
			backward := slices.Clone(batch)
			slices.Reverse(backward)
			var wg sync.WaitGroup
			for _, b := range [][]outbox.Envelope[grade]{batch, backward} {
				wg.Go(func() {
					if err := handle(t.Context(), b); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		if n := count(t, pg, `SELECT count(*) FROM effect`); n != rounds*events {
			t.Errorf("%d effects", n)
		}
	})
}

func TestBatchesWithoutAnID(t *testing.T) {
	each(t, func(t *testing.T, _ *services.PG, pool *pgxpool.Pool) {
		for name, handle := range batchInboxes(pool, func([]outbox.Envelope[grade]) error { return nil }) {
			if err := handle(t.Context(), []outbox.Envelope[grade]{event(), {}}); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}
