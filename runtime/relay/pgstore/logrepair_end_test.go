package pgstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// fault is what becomes of a COMMIT.
type fault int32

const (
	none        fault = iota
	lost              // the server does not get it
	unanswered        // the relay does not get the answer
	misreported       // it gets another answer: an error with an SQLSTATE
)

// faults makes connections.
type faults struct{ next atomic.Int32 }

func (f *faults) use(c *pgstore.Config) {
	dial := net.Dialer{}
	c.Conn.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &faultyConn{Conn: conn, of: f}, nil
	}
}

// faultyConn is a connection that ends with a faulty COMMIT.
type faultyConn struct {
	net.Conn
	of *faults

	mu     sync.Mutex
	answer []byte // instead of that of the server
}

func (c *faultyConn) Write(b []byte) (int, error) {
	if !bytes.Contains(b, []byte("commit\x00")) {
		return c.Conn.Write(b)
	}
	f := fault(c.of.next.Swap(int32(none)))
	if f == none {
		return c.Conn.Write(b)
	}
	defer func() { _ = c.Conn.Close() }()
	if f == lost {
		return len(b), nil
	}
	n, err := c.Conn.Write(b)
	_, _ = c.Conn.Read(make([]byte, 1024)) // the server has committed
	if f == misreported {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answer, _ = (&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01", Message: "going down"}).Encode(nil)
	}
	return n, err
}

func (c *faultyConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	n := copy(b, c.answer)
	c.answer = c.answer[n:]
	c.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	return c.Conn.Read(b)
}

// The relay does not learn whether a repair was carried out. It writes nothing by former numbers, and its
// term ends when it knows that one was.
func TestLogRepairOfUnknownOutcome(t *testing.T) {
	for name, f := range map[string]fault{"COMMIT is lost": lost, "the answer is lost": unanswered, "another answer": misreported} {
		t.Run(name, func(t *testing.T) {
			eachLog(t, func(t *testing.T, pg *services.PG) {
				insertAll(t, pg, "a", "b", "c", "d")
				var broken faults
				s := newLog(t, pg, broken.use)
				lease := lead(t, s)
				settle(t, s, lease, backlog(t, s, snapshot(t, s), wide)[:1])
				setval(t, pg, 1)
				insertAll(t, pg, "e")
				broken.next.Store(int32(f))
				if _, err := s.Snapshot(t.Context()); err == nil || errors.Is(err, relay.ErrLeaseLost) {
					t.Fatalf("the store says %v; want that the outcome is not known", err)
				}
				var err error
				for !errors.Is(err, relay.ErrLeaseLost) { // the store tries again after a pause
					err = s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{2, 3, 4}})
					if err == nil {
						t.Fatal("a settlement by former numbers is recorded")
					}
				}
				if !strings.Contains(err.Error(), "a new term begins") || strings.Contains(err.Error(), "does not lead") {
					t.Errorf("the store says %v; want that a new term begins", err)
				}
				if seq := ask[int64](t, pg.Pool, `SELECT seq FROM event_outbox WHERE event_key = 'e'`); seq != 5 {
					t.Errorf("when the term is over, the new event has number %d; want 5", seq)
				}
				if d := cmp.Diff([]string{"b", "c", "d", "e"}, drained(t, pg, wide)); d != "" {
					t.Errorf("the next terms read (-want +got): %s", d)
				}
			})
		})
		t.Run(name+", when a term begins", func(t *testing.T) {
			eachLog(t, func(t *testing.T, pg *services.PG) {
				insertAll(t, pg, "a", "b")
				setval(t, pg, 1)
				insertAll(t, pg, "c")
				setval(t, pg, 1)
				var broken faults
				s := newLog(t, pg, broken.use)
				lead(t, s)
				broken.next.Store(int32(f))
				_, err := s.Snapshot(t.Context())
				ends(t, err)
				if d := cmp.Diff([]string{"a", "b", "c"}, drained(t, pg, wide)); d != "" {
					t.Errorf("the next terms read (-want +got): %s", d)
				}
			})
		})
	}
}

// hold stops one statement that contains a text. It signals that, and waits until it may continue.
type hold struct {
	text        atomic.Pointer[string]
	there, goOn chan struct{}
	release     func()
	repairCount
}

func newHold() *hold {
	h := &hold{there: make(chan struct{}), goOn: make(chan struct{})}
	h.release = sync.OnceFunc(func() { close(h.goOn) })
	return h
}

