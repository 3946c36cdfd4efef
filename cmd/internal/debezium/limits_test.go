package debezium_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/debezium"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

// What docs/debezium.md says about rows that the connector does not publish, about other
// tables, a missing topic, and rows that stop it.
func TestLimits(t *testing.T) {
	t.Parallel()
	const topic, missing = "shop.limits", "shop.missing"
	l := newLab(t, topic)
	insert := func(name, columns, values string) {
		t.Helper()
		sql := `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_key, event_data, topic, headers` + columns + `)
			VALUES ('1', 'a', $1, 'k', '{}', '` + topic + `', '{}'` + values + `)`
		if _, err := l.pg.Pool.Exec(t.Context(), sql, name); err != nil {
			t.Fatal(name, err)
		}
	}
	exec := func(sql string) {
		t.Helper()
		if _, err := l.pg.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(sql, err)
		}
	}

	// Before the connector starts.
	insert("published", ", published_at", ", now()")
	insert("dead", ", dead_at", ", now()")
	insert("waiting 1", "", "")
	insert("waiting 2, held", ", next_attempt_at, retry_count", ", now() + interval '1 hour', 3")
	exec(`INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, event_key, event_data, topic, headers, deliver_at)
		VALUES (gen_random_uuid(), '1', 'a', 'delayed', 'k', '{}', '` + topic + `', '{}', now())`)
	connect := l.connect(nil)
	if err := errors.Join(connect.Start(context.WithoutCancel(t.Context())), connect.Streams(l.context(), l.pg.Connect(t.Context()))); err != nil {
		t.Fatal(err)
	}
	// While it runs: a replay, a row that is deleted at once, and messages.
	exec("UPDATE event_outbox SET dead_at = NULL WHERE dead_at IS NOT NULL")
	insert("deleted", "", "")
	exec("DELETE FROM event_outbox WHERE event_type = 'deleted'")
	exec("SELECT pg_logical_emit_message(true, 'outboxgen', '')")
	insert("later", "", "")
	var got []string
	for _, r := range l.readFrom(connect, 4, topic) {
		got = append(got, header(r, "event_type"))
	}
	if diff := cmp.Diff([]string{"waiting 1", "waiting 2, held", "deleted", "later"}, got); diff != "" {
		t.Errorf("other rows are published (-want +got):\n%s", diff)
	}

	// The slot advances while only other tables are written.
	exec("CREATE TABLE other AS SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) AS n")
	var end string
	if err := l.pg.Pool.QueryRow(t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&end); err != nil {
		t.Fatal(err)
	}
	l.eventually("the slot advances beyond another table's rows", "SELECT bool_and(confirmed_flush_lsn >= $1::pg_lsn) FROM pg_replication_slots", end)

	// A topic that does not exist holds up all later rows.
	insert("before the missing topic", "", "")
	if _, err := l.pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_key, event_data, topic, headers)
		VALUES ('1', 'a', 'x', 'k', '{}', $1, '{}')`, missing); err != nil {
		t.Fatal(err)
	}
	insert("after the missing topic", "", "")
	err := wait.Until(l.context(), pause, func() (bool, error) {
		return strings.Contains(connect.Log(), missing+"=UNKNOWN_TOPIC_OR_PARTITION"), nil
	})
	if err != nil {
		t.Fatal("the connector does not miss the topic: ", err)
	}
	if n := l.records(topic); n != 5 {
		t.Errorf("%d records while a topic is missing, not 5", n)
	}
	l.kafka.CreateTopic(t, missing, 1)
	l.readFrom(connect, 1, missing)
	l.readFrom(connect, 6, topic)

	// A row without headers stops the connector.
	exec(`INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data, topic) VALUES ('1', 'a', 'x', '{}', '` + topic + `')`)
	insert("after the row without headers", "", "")
	if err := wait.Until(l.context(), pause, func() (bool, error) {
		states, err := taskStates(l.context(), connect)
		return slices.Equal(states, []string{"FAILED"}), err
	}); err != nil {
		t.Error("the connector does not stop at a row without headers: change docs/debezium.md: ", err)
	}
	if n := l.records(topic); n != 6 {
		t.Errorf("%d records after the connector failed, not 6", n)
	}
}

// records returns how many records a topic has.
func (l *lab) records(topic string) (n int64) {
	l.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.kafka.Brokers...))
	if err != nil {
		l.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(l.context(), topic)
	if err != nil {
		l.t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// taskStates returns the states of the tasks of the connector.
func taskStates(ctx context.Context, connect *debezium.Connect) (states []string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, connect.Address()+"/connectors/outbox/status", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	var status struct {
		Tasks []struct {
			State string `json:"state"`
		} `json:"tasks"`
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return nil, err
	}
	for _, task := range status.Tasks {
		states = append(states, task.State)
	}
	return states, nil
}
