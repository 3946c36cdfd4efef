package debezium_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

// A connector that dies before it has published the rows of its snapshot begins again with
// them: none is lost, and those of a key keep their order.
func TestSnapshotBeginsAgain(t *testing.T) {
	t.Parallel()
	const topic, missing = "shop.snapshot", "shop.missing"
	l := newLab(t, topic)
	insert := func(name, topic string) {
		t.Helper()
		_, err := l.pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_key, event_data, topic, headers)
			VALUES ('1', 'a', $1, 'k', '{}', $2, '{}')`, name, topic)
		if err != nil {
			t.Fatal(err)
		}
	}
	insert("1", topic)
	insert("2", missing)
	insert("3", topic)
	connect := l.connect(nil)
	start := func() {
		t.Helper()
		if err := connect.Start(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	start()
	err := wait.Until(l.context(), pause, func() (bool, error) {
		return strings.Contains(connect.Log(), missing+"=UNKNOWN_TOPIC_OR_PARTITION"), nil
	})
	if err != nil {
		t.Fatal("the connector does not miss the topic: ", errors.Join(err, errors.New(connect.Log())))
	}
	insert("4", topic)
	connect.Kill()
	insert("5", topic)
	l.kafka.CreateTopic(t, missing, 1)
	start()
	if err := connect.Streams(l.context(), l.pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	insert("6", topic)

	seen, firsts := map[string]bool{}, []string(nil)
	l.until(connect, topic, func(name string) (last bool) {
		if !seen[name] {
			seen[name], firsts = true, append(firsts, name)
		}
		return name == "6"
	})
	if diff := cmp.Diff([]string{"1", "3", "4", "5", "6"}, firsts); diff != "" {
		t.Errorf("first deliveries (-want +got):\n%s", diff)
	}
	l.until(connect, missing, func(name string) bool { return name == "2" })
}
