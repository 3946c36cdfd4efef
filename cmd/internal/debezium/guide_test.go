package debezium_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/debezium"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/testdata/service/events"
	"github.com/outboxgen/outboxgen/testdata/service/grading"
)

// guide is the page whose commands this test runs.
const guide = "docs/debezium.md"

// The steps of docs/debezium.md hand over from outboxrelay to Debezium and back, while
// services insert. Every command runs as it is written. A consumer sees each event at
// least once, and the first deliveries of each key in order.
func TestGuide(t *testing.T) {
	t.Parallel()
	const replayed = "shop.replayed"
	l := newLab(t, gradedTopic, replayed)
	page := readGuide(t)
	g := &guideRun{lab: l, dir: t.TempDir(), relay: &relayService{}}
	g.prepare()
	g.start() // of the relay
	inserted := g.insert()
	seen := g.follow()
	seen.reach(t, 500, "outboxrelay publishes")
	if _, err := l.pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_key, event_data, topic, headers, dead_at)
		VALUES ('1', 'a', 'a', 'k', '{}', $1, '{}', now())`, replayed); err != nil {
		t.Fatal(err)
	}

	g.runAll(page["What is equal"])
	g.runAll(page["Prepare"])
	g.refuses()
	g.runAll(page["From outboxrelay to Debezium"])
	g.runAll(page["From outboxrelay to Debezium"]) // as somebody does after a step that failed
	seen.sinceNow(t, "Debezium publishes")
	if n := seen.repeats(); n > 0 {
		t.Errorf("from outboxrelay to Debezium: %d events came twice; the page says none after a clean stop", n)
	}
	g.runAll(page["While Debezium publishes"])
	g.runAll(page["When an event can be lost"])
	g.runAll([]string{"outboxrelay dead replay --topic " + replayed + " --yes"})
	back := page["From Debezium to outboxrelay"]
	g.runAll(back[:1])
	g.markingFails(back[1], seen)
	g.runAll(back[1:])
	g.nothingLeft()
	seen.sinceNow(t, "outboxrelay publishes again")
	l.readFrom(g.connect, 1, replayed)
	once := seen.repeats()

	// Once more. Kafka Connect crashes, and somebody creates the slot again.
	g.runAll(page["Prepare"][:1])
	g.runAll(page["From outboxrelay to Debezium"])
	seen.sinceNow(t, "Debezium publishes again")
	inOrder := g.now()
	seen.caughtUp(t, g.graded())
	crashed := g.now()
	g.connect.Kill()
	g.eventually("the slot is free", "SELECT NOT active FROM pg_replication_slots")
	g.eventually("events wait that the slot will not have", "SELECT count(*) > 200 FROM event_outbox WHERE created_at > $1 AND published_at IS NULL", crashed)
	if _, err := g.pg.Pool.Exec(t.Context(), "SELECT pg_drop_replication_slot('outbox_shop')"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.pg.Pool.Exec(t.Context(), "SELECT pg_create_logical_replication_slot('outbox_shop', 'pgoutput')"); err != nil {
		t.Fatal(err)
	}
	g.env = append(g.env, "PUBLISHED_UNTIL="+inOrder.Add(-longestTransaction).Format(time.RFC3339Nano))
	g.runAll(page["Without the slot"])
	g.runAll(back[2:3])
	seen.sinceNow(t, "outboxrelay publishes after a crash of Kafka Connect")
	last := inserted()
	seen.complete(t, last)
	if n := l.records(replayed); n != 1 {
		t.Errorf("the row that was replayed while Debezium published has %d records, not 1", n)
	}
	t.Logf("%d events; %d came twice on the way back, %d after a crash of Kafka Connect", seen.count(), once, seen.repeats()-once)
	if most := seen.count() / 2; seen.repeats() > most {
		t.Errorf("more than %d events came twice: the way back marked too few rows", most)
	}
}

// markingFails runs the block that marks rows with a role that may not read the slot, and
// starts a relay in spite of the error. The pause is still there, so that relay publishes
// nothing.
func (g *guideRun) markingFails(block string, seen *deliveries) {
	g.t.Helper()
	before := seen.repeats()
	if _, err := g.pg.Pool.Exec(g.context(), `CREATE ROLE nobody_special LOGIN; GRANT SELECT, UPDATE ON event_outbox, event_outbox_audit TO nobody_special`); err != nil {
		g.t.Fatal(err)
	}
	run := exec.CommandContext(g.context(), "bash", "-c", block)
	run.Dir, run.Env = g.dir, append(slices.Clone(g.env), "PGOPTIONS=-c role=nobody_special")
	out, err := run.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "replication slots") {
		g.t.Fatalf("the marking with a role without REPLICATION: %v\n%s", err, out)
	}
	g.start()
	g.eventually("the relay leads", "SELECT holder IS NOT NULL FROM event_outbox_lease")
	g.runAll([]string{`outboxrelay pause --all --reason again --json | jq --exit-status .confirmed`})
	if n := seen.repeats() - before; n > 0 {
		g.t.Errorf("a relay that was started although the marking failed has published %d events again", n)
	}
	g.runAll([]string{"systemctl disable --now outboxrelay"})
}

// refuses checks that the database refuses rows which would stop the connector.
func (g *guideRun) refuses() {
	g.t.Helper()
	for _, values := range []string{`'t', NULL`, `'t', '[]'`, `'t', '"x"'`, `NULL, '{}'`, `'no topic', '{}'`} {
		_, err := g.pg.Pool.Exec(g.context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data, topic, headers) VALUES ('1', 'a', 'x', '{}', `+values+`)`)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) {
			g.t.Errorf("a row with the topic and headers %s: %v", values, err)
		}
	}
}

