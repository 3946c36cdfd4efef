package redisinbox_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox/redisinbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// While Redis is unavailable, events are handled anyway, or fail and are delivered
// again, depending on the setting. Once Redis is back, even if empty, the inbox works
// as before.
func TestRedisKilledAndBack(t *testing.T) {
	t.Parallel()
	for away, want := range map[redisinbox.Away]string{
		redisinbox.HandleAnyway: "before during during during back",
		redisinbox.Fail:         "before back",
	} {
		server := services.PrivateRedis(t)
		in := newInbox(t, connect(t, server.Addr), redisinbox.Options{Away: away, Timeout: patience, Lease: 3 * patience})
		var ran []string
		deliver := func(when string, id uuid.UUID) error {
			return in.Once(func(context.Context, consume.Message) error {
				ran = append(ran, when)
				return nil
			})(testContext(t), message(id))
		}
		before, during := uuid.New(), uuid.New()
		for range 2 {
			if err := deliver("before", before); err != nil {
				t.Fatal(err)
			}
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		for _, id := range []uuid.UUID{before, during, during} {
			switch err := deliver("during", id); {
			case away == redisinbox.Fail && (err == nil || consume.Permanent(err)):
				t.Errorf("while Redis is away: %v, want an error that a retry may help", err)
			case away == redisinbox.HandleAnyway && err != nil:
				t.Errorf("while Redis is away: %v", err)
			}
		}
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := deliver("back", during); err != nil {
				t.Errorf("when Redis is back: %v", err)
			}
		}
		if got := strings.Join(ran, " "); got != want {
			t.Errorf("away = %d: handled %q, want %q", away, got, want)
		}
	}
}

// An outage is logged when it begins and when it is over, not for each event.
func TestAnOutageIsLoggedOnce(t *testing.T) {
	t.Parallel()
	server := services.PrivateRedis(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.MessageKey, slog.LevelKey, "missed":
			return a
		}
		return slog.Attr{}
	}}))
	in := newInbox(t, connect(t, server.Addr), redisinbox.Options{Timeout: patience, Lease: 3 * patience, Logger: logger})
	handle := in.Once(func(context.Context, consume.Message) error { return nil })
	deliver := func(n int) {
		for range n {
			if err := handle(testContext(t), message(uuid.New())); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		deliver(1)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		deliver(3)
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		deliver(2)
	}
	// Two commands for each event: the check and the mark.
	once := `level=WARN msg="Redis cannot say whether the event was handled before: it is handled anyway"
level=INFO msg="Redis answers again; events that were handled meanwhile may be handled again" missed=6
`
	if diff := cmp.Diff(once+once, log.String()); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}

// flaky is a client that fails in its own way, as often as it is told to.
type flaky struct {
	rueidis.Client
	fail  func() error // may panic; nil: never
	fails func(command int64) bool
	count atomic.Int64
}

func (f *flaky) Do(ctx context.Context, c rueidis.Completed) rueidis.RedisResult {
	if n := f.count.Add(1); f.fails(n) {
		if err := f.fail(); err != nil {
			return rueidis.NewErrorResult(err)
		}
	}
	return f.Client.Do(ctx, c)
}

// A Redis that fails every second time does not fill the log.
func TestAnOutageThatComesAndGoes(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	client := &flaky{
		Client: connect(t, services.Redis(t).Addr), fail: func() error { return errNo },
		fails: func(command int64) bool { return command%4 > 1 }, // and the second try of it
	}
	in := newInbox(t, client, redisinbox.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	handled := 0
	handle := in.Once(func(context.Context, consume.Message) error { handled++; return nil })
	const n = 40
	for range n {
		if err := handle(testContext(t), message(uuid.New())); err != nil {
			t.Fatal(err)
		}
	}
	if warnings := strings.Count(log.String(), "error=no "); handled != n || warnings == 0 || warnings > n/4 {
		t.Errorf("%d events handled, with %d warnings:\n%s", handled, warnings, &log)
	}
}

// The client's hooks panic while the inbox asks, renews the lease, or marks the event.
// The event is handled once, and the process goes on.
func TestAClientThatPanics(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int64{"it asks": 1, "it renews, and all that follows": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			panicked := make(chan struct{}, 100)
			client := &flaky{Client: connect(t, services.Redis(t).Addr), fail: func() error {
				panicked <- struct{}{}
				panic("oh")
			}}
			client.fails = func(command int64) bool { return command >= at }
			in := newInbox(t, client, redisinbox.Options{Lease: shortLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			handled := 0
			err := in.Once(func(context.Context, consume.Message) error {
				<-panicked
				handled++
				return nil
			})(testContext(t), message(uuid.New()))
			if err != nil || handled != 1 {
				t.Errorf("handled %d times: %v", handled, err)
			}
			if !strings.Contains(log.String(), "panic: oh") {
				t.Errorf("the log is %s", &log)
			}
		})
	}
}

// Redis dies while an event is handled. This is not a failure of the handler.
func TestRedisDiesUnderAHandler(t *testing.T) {
	t.Parallel()
	server := services.PrivateRedis(t)
	in := newInbox(t, connect(t, server.Addr), redisinbox.Options{Away: redisinbox.Fail, Lease: shortLease})
	first := newBlocked()
	result := async(testContext(t), in.Once(first.handle), message(uuid.New()))
	receive(t, "it is handled", first.running)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	first.result <- nil
	if err := receive(t, "it returns", result); err != nil {
		t.Errorf("a handler that succeeded is reported as %v", err)
	}
}
