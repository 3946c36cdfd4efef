package wake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

const (
	warning = "level=WARN"
	noWakes = `msg="no wake-ups`
	again   = `msg="wake-ups work again"`
)

// warned fails unless the log has a warning about the fault, and not at each failure: on
// a busy machine a time limit may be a second cause. It has so many recoveries.
func warned(t *testing.T, log *lines, about string, recoveries int) {
	t.Helper()
	got := log.String()
	if n := strings.Count(got, warning); n < 1 || n > 2 || strings.Count(got, again) != recoveries || !strings.Contains(got, about) {
		t.Errorf("want one warning with %q and %d recoveries, got:\n%s", about, recoveries, got)
	}
}

// logged returns a source's log.
func logged() (*lines, wake.SourceOptions) {
	var log lines
	return &log, wake.SourceOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
}

// run calls Wait again and again, as the relay does, until ctx ends, and counts
// the wake-ups.
func run(ctx context.Context, source waiter) (wakes int) {
	for source.Wait(ctx) == nil {
		wakes++
	}
	return wakes
}

// runUntil runs the source until its log holds a text.
func runUntil(t *testing.T, source waiter, log *lines, text string, meanwhile func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx, source)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(log.String(), text) {
		if meanwhile != nil {
			meanwhile()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not logged: %s\n%s", text, log)
		}
	}
	cancel()
	<-ended
}

// Redis lets the relay connect and not wait, or not even connect. The relay is told
// once, and what to do; it is woken no more often than it tries, with growing
// pauses; and it is told that wake-ups work once a wait has worked.
func TestRedisRefusesToWait(t *testing.T) {
	t.Parallel()
	const grants = "ACL SETUSER NAME +ping +blpop +del, and unless it may use the key already: ACL SETUSER NAME ~KEY"
	all := func(user string) string { return fmt.Sprintf("ACL SETUSER %s on nopass ~* +@all", user) }
	tests := []struct {
		name string
		// NAME stands for the user, KEY for the list.
		setup, fix []string
		want       string
	}{
		{"BLPOP denied", []string{"ACL SETUSER NAME on nopass ~* +@all -blpop"}, []string{"ACL SETUSER NAME +blpop"}, grants},
		{"only PING granted", []string{"ACL SETUSER NAME on nopass ~* +ping"}, []string{"ACL SETUSER NAME +blpop +del"}, grants},
		{"PING denied", []string{"ACL SETUSER NAME on nopass ~* +@all -ping"}, []string{"ACL SETUSER NAME +ping"}, grants},
		{"nothing granted", []string{"ACL SETUSER NAME on nopass"}, []string{"ACL SETUSER NAME +ping +blpop +del", "ACL SETUSER NAME ~KEY"}, grants},
		{"the key denied", []string{"ACL SETUSER NAME on nopass ~other +@all"}, []string{"ACL SETUSER NAME ~KEY"}, grants},
		{"wrong password", []string{"ACL SETUSER NAME on >right ~* +@all"}, []string{"ACL SETUSER NAME nopass"},
			"check the user and the password of Redis"},
		{"no such user", nil, []string{all("NAME")}, "check the user and the password of Redis"},
		{"not a list", []string{all("NAME"), "SET KEY text"}, []string{"DEL KEY"}, "then delete it with DEL KEY"},
		{"a replica", []string{all("NAME"), "REPLICAOF 127.0.0.1 1"}, []string{"REPLICAOF NO ONE"}, "give the address of the primary"},
		{"too many clients", []string{all("NAME"), "CONFIG SET maxclients 1"}, []string{"CONFIG SET maxclients 1000"}, "connect: "},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			redis := services.PrivateRedis(t)
			admin := redisClient(t, redis.Addr)
			user := fmt.Sprintf("user%d", i)
			names := strings.NewReplacer("NAME", user, "KEY", wake.RedisKey(user))
			tell := func(commands []string) {
				t.Helper()
				for _, c := range commands {
					if err := admin.Do(testContext(t), admin.B().Arbitrary(strings.Fields(names.Replace(c))...).Build()).Error(); err != nil {
						t.Fatalf("%s: %v", c, err)
					}
				}
			}
			tell(tt.setup)
			log, options := logged()
			source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{redis.Addr}, Username: user, Password: "wrong"}, user, options)
			defer source.Close()

			runUntil(t, source, log, noWakes, nil)
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			// Pauses of at least 100, 200, 400 and 800 ms.
			if wakes := run(ctx, source); wakes > 5 {
				t.Errorf("%d wake-ups in a moment", wakes)
			}
			warned(t, log, names.Replace(tt.want), 0)
			tell(tt.fix)
			waker := wake.Redis(admin, user)
			runUntil(t, source, log, again, func() { _ = waker.Wake(testContext(t)) })
			warned(t, log, noWakes, 1)
		})
	}
}