func (h *hold) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	h.repairCount.TraceQueryStart(ctx, conn, data)
	if text := h.text.Load(); text != nil && strings.Contains(data.SQL, *text) && h.text.CompareAndSwap(text, nil) {
		close(h.there)
		<-h.goOn
	}
	return ctx
}

func (*hold) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A relay is suspended within a repair. Writers do not wait for it.
func TestLogRepairOfARelayThatIsSuspended(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c")
		h := newHold()
		s := newLog(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = h })
		t.Cleanup(h.release)
		s.RepairIdle(300 * time.Millisecond)
		lease := lead(t, s)
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		setval(t, pg, 1)
		insertAll(t, pg, "d")
		commit := "commit"
		h.text.Store(&commit)
		called := make(chan error, 1)
		go func() {
			_, err := s.Snapshot(t.Context())
			called <- err
		}()
		<-h.there
		writer := begin(t, pg)
		exec(t, writer, `SET LOCAL lock_timeout = '10s'`)
		insert(t, writer, "e")
		must(t, writer.Commit(t.Context()))
		h.release()
		err := <-called
		for err != nil && !errors.Is(err, relay.ErrLeaseLost) {
			_, err = s.Snapshot(t.Context())
		}
		ends(t, err)
		if d := cmp.Diff([]string{"d", "e"}, drained(t, pg, wide)); d != "" {
			t.Errorf("the next terms read (-want +got): %s", d)
		}
	})
}

// onRepair makes a repair run a statement of PL/pgSQL for the first row that gets another number.
func onRepair(t *testing.T, pg *services.PG, statement string) {
	t.Helper()
	exec(t, pg.Pool, `CREATE FUNCTION interfere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN `+statement+`; RETURN NEW; END $$;
		CREATE TRIGGER interfere BEFORE UPDATE ON event_outbox FOR EACH ROW EXECUTE FUNCTION interfere()`)
}

// The server does not wait long for a relay that is suspended, and it looks whether the relay is there. It
// does so only within a repair.
func TestLogRepairIsLimited(t *testing.T) {
	const limits = `current_setting('idle_in_transaction_session_timeout') || ' ' || current_setting('client_connection_check_interval') || ' ' || current_setting('statement_timeout')`
	eachLog(t, func(t *testing.T, pg *services.PG) {
		onRepair(t, pg, `RAISE EXCEPTION 'limits: %', `+limits)
		insertAll(t, pg, "a", "b", "c")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows[:1])
		setval(t, pg, 1)
		insertAll(t, pg, "d")
		_, err := s.Snapshot(t.Context())
		if err == nil || !strings.Contains(err.Error(), "limits: 5s 5s 10min") {
			t.Errorf("the limits of a repair: %v", err)
		}
	})
}

// A repair takes longer than the call, and the relay is stopped, or its store closed. Then the repair
// ends.
func TestLogRepairEndsWithTheRelay(t *testing.T) {
	const repairing = `SELECT count(*) = $1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%event\_outbox\_renumber(%' AND state = 'active' AND pid <> pg_backend_pid()`
	play := func(t *testing.T, pg *services.PG) *pgstore.LogStore {
		onRepair(t, pg, `PERFORM pg_sleep(60)`)
		insertAll(t, pg, "a", "b", "c")
		setval(t, pg, 1)
		insertAll(t, pg, "d")
		setval(t, pg, 1)
		return newLog(t, pg)
	}
	quickly := func(t *testing.T, pg *services.PG, end func()) {
		began := time.Now()
		end()
		waitFor(t, pg.Pool, repairing, 0)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it takes %s", took)
		}
	}
	t.Run("store", func(t *testing.T) {
		eachLog(t, func(t *testing.T, pg *services.PG) {
			s := play(t, pg)
			lead(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			called := make(chan struct{})
			go func() {
				defer close(called)
				_, _ = s.Snapshot(ctx)
			}()
			<-ctx.Done()
			waitFor(t, pg.Pool, repairing, 1)
			quickly(t, pg, s.Close)
			<-called
		})
	})
	t.Run("relay", func(t *testing.T) {
		eachLog(t, func(t *testing.T, pg *services.PG) {
			s := play(t, pg)
			r, err := relay.New(relay.Config{
				Store: s, Sink: &logBroker{t: t}, Term: 2 * time.Second, StoreTimeout: 200 * time.Millisecond, DrainTimeout: time.Nanosecond,
				Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			})
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			waitFor(t, pg.Pool, repairing+` AND query_start < clock_timestamp() - interval '500 milliseconds'`, 1)
			quickly(t, pg, func() { cancel(); must(t, <-ended) })
		})
	})
}

