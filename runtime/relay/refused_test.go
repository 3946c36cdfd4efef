package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// A refusal during a run ends the relay, with the reason that Check finds. The call is
// not repeated four times a second.
func TestARefusalEndsTheRelay(t *testing.T) {
	for _, c := range []struct{ name, spoil, restore, remedy string }{
		{
			"no renewal", `REVOKE UPDATE ON event_outbox_lease FROM {role}`, `GRANT UPDATE ON event_outbox_lease TO {role}`,
			`GRANT SELECT, INSERT, UPDATE ON event_outbox_lease TO `,
		},
		{
			"row security on the lease", `ALTER TABLE event_outbox_lease ENABLE ROW LEVEL SECURITY`,
			`ALTER TABLE event_outbox_lease DISABLE ROW LEVEL SECURITY`,
			`ALTER TABLE event_outbox_lease DISABLE ROW LEVEL SECURITY`,
		},
		{
			"row security on the outbox", `ALTER TABLE event_outbox ENABLE ROW LEVEL SECURITY`, `ALTER TABLE event_outbox DISABLE ROW LEVEL SECURITY`,
			`ALTER TABLE event_outbox DISABLE ROW LEVEL SECURITY`,
		},
		{
			"row security on the audit", `ALTER TABLE event_outbox_audit ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON event_outbox_audit USING (true)`,
			`DROP POLICY p ON event_outbox_audit; ALTER TABLE event_outbox_audit DISABLE ROW LEVEL SECURITY`,
			`ALTER TABLE event_outbox_audit DISABLE ROW LEVEL SECURITY`,
		},
		{
			"a table renamed", `ALTER TABLE event_outbox_audit RENAME TO event_outbox_audit_old`, `ALTER TABLE event_outbox_audit_old RENAME TO event_outbox_audit`,
			"outboxgen migration --upgrade",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
				migrated(t, pg)
				role := "relay_of_" + pg.Database
				quoted := pgx.Identifier{role}.Sanitize()
				in := func(sql string) {
					t.Helper()
					if _, err := pg.Pool.Exec(t.Context(), strings.ReplaceAll(sql, "{role}", quoted)); err != nil {
						t.Fatalf("%s: %v", sql, err)
					}
				}
				in(`CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT SELECT, UPDATE, DELETE, INSERT ON ALL TABLES IN SCHEMA public TO {role};
					GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}`)
				t.Cleanup(func() {
					for _, sql := range []string{`DROP OWNED BY `, `DROP ROLE `} {
						if _, err := pg.Pool.Exec(context.Background(), sql+quoted); err != nil {
							t.Error(err)
						}
					}
				})
				conn, err := pgx.ParseConfig(pg.URL)
				if err != nil {
					t.Fatal(err)
				}
				conn.User, conn.Password = role, "p"
				store, err := pgstore.New(pgstore.Config{Conn: conn})
				if err != nil {
					t.Fatal(err)
				}
				w := newWatcher()
				var log logged
				r, err := relay.New(relay.Config{
					Store: store, Sink: relay.NewStdoutSink(&lines{}), Observer: w, Logger: slog.New(slog.NewTextHandler(&log, nil)),
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- r.Run(ctx) }()
				w.leads(t)
				in(c.spoil)
				err = <-ended
				setup, ok := errors.AsType[*relay.SetupError](err)
				if !ok {
					t.Fatalf("Run: %v, want a SetupError; log:\n%s", err, &log)
				}
				if !strings.Contains(setup.Remedy, c.remedy) {
					t.Errorf("the remedy is %q, want %q in it", setup.Remedy, c.remedy)
				}
				if n := strings.Count(log.String(), "level=WARN"); n > 20 {
					t.Errorf("%d warnings:\n%s", n, &log)
				}
				in(c.restore)
			})
		})
	}
}

// logged collects a log.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// sick is a store in which the test can make one kind of call fail.
type sick struct {
	relay.Store
	snapshots, ticks, rereads, settles, flushes atomic.Bool

	refused atomic.Int64 // snapshots
}

var errSick = errors.New("no")

func (s *sick) Snapshot(ctx context.Context) (relay.Snapshot, error) {
	if s.snapshots.Load() {
		s.refused.Add(1)
		return "", errSick
	}
	return s.Store.Snapshot(ctx)
}

func (s *sick) ReadTick(ctx context.Context, from, to relay.Snapshot, after int64, limit relay.Limit) (relay.Page, error) {
	if s.ticks.Load() {
		return relay.Page{}, errSick
	}
	return s.Store.ReadTick(ctx, from, to, after, limit)
}

func (s *sick) ReadAgain(ctx context.Context, snap relay.Snapshot, rows relay.Selection, after, upTo int64, limit relay.Limit) (relay.Page, error) {
	if s.rereads.Load() {
		return relay.Page{}, errSick
	}
	return s.Store.ReadAgain(ctx, snap, rows, after, upTo, limit)
}

func (s *sick) Flushed(ctx context.Context, p relay.Page) error {
	if s.flushes.Load() {
		return errSick
	}
	return s.Store.Flushed(ctx, p)
}

