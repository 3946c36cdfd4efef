package outboxtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Paid and Refused stand for generated event data.
type (
	Paid    struct{ Order string }
	Refused struct{ Order string }
)

func (p Paid) Validate() error    { return nil }
func (r Refused) Validate() error { return nil }

func (p Paid) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]string{"order": p.Order}) }
func (r Refused) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"order": r.Order})
}

var paidType = gen.EventType[Paid]{
	Type: "shop.paid.v1", Topic: "shop.paid.v1", Source: "shop", AggregateType: "order",
	AggregateID: func(p *Paid) (string, error) { return p.Order, nil },
}

func (p Paid) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	return paidType.NewRow(ctx, p, opts...)
}

var refusedType = gen.EventType[Refused]{
	Type: "shop.refused.v1", Topic: "shop.refused.v1", Source: "shop", AggregateType: "order",
	AggregateID: func(r *Refused) (string, error) { return r.Order, nil },
}

func (r Refused) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	return refusedType.NewRow(ctx, r, opts...)
}

const columns = `insert into event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers) `

var insertRows = gen.SQL{One: columns + `values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing`}

func insert(tx outbox.Transaction, events ...outbox.Event) error {
	for _, e := range events {
		if err := gen.Insert(context.Background(), tx, insertRows, e); err != nil {
			return err
		}
	}
	return nil
}

