// Package lab is the environment of a chaos run: the servers, the proxies in front of
// them, the relay instances and the consumer.
package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/proxy"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/consumer"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/history"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/workload"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// Relays is the number of relay instances.
const Relays = 3

// Servers are the servers of a run. No one else may use them, because the run stops and
// kills them. A real Kafka has the KafkaSettings.
type Servers struct {
	Postgres *services.PostgresServer
	Kafka    *services.KafkaCluster
	Redis    *services.RedisServer
}

// Config describes a lab.
type Config struct {
	Servers Servers
	// Command returns the command of a child: the harness itself in the given role,
	// "relay" or "consumer".
	Command func(role string) (*exec.Cmd, error)
	// Dir gets logs and journals.
	Dir string
	// Mode says what happens to published rows.
	Mode pgstore.Mode
	// Log is true if the outbox is a log at first.
	Log bool
	// Keep is how long the relays keep published rows; 0: their default.
	Keep time.Duration
	// ClockRates are the rates of the instances' clocks.
	ClockRates [Relays]float64
	// RulesOff are switched off in all instances.
	RulesOff []string
	// MaxAttempts is the setting of the relays; 0: 6.
	MaxAttempts int
}

// Lab is a lab that has been set up.
type Lab struct {
	Config
	// Database is the address of the database for the harness, without a proxy.
	Database string
	// Pool connects to Database, and Writers through the writers' proxy.
	Pool, Writers *pgxpool.Pool
	Admin         *kadm.Client
	Relays        [Relays]*Relay
	// InLog is true while the outbox is a log: the setting of relays that are started.
	InLog    atomic.Bool
	Consumer *Process
	// Role is the Postgres role of the relays, the writers and the consumer. It owns
	// the tables and has no other privileges.
	Role string
	// WritersLink is the link of the writers to Postgres. ConsumerPostgres and
	// ConsumerKafka are the links of the consumer. All use RedisLink.
	WritersLink, ConsumerPostgres, ConsumerKafka, RedisLink *proxy.Proxy
	// RedisURL leads through RedisLink.
	RedisURL string

	server  *pgx.ConnConfig // the database without a proxy
	links   []*proxy.Proxy  // to it
	sockets string
	closers []func() error
}

// Relay is one instance with its links to the servers.
type Relay struct {
	*Process
	Postgres, Kafka *proxy.Proxy
	life            int // number of starts
}

// New sets up a lab. Only the servers run in it.
func New(ctx context.Context, cfg Config) (_ *Lab, err error) {
	l := &Lab{Config: cfg}
	l.InLog.Store(cfg.Log)
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	// Not in Dir: a socket's path must be short.
	if l.sockets, err = os.MkdirTemp("", "chaos"); err != nil {
		return nil, err
	}
	l.closers = append(l.closers, func() error { return os.RemoveAll(l.sockets) })
	if err := l.prepareDatabase(ctx); err != nil {
		return nil, err
	}
	if err := l.prepareKafka(ctx); err != nil {
		return nil, err
	}
	if err := l.prepareRedis(); err != nil {
		return nil, err
	}
	for i := range l.Relays {
		if l.Relays[i], err = l.newRelay(i); err != nil {
			return nil, err
		}
	}
	if l.Consumer, err = l.newConsumer(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Lab) prepareDatabase(ctx context.Context) error {
	const unique = 8 // characters
	l.Role = "chaos_" + uuid.NewString()[:unique]
	database, err := l.Servers.Postgres.CreateDatabase(ctx, l.Role)
	if err != nil {
		return err
	}
	if l.server, err = pgx.ParseConfig(database); err != nil {
		return err
	}
	if _, l.Database, err = l.postgresLink("h", l.server.User); err != nil {
		return err
	}
	if l.Pool, err = newPool(ctx, l.Database, "chaos-harness"); err != nil {
		return err
	}
	l.closers = append(l.closers, func() error { l.Pool.Close(); return nil })
	link, address, err := l.postgresLink("w", l.Role)
	if err != nil {
		return err
	}
	l.WritersLink = link
	if l.Writers, err = newPool(ctx, address, WritersName); err != nil {
		return err
	}
	l.closers = append(l.closers, func() error { l.Writers.Close(); return nil })
	return l.Pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		role, database := pgx.Identifier{l.Role}.Sanitize(), pgx.Identifier{l.server.Database}.Sanitize()
		_, err := c.Exec(ctx, fmt.Sprintf("CREATE ROLE %[1]s LOGIN; ALTER DATABASE %[2]s OWNER TO %[1]s; SET ROLE %[1]s", role, database))
		if err != nil {
			return err
		}
		create := migrations.Up
		if l.Log {
			create = migrations.UpLog
		}
		if err := create(ctx, c.Conn()); err != nil {
			return err
		}
		_, err = c.Exec(ctx, workload.Tables+consumer.Table+"RESET ROLE")
		return err
	})
}

