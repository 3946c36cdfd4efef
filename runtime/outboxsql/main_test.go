package outboxsql_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

// Paid stands for generated event data.
type Paid struct{ Order string }

func (p Paid) Validate() error { return nil }

func (p Paid) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]string{"order": p.Order}) }

var paidType = gen.EventType[Paid]{
	Type: "shop.paid.v1", Topic: "shop.paid.v1", Source: "shop", AggregateType: "order",
	AggregateID: func(p *Paid) (string, error) { return p.Order, nil },
}

func (p Paid) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	return paidType.NewRow(ctx, p, opts...)
}

// Swept has no key.
type Swept struct{ Paid }

var sweptType = gen.EventType[Swept]{Type: "shop.swept.v1", Topic: "shop.v1", Source: "shop", AggregateType: "shop", Unkeyed: true}

func (s Swept) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	return sweptType.NewRow(ctx, s, opts...)
}

// unpaid is a tombstone of Paid.
type unpaid string

func (u unpaid) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	return paidType.NewTombstone(ctx, string(u), opts...)
}

var insertRows = gen.SQL{
	One: `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::json, $8::json) ON CONFLICT (id) DO NOTHING`,
	Many: `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers)
SELECT e.id, e.aggregate_type, e.aggregate_id, e.event_type, e.topic, CASE WHEN e.keyed THEN e.event_key END, e.event_data, e.headers
FROM ROWS FROM (unnest($1::uuid[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
	unnest($6::boolean[]), unnest($7::text[]), unnest($8::json[]), unnest($9::json[]))
WITH ORDINALITY AS e (id, aggregate_type, aggregate_id, event_type, topic, keyed, event_key, event_data, headers, ordinality)
ORDER BY e.ordinality ON CONFLICT (id) DO NOTHING`,
}

func insert(ctx context.Context, tx outbox.Transaction, orders ...string) error {
	for _, order := range orders {
		if err := gen.Insert(ctx, tx, insertRows, Paid{order}); err != nil {
			return err
		}
	}
	return nil
}

// shop is a database with an outbox and a business table, and a pool of database/sql.
type shop struct {
	*services.PG
	db *sql.DB
}

func newShop(t testing.TB) *shop {
	t.Helper()
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `CREATE TABLE orders (id text PRIMARY KEY, paid int NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	return &shop{pg, open(t, pg.URL)}
}

func open(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// exec runs a statement outside the transactions under test.
func (s *shop) exec(t testing.TB, query string) {
	t.Helper()
	if _, err := s.Pool.Exec(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// kept is what remains in the database.
type kept struct{ Orders, Events []string }

func (s *shop) kept(t testing.TB) kept {
	t.Helper()
	read := func(query string) []string {
		found, err := s.Pool.Query(context.WithoutCancel(t.Context()), query)
		if err != nil {
			t.Fatal(err)
		}
		list, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return nil
		}
		return list
	}
	return kept{read(`SELECT id FROM orders ORDER BY id`), read(`SELECT aggregate_id FROM event_outbox ORDER BY seq`)}
}

// witness is the log and the waker of an Outbox.
type witness struct {
	mu    sync.Mutex
	log   bytes.Buffer
	wakes int
}

func (w *witness) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *witness) Wake(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wakes++
	return nil
}

// committed returns the aggregate ids of the log lines about committed events.
func (w *witness) committed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for line := range strings.Lines(w.log.String()) {
		var entry struct {
			Msg         string `json:"msg"`
			AggregateID string `json:"aggregate_id"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "event committed" {
			ids = append(ids, entry.AggregateID)
		}
	}
	return ids
}

// newOutbox returns an Outbox on db, and what it logs and wakes.
func newOutbox(t testing.TB, db *sql.DB, options outbox.Options) (ob *outboxsql.Outbox, seen *witness) {
	t.Helper()
	seen = &witness{}
	options.Waker = seen
	options.Logger = slog.New(slog.NewJSONHandler(seen, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ob = outboxsql.New(db, options)
	t.Cleanup(ob.Close)
	return ob, seen
}

// printable returns a row with texts instead of bytes.
func printable(r outbox.Row) map[string]string {
	key := "no key"
	if r.Key != nil {
		key = fmt.Sprintf("%q", *r.Key)
	}
	partition, data := "none", "none"
	if r.Data != nil {
		data = string(r.Data)
	}
	if r.Partition != nil {
		partition = strconv.Itoa(int(*r.Partition))
	}
	return map[string]string{
		"id": r.ID.String(), "aggregate_type": r.AggregateType, "aggregate_id": r.AggregateID, "event_type": r.EventType,
		"topic": r.Topic, "key": key, "data": data, "headers": string(r.Headers), "partition": partition,
	}
}

func stored(list []outboxtest.StoredRow) []map[string]string {
	var found []map[string]string
	for _, r := range list {
		found = append(found, printable(outbox.Row{ID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID,
			EventType: r.EventType, Topic: r.Topic, Key: r.Key, Data: r.Data, Headers: r.Headers, Partition: r.Partition}))
	}
	return found
}

// counted gives ids 1, 2, 3 …
func counted() outbox.Option {
	n := byte(0)
	return outbox.WithNewID(func() (uuid.UUID, error) {
		n++
		return uuid.UUID{15: n}, nil
	})
}
