package redisinbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox/redisinbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The test binary is also the consumer that gets killed.
const (
	victimRedis = "REDISINBOX_TEST_REDIS"
	victimEvent = "REDISINBOX_TEST_EVENT"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(victimRedis); addr != "" {
		if err := handleForever(addr, uuid.MustParse(os.Getenv(victimEvent))); err != nil {
			fmt.Println(err)
		}
		os.Exit(1)
	}
	goleak.VerifyTestMain(services.Wrap(m))
}

func handleForever(addr string, event uuid.UUID) error {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}})
	if err != nil {
		return err
	}
	in, err := redisinbox.New(client, "grades", redisinbox.Options{Lease: shortLease})
	if err != nil {
		return err
	}
	return in.Once(func(ctx context.Context, _ consume.Message) error {
		fmt.Println("handling")
		<-ctx.Done()
		return ctx.Err()
	})(context.Background(), message(event))
}

const (
	shortLease = 2 * time.Second // so long that a living consumer does not count as dead on a busy machine
	patience   = time.Minute
	eventType  = "essay.graded.v1"
)

var errNo = errors.New("no")

// message returns a delivery of the event. Parsing its body fails.
func message(event uuid.UUID) consume.Message {
	return consume.Message{
		Topic: "essays", Value: []byte(`{not JSON`),
		Headers: []outbox.Header{{Key: "event_id", Value: []byte(event.String())}, {Key: "event_type", Value: []byte(eventType)}},
	}
}

func connect(t *testing.T, addr string) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// newInbox returns an inbox. Without times in o, Redis may take long to answer: on a busy
// machine it counted as away after the default of a second.
func newInbox(t *testing.T, client rueidis.Client, o redisinbox.Options) *redisinbox.Inbox {
	t.Helper()
	if o.Lease == 0 && o.Timeout == 0 {
		o.Lease, o.Timeout = 3*patience, patience
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	in, err := redisinbox.New(client, "grades", o)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// value returns what Redis has under the event's key, "" for nothing.
func value(t *testing.T, client rueidis.Client, key string) string {
	t.Helper()
	v, err := client.Do(t.Context(), client.B().Get().Key(key).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		t.Fatal(err)
	}
	return v
}

func ttl(t *testing.T, client rueidis.Client, key string) time.Duration {
	t.Helper()
	ms, err := client.Do(t.Context(), client.B().Pttl().Key(key).Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ms) * time.Millisecond
}

// blocked is a handler that signals when it runs, and ends with the result that it is
// given.
type blocked struct {
	running chan context.Context
	result  chan error
}

func newBlocked() blocked { return blocked{make(chan context.Context), make(chan error)} }

func (b blocked) handle(ctx context.Context, _ consume.Message) error {
	b.running <- ctx
	return <-b.result
}

// async runs a delivery, and returns a channel for its result.
func async(ctx context.Context, h consume.Handler, m consume.Message) <-chan error {
	result := make(chan error, 1)
	go func() { result <- h(ctx, m) }()
	return result
}

func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("never: %s", what)
	}
	panic("unreachable")
}