func TestRecorderFindsEventsByType(t *testing.T) {
	t.Parallel()
	rec := outboxtest.NewRecorder(t)
	second := &Paid{"2"}
	if err := insert(rec, Paid{"1"}, Refused{"1"}, second, outbox.With(Paid{"3"}, outbox.WithKey("k"))); err != nil {
		t.Fatal(err)
	}
	var paid, keys []string
	for _, e := range outboxtest.All[Paid](rec) {
		paid, keys = append(paid, e.Data.Order), append(keys, *e.Row.Key)
	}
	if diff := cmp.Diff([][]string{{"1", "2", "3"}, {"1", "2", "k"}}, [][]string{paid, keys}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := outboxtest.One[Refused](t, rec); got.Data.Order != "1" || got.Row.Topic != "shop.refused.v1" {
		t.Errorf("%+v", got)
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("00000000-0000-0000-0000-00000000000a")
	rec := outboxtest.NewRecorder(t)
	rec.Options = []outbox.Option{outbox.WithID(id), outbox.WithTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	if err := insert(rec, outbox.With(Paid{"1"}, outbox.WithHeader("tenant", "north"), outbox.WithPartition(2))); err != nil {
		t.Fatal(err)
	}
	row := outboxtest.One[Paid](t, rec).Row
	var got consume.Message
	router := consume.NewRouter()
	router.Handle("shop.paid.v1", func(_ context.Context, m consume.Message) error {
		got = m
		return nil
	})
	if err := router.Dispatch(t.Context(), outboxtest.Message(t, row)); err != nil {
		t.Fatal(err)
	}
	want := consume.Message{
		Topic: "shop.paid.v1", Partition: 2, Key: []byte("1"), Value: row.Data,
		Headers: []outbox.Header{
			{Key: "event_id", Value: []byte(id.String())},
			{Key: "event_type", Value: []byte("shop.paid.v1")},
			{Key: "content_type", Value: []byte("application/json")},
			{Key: "occurred_at", Value: []byte("2026-01-02T03:04:05Z")},
			{Key: "schema_version", Value: []byte("1")},
			{Key: "source_service", Value: []byte("shop")},
			{Key: "tenant", Value: []byte("north")},
			{Key: "trace_id", Value: []byte(id.String())},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	at := time.Unix(0, 0)
	stored := outboxtest.StoredRow{ID: id, EventType: "shop.paid.v1", Topic: "t", Data: []byte("{}"), Headers: []byte(`{"outbox_replay": "x"}`), CreatedAt: at}
	want = consume.Message{Topic: "t", Value: []byte("{}"), Timestamp: at, Headers: want.Headers[:2]}
	if diff := cmp.Diff(want, outboxtest.Message(t, stored)); diff != "" {
		t.Errorf("of a stored row (-want +got):\n%s", diff)
	}
	stored.Headers = []byte(`{"n": 1}`)
	if said := failure(t, func(t testing.TB) { outboxtest.Message(t, stored) }); !strings.Contains(said, "are not a JSON object of strings") {
		t.Errorf("other headers: %q", said)
	}
}

func TestRecorderIsATransaction(t *testing.T) {
	t.Parallel()
	rec := outboxtest.NewRecorder(t)
	id := uuid.New()
	var first, second outbox.Outcome
	for _, outcome := range []*outbox.Outcome{&first, &second} {
		if err := insert(rec, outbox.With(Paid{"1"}, outbox.WithID(id), outbox.WithOutcome(outcome))); err != nil {
			t.Fatal(err)
		}
	}
	want := [2]outbox.Outcome{{EventID: id, Known: true, Inserted: true}, {EventID: id, Known: true}}
	if diff := cmp.Diff(want, [2]outbox.Outcome{first, second}); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if err := rec.Rollback(t.Context()); err != nil || len(rec.Rows()) != 0 {
		t.Errorf("after Rollback: %v, %d rows", err, len(rec.Rows()))
	}
	if err := insert(rec, Paid{"2"}); !errors.Is(err, pgx.ErrTxClosed) {
		t.Errorf("insert after Rollback = %v", err)
	}
	rec.Reset()
	rec.Options = []outbox.Option{outbox.WithNewID(func() (uuid.UUID, error) { return id, nil })}
	if err := insert(rec, Paid{"1"}, Paid{"2"}); err == nil || len(rec.Rows()) != 1 {
		t.Errorf("a generated id that repeats: %v", err)
	}
}

// answers is a fake database.
type answers struct{ outbox.DBTX }

func (answers) Exec(_ context.Context, sql string, _ ...any) (pgconn.CommandTag, error) {
	return pgconn.NewCommandTag(sql), nil
}

func TestRecorderAndOtherSQL(t *testing.T) {
	t.Parallel()
	rec := outboxtest.NewRecorder(t)
	const want = `outboxtest: a Recorder takes events and has no database to run "update t …" on: ` +
		`set its DB to a fake, or use a real transaction`
	_, execErr := rec.Exec(t.Context(), "\nupdate t\nset a = 1")
	rows, queryErr := rec.Query(t.Context(), "update t\nset a = 1")
	if rows != nil {
		rows.Close()
	}
	rowErr := rec.QueryRow(t.Context(), "update t\nset a = 1").Scan()
	for _, err := range []error{execErr, queryErr, rowErr} {
		if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	rec.DB = answers{}
	if tag, err := rec.Exec(t.Context(), "UPDATE 3"); err != nil || tag.RowsAffected() != 3 {
		t.Errorf("with a DB: %v, %v", tag, err)
	}
}

// failing is a testing.TB that notes how it failed.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure runs an assertion and returns its message.
func failure(t testing.TB, assert func(t testing.TB)) string {
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert(f)
	}()
	<-done
	return f.message
}

func TestAssertionsSayWhatIsThere(t *testing.T) {
	t.Parallel()
	rec := outboxtest.NewRecorder(t)
	if err := insert(rec, Refused{"1"}, Refused{"2"}); err != nil {
		t.Fatal(err)
	}
	const list = "2 events:\n\tshop.refused.v1 of order 1\n\tshop.refused.v1 of order 2"
	for want, assert := range map[string]func(t testing.TB){
		"outboxtest: want one event of type outboxtest_test.Paid, got 0; the recorder holds " + list: func(t testing.TB) {
			outboxtest.One[Paid](t, rec)
		},
		"outboxtest: want one event of type outboxtest_test.Refused, got 2; the recorder holds " + list: func(t testing.TB) {
			outboxtest.One[Refused](t, rec)
		},
	} {
		if diff := cmp.Diff(want, failure(t, assert)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	querymode.Use(t, pg)
	conn := pg.Connect(t.Context())
	if err := errors.Join(migrations.Up(t.Context(), conn), conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	ob := outbox.New(pg.Pool, outbox.Options{})
	err := ob.InTx(t.Context(), func(_ context.Context, tx *outbox.Tx) error {
		if err := insert(tx, Paid{"1"}, Refused{"2"}, Refused{"3"}); err != nil {
			return err
		}
		message := failure(t, func(t testing.TB) { outboxtest.RequireInserted(t, tx, "shop.paid.v1") })
		if !strings.Contains(message, "events ride with COMMIT") {
			t.Errorf("within the transaction: %q", message)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ob.Close()

	got := outboxtest.RequireInserted(t, pg.Pool, "shop.paid.v1")
	if got.AggregateID != "1" || *got.Key != "1" || got.PublishedAt != nil {
		t.Errorf("%+v", got)
	}
	if _, err := pg.Pool.Exec(t.Context(), `update event_outbox set published_at = now() where aggregate_id = '1';
		update event_outbox set dead_at = now() where aggregate_id = '2'`); err != nil {
		t.Fatal(err)
	}
	outboxtest.RequireInserted(t, pg.Pool, "shop.paid.v1")
	pending := outboxtest.Pending(t, pg.Pool)
	if len(pending) != 1 || pending[0].AggregateID != "3" {
		t.Errorf("pending: %+v", pending)
	}
	want := "outboxtest: want one row of type shop.refused.v1, got 2; the last rows are: shop.refused.v1, shop.refused.v1, shop.paid.v1"
	if diff := cmp.Diff(want, failure(t, func(t testing.TB) { outboxtest.RequireInserted(t, pg.Pool, "shop.refused.v1") })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What became of the events of a log is in a view. A discarded event is as absent as in a table.
func TestLog(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	querymode.Use(t, pg)
	conn := pg.Connect(t.Context())
	if err := errors.Join(migrations.UpLog(t.Context(), conn), conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	ob := outbox.New(pg.Pool, outbox.Options{})
	for _, event := range []outbox.Event{Paid{"1"}, Refused{"2"}, Refused{"3"}, Refused{"4"}} { // each has a transaction of its own
		if err := ob.InTx(t.Context(), func(_ context.Context, tx *outbox.Tx) error { return insert(tx, event) }); err != nil {
			t.Fatal(err)
		}
	}
	ob.Close()
	if got := outboxtest.RequireInserted(t, pg.Pool, "shop.paid.v1"); got.AggregateID != "1" || got.PublishedAt != nil {
		t.Errorf("%+v", got)
	}
	// As the relay records them: 1 is published, 2 is dead, 3 waits, 4 is discarded.
	if _, err := pg.Pool.Exec(t.Context(), `
		insert into event_outbox_late (id, tx, seq, topic, published_at, discarded)
		select id, tx, seq, topic, now(), aggregate_id = '4' from event_outbox where aggregate_id in ('1', '4');
		insert into event_outbox_failed (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic, headers, retry_count, last_error, dead_at)
		select id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic, headers, 3, 'too large', now() from event_outbox where aggregate_id = '2'`); err != nil {
		t.Fatal(err)
	}
	if got := outboxtest.RequireInserted(t, pg.Pool, "shop.paid.v1"); got.PublishedAt == nil {
		t.Errorf("published: %+v", got)
	}
	if pending := outboxtest.Pending(t, pg.Pool); len(pending) != 1 || pending[0].AggregateID != "3" {
		t.Errorf("pending: %+v", pending)
	}
	want := "outboxtest: want one row of type shop.refused.v1, got 2; the last rows are: shop.refused.v1, shop.refused.v1, shop.paid.v1"
	if diff := cmp.Diff(want, failure(t, func(t testing.TB) { outboxtest.RequireInserted(t, pg.Pool, "shop.refused.v1") })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The pool or connection of the test may use any mode of pgx.
func TestInEveryQueryExecMode(t *testing.T) {
	t.Parallel()
	querymode.Repeat(t, "^Test(Table|Log)$")
}

func ExampleOne() {
	t := new(testing.T) // the test's own
	rec := &outboxtest.Recorder{}
	if err := insert(rec, Paid{Order: "7"}); err != nil {
		fmt.Println(err)
	}
	got := outboxtest.One[Paid](t, rec)
	fmt.Println(got.Data.Order, got.Row.EventType)
	// Output: 7 shop.paid.v1
}
