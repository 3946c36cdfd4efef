package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

func TestMisuseOfReplay(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--from 1h":                                  "nothing was sent: replay --from needs a confirmation, but the input is not a terminal; review with --dry-run, then add --yes",
		"--from 1h --json":                           "--json needs --dry-run or --yes: add one of them, or remove --json",
		"--from yesterday --yes":                     `--from: "yesterday" is not a time: use 2026-09-21T14:00:00Z, 2026-09-21 (UTC), or how long ago, such as 90m or 24h`,
		"--from -1h --yes":                           `--from: "-1h" is not a time: use 2026-09-21T14:00:00Z, 2026-09-21 (UTC), or how long ago, such as 90m or 24h`,
		"--from 2026-09-22 --to 2026-09-21":          "the range is empty: --from is 2026-09-22T00:00:00Z and --to is 2026-09-21T00:00:00Z",
		"--from 1h --aggregate /7 --rate -1":         "--aggregate must be a type, or a type and an id: order or order/17\n--rate must not be negative; 0 is no limit",
		"--from 1h --all":                            "--all is a flag of replay without --from, which dead rows have: remove --from to replay dead rows, or remove --all",
		"--to 1h --all":                              "--to is a flag of replay with --from, which sends published events again: add --from, or remove --to",
		"--from 1h --yes --to-topic=":                "--to-topic is empty: give it a value, or remove it",
		"--from 1h --yes --after= --id=":             "--after is empty: give it a value, or remove it\n--id is empty: give it a value, or remove it",
		"--from 1h --yes --aggregate=":               "--aggregate is empty: give it a value, or remove it",
		"--from 1h --yes --type= --topic t --topic=": "--event-type is empty: give it a value, or remove it\n--topic is empty: give it a value, or remove it",
		"--topic a --topic b":                        "--topic is given 2 times: select dead rows with one at a time",
	} {
		got := call(map[string]string{"DATABASE_URL": unreachable}, append([]string{"replay"}, strings.Fields(args)...)...)
		if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: " + want + "\n"}, got); diff != "" {
			t.Errorf("replay %s (-want +got):\n%s", args, diff)
		}
	}
}

func TestReplayAfterAWrongPlaceOrToAWrongTopic(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	compacted := k.NewTopic(t, "compacted", 1, "cleanup.policy=compact")
	publishedRows(t, conn, compacted, 3)
	env := map[string]string{"DATABASE_URL": pg.URL, "KAFKA_BROKERS": k.Brokers[0]}
	for args, want := range map[string]answer{
		"--after x": {Code: exitcode.Misuse, Stderr: `outboxrelay: --after "x" is not a place in the history of this outbox: use the one that outboxrelay replay printed` + "\n"},
		"--id a": {Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: nothing was sent: topic " + compacted + ": " +
			replay.ErrCompacted.Error() + "\nadd --skip-compacted to leave the events of compacted topics out, or use --to-topic\n"},
		"--skip-compacted": {Code: exitcode.Failed, Stderr: "outboxrelay: topic " + compacted + " is left out: it is compacted, or may be\n" +
			"outboxrelay: outbox event_outbox: nothing was sent: all topics of the selected events are compacted, or may be; use --to-topic\n"},
		"--to-topic missing": {Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: nothing was sent: topic missing: " +
			"the topic does not exist; create it, the relay creates none: UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition.\ncreate the topic, or use --topic or --to-topic\n"},
	} {
		got := withoutNote(call(env, append([]string{"replay", "--from", "1h", "--yes"}, strings.Fields(args)...)...))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("replay %s (-want +got):\n%s", args, diff)
		}
	}
}

