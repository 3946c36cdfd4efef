package pgstore_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/slownet"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// On this network opening a session takes longer than an address may go without an
// answer. An address that answers is not given up, nor tried last.
func TestASlowAddressIsNotASilentOne(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg, func(c *pgstore.Config) {
			c.Conn.ConnectTimeout, c.Conn.DialFunc = 0, slownet.Dial(t, 500*time.Millisecond)
		})
		_, err := s.Observe(t.Context())
		must(t, err)
	})
}

// impatient are callers whose context ends when a statement is sent.
type impatient struct {
	text string // of the statement

	mu     sync.Mutex
	giveUp context.CancelFunc // of the current caller
	asked  map[*pgx.Conn]bool
	writes int // of checks
}

func (i *impatient) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	i.mu.Lock()
	defer i.mu.Unlock()
	if strings.Contains(data.SQL, i.text) && !i.asked[conn] {
		i.asked[conn] = true
		i.giveUp()
	}
	if strings.Contains(data.SQL, "-- name: TryLeaseInsert") {
		i.writes++
	}
	return ctx
}

func (*impatient) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// On a slow network a check takes longer than a caller waits. It continues without this
// caller, and the next one gets its result.
func TestACheckOutlivesItsCaller(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		for name, text := range map[string]string{
			"looking for a pooler":  "set_config('outboxgen.session'",
			"looking at the server": "-- name: DescribeServer",
			"trying a write":        "-- name: TryLeaseInsert",
		} {
			callers := &impatient{text: text, asked: map[*pgx.Conn]bool{}}
			s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = callers })
			check := func() error {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				callers.mu.Lock()
				callers.giveUp = cancel
				callers.mu.Unlock()
				return s.Check(ctx)
			}
			if err := check(); !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: the first check: %v, want that its caller gave up", name, err)
			}
			if err := check(); err != nil {
				t.Errorf("%s: the second check: %v", name, err)
			}
			s.Close()
			if diff := cmp.Diff([2]int{1, 1}, [2]int{len(callers.asked), callers.writes}); diff != "" {
				t.Errorf("%s: given up and checked (-want +got):\n%s", name, diff)
			}
		}
	})
}

// mute is a connection whose server can fall silent.
type mute struct {
	net.Conn
	silent *atomic.Bool
}

func (m mute) Read(b []byte) (int, error) {
	for {
		n, err := m.Conn.Read(b)
		if err != nil || !m.silent.Load() {
			return n, err
		}
	}
}

// silencer makes the server silent for all open connections when a statement is sent
// for the first time.
type silencer struct {
	statement string
	once      sync.Once
	here      chan struct{}

	mu        sync.Mutex
	connected []*atomic.Bool
}

func (s *silencer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	s.mu.Lock()
	defer s.mu.Unlock()
	silent := &atomic.Bool{}
	s.connected = append(s.connected, silent)
	return mute{conn, silent}, err
}

func (s *silencer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "-- name: "+s.statement) {
		s.once.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, silent := range s.connected {
				silent.Store(true)
			}
			close(s.here)
		})
	}
	return ctx
}

func (*silencer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A check that waits for a server which no longer answers continues on the next one as
// soon as the session of the leases is given up.
func TestACheckLeavesASilentServer(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		server := &silencer{statement: "TryLeaseInsert", here: make(chan struct{})}
		s := newStore(t, pg, func(c *pgstore.Config) {
			c.Conn.ConnectTimeout, c.Conn.DialFunc, c.Conn.Tracer = 0, server.dial, server
		})
		_, err := s.Observe(t.Context()) // an error of the first connection is the caller's
		must(t, err)
		checked := make(chan error, 1)
		go func() { checked <- s.Check(t.Context()) }()
		<-server.here
		_, err = s.Observe(t.Context())
		must(t, err)
		must(t, <-checked)
	})
}

// A search for schemas ends on a server that no longer answers, even if no other call
// uses it, and continues on the next one.
func TestASilentServerDoesNotKeepALookForSchemas(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrate(t, pg)
	silent := &silencer{statement: "OutboxSchemas", here: make(chan struct{})}
	server := newServer(t, pg, func(c *pgstore.ServerConfig) {
		c.Conn.ConnectTimeout, c.Conn.DialFunc, c.Conn.Tracer, c.StatementTimeout = 0, silent.dial, silent, time.Second
	})
	var found []string
	err := errors.New("not asked yet")
	for tries := 0; err != nil && tries < 20; tries++ { // as a search for schemas does
		found, err = server.Schemas(t.Context(), "*")
		if tries == 0 && err == nil {
			t.Fatalf("a silent server answered: %v", found)
		}
	}
	must(t, err)
	if d := cmp.Diff([]string{"public"}, found); d != "" {
		t.Errorf("schemas (-want +got):\n%s", d)
	}
}

// silentHost is a tracer that makes one of several servers silent once it is asked how often it
// was promoted.
type silentHost struct {
	host   string
	silent atomic.Bool
}

func (s *silentHost) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if conn.Config().Host == s.host && strings.Contains(data.SQL, "pg_walfile_name") {
		s.silent.Store(true)
	}
	return ctx
}

func (*silentHost) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A server that opens a session and then gives no answer does not hold up a tool.
func TestConnectLeavesASilentServer(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	for host, want := range map[string]string{"one.example": "two.example", "two.example": "one.example"} {
		config, err := pgx.ParseConfig(pg.URL)
		must(t, err)
		network, address := pgconn.NetworkAddress(config.Host, config.Port)
		server := &silentHost{host: host}
		config.Host, config.TLSConfig, config.ConnectTimeout, config.Tracer = "one.example", nil, 3*time.Second, server
		config.Fallbacks = []*pgconn.FallbackConfig{{Host: "two.example", Port: config.Port}}
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
		config.DialFunc = func(ctx context.Context, _, to string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if strings.HasPrefix(to, host) {
				conn = mute{conn, &server.silent}
			}
			return conn, err
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		conn, err := pgstore.Connect(ctx, config)
		cancel()
		must(t, err)
		if got := conn.Config().Host; got != want {
			t.Errorf("without an answer of %s, it is connected to %s", host, got)
		}
		must(t, conn.Ping(t.Context()))
		must(t, conn.Close(t.Context()))
	}
}

// On a slow network a tool's connection takes longer than an address may keep silent.
func TestConnectOnASlowNetwork(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	config, err := pgx.ParseConfig(pg.URL)
	must(t, err)
	config.DialFunc = slownet.Dial(t, pgstore.DefaultConnectTimeout*2/5) // three round trips take longer
	conn, err := pgstore.Connect(t.Context(), config)
	must(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	must(t, conn.Ping(t.Context()))
}
