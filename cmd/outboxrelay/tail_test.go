//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// growing is an output that can be read while a command writes.
type growing struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}

func TestTailPrintsWhatWasPublished(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), `UPDATE event_outbox SET published_at = '2030-01-01Z', event_key = E'k\u202e' || seq WHERE seq < 3`)
	if err != nil {
		t.Fatal(err)
	}
	want := answer{Stdout: "TIME  seq 1  EVENT  order.placed  topic orders  key k\\u202e1\n" +
		"TIME  seq 2  EVENT  order.placed  topic orders  key k\\u202e2\n"}
	if diff := cmp.Diff(want, steady(call(env, "tail", "--once"))); diff != "" {
		t.Errorf("tail (-want +got):\n%s", diff)
	}
	want = answer{Stdout: `TIME  seq 2  EVENT  order.placed  topic orders  key k\u202e2  {"n":2}` + "\n"}
	if diff := cmp.Diff(want, steady(call(env, "tail", "--once", "--data", "--key", "k\u202e2", "--type", "order.placed", "--topic", "orders"))); diff != "" {
		t.Errorf("tail of a key (-want +got):\n%s", diff)
	}
	var event struct {
		Seq  int64
		Data json.RawMessage
	}
	if err := json.Unmarshal([]byte(call(env, "tail", "--once", "--last", "1", "--json", "--data").Stdout), &event); err != nil || event.Seq != 2 || string(event.Data) != `{"n":2}` {
		t.Errorf("as JSON: %+v, %v", event, err)
	}
	for _, args := range [][]string{{"--last", "-1"}, {"--interval", "1ms"}, {"--topic", ""}} {
		if got := call(env, append([]string{"tail", "--once"}, args...)...); got.Code != exitcode.Misuse {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// tail follows a running relay, also one that deletes what it has published, and ends with
// code 0.
func TestTailFollowsARelay(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	for _, settle := range []string{"mark", "delete"} {
		t.Run(settle, func(t *testing.T) {
			t.Parallel()
			pg := services.Postgres(t)
			if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
				t.Fatal(err)
			}
			h := &handedOver{pool: pg.Pool, kafka: k, topic: k.NewTopic(t, "orders", 1)}
			leader := startProcess(t, pg.URL, k, "--settle", settle)
			until(t, "it leads", func() bool { return leader.leads(t) })
			h.insert(t, 1)
			until(t, "it is published", func() bool { return h.published(t) })
			env := map[string]string{"DATABASE_URL": pg.URL}
			if got := call(env, "pause", h.topic, "--reason", "test"); got.Code != exitcode.OK {
				t.Fatal(got.Stderr)
			}
			h.insert(t, 3) // wait, so that they are seen in both modes

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out, diagnostics growing
			ended := make(chan int, 1)
			go func() {
				ended <- executeUntil(ctx, []string{"tail", "--last", "0", "--interval", "50ms", "--json"}, environment{
					getenv: func(name string) string { return env[name] }, stdin: strings.NewReader(""), stdout: &out, stderr: &diagnostics})
			}()
			until(t, "tail explains the pause", func() bool { return strings.Contains(diagnostics.String(), "is paused by") })
			until(t, "tail has looked", func() bool {
				var n int
				if err := pg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'outboxrelay tail'
					AND query = 'commit' AND state = 'idle'`).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n > 0
			})
			if explained := strings.Contains(diagnostics.String(), "settle is delete"); explained != (settle == "delete") {
				t.Errorf("it says:\n%s", &diagnostics)
			}
			if got := call(env, "resume", h.topic); got.Code != exitcode.OK {
				t.Fatal(got.Stderr)
			}
			until(t, "tail prints three rows", func() bool { return strings.Count(out.String(), "\n") == 3 })
			for line := range strings.Lines(out.String()) {
				if deleted := strings.Contains(line, `"deleted":true`); deleted != (settle == "delete") {
					t.Errorf("it prints %s", line)
				}
			}
			cancel()
			if code := <-ended; code != exitcode.OK {
				t.Errorf("it ends with %d:\n%s", code, &diagnostics)
			}
		})
	}
}
