package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/debezium"
	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// peers measures other outboxes beside this one, on one Postgres and one Kafka.
type peers struct {
	lab     *lab // of the server for this scenario
	server  *services.PostgresServer
	program string // of the module in the folder peers
	turn    int
}

// carrying carries the rows that wait in the database to the topic, and returns when that
// is done.
type carrying func(ctx context.Context, m *peerRun) error

// peerRun is one measurement: a database and a topic of its own.
type peerRun struct {
	lab      *lab
	database string // name
	topic    string
	kafka    *kafka
}

func peersVariants(ctx context.Context, l *lab) (_ []variant, err error) {
	k, err := l.realKafka(ctx)
	if err != nil {
		return nil, err
	}
	err = l.noteKafka(ctx, k)
	k.close()
	if err != nil {
		return nil, err
	}
	p := &peers{}
	if p.program, err = l.buildPeers(ctx); err != nil {
		return nil, err
	}
	if err := p.start(ctx, l); err != nil {
		return nil, err
	}
	with := func(seed func(context.Context, *peerRun) error, carry carrying) measurement {
		return func(ctx context.Context) ([]float64, error) { return p.measure(ctx, seed, carry) }
	}
	out := []variant{
		{"bare loop, UPDATE", bareLabel, 0, with(seedOurs, drain{mode: pgstore.Mark}.carryBare)},
		{"outboxgen, settle: mark", oursLabel, 0, with(seedOurs, drain{mode: pgstore.Mark}.carryRelay)},
		{"outboxgen, settle: delete", oursLabel, 0, with(seedOurs, drain{mode: pgstore.Delete}.carryRelay)},
	}
	l.note("bare loop: pages of 5,000 rows, and the settings of the relay's planner; franz-go with default settings")
	l.note("outboxgen: the relay with default settings, except that `settle` is as named")
	list, err := exec.CommandContext(ctx, p.program, "list").Output()
	if err != nil {
		return nil, fmt.Errorf("list the peers: %w", err)
	}
	for line := range strings.Lines(string(list)) {
		name, settings, _ := strings.Cut(strings.TrimSpace(line), "\t")
		l.note(name + ": " + settings)
		out = append(out, variant{name, "peer", 0, with(p.prepare(name), p.drain(name))})
	}
	if debezium.Available() {
		batches := map[string]string{
			"max.batch.size": "10240", "max.queue.size": "40960", "poll.interval.ms": "10",
			"producer.override.linger.ms": "5", "producer.override.batch.size": "262144",
		}
		version := "Debezium " + debezium.Version() + ", with its outbox router and the settings of `outboxgen export debezium`"
		l.note("Debezium, defaults: " + version)
		l.note("Debezium, larger batches: " + version + ", and " + listed(batches))
		out = append(out,
			variant{"Debezium, defaults", "peer", 0, with(nil, carryDebezium(nil))},
			variant{"Debezium, larger batches", "peer", 0, with(nil, carryDebezium(batches))})
	}
	return out, nil
}

// listed returns settings as a list in the order of their names.
func listed(settings map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		out = append(out, fmt.Sprintf("`%s=%s`", name, settings[name]))
	}
	return strings.Join(out, ", ")
}

// buildPeers builds the program of the peers. It is a module of its own.
func (l *lab) buildPeers(ctx context.Context) (string, error) {
	root, dir, err := l.folderForBuild(ctx)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "peers")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	cmd.Dir, cmd.Env = filepath.Join(root, "cmd", "outboxbench", "peers"), append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", skip(fmt.Sprintf("the peers cannot be built: %v\n%s", err, out))
	}
	return program, nil
}

// start starts a server that Debezium can read.
func (p *peers) start(ctx context.Context, l *lab) error {
	port, err := freeport.Find()
	if err != nil {
		return err
	}
	p.server, err = services.StartPostgres(ctx, services.Setting("shared_buffers", "512MB"), services.Setting("max_wal_size", "8GB"),
		services.Setting("checkpoint_timeout", "1h"), services.Setting("fsync", "off"), services.Setting("wal_level", "logical"),
		services.Setting("listen_addresses", "127.0.0.1"), services.Setting("port", port))
	if errors.Is(err, services.ErrNotFound) {
		return skip(err.Error())
	}
	if err != nil {
		return err
	}
	l.cleanup = append(l.cleanup, p.server.Close)
	p.lab = l
	return nil
}