// Without DEL wake-ups work, and the rest of the list costs a read at most: that
// is said once.
func TestRedisMayNotDelete(t *testing.T) {
	t.Parallel()
	redis := services.PrivateRedis(t)
	admin := redisClient(t, redis.Addr)
	if err := admin.Do(testContext(t), admin.B().Arbitrary("ACL", "SETUSER", "relay", "on", "nopass", "~*", "+ping", "+blpop").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	log, options := logged()
	source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{redis.Addr}, Username: "relay", Password: "any"}, "s", options)
	defer source.Close()
	connected(t, source)
	waker := wake.Redis(admin, "s")
	for range 3 {
		wakesTwice(t, waker, source)
	}
	if got := log.String(); strings.Count(got, warning) != 1 || !strings.Contains(got, "ACL SETUSER relay +ping +blpop +del") {
		t.Errorf("want one warning with what to grant, got:\n%s", got)
	}
}

// Redis is away, and when it is back it refuses the relay. Both are logged at once,
// although the first is repeated only after a minute.
func TestRedisIsAwayAndThenRefuses(t *testing.T) {
	t.Parallel()
	redis := services.PrivateRedis(t)
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	log, options := logged()
	source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{redis.Addr}, Username: "relay", Password: "any"}, "s", options)
	defer source.Close()
	runUntil(t, source, log, "connection refused", nil)
	if err := redis.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	runUntil(t, source, log, "WRONGPASS", nil)
	admin := redisClient(t, redis.Addr)
	setUser := func(rules ...string) {
		t.Helper()
		if err := admin.Do(testContext(t), admin.B().Arbitrary("ACL", "SETUSER", "relay").Args(rules...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	setUser("on", "nopass", "~*", "+@all", "-blpop")
	runUntil(t, source, log, "NOPERM", nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	run(ctx, source)
	if n, got := strings.Count(log.String(), warning), log.String(); n < 3 || n > 4 { // a time limit may be the fourth
		t.Errorf("want a warning for each cause, got:\n%s", got)
	}
	setUser("+blpop")
	waker := wake.Redis(admin, "s")
	runUntil(t, source, log, again, func() { _ = waker.Wake(testContext(t)) })
}

// What Redis refuses the writer comes back from Wake, with what to do.
func TestRedisRefusesToPush(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, command, want string }{
		{"denied", "ACL SETUSER default -ltrim", "ACL SETUSER default +lpush +ltrim +expire"},
		{"full", "CONFIG SET maxmemory 1", "raise maxmemory"},
		{"not a list", "SET outbox:wake:s text", "DEL outbox:wake:s"},
		{"a replica", "REPLICAOF 127.0.0.1 1", "give the address of the primary"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			redis := services.PrivateRedis(t)
			admin := redisClient(t, redis.Addr)
			if err := admin.Do(testContext(t), admin.B().Arbitrary(strings.Fields(tt.command)...).Build()).Error(); err != nil {
				t.Fatal(err)
			}
			lazy := wake.RedisLazy(rueidis.ClientOption{InitAddress: []string{redis.Addr}}, "s")
			defer lazy.Close()
			for _, waker := range []*wake.RedisWaker{wake.Redis(admin, "s"), lazy} {
				if err := waker.Wake(testContext(t)); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("Wake = %v, want %q in it", err, tt.want)
				}
			}
		})
	}
}

