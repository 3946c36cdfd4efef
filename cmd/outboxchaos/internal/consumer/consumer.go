// Package consumer is the consuming service of a chaos run, in its own process: it
// handles each event once, with package inbox.
package consumer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/role"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/workload"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/inbox"
)

// Table has the effects of events. It has no unique constraint, so an event can have
// two.
const Table = `CREATE TABLE chaos_effect (id bigint GENERATED ALWAYS AS IDENTITY, event_id uuid NOT NULL);`

// Config is the configuration of the process: see package role. The command "panic N"
// makes about one in N deliveries panic; with N=0, none. Any other command ends the
// process cleanly.
type Config struct {
	Database string
	Brokers  []string
	// KafkaProxy is the Unix socket through which the brokers are dialled.
	KafkaProxy string
	Group      string
	Topics     []string
}

// SaysPanics is the line on standard output before a delivery panics.
const SaysPanics = "panics"

// Run consumes until a command ends it.
func Run(stdin io.Reader, stdout, stderr io.Writer) error {
	var cfg Config
	input, err := role.Read(stdin, &cfg)
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(context.Background(), cfg.Database)
	if err != nil {
		return err
	}
	router := consume.NewRouter(consume.OnUnknown(consume.Fail))
	h := &handler{stdout: stdout}
	for _, topic := range cfg.Topics {
		for _, keyed := range []bool{true, false} {
			gen.On(router, workload.EventType(topic, keyed), inbox.Tx(pool, "chaos", h.effect))
		}
	}
	dialer := net.Dialer{}
	run := func(ctx context.Context) error {
		defer pool.Close()
		return kafka.Run(ctx, kafka.Config{
			Brokers: cfg.Brokers, Group: cfg.Group, Topics: cfg.Topics, Router: router,
			Logger: slog.New(slog.NewTextHandler(stderr, nil)),
			// Every fault ends, and then the run must not wait for long.
			RetryMax: time.Second,
			Options: []kgo.Opt{
				// The group waits this long for a member that was killed. Brokers
				// accept no lower value.
				kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(time.Second),
				// The proxy is used for every address that a broker advertises.
				kgo.Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
					return dialer.DialContext(ctx, "unix", cfg.KafkaProxy)
				}),
			},
		})
	}
	return input.Run(run, func(command string, end func()) {
		if n, ok := strings.CutPrefix(command, "panic "); ok {
			h.obey(n)
		} else {
			end()
		}
	})
}

// handler causes the effects, and panics when it is told to.
type handler struct {
	oneIn  atomic.Int64 // deliveries; 0: none
	mu     sync.Mutex
	stdout io.Writer
}

func (h *handler) obey(n string) {
	if oneIn, err := strconv.ParseInt(n, 10, 64); err == nil {
		h.oneIn.Store(oneIn)
	}
}

func (h *handler) effect(ctx context.Context, tx pgx.Tx, e outbox.Envelope[workload.Change]) error {
	h.mayPanic()
	if _, err := tx.Exec(ctx, "INSERT INTO chaos_effect (event_id) VALUES ($1)", e.EventID); err != nil {
		return err
	}
	h.mayPanic()
	return nil
}

// mayPanic sometimes panics, as a handler does that dereferences nil.
func (h *handler) mayPanic() {
	if n := h.oneIn.Load(); n == 0 || rand.Int64N(2*n) > 0 { // twice in each delivery
		return
	}
	h.mu.Lock()
	_, _ = fmt.Fprintln(h.stdout, SaysPanics) // if the harness dies, the input ends too
	h.mu.Unlock()
	var missing *workload.Change
	_ = missing.Key //nolint:govet // that it is nil is the point
}