// measure carries the rows, and looks at what arrived. The time is from the first record to
// the last one, as the broker saw them, so that no start of a process counts.
func (p *peers) measure(ctx context.Context, seed func(context.Context, *peerRun) error, carry carrying) (_ []float64, err error) {
	p.turn++
	run := &peerRun{database: fmt.Sprintf("peers_%d", p.turn), topic: fmt.Sprintf("outboxbench-peers-%d-%d", os.Getpid(), p.turn)}
	lab := *p.lab
	lab.rows = max(1, lab.rows/peersShare)
	run.lab = &lab
	if lab.url, err = p.server.CreateDatabase(ctx, run.database); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.server.DropDatabase(context.WithoutCancel(ctx), run.database)) }()
	if lab.admin, err = pgx.Connect(ctx, lab.url); err != nil {
		return nil, err
	}
	defer lab.admin.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing depends on the goodbye
	if run.kafka, err = p.lab.realKafka(ctx); err != nil {
		return nil, err
	}
	defer run.kafka.close()
	timed := "LogAppendTime"
	if _, err := run.kafka.admin.CreateTopic(ctx, partitions, 1, map[string]*string{"message.timestamp.type": &timed}, run.topic); err != nil {
		return nil, err
	}
	defer func() { // errors do not matter: the topic has a name of its own
		_, _ = run.kafka.admin.DeleteTopics(context.WithoutCancel(ctx), run.topic)
	}()
	if seed != nil {
		if err := seed(ctx, run); err != nil {
			return nil, err
		}
		if err := run.settleDown(ctx); err != nil {
			return nil, err
		}
	}
	used, err := lab.during(ctx, func() error { return carry(ctx, run) })
	if err != nil {
		return nil, err
	}
	values, err := run.arrived(ctx)
	return append(values, used.server.Seconds(), float64(used.wal)/megabyte), err
}

// peersShare is the share of the rows of the drains: some peers are slow.
const peersShare = 5

// settleDown leaves no work for the server that belongs to the inserts.
func (m *peerRun) settleDown(ctx context.Context) error {
	for _, sql := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := m.lab.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// seedOurs makes our tables, with rows that wait.
func seedOurs(ctx context.Context, m *peerRun) error {
	if err := migrations.Up(ctx, m.lab.admin); err != nil {
		return err
	}
	return insertNumbered(ctx, m)
}

// insertNumbered inserts rows as the peers have them: 500 bytes of an event, with a number.
func insertNumbered(ctx context.Context, m *peerRun) error {
	_, err := m.lab.admin.Exec(ctx, `
		INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
		SELECT gen_random_uuid(), 'batch', key, 'graded.v1', $2, key, (head || repeat('x', 498 - length(head)) || '"}')::json
		FROM (SELECT n, 'batch-' || lpad((n % $3)::text, 4, '0') AS key FROM generate_series(0, $1::integer - 1) AS n) AS numbered,
		     LATERAL (SELECT '{"n": ' || n || ', "key": "' || key || '", "comment": "' AS head) AS made
		ORDER BY n`, m.lab.rows, m.topic, keys)
	return err
}

func (d drain) carryBare(ctx context.Context, m *peerRun) error {
	d.topic = m.topic
	_, err := d.bare(ctx, m.lab, m.kafka.addrs, func() error { return nil })
	return err
}

func (d drain) carryRelay(ctx context.Context, m *peerRun) error {
	_, err := d.relay(ctx, m.lab, m.kafka.addrs, func() error { return nil })
	return err
}

func (p *peers) prepare(name string) func(context.Context, *peerRun) error {
	return func(ctx context.Context, m *peerRun) error { return p.command(ctx, "prepare", name, m) }
}

func (p *peers) drain(name string) carrying {
	return func(ctx context.Context, m *peerRun) error { return p.command(ctx, "drain", name, m) }
}

func (p *peers) command(ctx context.Context, command, name string, m *peerRun) error {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.program, command, "-peer", name, "-url", m.lab.url, "-topic", m.topic,
		"-rows", strconv.Itoa(m.lab.rows), "-brokers", strings.Join(m.kafka.addrs, ","))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}

