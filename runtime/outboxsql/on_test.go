package outboxsql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
)

// hard is texts that go wrong in arrays, in JSON and in SQL.
var hard = []string{`plain`, `a"b`, `a\b`, `\`, `"`, `{}`, `{"a",NULL}`, `NULL`, `a,b`, ` a `, "a\nb\tc", `é ☃ 𝄞`, `'; --`, `$1 ? :a @b`}

// Events on an *sql.Tx become the same rows as with pgx, in every mode of the driver,
// one and many at once, with and without a key.
func TestEveryModeStoresTheSameRows(t *testing.T) {
	t.Parallel()
	for _, mode := range append([]string{"cache_statement"}, querymode.Others...) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			db := open(t, querymode.In(t, s.URL, mode))
			at := outbox.WithTime(time.Date(2026, 5, 1, 12, 0, 0, 123456000, time.UTC))
			write := func(ctx context.Context, tx outbox.Transaction) error {
				ids := counted()
				events := []outbox.Event{outbox.With(Swept{}, ids, at, outbox.WithAggregateID("main"))}
				for _, text := range hard {
					events = append(events, outbox.With(Paid{text}, ids, at, outbox.WithKey("k"+text),
						outbox.WithHeader("note", text), outbox.WithMetadata("note", text)))
				}
				return errors.Join(
					gen.InsertAll(ctx, tx, insertRows, events...),
					gen.Insert(ctx, tx, insertRows, Swept{}, ids, at, outbox.WithAggregateID(hard[6]), outbox.WithPartition(5)),
					gen.Insert(ctx, tx, insertRows, Paid{hard[6]}, ids, at),
					gen.InsertAll(ctx, tx, insertRows, outbox.With(Paid{"p"}, ids, at, outbox.WithPartition(2)), outbox.With(Paid{"q"}, ids, at)),
					gen.Insert(ctx, tx, insertRows, unpaid("alone"), ids, at),
					gen.InsertAll(ctx, tx, insertRows, outbox.With(Paid{"r"}, ids, at), outbox.With(unpaid("among others"), ids, at)),
				)
			}
			recorder := outboxtest.NewRecorder(t)
			if err := write(t.Context(), recorder); err != nil {
				t.Fatal(err)
			}
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := write(t.Context(), outboxsql.On(tx)); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			var want []map[string]string
			for _, r := range recorder.Rows() {
				want = append(want, printable(r))
			}
			if diff := cmp.Diff(want, stored(outboxtest.Pending(t, outboxsql.DB(db)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEventIsPartOfTheCallersTransaction(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := uuid.New()
	run := func(commit bool) (outcome outbox.Outcome) {
		tx, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		on := outboxsql.On(tx)
		if err := gen.Insert(t.Context(), on, insertRows, Paid{"o-1"}, outbox.WithID(id), outbox.WithOutcome(&outcome)); err != nil {
			t.Fatal(err)
		}
		if got := outboxtest.RequireInserted(t, on, paidType.Type); got.ID != id { // seen from inside
			t.Errorf("%+v", got)
		}
		if commit {
			err = tx.Commit()
		} else {
			err = on.Rollback(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	inserted := outbox.Outcome{EventID: id, Known: true, Inserted: true}
	if diff := cmp.Diff(inserted, run(false)); diff != "" {
		t.Errorf("rolled back (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(kept{}, s.kept(t)); diff != "" {
		t.Errorf("after the rollback (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(inserted, run(true)); diff != "" {
		t.Errorf("committed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(outbox.Outcome{EventID: id, Known: true}, run(true)); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
	if got := outboxtest.RequireInserted(t, outboxsql.DB(s.db), paidType.Type); got.AggregateID != "o-1" {
		t.Errorf("%+v", got)
	}
}

// wrapped is a transaction as those of sqlx and bun. Statements that run on it fail, as
// bun's do if they have the placeholders of Postgres.
type wrapped struct{ *sql.Tx }

func (wrapped) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, errors.New("it was not unwrapped")
}

func TestOnUnwrapsWhatEmbedsATransaction(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, wrap := range []func(*sql.Tx) outboxsql.Transaction{
		func(tx *sql.Tx) outboxsql.Transaction { return wrapped{tx} },
		func(tx *sql.Tx) outboxsql.Transaction { return &wrapped{tx} },
	} {
		tx, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := insert(t.Context(), outboxsql.On(wrap(tx)), "o"); err != nil {
			t.Error(err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(kept{Events: []string{"o", "o"}}, s.kept(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// For a value that is not a transaction, the error says so, and nothing is stored.
func TestWhatIsNoTransaction(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for name, test := range map[string]struct {
		tx   outbox.Transaction
		want string
	}{
		"a pool": {outboxsql.OnConnPool(s.db), "outbox: insert event shop.paid.v1 ID: outboxsql: *sql.DB is not a transaction, " +
			"so the event could be stored without its business rows: pass the ConnPool of the *gorm.DB that the function of " +
			"Transaction gets, or that Begin returns"},
		"nothing":           {outboxsql.On(nil), "outbox: insert event shop.paid.v1 ID: outboxsql: the transaction is nil: pass the one that began"},
		"a nil transaction": {outboxsql.On((*sql.Tx)(nil)), "outbox: insert event shop.paid.v1 ID: outboxsql: the transaction is nil: pass the one that began"},
		"nothing, dynamically": {outboxsql.OnConnPool(nil), "outbox: insert event shop.paid.v1 ID: outboxsql: <nil> is not a transaction, " +
			"so the event could be stored without its business rows: pass the ConnPool of the *gorm.DB that the function of " +
			"Transaction gets, or that Begin returns"},
	} {
		t.Run(name, func(t *testing.T) {
			err := gen.Insert(t.Context(), test.tx, insertRows, Paid{"o"}, outbox.WithID(uuid.Max))
			if got := strings.ReplaceAll(err.Error(), uuid.Max.String(), "ID"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	if diff := cmp.Diff(kept{}, s.kept(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A refused insert says what to do, as with pgx.
func TestARefusedInsertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.exec(t, `DROP TABLE event_outbox`)
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = insert(t.Context(), outboxsql.On(tx), "o")
	if refused, ok := errors.AsType[*outbox.InsertError](err); !ok || !strings.Contains(err.Error(), "is the outbox table migrated?") {
		t.Errorf("%T %v", refused, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

// Rows of database/sql do what pgx's helpers expect.
func TestRowsFitPgx(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.exec(t, `INSERT INTO orders VALUES ('a', 1), ('b', 2)`)
	db := outboxsql.DB(s.db)
	found, err := db.Query(t.Context(), `SELECT id, paid FROM orders ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	type order struct {
		ID   string
		Paid int
	}
	orders, err := pgx.CollectRows(found, pgx.RowToStructByName[order])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]order{{"a", 1}, {"b", 2}}, orders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	found, err = db.Query(t.Context(), `SELECT id, paid FROM orders ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	values, err := pgx.CollectRows(found, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]any{{"a", int64(1)}, {"b", int64(2)}}, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	var n int
	if err := db.QueryRow(t.Context(), `SELECT paid FROM orders WHERE id = $1`, "none").Scan(&n); !errors.Is(err, pgx.ErrNoRows) || !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}
	if err := db.QueryRow(t.Context(), `SELECT 1/0`).Scan(&n); err == nil {
		t.Error("no error")
	}
	if rows, err := db.Query(t.Context(), `SELECT nonsense`); err == nil {
		rows.Close()
		t.Error("no error")
	}
}

// The inbox handles an event once, with a transaction of the caller's or of an Outbox,
// and forgets.
func TestInbox(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ob, _ := newOutbox(t, s.db, outbox.Options{})
	broken := errors.New("broken")
	fail := true
	handle := inbox.InTx(ob.InTx, "orders", func(ctx context.Context, tx *outboxsql.Tx, e outbox.Envelope[Paid]) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES ($1, 1)`, e.Data.Order); err != nil || fail {
			return errors.Join(err, broken)
		}
		return insert(ctx, tx, "follow-up of "+e.Data.Order)
	})
	e := outbox.Envelope[Paid]{EventID: uuid.New(), Data: Paid{"o-1"}}
	if err := handle(t.Context(), e); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	fail = false
	for range 3 {
		if err := handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(kept{[]string{"o-1"}, []string{"follow-up of o-1"}}, s.kept(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	claim := func() bool {
		t.Helper()
		tx, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		first, err := inbox.Claim(t.Context(), outboxsql.On(tx), "orders", e.EventID)
		if err := errors.Join(err, tx.Commit()); err != nil {
			t.Fatal(err)
		}
		return first
	}
	if claim() {
		t.Error("the event was claimed twice")
	}
	if n, err := inbox.Forget(t.Context(), outboxsql.DB(s.db), "orders", -time.Hour); n != 1 || err != nil {
		t.Errorf("Forget: %d, %v", n, err)
	}
	if !claim() {
		t.Error("the event was not forgotten")
	}
}

// The inbox handles the new events of a batch, in one transaction.
func TestInboxOfBatches(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ob, _ := newOutbox(t, s.db, outbox.Options{})
	handle := inbox.InTxBatch(ob.InTx, "orders", func(ctx context.Context, tx *outboxsql.Tx, batch []outbox.Envelope[Paid]) error {
		for _, e := range batch {
			if _, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES ($1, 1)`, e.Data.Order); err != nil {
				return err
			}
		}
		return nil
	})
	var batch []outbox.Envelope[Paid]
	for i := range 3 {
		batch = append(batch, outbox.Envelope[Paid]{EventID: uuid.New(), Data: Paid{fmt.Sprintf("o-%d", i)}})
	}
	for _, b := range [][]outbox.Envelope[Paid]{batch[1:2], batch, batch} {
		if err := handle(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"o-0", "o-1", "o-2"}, s.kept(t).Orders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
