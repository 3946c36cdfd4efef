package admin_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// The facts are read with the privileges of an operator.
func TestExamine(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 4, `
		UPDATE event_outbox SET topic = 'other', event_data = json_build_object('x', repeat('y', 5000)) WHERE seq = 2;
		UPDATE event_outbox SET dead_at = now() WHERE seq = 3;
		UPDATE event_outbox SET topic = 'old', published_at = now() WHERE seq = 4;
		ALTER TABLE event_outbox_audit SET (autovacuum_enabled = false)`)
	f, err := admin.Examine(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Topics) != 3 || f.Topics[0].Topic != "old" || f.Topics[0].Waiting != 0 || f.Topics[0].LargestID != "" {
		t.Fatalf("topics %+v", f.Topics)
	}
	if o := f.Topics[1]; o.Topic != "other" || o.Waiting != 1 || o.Largest < 5000 || o.Largest > 5500 || o.LargestID != id(2).String() || o.EventType != "t2" {
		t.Errorf("topic %+v", o)
	}
	if o := f.Topics[2]; o.Topic != "topic" || o.Waiting != 2 {
		t.Errorf("topic %+v", o)
	}
	if s := f.Server; s.MaxConnections <= 0 || s.Used <= 0 || s.RoleLimit != -1 || s.Version < 130000 || s.Ahead.Abs() > clockOfOneMachine {
		t.Errorf("server %+v", s)
	}
	if !f.TakesPauses || !f.PausesIndexed || f.PublishedAgo < 0 || len(f.Tables) != 4 || len(f.Others) != 0 {
		t.Errorf("facts %+v", f)
	}
	if i := slices.IndexFunc(f.Tables, func(t admin.TableFacts) bool { return t.NeverVacuumed }); i < 0 || f.Tables[i].Name != "event_outbox_audit" || f.Tables[i].Bytes == 0 {
		t.Errorf("tables %+v", f.Tables)
	}
}

const clockOfOneMachine = 5e9

