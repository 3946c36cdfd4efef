package redisinbox_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox/redisinbox"
	"github.com/outboxgen/outboxgen/runtime/internal/panicky"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Every message of these tests has a body that is not JSON, so code that parses it
// fails.
func TestARepeatIsSkippedFromItsHeaders(t *testing.T) {
	t.Parallel()
	client := connect(t, services.Redis(t).Addr)
	var handled []string
	consumer := func(name string) *consume.Router {
		in, err := redisinbox.New(client, name, redisinbox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := consume.NewRouter(consume.Use(in.Once))
		r.Handle(eventType, func(context.Context, consume.Message) error {
			handled = append(handled, name)
			return nil
		})
		return r
	}
	grades, statistics := consumer("grades"), consumer("statistics")
	m := message(uuid.New())
	for _, r := range []*consume.Router{grades, grades, statistics, grades, statistics} {
		if err := r.Dispatch(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"grades", "statistics"}, handled); diff != "" {
		t.Errorf("who handled the event (-want +got):\n%s", diff)
	}
}

func TestConcurrentDuplicates(t *testing.T) {
	t.Parallel()
	client := connect(t, services.Redis(t).Addr)
	in := newInbox(t, client, redisinbox.Options{})
	for range 20 {
		var runs, effects atomic.Int32
		handle := in.Once(func(context.Context, consume.Message) error {
			if runs.Add(1)%3 == 1 { // the first one fails
				return errNo
			}
			effects.Add(1)
			return nil
		})
		m := message(uuid.New())
		var wg sync.WaitGroup
		var failed atomic.Int32
		for range 8 {
			wg.Go(func() {
				if err := handle(testContext(t), m); errors.Is(err, errNo) {
					failed.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if diff := cmp.Diff([]int32{1, 1, 2}, []int32{failed.Load(), effects.Load(), runs.Load()}); diff != "" {
			t.Fatalf("failures, effects, runs of one event (-want +got):\n%s", diff)
		}
	}
}

// A delivery waits while another consumer handles the event, and handles it when
// that one fails.
func TestADuplicateWaits(t *testing.T) {
	t.Parallel()
	addr := services.Redis(t).Addr
	for name, outcome := range map[string]error{"success": nil, "failure": errNo} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, two := newInbox(t, connect(t, addr), redisinbox.Options{}), newInbox(t, connect(t, addr), redisinbox.Options{})
			m := message(uuid.New())
			first := newBlocked()
			firstResult := async(testContext(t), one.Once(first.handle), m)
			receive(t, "the first handles", first.running)

			ran := false
			second := two.Once(func(context.Context, consume.Message) error { ran = true; return nil })
			short, cancel := context.WithTimeout(t.Context(), shortLease)
			defer cancel()
			if err := second(short, m); !errors.Is(err, context.DeadlineExceeded) || ran {
				t.Fatalf("the second returned %v while the first handled the event; ran: %v", err, ran)
			}
			secondResult := async(testContext(t), second, m)
			first.result <- outcome
			if err := receive(t, "the first returns", firstResult); !errors.Is(err, outcome) {
				t.Errorf("the first returned %v", err)
			}
			if err := receive(t, "the second returns", secondResult); err != nil {
				t.Errorf("the second returned %v", err)
			}
			if ran != (outcome != nil) {
				t.Errorf("the second ran: %v", ran)
			}
		})
	}
}

func TestAFailureReleasesTheLease(t *testing.T) {
	t.Parallel()
	client := connect(t, services.Redis(t).Addr)
	in := newInbox(t, client, redisinbox.Options{Lease: time.Hour})
	m, id := message(uuid.New()), uuid.New()
	m.Headers[0].Value = []byte(id.String())
	if err := in.Once(func(context.Context, consume.Message) error { return errNo })(t.Context(), m); !errors.Is(err, errNo) {
		t.Errorf("the handler's error came back as %v", err)
	}
	if v := value(t, client, in.Key(id)); v != "" {
		t.Errorf("a handler that failed left %q", v)
	}
	func() {
		defer func() {
			if r := recover(); r != "no" {
				t.Errorf("the handler's panic came back as %v", r)
			}
		}()
		_ = in.Once(func(context.Context, consume.Message) error { panic("no") })(t.Context(), m)
	}()
	if v := value(t, client, in.Key(id)); v != "" {
		t.Errorf("a handler that panicked left %q", v)
	}
	exited := make(chan struct{})
	go func() { // as t.FailNow in a handler does
		defer close(exited)
		_ = in.Once(func(context.Context, consume.Message) error { runtime.Goexit(); return nil })(t.Context(), m)
		t.Error("the handler's Goexit did not end its goroutine")
	}()
	<-exited
	if v := value(t, client, in.Key(id)); v != "" {
		t.Errorf("a handler that ended its goroutine left %q", v)
	}
	// The end of the caller's context does not end the lease.
	ctx, cancel := context.WithCancel(t.Context())
	err := in.Once(func(ctx context.Context, _ consume.Message) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})(ctx, m)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a handler that was cancelled returned %v", err)
	}
	if v := value(t, client, in.Key(id)); v != "" {
		t.Errorf("a handler that was cancelled left %q", v)
	}
}

