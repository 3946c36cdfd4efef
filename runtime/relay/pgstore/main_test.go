package pgstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

// relays has the role of the relay for each test's database: stores connect with
// the privileges that `outboxgen migration --grants` prints, and no more.
var relays sync.Map // of pgroles.Login, by database

// each runs a test on every installed Postgres, with the tables and the role of the
// relay.
func each(t *testing.T, test func(t *testing.T, pg *services.PG)) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		migrate(t, pg)
		relays.Store(pg.Database, pgroles.Create(t, pg).Relay)
		test(t, pg)
	})
}

// relayOf returns the role of the relay, or "" if each did not make it.
func relayOf(pg *services.PG) pgroles.Login {
	role, _ := relays.Load(pg.Database)
	login, _ := role.(pgroles.Login)
	return login
}

func migrate(t *testing.T, pg *services.PG) {
	t.Helper()
	conn := pg.Connect(t.Context())
	must(t, migrations.Up(t.Context(), conn))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, db interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
}, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func ask[T any](t *testing.T, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// waitFor asks until the answer is true.
func waitFor(t *testing.T, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, sql string, args ...any) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !ask[bool](t, db, sql, args...) {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within a minute: %s", sql)
		}
	}
}

func begin(t *testing.T, pg *services.PG) pgx.Tx {
	t.Helper()
	tx, err := pg.Pool.Begin(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

// patience is how long a server of a test may take to answer while a session is opened: on a
// busy machine more than the default. Tests of servers that do not answer set it to 0.
const patience = time.Minute

func newStore(t *testing.T, pg *services.PG, change ...func(*pgstore.Config)) *pgstore.Store {
	t.Helper()
	s, err := pgstore.New(storeConfig(t, pg, change...))
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// storeConfig is the configuration of a store of the relay's role.
func storeConfig(t *testing.T, pg *services.PG, change ...func(*pgstore.Config)) pgstore.Config {
	t.Helper()
	conn, err := pgx.ParseConfig(pg.URL)
	must(t, err)
	if role := relayOf(pg); role.Name != "" {
		role.As(conn)
	}
	conn.ConnectTimeout = patience
	cfg := pgstore.Config{Conn: conn}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

// lead begins a term.
func lead(t *testing.T, s relay.Store) relay.Lease {
	t.Helper()
	seen, err := s.Observe(t.Context())
	must(t, err)
	lease, err := s.TakeOver(t.Context(), seen, uuid.New())
	must(t, err)
	return lease
}

func renew(t *testing.T, s relay.Store, l relay.Lease, p relay.Progress) {
	t.Helper()
	_, err := s.Renew(t.Context(), l, p)
	must(t, err)
}

func snapshot(t *testing.T, s relay.Store) relay.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	must(t, err)
	return snap
}

// insert writes one event and returns its seq.
func insert(t *testing.T, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, key string) int64 {
	t.Helper()
	return ask[int64](t, db, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		VALUES ($1::text, 'order', 'order.paid.v1', 'orders', $1::text, json_build_object('key', $1::text)) RETURNING seq`, key)
}

// insertMany writes n events of about size bytes in one transaction.
func insertMany(t *testing.T, pg *services.PG, n, size int) {
	t.Helper()
	exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		SELECT 'a' || i % 100, 'order', 'order.paid.v1', 'orders', 'a' || i % 100,
		       json_build_object('n', i, 'text', repeat('x', $2::int))
		FROM generate_series(1, $1::int) AS i`, n, size)
}

var wide = relay.Limit{Rows: 1_000_000, Bytes: 1 << 30}

// all reads every page of one reading.
func all(t *testing.T, limit relay.Limit, read func(after int64, limit relay.Limit) (relay.Page, error)) []relay.Row {
	t.Helper()
	var rows []relay.Row
	for after := int64(0); ; {
		page, err := read(after, limit)
		must(t, err)
		rows = append(rows, page.Rows...)
		if !page.More {
			return rows
		}
		next := page.End
		if n := len(page.Rows); n > 0 {
			next = max(next, page.Rows[n-1].Seq)
		}
		if next <= after {
			t.Fatal("a page says that there is more, and not where")
		}
		after = next
	}
}

func backlog(t *testing.T, s relay.Store, snap relay.Snapshot, limit relay.Limit) []relay.Row {
	t.Helper()
	return all(t, limit, func(after int64, limit relay.Limit) (relay.Page, error) {
		return s.ReadBacklog(t.Context(), snap, after, limit)
	})
}

func tick(t *testing.T, s relay.Store, from, to relay.Snapshot, limit relay.Limit) []relay.Row {
	t.Helper()
	return all(t, limit, func(after int64, limit relay.Limit) (relay.Page, error) {
		return s.ReadTick(t.Context(), from, to, after, limit)
	})
}

func seqs(rows []relay.Row) []int64 {
	list := []int64{}
	for _, r := range rows {
		list = append(list, r.Seq)
	}
	return list
}

func keys(rows []relay.Row) []string {
	list := []string{}
	for _, r := range rows {
		if r.Key == nil {
			list = append(list, "NULL")
		} else {
			list = append(list, *r.Key)
		}
	}
	return list
}

func settle(t *testing.T, s relay.Store, l relay.Lease, rows []relay.Row) {
	t.Helper()
	must(t, s.Settle(t.Context(), l, relay.Settlement{Published: seqs(rows)}))
}
