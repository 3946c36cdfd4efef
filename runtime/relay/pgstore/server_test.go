package pgstore_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

func newServer(t *testing.T, pg *services.PG, change ...func(*pgstore.ServerConfig)) *pgstore.Server {
	t.Helper()
	conn, err := pgx.ParseConfig(pg.URL)
	must(t, err)
	conn.ConnectTimeout = patience
	cfg := pgstore.ServerConfig{Conn: conn, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, c := range change {
		c(&cfg)
	}
	s, err := pgstore.NewServer(cfg)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// tenant makes a schema with an outbox, and a store for it.
func tenant(t *testing.T, pg *services.PG, server *pgstore.Server, schema string) *pgstore.Store {
	t.Helper()
	conn := pg.Connect(t.Context())
	exec(t, conn, "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize())
	exec(t, conn, "SET search_path TO "+pgx.Identifier{schema}.Sanitize())
	must(t, migrations.Up(t.Context(), conn))
	s, err := pgstore.New(pgstore.Config{Server: server, Schema: schema})
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

const openSessions = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'outboxrelay'`

// Outboxes in several schemas share sessions, and none sees the rows or the lease of
// another, with any names of schemas.
func TestStoresShareSessions(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		server := newServer(t, pg)
		names := []string{"plain", "Mixed Case", `quote"d`, "it's", "event_outbox", "select"}
		stores := map[string]*pgstore.Store{}
		for _, name := range names {
			stores[name] = tenant(t, pg, server, name)
		}
		var all sync.WaitGroup
		for _, name := range names {
			s := stores[name]
			all.Go(func() {
				ctx := t.Context()
				if err := s.Check(ctx); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				seen, err := s.Observe(ctx)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				lease, err := s.TakeOver(ctx, seen, uuid.New())
				if err != nil || lease.Epoch != 1 {
					t.Errorf("%s: lease %+v, %v", name, lease, err)
					return
				}
				snap, err := s.Snapshot(ctx)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				if page, err := s.ReadBacklog(ctx, snap, 0, wide); err != nil || len(page.Rows) != 0 {
					t.Errorf("%s: rows %v, %v", name, page.Rows, err)
				}
				_, err = pg.Pool.Exec(ctx, fmt.Sprintf(`INSERT INTO %s.event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
					VALUES ($1::text, 'order', 'order.paid.v1', 'orders', $1::text, '{}')`, pgx.Identifier{name}.Sanitize()), name)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				next, err := s.Snapshot(ctx)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				page, err := s.ReadTick(ctx, snap, next, 0, wide)
				if err != nil || len(page.Rows) != 1 || *page.Rows[0].Key != name {
					t.Errorf("%s: rows %+v, %v", name, page.Rows, err)
					return
				}
				if err := s.Flushed(ctx, page); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if err := s.Settle(ctx, lease, relay.Settlement{Published: seqs(page.Rows)}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := s.Renew(ctx, lease, relay.Progress{Settled: true}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := s.Sweep(ctx, lease, time.Hour, 10); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if stats, err := s.Stats(ctx); err != nil || stats.Pending != 0 {
					t.Errorf("%s: %+v, %v", name, stats, err)
				}
				if err := s.Release(ctx, lease); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		if n := ask[int](t, pg.Pool, openSessions); n > 5 {
			t.Errorf("%d sessions for %d outboxes, want 5 at most", n, len(names))
		}
		got, err := server.Schemas(t.Context(), "*t*")
		must(t, err)
		if want := "event_outbox, it's, quote\"d, select"; strings.Join(got, ", ") != want {
			t.Errorf("schemas %v, want %s", got, want)
		}
	})
}

// One idle outbox is woken by its own inserts, not by its neighbours'.
func TestIdleOutboxesWaitTogether(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		server := newServer(t, pg)
		one, two := tenant(t, pg, server, "one"), tenant(t, pg, server, "two")
		lead(t, one)
		lead(t, two)
		first, second := idle(t, pg, one), idle(t, pg, two)
		exec(t, pg.Pool, `INSERT INTO two.event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data) VALUES ('a', 'b', 'c', 'd', '{}')`)
		if !<-second {
			t.Error("an insert did not end the wait")
		}
		select {
		case <-first:
			t.Error("an insert into another outbox ended the wait")
		default:
		}
	})
}

// A standby is told when a lease is released.
func TestAReleaseIsHeard(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		leader, standby := newStore(t, pg), newStore(t, pg)
		lease := lead(t, leader)
		_, err := standby.Observe(t.Context())
		must(t, err)
		must(t, leader.Release(t.Context(), lease))
		select {
		case <-standby.Released():
		case <-time.After(time.Minute):
			t.Fatal("nothing was heard")
		}
	})
}

// A server without a free session refuses new ones. The relay works with those it has,
// does not ask again and again, and opens more when it can.
func TestARefusedSessionIsMadeDoWithout(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `CREATE ROLE few LOGIN CONNECTION LIMIT 2`)
		t.Cleanup(func() {
			_, _ = pg.Pool.Exec(context.WithoutCancel(t.Context()), `DROP OWNED BY few; DROP ROLE few`)
		})
		exec(t, pg.Pool, `GRANT ALL ON ALL TABLES IN SCHEMA public TO few`)
		exec(t, pg.Pool, `GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO few`)
		s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.User, c.Conn.Password = "few", "" })
		// Check looks for poolers with sessions of its own, if it can; the server may not
		// be done with them when the next one is opened.
		for i := 0; s.Check(t.Context()) != nil; i++ {
			if i == 50 {
				t.Fatal(s.Check(t.Context()))
			}
		}
		lease := lead(t, s)
		var work sync.WaitGroup
		for range 8 { // more at once than there are sessions
			work.Go(func() {
				snap, err := s.Snapshot(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.ReadBacklog(t.Context(), snap, 0, wide); err != nil {
					t.Error(err)
				}
				if err := s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1}}); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		if n := ask[int](t, pg.Pool, openSessions); n != 2 {
			t.Errorf("%d sessions, want 2", n)
		}
	})
}