// WritersName is the application_name of the writers' sessions.
const WritersName = "chaos-writers"

func newPool(ctx context.Context, address, name string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	const connections = 32
	cfg.MaxConns = connections
	cfg.ConnConfig.RuntimeParams["application_name"] = name
	return pgxpool.NewWithConfig(ctx, cfg)
}

// postgresLink returns a proxy in front of Postgres, and the address of the database
// through it.
func (l *Lab) postgresLink(name, user string) (*proxy.Proxy, string, error) {
	dir := filepath.Join(l.sockets, name)
	const private = 0o700
	if err := os.Mkdir(dir, private); err != nil {
		return nil, "", err
	}
	socket := fmt.Sprintf(".s.PGSQL.%d", l.server.Port) // the name that Postgres gives it
	network, server := pgconn.NetworkAddress(l.server.Host, l.server.Port)
	p, err := proxy.Listen("unix", filepath.Join(dir, socket), network, server)
	if err != nil {
		return nil, "", err
	}
	l.closers = append(l.closers, p.Close)
	l.links = append(l.links, p)
	address := url.URL{
		Scheme: "postgres", User: url.User(user), Path: "/" + l.server.Database,
		RawQuery: url.Values{"host": {dir}}.Encode(),
	}
	return p, address.String(), nil
}

// MovePostgres makes everybody connect to another server, which has a database of the
// same name.
func (l *Lab) MovePostgres(to *services.PostgresServer) error {
	server, err := pgx.ParseConfig(to.URL(l.server.Database))
	if err != nil {
		return err
	}
	for _, link := range l.links {
		link.Point(pgconn.NetworkAddress(server.Host, server.Port))
	}
	return nil
}

func (l *Lab) prepareKafka(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(l.Servers.Kafka.Brokers...))
	if err != nil {
		return err
	}
	l.closers = append(l.closers, func() error { client.Close(); return nil })
	l.Admin = kadm.NewClient(client)
	for _, topic := range workload.Topics() {
		if err := l.CreateTopic(ctx, topic); err != nil {
			return err
		}
	}
	return nil
}

// CreateTopic creates one of the workload's topics.
func (l *Lab) CreateTopic(ctx context.Context, topic string) error {
	settings := map[string]*string{}
	if topic == workload.TopicSmall {
		limit := strconv.Itoa(workload.SmallLimit)
		settings["max.message.bytes"] = &limit
	}
	const partitions = 3
	if _, err := l.Admin.CreateTopic(ctx, partitions, 1, settings, topic); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

func (l *Lab) newRelay(i int) (*Relay, error) {
	name := "relay" + strconv.Itoa(i)
	pg, database, err := l.postgresLink(strconv.Itoa(i), l.Role)
	if err != nil {
		return nil, err
	}
	kafka, err := l.kafkaLink(strconv.Itoa(i))
	if err != nil {
		return nil, err
	}
	r := &Relay{Postgres: pg, Kafka: kafka}
	r.Process = l.newProcess(name, "relay", func() (any, error) {
		r.life++
		return instance.Config{
			Database: database, Brokers: l.Servers.Kafka.Brokers, KafkaProxy: kafka.Address(),
			Redis: l.RedisURL, Service: workload.Service, Mode: l.Mode, Log: l.InLog.Load(), Keep: l.Keep,
			Journal:   filepath.Join(l.Dir, fmt.Sprintf("%s-%d.journal", name, r.life)),
			ClockRate: l.ClockRates[i], RulesOff: l.RulesOff, MaxAttempts: l.MaxAttempts,
		}, nil
	})
	return r, nil
}

func (l *Lab) kafkaLink(name string) (*proxy.Proxy, error) {
	p, err := proxy.Listen("unix", filepath.Join(l.sockets, "k"+name), "tcp", l.Servers.Kafka.Brokers[0])
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, p.Close)
	return p, nil
}