// Without the right to read a topic's settings, an operator has to say that it is not
// compacted.
func TestReplayToATopicThatMayBeCompacted(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	topic := k.NewTopic(t, "orders", 1)
	publishedRows(t, conn, topic, 2)
	k.Fake.Fault(t, services.Fault{Request: kmsg.DescribeConfigs, Err: kerr.TopicAuthorizationFailed, Lasting: true})
	args := []string{"replay", "--from", "1h", "--yes", "--id", "a", "--brokers", k.Brokers[0]}
	env := map[string]string{"DATABASE_URL": pg.URL}
	got := withoutNote(call(env, args...))
	want := answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: nothing was sent: topic " + topic + ": " +
		replay.ErrMaybeCompacted.Error() + ": " + kerr.TopicAuthorizationFailed.Error() + "\n" +
		"grant DESCRIBE_CONFIGS on the topic, or use --to-topic, or --not-compacted if you know that it is not, or --skip-compacted to leave its events out\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = answer{Stdout: "replayed 2 events, outbox_replay: a\n"}
	if diff := cmp.Diff(want, withoutNote(call(env, append(args, "--not-compacted")...))); diff != "" {
		t.Errorf("with --not-compacted (-want +got):\n%s", diff)
	}
}

// A compacted topic among others is found before anything is sent, by a dry run too, and can be
// left out.
func TestReplayLeavesCompactedTopicsOut(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	orders, customers := k.NewTopic(t, "orders", 1), k.NewTopic(t, "customers", 1, "cleanup.policy=compact")
	publishedRows(t, conn, orders, 2)
	publishedRows(t, conn, customers, 1)
	publishedRows(t, conn, orders, 1)
	env := map[string]string{"DATABASE_URL": pg.URL, "KAFKA_BROKERS": k.Brokers[0]}
	refused := "outboxrelay: outbox event_outbox: nothing was sent: topic " + customers + ": " + replay.ErrCompacted.Error() +
		"\nadd --skip-compacted to leave the events of compacted topics out, or use --to-topic\n"
	left := "outboxrelay: topic " + customers + " is left out: it is compacted, or may be\n"
	for args, want := range map[string]answer{
		"--dry-run --json":                  {Code: exitcode.Failed, Stderr: refused},
		"--yes":                             {Code: exitcode.Failed, Stderr: refused},
		"--dry-run --json --skip-compacted": {Stderr: left},
		"--yes --skip-compacted --id a":     {Stdout: "replayed 3 events, outbox_replay: a\n", Stderr: left},
	} {
		got := withoutNote(call(env, append([]string{"replay", "--from", "1h"}, strings.Fields(args)...)...))
		if strings.Contains(args, "--dry-run") {
			got.Stdout = "" // the counts
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("replay %s (-want +got):\n%s", args, diff)
		}
	}
}

// A replay to another topic may not send events of that topic if it is compacted. It sends
// nothing before that is known, and nothing that was not selected.
func TestReplayToTheCompactedTopicOfSomeEvents(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	calls, customers, orders := k.NewTopic(t, "calls", 1), k.NewTopic(t, "customers", 1, "cleanup.policy=compact"), k.NewTopic(t, "orders", 1)
	publishedRows(t, conn, calls, 2)
	publishedRows(t, conn, customers, 1)
	publishedRows(t, conn, orders, 4)
	env := map[string]string{"DATABASE_URL": pg.URL, "KAFKA_BROKERS": k.Brokers[0]}
	refused := "outboxrelay: outbox event_outbox: nothing was sent: "
	left := "outboxrelay: topic " + customers + " is left out: it is compacted, or may be\n"
	for _, c := range []struct {
		topics []string
		more   string
		want   answer
	}{
		{[]string{calls, customers}, "", answer{Code: exitcode.Failed, Stderr: refused + "topic " + customers + ": " + replay.ErrCompacted.Error() +
			"\nadd --skip-compacted to leave the events of compacted topics out, or use another --to-topic\n"}},
		{[]string{customers}, "--skip-compacted", answer{Code: exitcode.Failed, Stderr: left + refused + "all topics of the selected events are compacted, or may be; use another --to-topic\n"}},
		{[]string{customers, orders}, "--skip-compacted", answer{Stdout: "replayed 4 events, outbox_replay: a\n", Stderr: left}},
		{[]string{calls, orders}, "", answer{Stdout: "replayed 6 events, outbox_replay: a\n"}},
	} {
		args := []string{"replay", "--from", "1h", "--yes", "--id", "a", "--to-topic", customers}
		for _, topic := range c.topics {
			args = append(args, "--topic", topic)
		}
		if diff := cmp.Diff(c.want, withoutNote(call(env, append(args, strings.Fields(c.more)...)...))); diff != "" {
			t.Errorf("%v %s (-want +got):\n%s", c.topics, c.more, diff)
		}
	}
}