// Any query mode of pgx in the address works, because services share the address with
// their relay: the store uses its own mode.
func TestEveryModeOfPgx(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				s := newStore(t, pg, func(c *pgstore.Config) {
					conn, err := pgx.ParseConfig(pg.URL + "&default_query_exec_mode=" + mode + "&statement_cache_capacity=0&description_cache_capacity=0")
					must(t, err)
					c.Conn = conn
				})
				must(t, s.Check(t.Context()))
				lease := lead(t, s)
				before := snapshot(t, s)
				a, b, c := insert(t, pg.Pool, "a"), insert(t, pg.Pool, "b"), insert(t, pg.Pool, "c")
				rows := tick(t, s, before, snapshot(t, s), wide)
				must(t, s.Flushed(t.Context(), relay.Page{Rows: rows, InsertLSN: "0/0"}))
				must(t, s.Settle(t.Context(), lease, relay.Settlement{
					Published: []int64{a},
					Failed:    []relay.Failure{{Seq: b, Err: "no", RetryCount: 1, RetryIn: time.Hour}, {Seq: c, Err: "no", RetryCount: 10, Dead: true}},
				}))
				held, err := s.ReadHeld(t.Context(), relay.Blocking{ByDefault: true})
				must(t, err)
				if len(held) != 2 {
					t.Errorf("held rows: %+v", held)
				}
				_, err = s.Decisions(t.Context(), lease, []int64{7})
				must(t, err)
				renew(t, s, lease, relay.Progress{Settled: true, Suspect: b, State: []byte(`{"leader": true}`)})
				_, err = s.Sweep(t.Context(), lease, time.Hour, 10)
				must(t, err)
				stats, err := s.Stats(t.Context())
				must(t, err)
				if stats.Pending != 1 || stats.Held != 1 || stats.Dead != 1 {
					t.Errorf("stats: %+v", stats)
				}
				must(t, s.Release(t.Context(), lease))
			})
		})
	}
}

// badHost is a host that does not work.
type badHost struct {
	name  string
	start func(t *testing.T) (host string, port uint16)
}

// badHosts are the ways in which the first of several hosts can fail.
var badHosts = []badHost{
	{"refuses", func(t *testing.T) (string, uint16) {
		l := listen(t)
		must(t, l.Close())
		return "127.0.0.1", portOf(l)
	}},
	{"accepts and closes", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) { _ = c.Close() })
	}},
	{"accepts and resets", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() })
	}},
	{"accepts and says nothing", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(net.Conn) {})
	}},
	{"agrees to TLS and says nothing", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) {
			request := make([]byte, 8)
			if _, err := io.ReadFull(c, request); err == nil {
				_, _ = c.Write([]byte("S"))
			}
		})
	}},
	{"asks for a password and says no more", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1024))
			_, _ = c.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3})
		})
	}},
	{"answers no query", func(t *testing.T) (string, uint16) { return serveBadly(t, letIn) }},
	{"closes at the first query", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) { letIn(c); _ = c.Close() })
	}},
	{"starts up for ever", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) { answerError(c, "57P03") })
	}},
	{"has no connection left", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) { answerError(c, "53300") })
	}},
	{"answers a byte at a time", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) { answerForEver(c, 1, 50*time.Millisecond) })
	}},
	{"sends notices for ever", func(t *testing.T) (string, uint16) {
		return serveBadly(t, func(c net.Conn) { answerForEver(c, len(notice), time.Millisecond) })
	}},
}