func (l *Lab) prepareRedis() error {
	address, err := url.Parse(l.Servers.Redis.URL)
	if err != nil {
		return err
	}
	if l.RedisLink, err = proxy.Listen("tcp", "127.0.0.1:0", "tcp", l.Servers.Redis.Addr); err != nil {
		return err
	}
	l.closers = append(l.closers, l.RedisLink.Close)
	address.Host = l.RedisLink.Address()
	l.RedisURL = address.String()
	return nil
}

func (l *Lab) newConsumer() (*Process, error) {
	pg, database, err := l.postgresLink("c", l.Role)
	if err != nil {
		return nil, err
	}
	kafka, err := l.kafkaLink("c")
	if err != nil {
		return nil, err
	}
	l.ConsumerPostgres, l.ConsumerKafka = pg, kafka
	return l.newProcess("consumer", "consumer", func() (any, error) {
		return consumer.Config{
			Database: database, Brokers: l.Servers.Kafka.Brokers, KafkaProxy: kafka.Address(), Group: "chaos",
			// The group may not have read all records that a deletion of TopicFleeting
			// removed.
			Topics: []string{workload.TopicHot, workload.TopicCold, workload.TopicSmall},
		}, nil
	}), nil
}

func (l *Lab) newProcess(name, role string, config func() (any, error)) *Process {
	p := &Process{
		name: name, command: func() (*exec.Cmd, error) { return l.Command(role) },
		config: config, log: filepath.Join(l.Dir, name+".log"),
	}
	l.closers = append(l.closers, func() error { p.Kill(); return nil })
	return p
}

// Leader returns the instance with the latest term among those that say that they lead,
// or nil.
func (l *Lab) Leader() *Relay {
	last := slices.MaxFunc(l.Relays[:], func(a, b *Relay) int { return cmp.Compare(a.Term(), b.Term()) })
	if last.Term() == 0 {
		return nil
	}
	return last
}

// Until waits until a condition on the processes is true. It returns false if ctx ended
// first.
func (l *Lab) Until(ctx context.Context, holds func() bool) bool {
	const pause = 10 * time.Millisecond
	return wait.Until(ctx, pause, func() (bool, error) { return holds(), nil }) == nil
}

// Journals reads the journals of all instances so far.
func (l *Lab) Journals() ([]history.Journal, error) {
	paths, err := filepath.Glob(filepath.Join(l.Dir, "*.journal"))
	if err != nil {
		return nil, err
	}
	journals := make([]history.Journal, 0, len(paths))
	for _, path := range paths {
		j, err := readJournal(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		journals = append(journals, j)
	}
	return journals, nil
}

func readJournal(path string) (_ history.Journal, err error) {
	file, err := os.Open(path)
	if err != nil {
		return history.Journal{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return history.ReadJournal(file)
}

// Crashes lists the last output of children that ended without being asked to, and the
// data races that they found. After a move of the outbox, relays with the former setting end.
func (l *Lab) Crashes() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(l.Dir, "*.log"))
	if err != nil {
		return nil, err
	}
	var crashes []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			for _, begin := range []string{"panic:", "fatal error:", "WARNING: DATA RACE", "outboxchaos:"} {
				if strings.HasPrefix(line, begin) && !strings.Contains(line, "the relay's setting store is") {
					crashes = append(crashes, path+": "+strings.TrimSpace(line))
				}
			}
		}
	}
	return crashes, nil
}

// Close ends everything except the servers.
func (l *Lab) Close() error {
	var errs []error
	for i := len(l.closers) - 1; i >= 0; i-- {
		errs = append(errs, l.closers[i]())
	}
	return errors.Join(errs...)
}
