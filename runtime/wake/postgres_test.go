package wake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// lines is a log that several goroutines may write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func postgresWaker(t *testing.T, url string, window time.Duration) *wake.PostgresWaker {
	t.Helper()
	waker, err := wake.Postgres(url, "svc", wake.PostgresOptions{Window: window})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := waker.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return waker
}

func postgresSource(t *testing.T, url string) *wake.PostgresWaitSource {
	t.Helper()
	source, err := wake.PostgresSource(url, "svc", quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return source
}

func TestPostgresWakesTheRelayThatWaits(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	for _, mode := range append(querymode.Others, "cache_statement") {
		t.Run(mode, func(t *testing.T) {
			url := querymode.In(t, pg.URL, mode)
			waker := postgresWaker(t, url, 0)
			source := postgresSource(t, url)
			connected(t, source)
			for range 3 {
				woken := waitAsync(testContext(t), source)
				if err := waker.Wake(testContext(t)); err != nil {
					t.Fatal(err)
				}
				if err := <-woken; err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Many commits within a window cost two NOTIFYs: the first at once, and one for
// the rest, at the window's end.
func TestPostgresOneNotifyForAWindow(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	const window = 3 * time.Second // 50 calls take milliseconds, also on a busy machine
	waker := postgresWaker(t, pg.URL, window)
	listener := pg.Connect(t.Context())
	defer func() { _ = listener.Close(t.Context()) }()
	if _, err := listener.Exec(t.Context(), `listen "outbox_wake:svc"`); err != nil {
		t.Fatal(err)
	}
	if err := waker.Wake(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := listener.WaitForNotification(testContext(t)); err != nil {
		t.Fatal(err)
	}

	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			if err := waker.Wake(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if _, err := listener.WaitForNotification(testContext(t)); err != nil {
		t.Fatal(err)
	}
	// Notifications arrive in the order of their commits, so no other one came in
	// between.
	if _, err := listener.Exec(t.Context(), `select pg_notify('outbox_wake:svc', 'end')`); err != nil {
		t.Fatal(err)
	}
	n, err := listener.WaitForNotification(testContext(t))
	if err != nil || n.Payload != "end" {
		t.Fatalf("a second NOTIFY in the window: %+v, %v", n, err)
	}
}

func TestPostgresRestarted(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	waker := postgresWaker(t, pg.URL, 0)
	source := postgresSource(t, pg.URL)
	connected(t, source)
	if err := waker.Wake(testContext(t)); err != nil {
		t.Fatal(err)
	}
	connected(t, source)

	result := waitAsync(testContext(t), source)
	if err := pg.Restart(testContext(t), services.Immediate); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Fatalf("Wait over the restart = %v", err)
	}
	result = waitAsync(testContext(t), source)
	if err := waker.Wake(testContext(t)); err != nil {
		t.Fatalf("Wake after the restart: %v", err)
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

func TestPostgresTransactionPoolerIsNamed(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	source := postgresSource(t, startPooler(t, pg.URL))

	err := source.Check(testContext(t))
	pooler, ok := errors.AsType[*wake.PoolerError](err)
	if !ok {
		t.Fatalf("Check = %v, want a *PoolerError", err)
	}
	if pooler.PID == pooler.Backend {
		t.Errorf("backend %d is said to be the one that was told", pooler.Backend)
	}
	if !strings.Contains(err.Error(), "pooler in transaction mode") {
		t.Errorf("the message names no pooler: %v", err)
	}
	// Sending works through one.
	if err := postgresWaker(t, startPooler(t, pg.URL), 0).Wake(testContext(t)); err != nil {
		t.Errorf("Wake through the pooler: %v", err)
	}
}

func TestPostgresCheckIsContentWithASession(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	source := postgresSource(t, pg.URL)
	if err := source.Check(testContext(t)); err != nil {
		t.Fatal(err)
	}
	connected(t, source)
}

func TestPostgresServiceNameTooLong(t *testing.T) {
	t.Parallel()
	if _, err := wake.Postgres("", strings.Repeat("s", 60), wake.PostgresOptions{}); err == nil {
		t.Error("no error")
	}
}

// panicsOnce is a tracer that waits when the first statement begins, and then panics.
type panicsOnce struct {
	once       sync.Once
	began, let chan struct{}
}

func (p *panicsOnce) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	p.once.Do(func() {
		close(p.began)
		<-p.let
		panic("oh")
	})
	return ctx
}

func (*panicsOnce) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A panic during one wake-up continues in its caller, and does not block others.
func TestPostgresWakerSurvivesAPanic(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	waker := postgresWaker(t, pg.URL, 0)
	tracer := &panicsOnce{began: make(chan struct{}), let: make(chan struct{})}
	waker.SetTracer(tracer)
	recovered := make(chan any, 1)
	go func() {
		defer func() { recovered <- recover() }()
		_ = waker.Wake(testContext(t))
	}()
	<-tracer.began
	shared := make(chan error, 5)
	for range cap(shared) {
		go func() { shared <- waker.Wake(testContext(t)) }()
	}
	close(tracer.let)
	if r := <-recovered; r != "oh" {
		t.Errorf("recovered %v", r)
	}
	for range cap(shared) {
		if err := <-shared; err != nil {
			t.Error(err)
		}
	}
}

// A connection string that can be split in more than one way is refused, and no
// error repeats a part of it.
func TestPostgresConnStringsStaySecret(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		connString string
		ok         bool
	}{
		{"postgres://u:p%40w@h:5432/d?sslmode=disable", true},
		{"postgresql://u@a,b:5433/d", true},
		{"postgres:///d?host=/run/postgresql", true},
		{"host=h user=u password='p@w' dbname=d", true},
		{"postgres://u:Kw4zq@Vx9rt@h/d", false},
		{"postgres://u:12345/Vx9rt@h/d", false},
		{"postgres://u:Kw4zq#Vx9rt@h/d", false},
		{"postgres://u:Kw4zq?Vx9rt@h/d", false},
		{"postgres://u:Kw4zq%zzVx9rt@h/d", false},
		{"postgre://u:Kw4zq@h/d?sslmode=disable", false},
		{"host=h password=Kw4zq Vx9rt dbname=d", false},
		{"u:Kw4zq@h", false},
	} {
		_, sourceErr := wake.PostgresSource(tt.connString, "svc", quiet())
		_, wakerErr := wake.Postgres(tt.connString, "svc", wake.PostgresOptions{})
		for _, err := range []error{sourceErr, wakerErr} {
			if (err == nil) != tt.ok {
				t.Errorf("%s: %v", tt.connString, err)
			}
			if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "Kw4z") || strings.Contains(text, "Vx9r") {
				t.Errorf("the error shows a part of the password: %s", text)
			}
		}
	}
}