// faulty is a proxy before Redis that treats each connection by its fault: nil
// passes everything on.
type faulty struct {
	listener net.Listener
	server   string
	serving  sync.WaitGroup

	mu    sync.Mutex
	fault func(client, server net.Conn)
	conns []net.Conn
}

func newFaulty(t *testing.T, server string, fault func(client, server net.Conn)) *faulty {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{listener: listener, server: server, fault: fault}
	f.serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			f.serving.Go(func() { f.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		f.drop()
		f.serving.Wait()
	})
	return f
}

func (f *faulty) addr() string { return f.listener.Addr().String() }

func (f *faulty) serve(client net.Conn) {
	server, err := net.Dial("tcp", f.server)
	if err != nil {
		_ = client.Close()
		return
	}
	f.mu.Lock()
	f.conns = append(f.conns, client, server)
	fault := f.fault
	f.mu.Unlock()
	if fault == nil {
		fault = passOn
	}
	fault(client, server)
	_ = client.Close()
	_ = server.Close()
}

// repair has new connections work, and ends those that there are.
func (f *faulty) repair() {
	f.mu.Lock()
	f.fault = nil
	f.mu.Unlock()
	f.drop()
}

func (f *faulty) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.conns = nil
}

func passOn(client, server net.Conn) {
	var passing sync.WaitGroup
	passing.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
	passing.Go(func() { _, _ = io.Copy(client, server); _ = client.Close() })
	passing.Wait()
}

func silent(client, _ net.Conn) { _, _ = io.Copy(io.Discard, client) }

func reset(client, _ net.Conn) {
	if c, ok := client.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
}

func garbage(client, _ net.Conn) {
	_, _ = io.WriteString(client, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
	_, _ = io.Copy(io.Discard, client)
}

// silentAfter passes on n answers.
func silentAfter(n int) func(client, server net.Conn) {
	return func(client, server net.Conn) {
		var passing sync.WaitGroup
		passing.Go(func() { _, _ = io.Copy(server, client) })
		passing.Go(func() {
			buffer := make([]byte, 1<<16)
			for range n {
				size, err := server.Read(buffer)
				if err != nil {
					return
				}
				if _, err := client.Write(buffer[:size]); err != nil {
					return
				}
			}
			_, _ = io.Copy(io.Discard, server)
		})
		passing.Wait()
	}
}

// slowly passes answers on, a byte at a time.
func slowly(client, server net.Conn) {
	var passing sync.WaitGroup
	passing.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
	passing.Go(func() {
		defer func() { _ = client.Close() }()
		for one := make([]byte, 1); ; {
			if _, err := server.Read(one); err != nil {
				return
			}
			time.Sleep(300 * time.Millisecond) // this is the fault
			if _, err := client.Write(one); err != nil {
				return
			}
		}
	})
	passing.Wait()
}

// faults returns what can be wrong between a client and Redis.
func faults() map[string]func(client, server net.Conn) {
	return map[string]func(client, server net.Conn){
		"silent from the start":        silent,
		"reset":                        reset,
		"garbage":                      garbage,
		"a byte at a time":             slowly,
		"silent after the first reply": silentAfter(1),
		"silent after the second":      silentAfter(2),
		"silent after the third":       silentAfter(3),
		"silent after the fourth":      silentAfter(4),
	}
}

// Whatever Redis does, the relay's end notices, says so once, and works when Redis
// does; and it ends when it is told to.
func TestRedisFaultsAreNoticed(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := newFaulty(t, redis.Addr, fault)
			log, options := logged()
			service := strings.ReplaceAll(t.Name(), " ", "_")
			source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{proxy.addr()}}, service, options)
			defer source.Close()
			runUntil(t, source, log, noWakes, nil)
			proxy.repair()
			waker := wake.Redis(redisClient(t, redis.Addr), service)
			runUntil(t, source, log, again, func() { _ = waker.Wake(testContext(t)) })
			warned(t, log, noWakes, 1)
			wakesTwice(t, waker, source)
		})
	}
}

