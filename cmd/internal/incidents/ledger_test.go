//go:build unix

package incidents_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	eventType = "shop.order_placed.v1"
	// patience limits what a test waits for.
	patience = 3 * time.Minute
	keys     = 5
)

// ledger inserts numbered events, and knows which ones have to arrive.
type ledger struct{ n int }

// insert inserts events, each in a transaction of its own.
func (l *ledger) insert(t *testing.T, address, topic string, n int) {
	t.Helper()
	l.insertSized(t, address, topic, n, func(int) int { return 0 })
}

// insertSized is insert with larger events: size returns how many bytes to add to an event.
func (l *ledger) insertSized(t *testing.T, address, topic string, n int, size func(n int) int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // it was only used here
	for range n {
		_, err := conn.Exec(ctx, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			VALUES ($1, 'order', $2, $3, $1, json_build_object('n', $4::int, 'pad', repeat('x', $5)))`,
			keyOf(l.n), eventType, topic, l.n, size(l.n))
		if err != nil {
			t.Fatal(err)
		}
		l.n++
	}
}

func keyOf(n int) string { return fmt.Sprintf("order-%d", n%keys) }

func numberOf(value []byte) (int, error) {
	var data struct{ N *int }
	if err := json.Unmarshal(value, &data); err != nil {
		return 0, err
	}
	if data.N == nil {
		return 0, fmt.Errorf("no number in %s", value)
	}
	return *data.N, nil
}

// first reads the topic until every event has arrived, and returns for each key the
// numbers in the order of their first records.
func (l *ledger) first(t *testing.T, brokers []string, topic string) map[string][]int {
	t.Helper()
	const often = 100 * time.Millisecond // the topic may be new
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMinAge(often), kgo.MetadataMaxAge(2*often), kgo.RetryBackoffFn(func(int) time.Duration { return often }))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen, order := map[int]bool{}, map[string][]int{}
	for len(seen) < l.n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			var missing []string
			for n := range l.n {
				if !seen[n] {
					missing = append(missing, fmt.Sprint(n))
				}
			}
			t.Fatalf("after %s, %d of %d events have not arrived in %s: %s", patience, len(missing), l.n, topic, strings.Join(missing, " "))
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n, err := numberOf(r.Value)
			if err != nil {
				t.Errorf("a record of %s: %v", topic, err)
			} else if !seen[n] {
				seen[n] = true
				order[string(r.Key)] = append(order[string(r.Key)], n)
			}
		})
	}
	return order
}

// want is what first returns if the order of each key holds.
func (l *ledger) want() map[string][]int {
	order := map[string][]int{}
	for n := range l.n {
		order[keyOf(n)] = append(order[keyOf(n)], n)
	}
	return order
}

// check fails the test unless every event arrived in order.
func (l *ledger) check(t *testing.T, brokers []string, topic string) {
	t.Helper()
	if diff := cmp.Diff(l.want(), l.first(t, brokers, topic)); diff != "" {
		t.Errorf("the first records of each key in %s (-want +got):\n%s", topic, diff)
	}
}
