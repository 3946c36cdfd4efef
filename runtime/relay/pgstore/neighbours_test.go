package pgstore_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// Another session has locked the lease row of one outbox. A standby that cannot take it
// over does not end the sessions that serve other outboxes too: they hold no such lock.
func TestALockedLeaseHarmsNoOtherOutbox(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		server := newServer(t, pg)
		a, b := tenant(t, pg, server, "a"), tenant(t, pg, server, "b")
		leaseA, leaseB := lead(t, a), lead(t, b)
		seen, err := a.Observe(t.Context())
		must(t, err)
		stranger := begin(t, pg)
		exec(t, stranger, `SELECT FROM a.event_outbox_lease FOR UPDATE`)

		if _, err := a.Renew(t.Context(), leaseA, relay.Progress{}); err == nil || !strings.Contains(err.Error(), "locked by another session") {
			t.Errorf("the renewal of a locked lease: %v", err)
		}
		successor, err := pgstore.New(pgstore.Config{Server: newServer(t, pg), Schema: "a", LockTimeout: 20 * time.Millisecond})
		must(t, err)
		t.Cleanup(successor.Close)
		if _, err := successor.TakeOver(t.Context(), seen, uuid.New()); err == nil || !strings.Contains(err.Error(), "stayed locked") {
			t.Errorf("the take-over of a locked lease: %v", err)
		}
		renew(t, b, leaseB, relay.Progress{})
		must(t, b.Settle(t.Context(), leaseB, relay.Settlement{Published: []int64{1}}))
		must(t, stranger.Rollback(t.Context()))
		renew(t, a, leaseA, relay.Progress{}) // and the term of a is not over
	})
}

// Another session has locked the table and the sequence of one outbox, as a migration
// does. The store still waits for the others, and the next session that wants the lock
// gets it soon.
func TestALockedSequenceHarmsNoOtherOutbox(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		server := newServer(t, pg)
		a, b := tenant(t, pg, server, "a"), tenant(t, pg, server, "b")
		lead(t, a)
		lead(t, b)
		waitingForA, read := make(chan error, 1), snapshot(t, a)
		go func() { _, err := a.Idle(t.Context(), read, forEver); waitingForA <- err }()
		waitFor(t, pg.Pool, waitingOnServer)
		moved := idle(t, pg, b)

		stranger := begin(t, pg) // while the store waits for both
		exec(t, stranger, `TRUNCATE a.event_outbox RESTART IDENTITY`)
		if err := <-waitingForA; err != nil && !strings.Contains(err.Error(), "the sequence of seq is locked") {
			t.Errorf("the wait for a: %v", err)
		}
		exec(t, pg.Pool, `INSERT INTO b.event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data) VALUES ('a', 'b', 'c', 'd', '{}')`)
		if !<-moved {
			t.Error("an insert into b did not end the wait")
		}
		must(t, stranger.Rollback(t.Context()))
	})
}

// A caller that gives up does not end the session of the leases.
func TestACallerWhoGivesUpHarmsNoOtherOutbox(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		g := &gate{names: []string{"ObserveLease"}, waits: make(chan string), opened: make(chan struct{})}
		server := newServer(t, pg, func(c *pgstore.ServerConfig) { c.Conn.Tracer = g })
		a, b := tenant(t, pg, server, "a"), tenant(t, pg, server, "b")
		ctx, giveUp := context.WithCancel(t.Context())
		observed := make(chan error, 1)
		go func() { _, err := a.Observe(ctx); observed <- err }()
		<-g.waits
		giveUp()
		if err := <-observed; err == nil {
			t.Error("a call that was given up succeeded")
		}
		close(g.opened)
		before := ask[string](t, pg.Pool, `SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'outboxrelay'`)
		_, err := b.Observe(t.Context())
		must(t, err)
		after := ask[string](t, pg.Pool, `SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'outboxrelay'`)
		if before != after {
			t.Errorf("the session was lost: %s, then %s", before, after)
		}
	})
}

// The cost of a renewal is its commit. Leases that are due together share one, so that
// a slow disk or a synchronous standby does not make any of them late.
func TestRenewalsShareTheirCommits(t *testing.T) {
	t.Parallel()
	const tenants = 40
	pg := services.Postgres(t, services.Private())
	server := newServer(t, pg)
	stores := make([]*pgstore.Store, tenants)
	leases := make([]relay.Lease, tenants)
	for i := range stores {
		stores[i] = tenant(t, pg, server, fmt.Sprintf("tenant_%d", i))
		leases[i] = lead(t, stores[i])
	}
	// Each commit waits for the previous one, as on a slow disk.
	for _, sql := range []string{"ALTER SYSTEM SET commit_delay = 20000", "ALTER SYSTEM SET commit_siblings = 0", "SELECT pg_reload_conf()"} {
		exec(t, pg.Pool, sql)
	}
	const ids = `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint`
	before := ask[int](t, pg.Pool, ids)
	const rounds = 3
	for range rounds {
		var all sync.WaitGroup
		for i, s := range stores {
			all.Go(func() {
				if _, err := s.Renew(t.Context(), leases[i], relay.Progress{}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if used := ask[int](t, pg.Pool, ids) - before; used > tenants {
		t.Errorf("%d transactions for %d renewals", used, rounds*tenants)
	}

	// If a schema is dropped, only its own renewal fails.
	exec(t, pg.Pool, "DROP SCHEMA tenant_7 CASCADE")
	var all sync.WaitGroup
	for i, s := range stores {
		all.Go(func() {
			if _, err := s.Renew(t.Context(), leases[i], relay.Progress{}); (err != nil) != (i == 7) {
				t.Errorf("tenant %d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i := range stores {
		if i == 7 {
			continue
		}
		if beat := ask[int](t, pg.Pool, fmt.Sprintf("SELECT beat FROM tenant_%d.event_outbox_lease", i)); beat != 1+rounds+1 {
			t.Errorf("tenant %d: beat %d, want %d", i, beat, 1+rounds+1)
		}
	}
}

// silentFrom forwards connections to the server until a client sends the text; from
// then on it forwards nothing.
func silentFrom(t *testing.T, server *pgx.ConnConfig, text string) (host string, port uint16) {
	t.Helper()
	return serveBadly(t, func(client net.Conn) {
		network, address := pgconn.NetworkAddress(server.Host, server.Port)
		upstream, err := net.Dial(network, address)
		if err != nil {
			return
		}
		defer func() { _ = upstream.Close() }()
		go func() { _, _ = io.Copy(client, upstream) }()
		buffer := make([]byte, 1<<16)
		for {
			n, err := client.Read(buffer)
			if err != nil {
				return
			}
			if strings.Contains(string(buffer[:n]), text) {
				_, _ = io.Copy(io.Discard, client)
				return
			}
			if _, err := upstream.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
}

// A host may fall silent at any moment of making a connection: the next one is used.
func TestAHostThatFallsSilentWhileItIsAsked(t *testing.T) {
	for _, at := range []string{"user", "SetUpSession", "DescribeSession", "pg_walfile_name"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			pg := services.Postgres(t)
			migrate(t, pg)
			good, err := pgx.ParseConfig(pg.URL)
			must(t, err)
			conn := good.Copy()
			conn.Host, conn.Port = silentFrom(t, good, at)
			conn.TLSConfig = nil
			conn.Fallbacks = []*pgconn.FallbackConfig{{Host: good.Host, Port: good.Port}}
			s := newStore(t, pg, func(c *pgstore.Config) { c.Conn = conn })
			lead(t, s)
			must(t, s.Check(t.Context()))
		})
	}
}
