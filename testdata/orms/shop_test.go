package orms_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

func TestMain(m *testing.M) {
	// GORM's cache of prepared statements has a goroutine that never ends.
	goleak.VerifyTestMain(services.Wrap(m), goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

// shop is the service, written with one of the libraries. Its table is orders.
type shop interface {
	// place stores an order and its event in one transaction. If then returns an error,
	// nothing is stored.
	place(ctx context.Context, order string, then func() error) error
	// placeOne stores the first order and its event. The second one is stored in a
	// savepoint that is rolled back.
	placeOne(ctx context.Context, first, second string) error
	// ship handles the event of an order that was placed, once: it counts what was
	// shipped.
	ship(ctx context.Context, e outbox.Envelope[events.OrderPlacedV1]) error
}

var errTooLate = errors.New("too late")

// placed is the event of an order.
func placed(order string) events.OrderPlacedV1 {
	return events.OrderPlacedV1{OrderID: order, Quantity: 2, PlacedAt: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
}

// drivers are the drivers of database/sql, by the name under which they are registered.
var drivers = []string{"pgx", "postgres"}

// testShop runs the scenario on a database for each driver.
func testShop(t *testing.T, open func(t *testing.T, db *sql.DB) shop) {
	t.Helper()
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, driver)
			run(t, db, open(t, db))
		})
	}
}

// newDatabase is a database with an outbox and the table orders. The settings are of its
// address.
func newDatabase(t *testing.T, driver string, settings ...string) *sql.DB {
	t.Helper()
	pg := services.Postgres(t)
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	address.RawQuery = strings.Join(append(settings, address.RawQuery), "&")
	db, err := sql.Open(driver, address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := db.Stats().InUse; n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	_, err = db.ExecContext(t.Context(), `CREATE TABLE orders (id text PRIMARY KEY, quantity int NOT NULL, shipped int NOT NULL)`)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func run(t *testing.T, db *sql.DB, s shop) {
	t.Helper()
	ctx := t.Context()
	if err := s.place(ctx, "o-1", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	row := outboxtest.RequireInserted(t, outboxsql.DB(db), "shop.order_placed.v1")
	if row.AggregateID != "o-1" {
		t.Errorf("%+v", row)
	}
	if err := s.place(ctx, "o-2", func() error { return errTooLate }); !errors.Is(err, errTooLate) {
		t.Fatalf("place = %v", err)
	}
	if err := s.placeOne(ctx, "o-3", "o-4"); err != nil {
		t.Fatal(err)
	}

	router := consume.NewRouter(consume.OnUnknown(consume.Fail))
	events.OnOrderPlacedV1(router, s.ship)
	for range 3 { // delivered three times
		if err := router.Dispatch(ctx, message(t, row)); err != nil {
			t.Fatal(err)
		}
	}

	var inserted []string
	for _, row := range outboxtest.Pending(t, outboxsql.DB(db)) {
		inserted = append(inserted, row.AggregateID)
	}
	if diff := cmp.Diff([]string{"o-1", "o-3"}, inserted); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]order{{"o-1", 2, 1}, {"o-3", 2, 0}}, orders(t, db)); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
}

// order is a row of the table orders.
type order struct {
	ID                string
	Quantity, Shipped int
}

func orders(t *testing.T, db *sql.DB) (list []order) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT id, quantity, shipped FROM orders ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var o order
		if err := rows.Scan(&o.ID, &o.Quantity, &o.Shipped); err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// message is the record that the relay makes of a row.
func message(t *testing.T, row outboxtest.StoredRow) consume.Message {
	t.Helper()
	var headers map[string]string
	if err := json.Unmarshal(row.Headers, &headers); err != nil {
		t.Fatal(err)
	}
	m := consume.Message{Value: row.Data, Headers: []outbox.Header{{Key: "event_type", Value: []byte(row.EventType)}}}
	for name, value := range headers {
		m.Headers = append(m.Headers, outbox.Header{Key: name, Value: []byte(value)})
	}
	return m
}
