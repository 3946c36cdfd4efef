package redisinbox_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
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