func (s *sick) Settle(ctx context.Context, l relay.Lease, settlement relay.Settlement) error {
	if s.settles.Load() {
		return errSick
	}
	return s.Store.Settle(ctx, l, settlement)
}

// A leader that renews its lease and can do nothing else is not ready. Once it can, it
// is ready.
func TestALeaderThatCannotWorkIsNotReady(t *testing.T) {
	for i, name := range []string{"snapshots", "ticks", "flushes", "settles"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := relay.NewMemStore()
				store := &sick{Store: mem}
				fails := []*atomic.Bool{&store.snapshots, &store.ticks, &store.flushes, &store.settles}[i]
				r := start(t, relay.Config{
					Store: store, Sink: relay.NewStdoutSink(&lines{}), Logger: slog.New(slog.DiscardHandler),
					Clock: newFakeTime(), Term: 3 * time.Second, DecisionsEvery: 50 * time.Millisecond,
				})
				mem.Add(rows(1, "t", "k")...)
				r.w.publishes(t, 1)
				if !r.Ready() {
					t.Fatal("a leader that works is not ready")
				}
				fails.Store(true)
				mem.Add(rows(1, "t", "k")...)
				becomes(t, "not ready", func() bool { return !r.Ready() })
				if s := r.Status(); !s.Leader {
					t.Errorf("it does not lead any more: %+v", s)
				}
				fails.Store(false)
				becomes(t, "ready again", r.Ready)
				r.w.publishes(t, 2)
			})
		})
	}
}

// Rows of a held key cannot be read again, and then their topic pauses, so the read is
// not repeated: its failure does not keep the relay from being ready.
func TestAFailedReadThatIsNotMadeAgainIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := relay.NewMemStore()
		store := &sick{Store: mem}
		store.rereads.Store(true)
		c := &cluster{topics: map[string]relay.TopicInfo{"t": {Partitions: 1}}}
		c.answer = func(_ context.Context, r *relay.Record) relay.Result {
			if string(r.Key) == "k" {
				return relay.Result{Class: relay.ClassRecord, Err: errors.New("bad row")}
			}
			return relay.Result{Class: relay.ClassTopic, Err: errors.New("the topic is gone")}
		}
		mem.Add(rows(2, "t", "k")...)
		r := start(t, relay.Config{
			Store: store, Sink: c, Logger: slog.New(slog.DiscardHandler),
			Clock: newFakeTime(), Term: 600 * time.Millisecond, DecisionsEvery: 50 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: time.Millisecond,
			PauseMin: 2 * patience, PauseMax: 2 * patience,
		})
		r.w.until(t, "a row failed", func(w *watcher) bool { return w.settled.Failed > 0 })
		becomes(t, "not ready", func() bool { return !r.Ready() })
		mem.Add(rows(1, "t", "other")...)
		r.w.until(t, "the topic is paused", func(w *watcher) bool { return len(w.status.PausedTopics) > 0 })
		becomes(t, "ready again", r.Ready)
	})
}

// A call that keeps failing is not logged each time.
func TestFailuresInARowAreLoggedNowAndThen(t *testing.T) {
	t.Parallel()
	const failures = 2_000
	store := &sick{Store: relay.NewMemStore()}
	store.snapshots.Store(true)
	var log logged
	r := start(t, relay.Config{
		Store: store, Sink: relay.NewStdoutSink(&lines{}), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		OutageMin: time.Microsecond, OutageMax: time.Microsecond,
	})
	becomes(t, "snapshots failed often", func() bool { return store.refused.Load() >= failures })
	store.snapshots.Store(false)
	becomes(t, "ready", r.Ready)
	r.stop()
	said := strings.Count(log.String(), "call failed, retrying")
	if said == 0 || said*20 > failures || !strings.Contains(log.String(), "error="+errSick.Error()) {
		t.Errorf("%d lines about %d failures:\n%s", said, failures, &log)
	}
}

// becomes repeats the check until ok.
func becomes(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// On a server that does not report positions of its log, such as Amazon Aurora, a relay
// leads, is ready, and delivers.
func TestWithoutPositionsOfTheLog(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		migrated(t, pg)
		for _, function := range []string{"pg_current_wal_insert_lsn", "pg_current_wal_flush_lsn"} {
			_, err := pg.Pool.Exec(t.Context(), fmt.Sprintf(`
				ALTER FUNCTION pg_catalog.%[1]s() RENAME TO %[1]s_moved;
				CREATE FUNCTION pg_catalog.%[1]s() RETURNS pg_lsn LANGUAGE plpgsql AS
				$$ BEGIN RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'wal_level must be logical'; END $$`, function))
			if err != nil {
				t.Fatal(err)
			}
		}
		insertRows(t, pg, "orders", 0, 500, 10, 20)
		r := start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: relay.NewStdoutSink(&lines{}), PageRows: 50})
		r.w.publishes(t, 500)
		insertRows(t, pg, "orders", 500, 500, 10, 20)
		r.w.publishes(t, 1000)
		if !r.Ready() {
			t.Errorf("it is not ready: %+v", r.Status())
		}
	})
}