// readGuide returns the shell blocks of the page by section.
func readGuide(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), filepath.FromSlash(guide)))
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	fence := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		for _, m := range fence.FindAllStringSubmatch(body, -1) {
			blocks[title] = append(blocks[title], m[1])
		}
	}
	for _, title := range []string{"What is equal", "Prepare", "From outboxrelay to Debezium", "While Debezium publishes", "From Debezium to outboxrelay", "When an event can be lost", "Without the slot"} {
		if len(blocks[title]) == 0 {
			t.Fatalf("%s has no commands in its section %q", guide, title)
		}
	}
	return blocks
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// guideRun is the machine of the reader: a folder with a project, our programs, and
// Kafka's script. systemctl starts and stops the relay.
type guideRun struct {
	*lab
	dir     string
	env     []string
	connect *debezium.Connect
	relay   *relayService
}

// relayService is what systemctl controls.
type relayService struct {
	process *child.Process
	output  bytes.Buffer
}

func (g *guideRun) prepare() {
	t := g.t
	t.Helper()
	for _, name := range []string{"curl", "jq", "psql"} {
		services.Program(t, "debezium", name)
	}
	bin := filepath.Join(g.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator), "./cmd/outboxgen", "./cmd/outboxrelay")
	build.Dir = repository(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the commands: %v\n%s", err, out)
	}
	cache := os.Getenv("OUTBOXGEN_SERVICES")
	for name, text := range map[string]string{
		"bin/kafka-topics.sh": fmt.Sprintf("#!/bin/sh\nexec java -cp '%[1]s/kafka-tools/*:%[1]s/kafka/lib/*' org.apache.kafka.tools.TopicCommand \"$@\"\n", cache),
		// It stops the process; the test starts it, after the block.
		"bin/systemctl":  "#!/bin/sh\nif [ \"$1\" = disable ] && [ -f relay.pid ]; then kill -TERM \"$(cat relay.pid)\"; while kill -0 \"$(cat relay.pid)\" 2>/dev/null; do sleep 0.1; done; rm relay.pid; fi\n",
		"outboxgen.yaml": "version: 1\nservice: shop\nschemas: [order.yaml]\nout: events\n",
		"order.yaml":     "title: OrderPlaced\nx-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order, id: /id}}\ntype: object\nrequired: [id]\nproperties: {id: {type: string}}\n",
	} {
		if err := os.WriteFile(filepath.Join(g.dir, filepath.FromSlash(name)), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tcp := g.tcp.Copy()
	tcp.User, tcp.Password = "outbox_shop_connector", "" // the role that the page creates
	var err error
	if g.connect, err = debezium.New(debezium.Config{Postgres: tcp, Brokers: g.kafka.Brokers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of Kafka Connect:\n%s\nof the relay:\n%s", g.connect.Log(), &g.relay.output)
		}
		if err := g.connect.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(g.connect.Start(context.WithoutCancel(t.Context())), g.connect.Answers(g.context())); err != nil {
		t.Fatal(err)
	}
	g.env = append(os.Environ(), "DATABASE_URL="+g.pg.URL, "KAFKA_BROKERS="+strings.Join(g.kafka.Brokers, ","),
		"LONGEST_TRANSACTION="+fmt.Sprint(longestTransaction.Seconds())+" seconds", "CONNECT_URL="+g.connect.Address(),
		"OUTBOXRELAY_LISTEN=127.0.0.1:0", // another test may use the usual port
		"PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// runAll runs blocks of the page. A block that starts the relay ends with that.
func (g *guideRun) runAll(blocks []string) {
	g.t.Helper()
	for _, block := range blocks {
		ctx := g.context()
		run := exec.CommandContext(ctx, "bash", "-c", block) // without set -e, as in the shell of the reader
		run.Dir, run.Env = g.dir, g.env
		if out, err := run.CombinedOutput(); err != nil {
			g.t.Fatalf("a step of %s failed: %v\n%s\nit printed:\n%s", guide, err, block, out)
		}
		if strings.Contains(block, "systemctl enable --now outboxrelay") {
			g.start()
		}
	}
}

// start starts outboxrelay, as systemctl does. relay.pid has its process id.
func (g *guideRun) start() {
	g.t.Helper()
	pid := filepath.Join(g.dir, "relay.pid")
	cmd := exec.Command("bash", "-c", "echo $$ > relay.pid; exec outboxrelay run")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = g.dir, g.env, &g.relay.output, &g.relay.output
	process, err := child.Start(cmd, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	g.relay.process = process
	g.t.Cleanup(func() {
		process.Signal(syscall.SIGTERM)
		process.EndsWithin(patience)
	})
	err = wait.Until(g.context(), pause, func() (bool, error) {
		_, err := os.Stat(pid)
		return err == nil, nil
	})
	if err != nil {
		g.t.Fatal("outboxrelay does not start: ", err)
	}
}

const (
	longestTransaction = 2 * time.Second
	writers            = 4
	batches            = 20 // keys
	writePace          = 5 * time.Millisecond
)

// insert starts services that grade essays, until the returned function is called. It
// returns how many events each batch has.
func (g *guideRun) insert() (stop func() map[string]int64) {
	g.t.Helper()
	service := grading.New(g.ob)
	for n := range batches {
		if err := service.CreateBatch(g.t.Context(), fmt.Sprint("batch-", n)); err != nil {
			g.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(g.t.Context()))
	var all sync.WaitGroup
	var turn atomic.Int64
	errs := make([]error, writers)
	for i := range writers {
		all.Go(func() {
			for wait.For(ctx, writePace) {
				batch := fmt.Sprint("batch-", turn.Add(1)%batches)
				if _, err := service.Grade(context.WithoutCancel(ctx), batch, uuid.New(), 0.5); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	end := sync.OnceFunc(func() { cancel(); all.Wait() })
	g.t.Cleanup(end)
	return func() map[string]int64 {
		end()
		if err := errors.Join(errs...); err != nil {
			g.t.Errorf("a service could not insert: %v", err)
		}
		return g.graded()
	}
}

// graded returns how many events each batch has now.
func (g *guideRun) graded() map[string]int64 {
	g.t.Helper()
	last := map[string]int64{}
	for n := range batches {
		batch := fmt.Sprint("batch-", n)
		var graded int64
		if err := g.pg.Pool.QueryRow(g.context(), "SELECT graded FROM batches WHERE id = $1", batch).Scan(&graded); err != nil {
			g.t.Fatal(err)
		}
		last[batch] = graded
	}
	return last
}

// now returns the time of the database.
func (g *guideRun) now() (now time.Time) {
	g.t.Helper()
	if err := g.pg.Pool.QueryRow(g.context(), "SELECT now()").Scan(&now); err != nil {
		g.t.Fatal(err)
	}
	return now
}

// deliveries is what a consumer of the topic has seen.
type deliveries struct {
	mu       sync.Mutex
	newest   map[string]int64 // number of the last first delivery of each batch
	distinct int
	twice    int
	problem  error
}

// follow reads the topic until the test ends.
func (g *guideRun) follow() *deliveries {
	g.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(g.kafka.Brokers...), kgo.ConsumeTopics(gradedTopic))
	if err != nil {
		g.t.Fatal(err)
	}
	d := &deliveries{newest: map[string]int64{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(g.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(d.add)
		}
	}()
	g.t.Cleanup(func() { cancel(); <-done; client.Close() })
	return d
}

// add checks that the events of a batch come in the order of their numbers, 1 first.
func (d *deliveries) add(r *kgo.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, err := events.DecodeEssayGradedV1(r.Value)
	if err != nil {
		d.problem = errors.Join(d.problem, err)
		return
	}
	switch batch := e.Data.BatchID; {
	case e.Data.Number <= d.newest[batch]:
		d.twice++
	case e.Data.Number == d.newest[batch]+1:
		d.newest[batch]++
		d.distinct++
	default:
		d.problem = errors.Join(d.problem, fmt.Errorf("%s: event %d after %d", batch, e.Data.Number, d.newest[batch]))
		d.newest[batch] = e.Data.Number
	}
}

func (d *deliveries) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.distinct
}

func (d *deliveries) repeats() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.twice
}

// reach waits until n events have come.
func (d *deliveries) reach(t *testing.T, n int, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := wait.Until(ctx, pause, func() (bool, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.distinct >= n, d.problem
	})
	if err != nil {
		t.Fatalf("wait until %s: %d of %d events: %v", what, d.count(), n, err)
	}
}

// sinceNow waits for some hundred more events.
func (d *deliveries) sinceNow(t *testing.T, what string) {
	t.Helper()
	d.reach(t, d.count()+500, what)
}

// caughtUp waits until the events of each batch up to the given one have come.
func (d *deliveries) caughtUp(t *testing.T, last map[string]int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := wait.Until(ctx, pause, func() (bool, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for batch, n := range last {
			if d.newest[batch] < n {
				return false, d.problem
			}
		}
		return true, d.problem
	})
	if err != nil {
		t.Fatalf("wait until the events so far have come: %v", err)
	}
}

// complete waits until all events of each batch have come.
func (d *deliveries) complete(t *testing.T, last map[string]int64) {
	t.Helper()
	all := 0
	for _, n := range last {
		all += int(n)
	}
	d.reach(t, all, "all events have come")
}

// nothingLeft checks that nothing of the connector is left in the database.
func (g *guideRun) nothingLeft() {
	g.t.Helper()
	var slots, publications, roles int
	err := g.pg.Pool.QueryRow(g.context(), `SELECT (SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM pg_publication),
		(SELECT count(*) FROM pg_roles WHERE rolname = 'outbox_shop_connector')`).Scan(&slots, &publications, &roles)
	if err != nil || slots+publications+roles > 0 {
		g.t.Errorf("at the end of %s there are %d slots, %d publications and %d roles of the connector (%v)", guide, slots, publications, roles, err)
	}
}
