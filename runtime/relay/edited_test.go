package relay_test

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// taking is a cluster that records what it accepts, as topic/key/n, and refuses data
// with "poison" in it. Topic "gone" does not exist.
type taking struct {
	cluster
	noted   sync.Mutex
	took    []string
	changed chan struct{}
}

func newTaking() *taking {
	c := &taking{changed: make(chan struct{}, 1)}
	missing := relay.Result{Class: relay.ClassTopic, Err: errors.New("the topic does not exist")}
	c.topics = map[string]relay.TopicInfo{"here": {Partitions: 1}, "gone": {Problem: missing}}
	c.answer = func(_ context.Context, r *relay.Record) relay.Result {
		name := r.Topic + "/" + string(r.Key) + "/" + string(r.Value)
		if r.Key == nil {
			name = r.Topic + "/null/" + string(r.Value)
		}
		c.noted.Lock()
		defer c.noted.Unlock()
		c.took = append(c.took, name)
		select {
		case c.changed <- struct{}{}:
		default:
		}
		return relay.Result{}
	}
	return c
}

// Send refuses a wave with a poisonous record as a whole, as Kafka refuses a batch.
func (c *taking) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	if slices.ContainsFunc(wave, func(r relay.Record) bool { return strings.Contains(string(r.Value), "poison") }) {
		for i := range results {
			results[i] = relay.Result{Class: relay.ClassRecord, Err: errors.New("poison")}
		}
		return
	}
	c.cluster.Send(ctx, wave, results)
}

func (c *taking) Open(context.Context) (relay.Producer, error) { return c, nil }

// takes waits until the cluster has accepted exactly these, in this order for each key.
func (c *taking) takes(t *testing.T, want ...string) {
	t.Helper()
	limit := time.After(patience)
	for {
		c.noted.Lock()
		got := append([]string(nil), c.took...)
		c.noted.Unlock()
		if len(got) >= len(want) {
			slices.SortStableFunc(got, func(a, b string) int { return cmp.Compare(path.Dir(a), path.Dir(b)) })
			if d := gocmp.Diff(want, got); d != "" {
				t.Fatalf("taken (-want +got):\n%s", d)
			}
			return
		}
		select {
		case <-c.changed:
		case <-limit:
			t.Fatalf("not within %s; taken: %v, want %v", patience, got, want)
		}
	}
}

