//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

// sent is a record without what differs between two deliveries.
type sent struct {
	Topic     string
	Partition int32
	Key       string
	Value     string
	Headers   []kgo.RecordHeader
}

// records reads n records of a topic, in the order of its partitions. It drops repeats,
// which a relay on a slow machine may send.
func records(t *testing.T, k *services.KafkaCluster, n int, topic string) []sent {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	byPartition := map[int32][]sent{}
	seen := map[string]bool{}
	for read := 0; read < n; {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("topic %s has %d records, want %d", topic, read, n)
		}
		for _, r := range fetches.Records() {
			id := string(r.Headers[0].Value) + string(r.Headers[len(r.Headers)-1].Value)
			if seen[id] {
				continue
			}
			seen[id] = true
			read++
			byPartition[r.Partition] = append(byPartition[r.Partition], sent{r.Topic, r.Partition, string(r.Key), string(r.Value), r.Headers})
		}
	}
	var out []sent
	for _, partition := range slices.Sorted(maps.Keys(byPartition)) {
		out = append(out, byPartition[partition]...)
	}
	return out
}

// asReplayed returns what a replay should send for records that were sent before.
func asReplayed(records []sent, topic, id string) []sent {
	out := slices.Clone(records)
	for i := range out {
		out[i].Topic = topic
		out[i].Headers = append(slices.Clip(out[i].Headers), kgo.RecordHeader{Key: replay.Header, Value: []byte(id)})
	}
	return out
}

// insertMixed inserts pending rows of every kind: with and without headers, a chosen
// partition, tombstones, and some of a megabyte.
func insertMixed(t *testing.T, conn *pgx.Conn, topic string, n int) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `
		INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition)
		SELECT 'order', i % 17, CASE WHEN i % 3 = 0 THEN 'order.placed' ELSE 'order.paid' END, $1, 'k' || i % 17,
		       CASE i % 10 WHEN 1 THEN NULL WHEN 2 THEN json_build_object('event_id', gen_random_uuid(), 'headers', json_build_object('own', 'h'), 'n', i)
		            ELSE json_build_object('n' , i, 'x', CASE WHEN i % 50 = 3 THEN repeat('x', 900000) ELSE '' END) END,
		       CASE WHEN i % 10 = 2 THEN NULL ELSE json_build_object('trace_id', 'trace ' || i, 'h', 'ü"\') END,
		       CASE WHEN i % 10 = 5 THEN i % 3 END
		FROM generate_series(1, $2::int) AS i`, topic, n)
	if err != nil {
		t.Fatal(err)
	}
}

func migrated(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
}

// patient are the settings for a machine on which everything may take long. Without
// them the relay and the replay may repeat records.
var patient = []string{"--wave-timeout", "5m"}

func drain(t *testing.T, env map[string]string, args ...string) {
	t.Helper()
	got := call(env, slices.Concat([]string{"run", "--drain", "--listen", "", "--log-level", "error"}, patient, args)...)
	if got.Code != exitcode.OK {
		t.Fatalf("run ends with %d:\n%s", got.Code, got.Stderr)
	}
}

// withoutNote drops what says where the history begins.
func withoutNote(a answer) answer {
	a.Stdout = regexp.MustCompile(`"missing_before":"[^"]*",`).ReplaceAllString(a.Stdout, "")
	a.Stderr = regexp.MustCompile(`(?m)^the history is known to be complete only from .*\n`).ReplaceAllString(a.Stderr, "")
	return a
}

const replayID = "0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11"

