package pgstore_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"

	"github.com/jackc/pgx/v5"
)

// benchRows is the number of waiting rows, 500 bytes each.
const benchRows = 200_000

func benchStore(b *testing.B, mode pgstore.Mode) (*pgstore.Store, relay.Lease, *services.PG) {
	b.Helper()
	pg := services.Postgres(b)
	if err := migrations.Up(b.Context(), pg.Connect(b.Context())); err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		b.Fatal(err)
	}
	s, err := pgstore.New(pgstore.Config{Conn: conn, Mode: mode})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	seen, err := s.Observe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	lease, err := s.TakeOver(b.Context(), seen, uuid.New())
	if err != nil {
		b.Fatal(err)
	}
	return s, lease, pg
}

func fill(b *testing.B, pg *services.PG) {
	b.Helper()
	_, err := pg.Pool.Exec(b.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
		SELECT 'a' || i % 1000, 'order', 'order.paid.v1', 'orders', 'a' || i % 1000,
		       json_build_object('n', i, 'text', repeat('x', 470)), '{"trace_id": "c-1", "source_service": "shop"}'
		FROM generate_series(1, $1::int) AS i`, benchRows)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := pg.Pool.Exec(b.Context(), `VACUUM ANALYZE event_outbox`); err != nil {
		b.Fatal(err)
	}
}

func drain(b *testing.B, read func(after int64) (relay.Page, error)) (pages [][]int64) {
	b.Helper()
	for after := int64(0); ; {
		page, err := read(after)
		if err != nil {
			b.Fatal(err)
		}
		pages = append(pages, seqs(page.Rows))
		if !page.More {
			return pages
		}
		after = page.Rows[len(page.Rows)-1].Seq
	}
}

func BenchmarkRead(b *testing.B) {
	limit := relay.Limit{Rows: 4_000, Bytes: 8 << 20}
	s, _, pg := benchStore(b, pgstore.Mark)
	before, err := s.Snapshot(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	fill(b, pg)
	after, err := s.Snapshot(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func(seq int64) (relay.Page, error){
		"backlog": func(seq int64) (relay.Page, error) { return s.ReadBacklog(b.Context(), after, seq, limit) },
		"tick":    func(seq int64) (relay.Page, error) { return s.ReadTick(b.Context(), before, after, seq, limit) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				for _, page := range drain(b, read) {
					rows += len(page)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkSettle(b *testing.B) {
	for _, mode := range []pgstore.Mode{pgstore.Mark, pgstore.Delete} {
		b.Run(string(mode), func(b *testing.B) {
			s, lease, pg := benchStore(b, mode)
			rows := 0
			for b.Loop() {
				b.StopTimer()
				fill(b, pg)
				snap, err := s.Snapshot(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				pages := drain(b, func(after int64) (relay.Page, error) {
					return s.ReadBacklog(b.Context(), snap, after, relay.Limit{Rows: 5_000, Bytes: 64 << 20})
				})
				b.StartTimer()
				for _, page := range pages {
					if err := s.Settle(b.Context(), lease, relay.Settlement{Published: page}); err != nil {
						b.Fatal(err)
					}
					rows += len(page)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