// A running leader finds every correction that an operator makes in waiting rows.
func TestRowsThatAreEditedByHandAreFound(t *testing.T) {
	t.Parallel()
	const insert = `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data) VALUES ('a', 'a', 't', $1, $2, $3)`
	paused := func(w *watcher) bool { return len(w.status.PausedTopics) == 1 }
	held := func(w *watcher) bool { return w.settled.Failed >= 1 && len(w.status.Held) == 1 }
	blocked := func(w *watcher) bool {
		return w.settled.Dead == 1 && len(w.status.Held) == 1 && w.status.Held[0].Blocked
	}
	for name, c := range map[string]struct {
		rows  [][3]string // topic, key, data
		until func(*watcher) bool
		edit  string
		want  []string
	}{
		"the topic of all rows of a paused topic": {
			[][3]string{{"gone", "k", "1"}, {"gone", "k", "2"}, {"gone", "j", "3"}}, paused,
			`UPDATE event_outbox SET topic = 'here'`, []string{"here/j/3", "here/k/1", "here/k/2"},
		},
		"the topic of one row of it": {
			[][3]string{{"gone", "k", "1"}, {"gone", "k", "2"}}, paused,
			`UPDATE event_outbox SET topic = 'here' WHERE event_data::text = '2'`, []string{"here/k/2"},
		},
		"topic, key and data": {
			[][3]string{{"gone", "k", "1"}, {"gone", "k", "2"}}, paused,
			`UPDATE event_outbox SET topic = 'here', event_key = 'new', event_data = to_json(10 + event_data::text::int)`,
			[]string{"here/new/11", "here/new/12"},
		},
		"a key that is taken away": {
			[][3]string{{"gone", "k", "1"}}, paused,
			`UPDATE event_outbox SET topic = 'here', event_key = NULL`, []string{"here/null/1"},
		},
		"a row of a paused topic that is deleted": {
			[][3]string{{"gone", "k", "1"}, {"gone", "k", "2"}}, paused,
			`WITH d AS (DELETE FROM event_outbox WHERE event_data::text = '1') UPDATE event_outbox SET topic = 'here' WHERE event_data::text = '2'`,
			[]string{"here/k/2"},
		},
		"the data of a row under retry": {
			[][3]string{{"here", "k", `"poison"`}, {"here", "k", "2"}}, held,
			`UPDATE event_outbox SET event_data = '1', next_attempt_at = NULL WHERE event_data::text = '"poison"'`, []string{"here/k/1", "here/k/2"},
		},
		"a row under retry that is deleted": {
			[][3]string{{"here", "k", `"poison"`}, {"here", "k", "2"}}, held,
			`DELETE FROM event_outbox WHERE event_data::text = '"poison"'`, []string{"here/k/2"},
		},
		"the key of a row under retry": {
			[][3]string{{"here", "k", `"poison"`}, {"here", "k", "2"}}, held,
			`UPDATE event_outbox SET event_data = '1', event_key = 'new' WHERE event_data::text = '"poison"'`, []string{"here/k/2", "here/new/1"},
		},
		"the topic of a row under retry": {
			[][3]string{{"here", "k", `"poison"`}, {"here", "k", "2"}}, held,
			`UPDATE event_outbox SET event_data = '1', topic = 'there' WHERE event_data::text = '"poison"'`, []string{"here/k/2", "there/k/1"},
		},
		"a key of which every row is moved": {
			[][3]string{{"here", "k", `"poison"`}, {"here", "k", "2"}}, held,
			`UPDATE event_outbox SET event_data = '0', event_key = 'new'`, []string{"here/new/0", "here/new/0"},
		},
		"a dead row that blocks and is deleted": {
			[][3]string{{"here", "k", `"poison"`}, {"here", "k", "2"}}, blocked,
			`DELETE FROM event_outbox WHERE dead_at IS NOT NULL`, []string{"here/k/2"},
		},
		"a dead row that blocks and is moved to another key": {
			[][3]string{{"here", "k", `"poison"`}, {"here", "k", "2"}}, blocked,
			`UPDATE event_outbox SET event_key = 'new' WHERE dead_at IS NOT NULL`, []string{"here/k/2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
				migrated(t, pg)
				sink := newTaking()
				sink.topics["there"] = relay.TopicInfo{Partitions: 1}
				for _, row := range c.rows {
					if _, err := pg.Pool.Exec(t.Context(), insert, row[0], row[1], row[2]); err != nil {
						t.Fatal(err)
					}
				}
				attempts := 2
				if strings.HasPrefix(name, "a dead row") {
					attempts = 1
				}
				r := start(t, relay.Config{
					Store: postgresStore(t, pg, pgstore.Mark), Sink: sink, OnDead: relay.Block, MaxAttempts: attempts,
					RetryMin: time.Hour, RetryMax: time.Hour, PauseMin: 10 * time.Millisecond, PauseMax: 100 * time.Millisecond,
				})
				r.w.until(t, "the rows wait", c.until)
				sink.takes(t)
				if _, err := pg.Pool.Exec(t.Context(), c.edit); err != nil {
					t.Fatal(err)
				}
				sink.takes(t, c.want...)
				r.w.publishes(t, len(c.want))
			})
		})
	}
}

// A paused topic without rows, because an operator corrected or deleted them, is not
// reported as paused for the rest of the term.
func TestAPausedTopicWithoutRowsIsForgotten(t *testing.T) {
	t.Parallel()
	const insert = `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data) VALUES ('a', 'a', 't', $1, 'k', '1')`
	for name, edit := range map[string]string{
		"corrected": `UPDATE event_outbox SET topic = 'here' WHERE topic = 'gone'`,
		"deleted":   `DELETE FROM event_outbox WHERE topic = 'gone'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := services.Postgres(t)
			migrated(t, pg)
			if _, err := pg.Pool.Exec(t.Context(), insert, "gone"); err != nil {
				t.Fatal(err)
			}
			r := start(t, relay.Config{
				Store: postgresStore(t, pg, pgstore.Mark), Sink: newTaking(), PauseMin: 10 * time.Millisecond, PauseMax: 100 * time.Millisecond,
			})
			r.w.until(t, "the topic is paused", func(w *watcher) bool { return len(w.status.PausedTopics) == 1 })
			if _, err := pg.Pool.Exec(t.Context(), edit); err != nil {
				t.Fatal(err)
			}
			r.w.until(t, "no topic is paused", func(w *watcher) bool { return len(w.status.PausedTopics) == 0 })
		})
	}
}