// A term begins with a repair that has to wait, and meanwhile the sequence passes all numbers. The numbers
// are repaired nevertheless: an event would be sent before an earlier one of its key.
func TestLogRepairIsNotForgottenWhenATermBegins(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "1", "2", "3", "4", "5", "6", "7", "a")
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows[:7])
		setval(t, pg, 3)
		writer := begin(t, pg)
		if seq := insert(t, writer, "b"); seq != 4 {
			t.Fatalf("the number of b is %d", seq)
		}
		s = newLog(t, pg)
		lead(t, s)
		_, err := s.Snapshot(t.Context())
		if err == nil || !strings.Contains(err.Error(), "is locked") {
			t.Fatalf("while a writer is open the store says %v", err)
		}
		must(t, writer.Commit(t.Context()))
		setval(t, pg, 20)
		var snap relay.Snapshot
		for err != nil && !errors.Is(err, relay.ErrLeaseLost) { // the store tries again after a pause
			snap, err = s.Snapshot(t.Context())
		}
		must(t, err)
		if d := cmp.Diff([]string{"a", "b"}, keys(backlog(t, s, snap, wide))); d != "" {
			t.Errorf("the term reads (-want +got): %s", d)
		}
	})
}

// A call of a former term finds that the sequence was replaced. That says nothing about the term that has
// begun meanwhile.
func TestLogACallOfAFormerTermSaysNothing(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c")
		h := newHold()
		s := newLog(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = h })
		t.Cleanup(h.release)
		lease := lead(t, s)
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		place := "LogPlace"
		h.text.Store(&place)
		called := make(chan error, 1)
		go func() {
			_, err := s.Snapshot(t.Context())
			called <- err
		}()
		<-h.there
		setval(t, pg, 1)
		lead(t, s)
		snapshot(t, s) // the term begins with a repair
		h.release()
		ends(t, <-called)
		_, err := s.Snapshot(t.Context())
		must(t, err)
		h.want(t, 1)
	})
}

// A repair has kept writers waiting, and is canceled. The next one comes after a time in which they can
// write.
func TestLogRepairRests(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		onRepair(t, pg, `PERFORM pg_sleep(2); RAISE EXCEPTION 'no' USING ERRCODE = 'query_canceled'`)
		insertAll(t, pg, "a", "b", "c")
		var repairs repairCount
		s, lease, _, rows := begins(t, pg, repairs.use)
		settle(t, s, lease, rows[:1])
		setval(t, pg, 1)
		insertAll(t, pg, "d")
		_, err := s.Snapshot(t.Context())
		if err == nil || !strings.Contains(err.Error(), "57014") {
			t.Errorf("the store says %v; want that the statement was canceled", err)
		}
		if next := s.NextRepair(); next < 15*time.Second {
			t.Errorf("the next repair may come after %s", next)
		}
		_, err = s.Snapshot(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the next one comes in") {
			t.Errorf("the store says %v; want that it says when it tries again", err)
		}
		repairs.want(t, 1)
	})
}

// The server hangs, and then ends the session, before the repair has asked for a lock. It has kept no
// writer waiting, so the next one comes soon: nothing is published until then.
func TestLogRepairThatAskedForNoLockDoesNotRest(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c")
		h := newHold()
		s, lease, _, rows := begins(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = h })
		t.Cleanup(h.release)
		settle(t, s, lease, rows[:1])
		setval(t, pg, 1)
		insertAll(t, pg, "d")
		count := "LogUnpassed"
		h.text.Store(&count)
		called := make(chan error, 1)
		go func() {
			_, err := s.Snapshot(t.Context())
			called <- err
		}()
		<-h.there
		time.Sleep(time.Second)
		exec(t, pg.Pool, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`)
		h.release()
		if err := <-called; err == nil || errors.Is(err, relay.ErrLeaseLost) {
			t.Errorf("the store says %v; want that the session is over", err)
		}
		if next := s.NextRepair(); next > time.Second {
			t.Errorf("the next repair may come after %s", next)
		}
	})
}