// A router makes a panic an error. The event is free, and the next attempt handles it.
func TestAPanicIsRecoveredAndHandledAgain(t *testing.T) {
	t.Parallel()
	client := connect(t, services.Redis(t).Addr)
	in := newInbox(t, client, redisinbox.Options{Lease: time.Hour})
	router := consume.NewRouter(consume.Use(in.Once))
	runs := 0
	router.Handle(eventType, func(context.Context, consume.Message) error {
		if runs++; runs == 1 {
			panic("no")
		}
		return nil
	})
	id := uuid.New()
	m := message(id)
	err := router.Dispatch(t.Context(), m)
	if _, ok := errors.AsType[*consume.PanicError](err); !ok {
		t.Fatalf("Dispatch returns %v", err)
	}
	if v := value(t, client, in.Key(id)); v != "" {
		t.Errorf("a handler that panicked left %q", v)
	}
	for range 2 { // the second is a repeat
		if err := router.Dispatch(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if v := value(t, client, in.Key(id)); v != "done" || runs != 2 {
		t.Errorf("after %d runs the key is %q", runs, v)
	}
}

// A tombstone usually has no event id. It cannot be distinguished from a repeat, and is
// not an error.
func TestATombstoneWithoutAnIDIsPassedOn(t *testing.T) {
	t.Parallel()
	in := newInbox(t, connect(t, services.Redis(t).Addr), redisinbox.Options{})
	router := consume.NewRouter(consume.Use(in.Once))
	runs := 0
	consume.OnTombstone(router, "essays", func(context.Context, string) error { runs++; return nil })
	for range 2 {
		if err := router.Dispatch(t.Context(), consume.Message{Topic: "essays", Key: []byte("7")}); err != nil {
			t.Fatal(err)
		}
	}
	withID := message(uuid.New())
	withID.Topic, withID.Value = "essays", nil
	for range 2 {
		if err := router.Dispatch(t.Context(), withID); err != nil {
			t.Fatal(err)
		}
	}
	if runs != 3 {
		t.Errorf("two tombstones without an id, twice one with an id: %d runs", runs)
	}
}

// A consumer's process is killed while it handles an event. Another one handles the
// event once the lease has expired, and not before.
func TestAConsumerThatDies(t *testing.T) {
	t.Parallel()
	addr := services.Redis(t).Addr
	client := connect(t, addr)
	in := newInbox(t, client, redisinbox.Options{Lease: shortLease})
	id := uuid.New()
	victim := exec.CommandContext(t.Context(), os.Args[0])
	victim.Env = append(os.Environ(), victimRedis+"="+addr, victimEvent+"="+id.String())
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "handling\n" {
		t.Fatalf("the victim says %q, %v", line, err)
	}
	var dead atomic.Bool
	handled := async(testContext(t), in.Once(func(context.Context, consume.Message) error {
		if !dead.Load() {
			t.Error("the event was taken over from a consumer that lives")
		}
		return nil
	}), message(id))
	// It lives longer than a lease, which it renews.
	awaitRenewals(t, client, in.Key(id), 4)
	dead.Store(true)
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	if err := receive(t, "the event is taken over", handled); err != nil {
		t.Error(err)
	}
	if v := value(t, client, in.Key(id)); v != "done" {
		t.Errorf("afterwards the key is %q", v)
	}
}

// awaitRenewals waits until the lease has been renewed n times.
func awaitRenewals(t *testing.T, client rueidis.Client, key string, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx := testContext(t)
	for last := time.Duration(0); n >= 0; {
		left := ttl(t, client, key)
		if left > last {
			n--
		}
		last = left
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the lease is not renewed")
		}
	}
}

// A consumer that was frozen for longer than its lease notices that it lost the lease,
// and does not undo what the next one does.
func TestAConsumerThatStoodStill(t *testing.T) {
	t.Parallel()
	client := connect(t, services.Redis(t).Addr)
	in := newInbox(t, client, redisinbox.Options{Lease: shortLease})
	m, id := message(uuid.New()), uuid.New()
	m.Headers[0].Value = []byte(id.String())
	first, second := newBlocked(), newBlocked()
	firstResult := async(testContext(t), in.Once(first.handle), m)
	ctx := receive(t, "the first handles", first.running)
	// As another consumer does with the key once the lease has expired.
	set := client.B().Set().Key(in.Key(id)).Value("another").Px(patience).Build()
	if err := client.Do(t.Context(), set).Error(); err != nil {
		t.Fatal(err)
	}
	receive(t, "the first learns of it", ctx.Done())
	if cause := context.Cause(ctx); !errors.Is(cause, redisinbox.ErrLeaseLost) {
		t.Errorf("the cause is %v", cause)
	}
	first.result <- errNo
	if err := receive(t, "the first returns", firstResult); !errors.Is(err, redisinbox.ErrLeaseLost) || !errors.Is(err, errNo) {
		t.Errorf("the first returned %v", err)
	}
	if v := value(t, client, in.Key(id)); v != "another" {
		t.Errorf("the other's lease is now %q", v)
	}
	// A lease that Redis lost is taken again if no one else holds it.
	other := message(uuid.New())
	secondResult := async(testContext(t), in.Once(second.handle), other)
	receive(t, "the second handles", second.running)
	otherID, err := other.EventID()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Do(t.Context(), client.B().Del().Key(in.Key(otherID)).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	awaitRenewals(t, client, in.Key(otherID), 1)
	second.result <- nil
	if err := receive(t, "the second returns", secondResult); err != nil {
		t.Error(err)
	}
}

func TestTTLByType(t *testing.T) {
	t.Parallel()
	client := connect(t, services.Redis(t).Addr)
	in := newInbox(t, client, redisinbox.Options{TTL: 2 * time.Hour, TTLByType: map[string]time.Duration{"long": 4 * time.Hour, "short": 50 * time.Millisecond}})
	runs := 0
	handle := in.Once(func(context.Context, consume.Message) error { runs++; return nil })
	deliver := func(eventType string, id uuid.UUID) {
		t.Helper()
		m := message(id)
		m.Headers[1].Value = []byte(eventType)
		if err := handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for eventType, want := range map[string]time.Duration{"other": 2 * time.Hour, "long": 4 * time.Hour} {
		id := uuid.New()
		deliver(eventType, id)
		if got := ttl(t, client, in.Key(id)); got > want || got < want-patience {
			t.Errorf("an event of type %s is remembered for %v, want %v", eventType, got, want)
		}
	}
	id := uuid.New()
	deliver("short", id)
	for value(t, client, in.Key(id)) != "" {
		if t.Context().Err() != nil {
			t.Fatal("the mark never expires")
		}
	}
	deliver("short", id) // the window has closed: it is handled again
	if runs != 4 {
		t.Errorf("%d runs, want 4", runs)
	}
}

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

func TestNoIDIsPermanent(t *testing.T) {
	t.Parallel()
	in := newInbox(t, connect(t, services.Redis(t).Addr), redisinbox.Options{})
	m := message(uuid.New())
	m.Headers = m.Headers[1:]
	handle := in.Once(func(context.Context, consume.Message) error { t.Error("it was handled"); return nil })
	if err := handle(t.Context(), m); !consume.Permanent(err) {
		t.Errorf("an event without an id: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	client := connect(t, services.Redis(t).Addr)
	tests := map[string]struct {
		client   rueidis.Client
		consumer string
		options  redisinbox.Options
	}{
		"redisinbox: the client is nil: give it what rueidis.NewClient returns": {nil, "c", redisinbox.Options{}},
		`redisinbox: the consumer's name "" must have 1 to 255 bytes`:           {client, "", redisinbox.Options{}},
		"redisinbox: Options.Lease is 1ms: it must be at least 100ms":           {client, "c", redisinbox.Options{Lease: time.Millisecond}},
		"redisinbox: Options.Timeout is -1s: it must be above zero":             {client, "c", redisinbox.Options{Timeout: -time.Second}},
		"redisinbox: Options.Away is 7: use HandleAnyway or Fail":               {client, "c", redisinbox.Options{Away: 7}},
		"redisinbox: Options.TTL is -1ns: it must be at least 1ms":              {client, "c", redisinbox.Options{TTL: -1}},
		`redisinbox: Options.TTLByType["a"] is 0s: it must be at least 1ms`:     {client, "c", redisinbox.Options{TTLByType: map[string]time.Duration{"a": 0}}},
	}
	for want, tt := range tests {
		_, err := redisinbox.New(tt.client, tt.consumer, tt.options)
		if err == nil || err.Error() != want {
			t.Errorf("New: %v, want %s", err, want)
		}
	}
}

// A log that panics does not end the process, and a lost lease is still noticed.
func TestALogThatPanics(t *testing.T) {
	t.Parallel()
	client := connect(t, services.Redis(t).Addr)
	log := panicky.NewLog()
	in := newInbox(t, client, redisinbox.Options{Lease: shortLease, Logger: log.Logger()})
	m, handling := message(uuid.New()), newBlocked()
	result := async(testContext(t), in.Once(handling.handle), m)
	ctx := receive(t, "it handles", handling.running)
	id, err := m.EventID()
	if err != nil {
		t.Fatal(err)
	}
	set := client.B().Set().Key(in.Key(id)).Value("another").Px(patience).Build()
	if err := client.Do(t.Context(), set).Error(); err != nil {
		t.Fatal(err)
	}
	receive(t, "it learns that the lease is lost", ctx.Done())
	handling.result <- errNo
	if err := receive(t, "it returns", result); !errors.Is(err, redisinbox.ErrLeaseLost) || log.Lines() == 0 {
		t.Errorf("it returned %v, with %d lines", err, log.Lines())
	}
}
