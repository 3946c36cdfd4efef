package endtoend_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// journal makes a table for the events that the consumer handles, and returns a router
// that inserts each event once. The order of the table is the order of the handlers.
func (p *path) journal() *consume.Router {
	p.t.Helper()
	_, err := p.pg.Pool.Exec(p.t.Context(),
		`create table if not exists journal (at bigint generated always as identity, batch text, number bigint)`)
	must(p.t, err)
	router := consume.NewRouter(consume.OnUnknown(consume.Fail))
	events.OnEssayGradedV1(router, inbox.Tx(p.pg.Pool, "journal",
		func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[events.EssayGradedV1]) error {
			_, err := tx.Exec(ctx, `insert into journal (batch, number) values ($1, $2)`, e.Data.BatchID, e.Data.Number)
			return err
		}))
	return router
}

// gradeAll grades a number of essays in each batch, with several goroutines for each,
// which contend for the batch's row.
func (p *path) gradeAll(batches []string, essays int) {
	p.t.Helper()
	const graders = 4
	var grading sync.WaitGroup
	for _, batch := range batches {
		must(p.t, p.grade.CreateBatch(p.t.Context(), batch))
		for range graders {
			grading.Go(func() {
				for range essays / graders {
					if _, err := p.grade.Grade(p.t.Context(), batch, uuid.New(), 0.75); err != nil {
						p.t.Error(err)
						return
					}
				}
			})
		}
	}
	grading.Wait()
}

// handled waits until n events are in the journal, and checks that those of each batch
// were handled once and in order.
func (p *path) handled(n int) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%d events are handled", n), `select count(*) >= $1 from journal`, n)
	var wrong int
	must(p.t, p.pg.Pool.QueryRow(p.t.Context(), `select count(*) from
		(select number, row_number() over (partition by batch order by at) as place from journal) as j where number <> place`).Scan(&wrong))
	var total int
	must(p.t, p.pg.Pool.QueryRow(p.t.Context(), `select count(*) from journal`).Scan(&total))
	if total != n || wrong != 0 {
		p.t.Errorf("%d events are handled, %d of them out of order, want %d and none", total, wrong, n)
	}
}

// Many writers contend for a few batches while the relay and the consumer run. Every
// commit is handled once, in the order of its key. This remains true when another group
// reads everything again with the same inbox.
func TestEveryCommitIsHandledOnceAndInOrder(t *testing.T) {
	each(t, func(p *path) {
		p.relay()
		end := p.consume(p.journal(), topic)
		batches := []string{"b-1", "b-2", "b-3", "b-4", "b-5"}
		const essays = 40
		p.gradeAll(batches, essays)
		n := len(batches) * essays
		p.published(n)
		p.handled(n)
		end()

		p.consume(p.journal(), topic)
		must(p.t, p.grade.CreateBatch(p.t.Context(), "last")) // nothing signals the end of a partition, so one more event is sent
		_, err := p.grade.Grade(p.t.Context(), "last", uuid.New(), 1)
		must(p.t, err)
		p.handled(n + 1)
		p.requireNothingCounted()
	}, topic)
}

// An event that a handler inserts is linked to the one that it handled: it has the same
// correlation id, and the handled event is its cause.
func TestEventsOfAHandlerAreLinked(t *testing.T) {
	each(t, func(p *path) {
		p.relay()
		router := consume.NewRouter()
		events.OnEssayGradedV1(router, inbox.InOutbox(p.ob, "second opinion",
			func(ctx context.Context, tx *outbox.Tx, e outbox.Envelope[events.EssayGradedV1]) error {
				if e.CausationID() != "" {
					return nil // a second opinion itself
				}
				again := e.Data
				again.Number++
				return events.InsertEssayGradedV1(ctx, tx, again)
			}))
		p.consume(router, topic)

		ctx := outbox.ContextWithCorrelationID(p.t.Context(), "request-1")
		must(p.t, p.grade.CreateBatch(ctx, "b-1"))
		_, err := p.grade.Grade(ctx, "b-1", uuid.New(), 0.5)
		must(p.t, err)
		p.published(2)

		records := p.records(topic)
		if len(records) != 2 {
			p.t.Fatalf("%d records, want 2", len(records))
		}
		first, second := records[0], records[1]
		equal(p.t, "trace_id", []string{"request-1", "request-1"}, []string{header(first, "trace_id"), header(second, "trace_id")})
		equal(p.t, "causation_id", []string{"", header(first, "event_id")}, []string{header(first, "causation_id"), header(second, "causation_id")})
	}, topic)
}