// A transaction that is open holds back vacuum. The doctor asks for old ones only.
func TestHoldingBack(t *testing.T) {
	owner, conn := newOutbox(t)
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // it is over with the test
	if _, err := tx.Exec(t.Context(), `SET LOCAL application_name = 'report'; CREATE TABLE x ()`); err != nil {
		t.Fatal(err)
	}
	found := func(transactions int64) bool {
		rows, err := admindb.New(conn).HoldingBack(t.Context(), admindb.HoldingBackParams{Transactions: transactions, Seconds: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(rows, func(r admindb.HoldingBackRow) bool {
			return r.Kind == "transaction" && r.Transactions >= transactions && strings.Contains(r.Detail, owner.Config().User)
		})
	}
	if !found(0) {
		t.Error("the open transaction is not found")
	}
	if found(1 << 30) {
		t.Error("a young transaction is found")
	}
}

// What holds back nothing is not listed, because the advice is to end it: VACUUM itself, and
// transactions of other databases.
func TestHoldingBackNothing(t *testing.T) {
	owner, conn := newOutbox(t)
	config := owner.Config().Copy()
	config.Database = "postgres"
	other, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the test is over
	if _, err := other.Exec(t.Context(), `BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	insert(t, owner, 20_000, `UPDATE event_outbox SET published_at = now()`)
	vacuum, err := pgx.ConnectConfig(t.Context(), owner.Config().Copy())
	if err != nil {
		t.Fatal(err)
	}
	defer vacuum.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the test is over
	if _, err := vacuum.Exec(t.Context(), `SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := vacuum.Exec(ctx, `VACUUM event_outbox`)
		ended <- err
	}()
	defer func() {
		cancel()
		if err := <-ended; err == nil {
			t.Error("VACUUM ended too early: the test shows nothing")
		}
	}()
	for visible := false; !visible; {
		if err := owner.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity JOIN pg_stat_progress_vacuum USING (pid)
			WHERE pid = $1 AND backend_xmin IS NOT NULL)`, vacuum.PgConn().PID()).Scan(&visible); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := admindb.New(conn).HoldingBack(t.Context(), admindb.HoldingBackParams{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Name == fmt.Sprint(vacuum.PgConn().PID()) || r.Name == fmt.Sprint(other.PgConn().PID()) {
			t.Errorf("listed: %+v", r)
		}
	}
}

// A relay of another kind is seen while its transaction is open, and no longer afterwards.
func TestWatchPublishers(t *testing.T) {
	watcher, _ := newOutbox(t)
	insert(t, watcher, 1, `CREATE SCHEMA "Shop's"; CREATE TABLE "Shop's".event_outbox (LIKE event_outbox)`)
	config := watcher.Config().Copy()
	config.RuntimeParams["application_name"] = "worker"
	worker, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Close(context.Background()) })
	watch := func() []admin.OtherPublisher {
		t.Helper()
		found, err := admin.WatchPublishers(t.Context(), watcher, 0)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for statement, shown := range map[string]string{
		"SELECT id FROM event_outbox WHERE published_at IS NULL\nORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED": "SELECT id FROM event_outbox WHERE published_at IS NULL ORDER BY created_at LIMIT ...",
		"UPDATE event_outbox SET published_at = now() WHERE seq = 1":                                                  "UPDATE event_outbox SET published_at = now() WHERE seq = ...",
	} {
		tx, err := worker.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		found := watch()
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := admin.OtherPublisher{
			PID: int32(worker.PgConn().PID()), Role: config.User, Application: "worker", From: "local", Query: shown,
		}
		if len(found) == 1 && !strings.HasPrefix(config.Host, "/") {
			found[0].From = "local" // the server is not ours
		}
		if diff := cmp.Diff([]admin.OtherPublisher{want}, found); diff != "" {
			t.Errorf("while it runs %q (-want +got):\n%s", statement, diff)
		}
		if found := watch(); len(found) > 0 {
			t.Errorf("after its transaction: %+v", found)
		}
	}
	for statement, ours := range map[string]bool{
		`UPDATE "Shop's".event_outbox SET published_at = now() WHERE false`:                                false,
		`DELETE FROM ONLY "Shop's"."event_outbox" WHERE false`:                                             false,
		`UPDATE public.event_outbox SET published_at = now() WHERE false`:                                  true,
		`UPDATE ONLY "public"."event_outbox" SET published_at = now() WHERE false`:                         true,
		`SELECT FROM ONLY Public.Event_Outbox WHERE published_at IS NULL LIMIT 1 FOR NO KEY UPDATE NOWAIT`: true,
	} {
		if _, err := worker.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if found := watch(); (len(found) == 1) != ours {
			t.Errorf("%s: %+v, ours %v", statement, found, ours)
		}
	}
	if _, err := watcher.Exec(t.Context(), `SET search_path = "Shop's"`); err != nil {
		t.Fatal(err)
	}
	if _, err := worker.Exec(t.Context(), `UPDATE ONLY "Shop's"."event_outbox" SET published_at = now() WHERE false`); err != nil {
		t.Fatal(err)
	}
	if found := watch(); len(found) != 1 {
		t.Errorf("a relay of this schema: %+v", found)
	}
	if _, err := worker.Exec(t.Context(), "SELECT count(*) FROM event_outbox WHERE published_at IS NULL"); err != nil {
		t.Fatal(err)
	}
	if found := watch(); len(found) > 0 {
		t.Errorf("a session that counts is taken for a relay: %+v", found)
	}
}

// A table is bloated if it has many dead rows, and more than live ones.
func TestBloated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		live, dead int64
		want       bool
	}{{0, 100_000, false}, {0, 100_001, true}, {200_000, 150_000, false}, {100_000, 150_000, true}} {
		if got := (admin.TableFacts{Live: c.live, Dead: c.dead}).Bloated(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// The oldest row of another topic is looked for among the first rows only: millions of rows of
// a paused topic may come before it.
func TestTheSearchForTheOldestRowIsBounded(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 6, `UPDATE event_outbox SET topic = 'paused' WHERE seq NOT IN (3, 6); UPDATE event_outbox SET next_attempt_at = now() WHERE seq <= 3`)
	got := map[string][]int64{}
	for name, p := range map[string]admindb.OldestPendingParams{
		"below the mark":             {LowWater: 3, UpTo: 100, Top: 100, Cap: 3},
		"below the mark, not found":  {LowWater: 3, UpTo: 5, Top: 100, Cap: 2},
		"above it":                   {LowWater: 3, UpTo: 100, Top: 100, Cap: 2},
		"above it, up to the cap":    {LowWater: 3, UpTo: 100, Top: 100, Cap: 3},
		"newest rows":                {LowWater: 3, UpTo: 4, Top: 4, Cap: 2},
		"newest rows, up to the cap": {LowWater: 3, UpTo: 4, Top: 4, Cap: 1},
	} {
		p.Without = []string{"paused"}
		rows, err := admindb.New(conn).OldestPending(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got[name] = append(got[name], r.Seq)
		}
	}
	want := map[string][]int64{"below the mark": {3}, "above it, up to the cap": {3}, "newest rows": {6}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