// letIn refuses TLS, lets everybody in, and returns when the first query has come.
func letIn(c net.Conn) {
	_, _ = c.Read(make([]byte, 1024))
	_, err := c.Write([]byte("N"))
	if err == nil {
		_, err = c.Read(make([]byte, 1024))
	}
	if err == nil {
		_, err = c.Write([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"))
	}
	if err == nil {
		_, _ = c.Read(make([]byte, 1024))
	}
}

// answerError answers the start of a session with an error.
func answerError(c net.Conn, code string) {
	_, _ = c.Read(make([]byte, 1024))
	_, err := c.Write([]byte("N"))
	if err == nil {
		_, err = c.Read(make([]byte, 1024))
	}
	if err == nil {
		fields := "SFATAL\x00VFATAL\x00C" + code + "\x00Mnot now\x00\x00"
		_, _ = c.Write(append([]byte{'E', 0, 0, 0, byte(len(fields) + 4)}, fields...))
	}
	_ = c.Close()
}

// notice is a message that a server may send at any time.
const notice = "N\x00\x00\x00\x10SNOTICE\x00My\x00\x00"

// answerForEver refuses TLS and lets everybody in. It never gets to the end: it sends
// notices in pieces of a size until the connection is closed.
func answerForEver(c net.Conn, size int, pause time.Duration) {
	_, _ = c.Read(make([]byte, 1024))
	_, err := c.Write([]byte("N"))
	if err == nil {
		_, err = c.Read(make([]byte, 1024))
	}
	if err == nil {
		_, err = c.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 0})
	}
	for left := ""; err == nil; left = left[size:] {
		if len(left) < size {
			left += notice
		}
		_, err = c.Write([]byte(left[:size]))
		time.Sleep(pause) // this is the fault
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

func portOf(l net.Listener) uint16 { return uint16(l.Addr().(*net.TCPAddr).Port) }

// serveBadly accepts connections and does the same with each; it stays open after
// that.
func serveBadly(t *testing.T, do func(net.Conn)) (string, uint16) {
	t.Helper()
	l := listen(t)
	var mu sync.Mutex
	var open []net.Conn
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			served.Go(func() { do(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		served.Wait()
	})
	return "127.0.0.1", portOf(l)
}

// The first host of several fails in every way: calls about the lease, which have less
// time than it takes to try that host, succeed in the end, and from then on nothing
// waits for it.
func TestTheFirstHostFails(t *testing.T) {
	for _, bad := range badHosts {
		t.Run(bad.name, func(t *testing.T) {
			t.Parallel()
			pg := services.Postgres(t)
			migrate(t, pg)
			host, port := bad.start(t)
			good, err := pgx.ParseConfig(pg.URL)
			must(t, err)
			conn, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=prefer&target_session_attrs=read-write",
				good.User, host, port, good.Database))
			must(t, err)
			conn.Password = good.Password
			conn.Fallbacks = append(conn.Fallbacks, good.Fallbacks...)
			conn.Fallbacks = append(conn.Fallbacks, &pgconn.FallbackConfig{Host: good.Host, Port: good.Port, TLSConfig: good.TLSConfig})
			s := newStore(t, pg, func(c *pgstore.Config) { c.Conn = conn })

			// As in the relay, each call has a third of a term.
			call := func(f func(ctx context.Context) error) error {
				var err error
				for range 20 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					err = f(ctx)
					cancel()
					if err == nil {
						break
					}
				}
				return err
			}
			var seen relay.LeaseState
			must(t, call(func(ctx context.Context) (err error) { seen, err = s.Observe(ctx); return err }))
			var lease relay.Lease
			must(t, call(func(ctx context.Context) (err error) { lease, err = s.TakeOver(ctx, seen, uuid.New()); return err }))
			insert(t, pg.Pool, "a")
			settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
			must(t, s.Check(t.Context()))
			// A session is lost, and replaced by one on the host that works.
			exec(t, pg.Pool, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outboxrelay' AND datname = current_database()`)
			must(t, call(func(ctx context.Context) (err error) { _, err = s.Observe(ctx); return err }))
		})
	}
}

// A name may stand for several addresses, of which the first is dead.
func TestANameWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrate(t, pg)
	host, port := serveBadly(t, func(net.Conn) {})
	socket, err := pgx.ParseConfig(pg.URL)
	must(t, err)
	conn := socket.Copy()
	conn.Host, conn.Fallbacks = "database.example", nil
	alive := fmt.Sprintf("127.0.0.2:%d", port)
	conn.LookupFunc = func(context.Context, string) ([]string, error) {
		return []string{fmt.Sprintf("%s:%d", host, port), alive}, nil
	}
	conn.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == alive { // the tests' servers have sockets only
			network, address = pgconn.NetworkAddress(socket.Host, socket.Port)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	s := newStore(t, pg, func(c *pgstore.Config) { c.Conn = conn })
	lead(t, s)
}
