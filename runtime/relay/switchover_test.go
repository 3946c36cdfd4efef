//go:build unix

package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// skippingClock is a clock that skips the relay's waits.
type skippingClock struct {
	start   time.Time
	skipped atomic.Int64
}

func (c *skippingClock) Now() time.Duration {
	return time.Since(c.start) + time.Duration(c.skipped.Load())
}

// address leads to the primary first, and to another server after a switchover, like
// the name of a service.
type address struct {
	folder string
	port   atomic.Int64
}

func (a *address) store(t *testing.T, s *standby) relay.Store {
	t.Helper()
	conn, err := pgx.ParseConfig(s.eitherURL())
	if err != nil {
		t.Fatal(err)
	}
	conn.Fallbacks, conn.ValidateConnect = nil, nil
	conn.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(a.folder, fmt.Sprintf(".s.PGSQL.%d", a.port.Load())))
	}
	store, err := pgstore.New(pgstore.Config{Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// In a switchover the address leads for a while to a standby. A relay that ran before
// waits, and finds the primary when the address has moved. A relay that starts reports
// what to check.
func TestARunningRelayWaitsOutASwitchover(t *testing.T) {
	t.Parallel()
	primary := newServer(t)
	migrated(t, primary.PG)
	k := services.KFake(t)
	topic := k.NewTopic(t, "orders", 3)
	s := newStandby(t, primary)
	eventually(t, primary.Pool, `SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')`)
	at := &address{folder: primary.socket()}
	at.port.Store(primaryPort)
	clock := &skippingClock{start: time.Now()}
	follow := func() *watcher {
		return start(t, relay.Config{Store: at.store(t, s), Sink: kafkaSink(t, k.Brokers), Clock: clock}).w
	}
	leader := follow()
	leader.leads(t)
	waiting := follow()
	waiting.until(t, "stands by", func(w *watcher) bool { return w.status.ReasonKind == relay.ReasonStandby })
	insertRows(t, primary.PG, topic, 0, 100, 5, 20)
	leader.publishes(t, 100)

	at.port.Store(standbyPort)
	if _, err := primary.Pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outboxrelay'`); err != nil {
		t.Fatal(err)
	}
	clock.skipped.Store(int64(time.Minute)) // the relay looks at the outbox again
	for _, w := range []*watcher{leader, waiting} {
		w.until(t, "meets the standby", func(w *watcher) bool { return w.standby })
	}

	fresh, err := relay.New(relay.Config{Store: at.store(t, s), Sink: kafkaSink(t, k.Brokers)})
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.Run(t.Context()); !isTransient(err) {
		t.Errorf("a relay that starts at a standby: %v", err)
	}

	at.port.Store(primaryPort)
	insertRows(t, primary.PG, topic, 100, 100, 5, 20)
	consumeFirsts(t, k.Brokers, 200, topic)
	settled(t, primary.Pool)
}

func isTransient(err error) bool {
	setup, ok := errors.AsType[*relay.SetupError](err)
	return ok && setup.Transient
}