// The records of a replay are those that the relay sent, byte for byte, in the same
// partitions and order, and with one more header: in another topic, and in their own,
// where the live stream goes on meanwhile.
func TestReplayedRecordsAreThoseOfTheRelay(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		pg := services.Postgres(t)
		conn := pg.Connect(t.Context())
		migrated(t, conn)
		live, copied := k.NewTopic(t, "orders", 3, "max.message.bytes=2000000"), k.NewTopic(t, "copied", 3, "max.message.bytes=2000000")
		env := map[string]string{"DATABASE_URL": pg.URL, "KAFKA_BROKERS": strings.Join(k.Brokers, ",")}
		const n = 200
		insertMixed(t, conn, live, n)
		drain(t, env)
		want := records(t, k, n, live)

		insertMixed(t, conn, live, 10) // pending rows are not replayed
		got := call(env, "replay", "--from", "1h", "--to-topic", copied, "--id", replayID, "--rate", "0", "--yes")
		if diff := cmp.Diff(answer{Stdout: "replayed 200 events, outbox_replay: " + replayID + "\n"}, withoutNote(got)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(asReplayed(want, copied, replayID), records(t, k, n, copied)); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}

		// Into the live stream: both are complete and in order.
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan int)
		go func() {
			var out bytes.Buffer
			ended <- executeUntil(ctx, []string{"run", "--listen", "", "--log-level", "error"},
				environment{getenv: func(k string) string { return env[k] }, stdout: &out, stderr: &out})
		}()
		insertMixed(t, conn, live, n)
		now := time.Now().UTC()
		got = call(env, "replay", "--from", "1h", "--to", now.Format(time.RFC3339Nano), "--key", "k3", "--type", "order.p*", "--topic", live, "--id", replayID, "--yes", "--json")
		var result outcome
		if err := json.Unmarshal([]byte(got.Stdout), &result); err != nil || got.Code != exitcode.OK || !result.Complete || result.ID != replayID {
			t.Fatalf("%+v, %v", got, err)
		}
		all := records(t, k, n+10+n+int(result.Events), live)
		stop()
		if code := <-ended; code != exitcode.OK {
			t.Errorf("the relay ends with %d", code)
		}
		var again, first []sent
		for _, r := range all {
			if r.Headers[len(r.Headers)-1].Key == replay.Header {
				again = append(again, r)
			} else if r.Key == "k3" {
				first = append(first, r)
			}
		}
		if len(again) < 11 || len(again) > len(first) {
			t.Fatalf("%d records of %d are replayed", len(again), len(first))
		}
		byPartition := func(rs []sent) map[int32][]sent {
			out := map[int32][]sent{}
			for _, r := range rs {
				out[r.Partition] = append(out[r.Partition], r)
			}
			return out
		}
		for part, rs := range byPartition(again) {
			if diff := cmp.Diff(asReplayed(byPartition(first)[part][:len(rs)], live, replayID), rs); diff != "" {
				t.Errorf("partition %d (-want +got):\n%s", part, diff)
			}
		}
	})
}

var continueLine = regexp.MustCompile(`(?m)^continue with: outboxrelay (.*)$`)