// patient has time limits that no test outlasts: what ends in time was not ended by
// them.
func patient(addr string) rueidis.ClientOption {
	o := rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, ConnWriteTimeout: time.Hour}
	o.Dialer.Timeout = time.Hour
	o.Dialer.KeepAlive = time.Hour
	return o
}

// Neither end outlasts its context, whatever Redis does and whatever the client's
// own limits are.
func TestRedisFaultsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := newFaulty(t, redis.Addr, fault)
			source := wake.RedisSource(patient(proxy.addr()), t.Name(), quiet())
			ended(t, "Wait", func(ctx context.Context) error { run(ctx, source); return source.Wait(ctx) })
			ended(t, "Close of the source", func(context.Context) error { source.Close(); return nil })

			lazy := wake.RedisLazy(patient(proxy.addr()), t.Name())
			for range 20 {
				ended(t, "Wake", lazy.Wake)
			}
			ended(t, "Close of the waker", func(context.Context) error { lazy.Close(); return nil })
		})
	}
}

// A connection of the service's own client goes silent.
func TestRedisFrozenClientHoldsNoWakerUp(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	g := newGate(t, "tcp", redis.Addr)
	client, err := rueidis.NewClient(patient(g.addr))
	if err != nil {
		t.Fatal(err)
	}
	waker := wake.Redis(client, t.Name())
	if err := waker.Wake(testContext(t)); err != nil {
		t.Fatal(err)
	}
	g.freeze()
	for range 20 {
		ended(t, "Wake", waker.Wake)
	}
	ended(t, "Close", func(context.Context) error { client.Close(); return nil })
}

// ended fails when f does not end although its context did.
func ended(t *testing.T, what string, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
			t.Logf("%s = %v", what, err)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not end", what)
	}
}

// A Wait whose context ends leaves nothing behind in Redis that would take the next
// wake-up, and no connection.
func TestRedisCancelledWaitTakesNoWakeUp(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	client := redisClient(t, redis.Addr)
	waker := wake.Redis(client, t.Name())
	source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{redis.Addr}, ClientName: t.Name()}, t.Name(), quiet())
	t.Cleanup(source.Close)
	connections := func() (lines []string) {
		list, err := client.Do(testContext(t), client.B().ClientList().Build()).ToString()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(list) {
			if strings.Contains(line, " name="+t.Name()+" ") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	// ended starts a Wait, and cancels it when Redis waits. Before, it would leave the
	// connection as it is.
	ended := func() {
		t.Helper()
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		result := waitAsync(ctx, source)
		until(t, "Redis waits", func() bool { return strings.Contains(strings.Join(connections(), ""), " cmd=blpop ") })
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Fatalf("Wait = %v, want the end of the context", err)
		}
	}
	for range 3 {
		connected(t, source)
		ended()
		until(t, "Redis no longer waits", func() bool { return !strings.Contains(strings.Join(connections(), ""), " cmd=blpop ") })
		connected(t, source)
		wakesTwice(t, waker, source)
		ended()
	}
	source.Close()
	until(t, "no connection of a closed source is open", func() bool { return len(connections()) == 0 })
}

// until waits until a condition is true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for ctx := testContext(t); !is(); {
		select {
		case <-ctx.Done():
			t.Fatalf("it does not happen: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// panicking is a client whose hooks panic.
type panicking struct{ rueidis.Client }

func (panicking) DoMulti(context.Context, ...rueidis.Completed) []rueidis.RedisResult { panic("oh") }

// A panic of the service's client goes on in the caller, who can recover from it,
// and holds up nobody.
func TestRedisPanicsReachTheCaller(t *testing.T) {
	t.Parallel()
	waker := wake.Redis(panicking{redisClient(t, services.Redis(t).Addr)}, "s")
	for range 20 {
		func() {
			defer func() {
				if r := recover(); r != "oh" {
					t.Errorf("recovered %v", r)
				}
			}()
			_ = waker.Wake(testContext(t))
		}()
	}
}