// carryDebezium lets Debezium read the WAL of rows that were inserted while it was stopped.
func carryDebezium(settings map[string]string) carrying {
	return func(ctx context.Context, m *peerRun) (err error) {
		if err := migrations.Up(ctx, m.lab.admin); err != nil {
			return err
		}
		tcp := m.lab.admin.Config()
		if tcp.Host = "127.0.0.1"; tcp.Port == 0 {
			return errors.New("the server has no port")
		}
		settings = maps.Clone(settings)
		if settings == nil {
			settings = map[string]string{}
		}
		settings["snapshot.mode"] = "no_data"
		settings["heartbeat.interval.ms"] = "0" // they need a topic
		d, err := debezium.New(debezium.Config{Postgres: tcp, Brokers: m.kafka.addrs, Slot: m.database, Settings: settings})
		if err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, d.Close(), dropSlot(context.WithoutCancel(ctx), m))
		}()
		ctx, cancel := context.WithTimeout(ctx, stall)
		defer cancel()
		if err := d.Start(ctx); err != nil {
			return err
		}
		if err := d.Streams(ctx, m.lab.admin); err != nil { // it has made the slot
			return err
		}
		if err := warmUp(ctx, m); err != nil {
			return err
		}
		if err := d.Pause(ctx, m.lab.admin); err != nil {
			return err
		}
		if err := insertNumbered(ctx, m); err != nil {
			return err
		}
		if err := m.settleDown(ctx); err != nil {
			return err
		}
		if err := d.Resume(ctx); err != nil {
			return err
		}
		return m.complete(ctx)
	}
}

// warmUp lets Debezium carry rows to another topic, so that its JVM has compiled what it
// runs.
func warmUp(ctx context.Context, m *peerRun) error {
	warm := *m
	warm.topic += "-warm"
	if _, err := m.kafka.admin.CreateTopic(ctx, partitions, 1, nil, warm.topic); err != nil {
		return err
	}
	defer func() { _, _ = m.kafka.admin.DeleteTopics(context.WithoutCancel(ctx), warm.topic) }() // as in measure
	if err := insertNumbered(ctx, &warm); err != nil {
		return err
	}
	if err := warm.complete(ctx); err != nil {
		return err
	}
	_, err := m.lab.admin.Exec(ctx, "TRUNCATE event_outbox")
	return err
}

// complete waits until the topic has as many records as there are rows.
func (m *peerRun) complete(ctx context.Context) error {
	const pause = 20 * time.Millisecond
	return wait.Until(ctx, pause, func() (bool, error) {
		n, err := m.kafka.count(ctx, m.topic)
		return n >= int64(m.lab.rows), err
	})
}

// dropSlot drops the replication slot once Debezium is disconnected from it.
func dropSlot(ctx context.Context, m *peerRun) error {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	const pause = 20 * time.Millisecond
	return wait.Until(ctx, pause, func() (dropped bool, err error) {
		err = m.lab.admin.QueryRow(ctx, `WITH dropped AS (SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active)
			SELECT NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active) FROM (SELECT count(*) FROM dropped) AS done`, m.database).Scan(&dropped)
		return dropped, err
	})
}

// arrived returns events a second, and how many are missing, came again, or came after a
// later one of their key. The times of records are in milliseconds.
func (m *peerRun) arrived(ctx context.Context) ([]float64, error) {
	total, err := m.kafka.count(ctx, m.topic)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(m.kafka.addrs...), kgo.ConsumeTopics(m.topic))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	var first, last time.Time
	seen, newest := make([]bool, m.lab.rows), map[string]int{}
	var distinct, repeated, disordered int
	for n := int64(0); n < total; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		for r := range fetches.RecordsAll() {
			n++
			if first.IsZero() || r.Timestamp.Before(first) {
				first = r.Timestamp
			}
			if r.Timestamp.After(last) {
				last = r.Timestamp
			}
			var number int
			if _, err := fmt.Sscanf(string(r.Value), `{"n": %d,`, &number); err != nil || number < 0 || number >= len(seen) {
				return nil, fmt.Errorf("a record has no number: %q", r.Value)
			}
			switch key := string(r.Key); {
			case seen[number]:
				repeated++
			case number < newest[key]:
				disordered++
				distinct++
			default:
				newest[key] = number
				distinct++
			}
			seen[number] = true
		}
	}
	return []float64{
		float64(distinct) / max(last.Sub(first), time.Millisecond).Seconds(), float64(m.lab.rows - distinct), float64(repeated), float64(disordered),
	}, nil
}