// words splits a printed command as bash does.
func words(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", "-c", `for w in `+line+`; do printf '%s\0' "$w"; done`).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// A replay that gets SIGTERM ends with its wave. The printed command continues it
// without a gap, and repeats nothing.
func TestReplayIsStoppedAndContinued(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	topic := k.NewTopic(t, "orders", 3)
	const n = 300
	publishedRows(t, conn, topic, n)

	args := []string{"replay", "--from", "1h", "--rate", "100", "--yes", "--type", "order *", "--brokers", k.Brokers[0], "--wave-timeout", "5m"}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "DATABASE_URL="+pg.URL)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	records(t, k, 20, topic) // it is sending
	var session string
	if err := conn.QueryRow(t.Context(), `SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&session); err != nil || session != "outboxrelay replay" {
		t.Errorf("the session of the replay is called %q, %v", session, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitcode.Failed {
		t.Fatalf("%v: %s", err, &stderr)
	}
	m := continueLine.FindStringSubmatch(stderr.String())
	if m == nil || !regexp.MustCompile(`(?m)^outboxrelay: outbox event_outbox: replayed \d+ events, then: stopped$`).MatchString(stderr.String()) {
		t.Fatal(stderr.String())
	}
	got := call(map[string]string{"DATABASE_URL": pg.URL}, append(words(t, m[1]), "--rate", "0")...)
	if got.Code != exitcode.OK {
		t.Fatalf("%+v", got)
	}
	ids := map[string]int{}
	var values []int
	for _, r := range records(t, k, n, topic) {
		i, err := strconv.Atoi(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, i)
		ids[string(r.Headers[len(r.Headers)-1].Value)]++
	}
	if ends := endOf(t, k, topic); ends != n {
		t.Errorf("the topic has %d records", ends)
	}
	slices.Sort(values)
	var want []int
	for i := range n {
		want = append(want, i+1)
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if len(ids) != 1 {
		t.Errorf("ids: %v", ids)
	}
}

// The line that continues a replay gives a shell the words of the call, whatever they
// contain.
func TestTheLineThatContinuesIsForAShell(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	publishedRows(t, conn, "orders", 3)
	k.CreateTopic(t, "small", 1, "max.message.bytes=1000") // so that the replay stops at its first event
	if _, err := conn.Exec(t.Context(), `
		UPDATE event_outbox SET event_key = '', event_data = json_build_array((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100) AS i))`); err != nil {
		t.Fatal(err)
	}
	asked := []string{
		"--event-type", "order placed", "--event-type", "it's", "--event-type", `a\b`, "--event-type", "\ta\n'\x1b\u202e", "--key=",
		"--strip-routing=false", "--tls-ca=", "--to-topic=small", "--yes",
	}
	got := call(map[string]string{"DATABASE_URL": pg.URL, "KAFKA_BROKERS": k.Brokers[0]}, slices.Concat([]string{"replay", "--from", "2026-09-21", "--to", "2126-09-21", "--id", "$x"}, asked)...)
	m := continueLine.FindStringSubmatch(got.Stderr)
	if m == nil {
		t.Fatalf("%+v", got)
	}
	want := slices.Concat([]string{"replay", "--from", "2026-09-21T00:00:00Z", "--to", "2126-09-21T00:00:00Z"}, asked, []string{"--id", "$x"})
	if diff := cmp.Diff(want, words(t, m[1])); diff != "" {
		t.Errorf("%s\n(-want +got):\n%s", m[1], diff)
	}
}

// endOf returns the number of records in a topic.
func endOf(t *testing.T, k *services.KafkaCluster, topic string) (n int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// While the brokers are away the replay waits. Then it continues in order, and leaves
// nothing out.
func TestReplayWaitsForTheBrokers(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	topic := k.NewTopic(t, "orders", 2)
	const n = 200
	publishedRows(t, conn, topic, n)
	ended := make(chan answer, 1)
	go func() {
		ended <- call(map[string]string{"DATABASE_URL": pg.URL}, "replay", "--from", "1h", "--rate", "100", "--yes", "--brokers", k.Brokers[0])
	}()
	t.Cleanup(func() {
		if len(ended) > 0 {
			t.Logf("the replay ended too early: %+v", <-ended)
		}
	})
	records(t, k, 20, topic)
	if err := k.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-ended; got.Code != exitcode.OK {
		t.Fatalf("%+v", got)
	}
	last, values := map[string]int{}, map[int]bool{}
	for _, r := range records(t, k, n, topic) {
		i, err := strconv.Atoi(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if i <= last[r.Key] {
			t.Errorf("event %d of key %s comes after %d", i, r.Key, last[r.Key])
		}
		last[r.Key], values[i] = i, true
	}
	if len(values) != n {
		t.Errorf("%d events", len(values))
	}
}

func publishedRows(t *testing.T, conn *pgx.Conn, topic string, n int) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `
		INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, published_at)
		SELECT 'order', i % 7, 'order placed', $1, 'k' || i % 7, to_json(i), '{}', now() FROM generate_series(1, $2::int) AS i`, topic, n)
	if err != nil {
		t.Fatal(err)
	}
}

// A broker that rejects one record stops the replay there, with the command that
// continues.
func TestReplayOfARejectedRecord(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	topic := k.NewTopic(t, "orders", 1, "max.message.bytes=1000")
	publishedRows(t, conn, topic, 40)
	if _, err := conn.Exec(t.Context(), `
		UPDATE event_outbox SET id = $1, event_data = json_build_array((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100) AS i)) WHERE seq = 30`, replayID); err != nil {
		t.Fatal(err)
	}
	got := withoutNote(call(nil, "replay", "--from", "1h", "--yes", "--json", "--id", "a b", "--brokers", k.Brokers[0], "--database-url", pg.URL))
	want := regexp.MustCompile(`^outboxrelay: outbox event_outbox: replayed 29 events, then: event ` + replayID + ` of type order placed cannot be sent to topic ` +
		topic + `: MESSAGE_TOO_LARGE: .*\ncontinue with: outboxrelay replay --from [^ ]+Z --to [^ ]+Z --yes --json --brokers=[^ ]+ --id 'a b' --after 29\n` +
		`add also, as in this call: --database-url\nto skip this event, add: --after 30\n$`)
	if got.Code != exitcode.Failed || !want.MatchString(got.Stderr) {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(`{"id":"a b","events":29,"after":"29","repeats":0,"skip":"30","complete":false}`+"\n", got.Stdout); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	lines := strings.Split(got.Stderr, "\n")
	_, line, _ := strings.Cut(lines[1], "outboxrelay ")
	_, skip, _ := strings.Cut(lines[3], "add: ")
	got = call(map[string]string{"DATABASE_URL": pg.URL}, words(t, line+" "+skip)...)
	if diff := cmp.Diff(answer{Stdout: `{"id":"a b","events":10,"after":"40","repeats":0,"complete":true}` + "\n"}, got); diff != "" {
		t.Errorf("without the event (-want +got):\n%s", diff)
	}
	records(t, k, 39, topic)
}

func TestReplayIsReviewed(t *testing.T) {
	conn, env := newOutbox(t)
	k := services.KFake(t)
	env["KAFKA_BROKERS"] = k.Brokers[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopics(t.Context(), 1, 1, nil, "orders", "t"); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), `
		UPDATE event_outbox SET created_at = '2026-09-21T10:00:00Z'::timestamptz + seq * interval '1 hour';
		UPDATE event_outbox SET published_at = created_at;
		UPDATE event_outbox SET event_type = 'order.paid' WHERE seq = 3`)
	if err != nil {
		t.Fatal(err)
	}
	const both = "orders  order.paid    1 event   2026-09-21T13:00:00Z to 2026-09-21T13:00:00Z\n" +
		"orders  order.placed  2 events  2026-09-21T11:00:00Z to 2026-09-21T12:00:00Z\n"
	const question = "This publishes 3 events again, to the topics above: all their consumers get them. Type the number to continue: "
	for _, step := range []struct {
		typed string
		args  string
		want  answer
	}{
		{"", "--from 2026-09-21 --dry-run", answer{Stdout: both + "would replay 3 events; nothing was sent\n"}},
		{"", "--from 2026-09-21T11:00:00Z --to 2026-09-21T12:00:00Z --dry-run --json --to-topic t", answer{
			Stdout: `{"event_type":"order.placed","topic":"orders","events":1,"first":"2026-09-21T11:00:00Z","last":"2026-09-21T11:00:00Z","to_topic":"t"}` + "\n"}},
		{"", "--from 2026-09-21T11:00:00Z --after 1 --type *paid --dry-run", answer{
			Stdout: "orders  order.paid  1 event  2026-09-21T13:00:00Z to 2026-09-21T13:00:00Z\nwould replay 1 event; nothing was sent\n"}},
		{"2\n", "--from 2026-09-21", answer{Code: exitcode.Failed, Stdout: both + question,
			Stderr: "outboxrelay: outbox event_outbox: not confirmed: nothing was sent\n"}},
		{"", "--from 2026-09-21T11:00:00Z --type nothing --dry-run", answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: no published events match\n"}},
		{"", "--from 2026-09-21T11:00:00Z --key none --yes --sink stdout", answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: no published events match\n"}},
	} {
		got := converse(env, strings.NewReader(step.typed), append([]string{"replay"}, strings.Fields(step.args)...)...)
		got.Stderr = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).ReplaceAllString(got.Stderr, "EVENT")
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("replay %s (-want +got):\n%s", step.args, diff)
		}
	}

	// With --sink stdout, standard output has the records and nothing else.
	for _, step := range []struct{ typed, args, report string }{
		{"3\n", "--aggregate=order", both + question + "replayed 3 events, outbox_replay: r\n"},
		{"", "--yes", "replayed 3 events, outbox_replay: r\n"},
		{"", "--yes --json", `{"id":"r","events":3,"after":"3","repeats":0,"complete":true}` + "\n"},
	} {
		args := "replay --from 2026-09-21T11:00:00Z --id r --sink stdout " + step.args
		got := converse(env, strings.NewReader(step.typed), strings.Fields(args)...)
		if diff := cmp.Diff(answer{Stderr: step.report}, answer{Code: got.Code, Stderr: got.Stderr}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", args, diff)
		}
		var events []float64
		for line := range strings.Lines(got.Stdout) {
			var record map[string]any
			if err := json.Unmarshal([]byte(line), &record); err != nil || record["seq"] == nil {
				t.Fatalf("%s: standard output has the line %q: %v", args, line, err)
			}
			events = append(events, record["seq"].(float64))
		}
		if diff := cmp.Diff([]float64{1, 2, 3}, events); diff != "" {
			t.Errorf("%s (-want +got):\n%s", args, diff)
		}
	}
}

// deletes is a terminal at which someone types an answer after the retention has deleted
// rows.
type deletes struct {
	t     *testing.T
	conn  *pgx.Conn
	upTo  int
	typed *strings.Reader
}

func (d deletes) Read(p []byte) (int, error) {
	if _, err := d.conn.Exec(d.t.Context(), `DELETE FROM event_outbox WHERE seq <= $1`, d.upTo); err != nil {
		d.t.Error(err)
	}
	return d.typed.Read(p)
}

// Rows that are deleted while a replay runs, or before it is continued, are told about.
func TestReplayTellsWhatTheRetentionDeleted(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	publishedRows(t, conn, "orders", 9)
	if _, err := conn.Exec(t.Context(), `
		UPDATE event_outbox SET created_at = '2026-09-21T10:00:00Z'::timestamptz + seq * interval '1 hour';
		UPDATE event_outbox SET published_at = created_at + interval '1 second'`); err != nil {
		t.Fatal(err)
	}
	const (
		gap    = "the history is known to be complete only from %s; events that were created earlier and not read before may be missing\n"
		failed = "outboxrelay: outbox event_outbox: %s\n"
	)
	for _, step := range []struct {
		args  string
		typed string
		upTo  int // the rows that are deleted between the review and the replay
		code  int
		said  string
	}{
		{"", "8", 0, exitcode.OK, "replayed 8 events, outbox_replay: r\n"},
		{"", "8", 3, exitcode.Failed, fmt.Sprintf(gap, "2026-09-21T14:00:01Z") +
			fmt.Sprintf(failed, "replayed 6 events, outbox_replay: r; others were deleted before they were read")},
		{"--after 2", "6", 0, exitcode.OK, "the history is known to be complete only from 2026-09-21T14:00:01Z; events after --after 2 that were created earlier may be missing\n" +
			"replayed 6 events, outbox_replay: r\n"},
		{"--after 5", "4", 0, exitcode.OK, "replayed 4 events, outbox_replay: r\n"},
		{"--after 5", "4", 7, exitcode.Failed, fmt.Sprintf(gap, "2026-09-21T18:00:01Z") +
			fmt.Sprintf(failed, "replayed 2 events, outbox_replay: r; others were deleted before they were read")},
		{"", "2", 8, exitcode.OK, "the history is known to be complete only from 2026-09-21T18:00:01Z; events that were created earlier may be missing (setting retention)\n" +
			fmt.Sprintf(gap, "2026-09-21T19:00:01Z") + "replayed 1 event, outbox_replay: r\n"},
		{"--after 8", "1", 9, exitcode.OK, "the history is known to be complete only from 2026-09-21T19:00:01Z; events after --after 8 that were created earlier may be missing\n" +
			fmt.Sprintf(gap, "TIME") + "replayed 0 events, outbox_replay: r\n"},
		{"--after 8", "", 9, exitcode.Failed, fmt.Sprintf(failed, "the history is empty: event_outbox has no published rows; with settle: delete the relay keeps none")},
	} {
		got := converse(map[string]string{"DATABASE_URL": pg.URL}, deletes{t, conn, step.upTo, strings.NewReader(step.typed + "\n")},
			append([]string{"replay", "--from", "2026-09-21T11:00:02Z", "--id", "r", "--sink", "stdout"}, strings.Fields(step.args)...)...)
		said := regexp.MustCompile(`(?s)(orders  .*Type the number to continue: )|`+time.Now().UTC().Format("2006-01-02")+`T[0-9:]+Z`).ReplaceAllStringFunc(got.Stderr, func(text string) string {
			if strings.HasPrefix(text, "orders") {
				return ""
			}
			return "TIME"
		})
		if got.Code != step.code || said != step.said {
			t.Errorf("replay %s ends with %d (-want +got):\n%s", step.args, got.Code, cmp.Diff(step.said, said))
		}
	}
}

// The line of progress changes on a terminal, and is never longer than one of its lines.
// Elsewhere there is a new one now and then. Above them is what continues the replay.
func TestProgressOfAReplay(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 9, 21, 14, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	for _, interactive := range []bool{true, false} {
		p := &progress{w: &out, total: 40_000_000, interactive: interactive, began: time.Now().Add(-10 * time.Second),
			continuation: func(result replay.Result) string { return "COMMAND --id " + result.ID }}
		for _, sent := range []int64{10, 20_000_000, 3_000} {
			p.update(replay.Result{ID: "r", Sent: sent, After: replay.Cursor(fmt.Sprint(sent)), At: at})
			p.last = p.last.Add(-time.Minute)
		}
		p.end()
	}
	want := "if this is killed, continue with the last --after that it printed, and: COMMAND --id r\n" +
		"\rreplayed 10 of 40000000, 1/s, up to 2026-09-21T14:00:00Z (--after 10)" +
		"\rreplayed 20000000 of 40000000, 1999999/s (--after 20000000)          " +
		"\rreplayed 3000 of 40000000, 300/s, up to 2026-09-21T14:00:00Z (--after 3000)\n" +
		"if this is killed, continue with the last --after that it printed, and: COMMAND --id r\n" +
		"replayed 20000000 of 40000000, 2000000/s, up to 2026-09-21T14:00:00Z (--after 20000000)\n" +
		"replayed 3000 of 40000000, 300/s, up to 2026-09-21T14:00:00Z (--after 3000)\n"
	rate := regexp.MustCompile(`\d+/s`)
	if diff := cmp.Diff(rate.ReplaceAllString(want, "R/s"), rate.ReplaceAllString(out.String(), "R/s")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
