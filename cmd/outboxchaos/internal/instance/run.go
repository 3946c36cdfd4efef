package instance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/role"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// Config is the configuration of an instance: see package role.
type Config struct {
	// Database is the address of Postgres, through the instance's own proxy.
	Database string
	// Brokers are the addresses of Kafka. They are dialled through KafkaProxy, a Unix
	// socket.
	Brokers    []string
	KafkaProxy string
	// Redis is its address.
	Redis string
	// Service is the name under which the relay is woken.
	Service string
	// Journal is the path of the journal.
	Journal string
	// Mode says what happens to published rows.
	Mode pgstore.Mode
	// Log is true if the outbox is a log.
	Log bool
	// Keep is how long published rows are kept; 0: the relay's default.
	Keep time.Duration
	// ClockRate is the rate of the relay's clock; 1 is correct.
	ClockRate float64
	// MaxAttempts is the relay's; 0: 6.
	MaxAttempts int
	// RulesOff lists the rules of the protocol that are switched off; see the
	// constants.
	RulesOff []string
}

// Rules that can be turned off. The last needs a build with the tag
// outboxfailpoints.
const (
	RuleSettleUnderLease = "settle-under-lease"
	RuleReadBySnapshots  = "read-by-snapshots"
	RuleBoundedWaves     = "bounded-waves"
)

// The lines on an instance's standard output. The epoch follows.
const (
	SaysLeads  = "leads"
	SaysStands = "stands by"
)

// Run runs an instance until its standard input ends or it is told to stop.
func Run(stdin io.Reader, stdout, stderr io.Writer) error {
	var cfg Config
	input, err := role.Read(stdin, &cfg)
	if err != nil {
		return err
	}
	if err := rulesOff(cfg.RulesOff); err != nil {
		return err
	}
	p := &points{}
	r, done, err := build(cfg, p, &announcer{out: stdout}, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	return input.Run(
		func(ctx context.Context) error { return errors.Join(r.Run(ctx), done()) },
		func(line string, end func()) { command(line, p, end) },
	)
}

// command obeys a line: "arm POINT ACTION" or "end".
func command(line string, p *points, end func()) {
	words := strings.Fields(line)
	switch {
	case len(words) == 3 && words[0] == "arm":
		p.arm(Point(words[1]), Action(words[2]))
	case len(words) == 1 && words[0] == "disarm":
		p.arm("", "")
	case len(words) == 1 && words[0] == "end":
		end()
	}
}

func build(cfg Config, p *points, observer relay.Observer, log *slog.Logger) (_ *relay.Relay, done func() error, err error) {
	file, err := os.OpenFile(cfg.Journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	j := &journal{file: json.NewEncoder(file)}
	s, err := newStore(cfg, p, j, log)
	if err != nil {
		return nil, nil, err
	}
	k, err := newSink(cfg, p, j, s)
	if err != nil {
		return nil, nil, err
	}
	redis, err := rueidis.ParseURL(cfg.Redis)
	if err != nil {
		return nil, nil, err
	}
	r, err := relay.New(relay.Config{
		Store: s.withMaintenance(), Sink: k, Wake: wake.RedisSource(redis, cfg.Service, wake.SourceOptions{Logger: log}),
		// A run is short. So the relay retries sooner than by default, and rows are
		// dead after seconds instead of minutes.
		MaxAttempts: cmp.Or(cfg.MaxAttempts, maxAttempts), RetryMin: 100 * time.Millisecond, RetryMax: time.Second,
		PauseMax: 3 * time.Second, OutageMax: 2 * time.Second, TopicsEvery: 5 * time.Second,
		WaveTimeout: 5 * time.Second, StoreTimeout: 10 * time.Second, DrainTimeout: 5 * time.Second,
		Keep: cfg.Keep, Clock: clock{start: time.Now(), rate: cfg.ClockRate}, Observer: observer, Logger: log,
	})
	return r, file.Close, err
}

func newStore(cfg Config, p *points, j *journal, log *slog.Logger) (*store, error) {
	conn, err := pgx.ParseConfig(cfg.Database)
	if err != nil {
		return nil, err
	}
	dial := conn.DialFunc
	conn.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &watched{Conn: c, points: p}, nil
	}
	conn.Tracer = tracer{p}
	inner, err := openStore(pgstore.Config{Conn: conn, Mode: cfg.Mode, StatementTimeout: statementTimeout, Logger: log}, cfg.Log)
	if err != nil {
		return nil, err
	}
	s := &store{anyStore: inner, points: p, journal: j}
	for _, rule := range cfg.RulesOff {
		switch rule {
		case RuleSettleUnderLease:
			if s.unfenced, err = pgxpool.New(context.Background(), cfg.Database); err != nil {
				return nil, err
			}
		case RuleReadBySnapshots:
			s.readBySeq = true
		}
	}
	return s, nil
}

const maxAttempts = 6

// statementTimeout is short, so that statements that wait for a lock of the harness
// reach it.
const statementTimeout = 2 * time.Second

func newSink(cfg Config, p *points, j *journal, s *store) (*sink, error) {
	dialer := net.Dialer{}
	opts := []kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...), kgo.WithHooks(hooks{p}),
		// The proxy is used for every address that a broker advertises.
		kgo.Dialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", cfg.KafkaProxy)
		}),
	}
	inner, err := kafkasink.New(kafkasink.Config{Opts: opts})
	if err != nil {
		return nil, err
	}
	k := &sink{Sink: inner, points: p, journal: j, store: s}
	for _, rule := range cfg.RulesOff {
		if rule == RuleBoundedWaves {
			k.unbounded = func() (relay.Producer, error) { return newUnbounded(inner, opts) }
		}
	}
	return k, nil
}

// announcer tells the harness who leads.
type announcer struct {
	relay.NopObserver
	mu  sync.Mutex
	out io.Writer
}

func (a *announcer) Term(leader bool, epoch int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	word := SaysStands
	if leader {
		word = SaysLeads
	}
	_, _ = fmt.Fprintf(a.out, "%s %d\n", word, epoch) // if the harness dies, the input ends too
}
