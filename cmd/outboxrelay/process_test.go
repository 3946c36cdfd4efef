//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

const testPatience = 8 * time.Minute

// process is one "outboxrelay run".
type process struct {
	cmd     *exec.Cmd
	address string        // of its HTTP server
	ended   chan struct{} // closed when it has
}

// startProcess starts a process with default settings, except for those in args.
func startProcess(t *testing.T, databaseURL string, k *services.KafkaCluster, args ...string) *process {
	t.Helper()
	args = append([]string{"run", "--listen", "127.0.0.1:0", "--brokers", k.Brokers[0]}, args...)
	p := &process{cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asCommand+"=1", "DATABASE_URL="+databaseURL)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
				listening <- line.Address
			}
		}
		_ = p.cmd.Wait() // cmd.ProcessState says how it ended
	}()
	t.Cleanup(p.kill)
	select {
	case p.address = <-listening:
	case <-p.ended:
		t.Fatalf("the relay ended: %s", p.cmd.ProcessState)
	case <-time.After(testPatience):
		t.Fatal("the relay does not say where it listens")
	}
	return p
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// get sends a request to the process. Without an answer it returns nothing.
func (p *process) get(t *testing.T, path string) (status int, body []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil {
		return 0, nil
	}
	return response.StatusCode, body
}

// ready reports whether the process leads or stands by.
func (p *process) ready(t *testing.T) bool {
	t.Helper()
	status, _ := p.get(t, "/readyz")
	return status == http.StatusOK
}

func (p *process) leads(t *testing.T) bool {
	t.Helper()
	status, body := p.get(t, "/status")
	if status != http.StatusOK {
		return false
	}
	var states map[string]relay.Status
	if err := json.Unmarshal(body, &states); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return states["event_outbox"].Leader
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(testPatience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %s: %s", testPatience, what)
		}
	}
}

// handedOver is an outbox that two processes serve.
type handedOver struct {
	pool  *pgxpool.Pool
	kafka *services.KafkaCluster
	topic string
	n     int // rows inserted
}

func (h *handedOver) insert(t *testing.T, n int) {
	t.Helper()
	_, err := h.pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		SELECT 'a', 'order', 'order.paid.v1', $1, 'k', json_build_object('n', i) FROM generate_series($2::int, $2::int + $3::int - 1) AS i`, h.topic, h.n, n)
	if err != nil {
		t.Fatal(err)
	}
	h.n += n
}

func (h *handedOver) published(t *testing.T) bool {
	t.Helper()
	var left bool
	if err := h.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM event_outbox WHERE published_at IS NULL)`).Scan(&left); err != nil {
		t.Fatal(err)
	}
	return !left
}

// first returns the numbers in the order of their first records.
func (h *handedOver) first(t *testing.T) []int {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(h.kafka.Brokers...), kgo.ConsumeTopics(h.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	seen := map[int]bool{}
	var out []int
	for len(out) < h.n && ctx.Err() == nil {
		for _, r := range client.PollFetches(ctx).Records() {
			var n int
			if _, err := fmt.Sscanf(string(r.Value), `{"n" : %d}`, &n); err != nil {
				t.Fatalf("%s: %v", r.Value, err)
			}
			if !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	return out
}

// A leader's process that is killed or frozen is replaced when its lease expires. One
// that is told to end is replaced sooner, because it releases the lease. The time is
// measured from the signal to the publication of a row that was inserted right after
// it. A frozen process that continues stands by. In every case the first deliveries of
// a key's rows are in order.
func TestHandOver(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	k := services.KFake(t)
	h := &handedOver{pool: pg.Pool, kafka: k, topic: k.NewTopic(t, "orders", 1)}
	leader := startProcess(t, pg.URL, k)
	until(t, "it leads", func() bool { return leader.leads(t) })
	standby := startProcess(t, pg.URL, k)
	tests := []struct {
		name   string
		signal syscall.Signal
	}{
		{"killed", syscall.SIGKILL},
		{"frozen", syscall.SIGSTOP},
		{"told to end", syscall.SIGTERM},
	}
	took := map[syscall.Signal]time.Duration{}
	for _, tt := range tests {
		h.insert(t, 1)
		until(t, "all is quiet", func() bool { return h.published(t) })
		until(t, "the other one stands by", func() bool { return standby.ready(t) })
		h.insert(t, 500) // in the middle of its work

		began := time.Now()
		leader.signal(t, tt.signal)
		h.insert(t, 1)
		until(t, "the new leader publishes", func() bool { return h.published(t) })
		took[tt.signal] = time.Since(began)
		t.Logf("a leader that was %s was replaced after %s", tt.name, took[tt.signal].Round(time.Millisecond))
		until(t, "the other one leads", func() bool { return standby.leads(t) })
		leader, standby = standby, leader
		if tt.signal == syscall.SIGSTOP {
			standby.signal(t, syscall.SIGCONT)
			until(t, "the thawed one stands by", func() bool { return standby.ready(t) && !standby.leads(t) })
			h.insert(t, 100)
			until(t, "the leader goes on", func() bool { return h.published(t) })
			continue
		}
		<-standby.ended
		if code := standby.cmd.ProcessState.ExitCode(); tt.signal == syscall.SIGTERM && code != exitcode.OK {
			t.Errorf("a relay that was told to end exits with %d", code)
		}
		standby = startProcess(t, pg.URL, k)
	}
	if took[syscall.SIGTERM] > min(took[syscall.SIGKILL], took[syscall.SIGSTOP]) {
		t.Errorf("a leader that was told to end was replaced no sooner than one that vanished: %v", took)
	}
	want := make([]int, h.n)
	for i := range want {
		want[i] = i
	}
	if diff := cmp.Diff(want, h.first(t)); diff != "" {
		t.Errorf("first deliveries (-want +got):\n%s", diff)
	}
}
