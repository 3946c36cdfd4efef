package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/deadletter"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The command lists the dead letters of a topic, and sends the chosen ones back, once.
func TestRedriveCommand(t *testing.T) {
	t.Parallel()
	k := services.KFake(t, services.FakeTopic("mailer.dead", 1), services.FakeTopic("shop.orders", 1))
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var records []*kgo.Record
	for i := range 3 {
		letter := deadletter.Letter{
			Topic: "shop.orders", Offset: int64(40 + i), Group: "mailer", Attempts: 3, ErrorType: "*mailer.Error", Error: "no such mailbox",
			Timestamp: time.UnixMilli(1_790_000_000_000),
		}
		records = append(records, &kgo.Record{Topic: "mailer.dead", Key: []byte("o-1"), Value: []byte("{}"), Headers: letter.Headers([]kgo.RecordHeader{
			{Key: "event_type", Value: []byte([]string{"paid", "sent"}[i%2])}, {Key: "event_id", Value: fmt.Append(nil, "id-", i)},
		})})
	}
	records = append(records, &kgo.Record{Topic: "mailer.dead", Value: []byte("from somewhere else")})
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"KAFKA_BROKERS": strings.Join(k.Brokers, ",")}
	line := func(i int, eventType string) string {
		return fmt.Sprintf("0@%d  id-%d  %s  key o-1  from shop.orders/0@%d  group mailer  after 3 attempts: no such mailbox\n", i, i, eventType, 40+i)
	}
	for _, c := range []struct {
		args string
		want answer
	}{
		{"--from mailer.dead --all --dry-run", answer{Stdout: line(0, "paid") + line(1, "sent") + line(2, "paid") +
			"would send 3 records back; nothing was sent; 1 record skipped: not written by package consume/kafka\n"}},
		{"--from mailer.dead --error MAILBOX --event-type sent --dry-run", answer{Stdout: line(1, "sent") +
			"would send 1 record back; nothing was sent; 1 record skipped: not written by package consume/kafka\n"}},
		{"--from mailer.dead --event-type sent --dry-run --json", answer{Stdout: `{"partition":0,"offset":1,"event_id":"id-1","event_type":"sent","key":"o-1",` +
			`"original_topic":"shop.orders","original_partition":0,"original_offset":41,"original_timestamp":"2026-09-21T14:13:20Z",` +
			`"group":"mailer","attempts":3,"error_type":"*mailer.Error","error":"no such mailbox"}` + "\n"}},
		{"--from mailer.dead --event-type sent", answer{Stdout: "sent 1 record back; 1 record skipped: not written by package consume/kafka\n"}},
		{"--from mailer.dead --key o-1 --limit 1", answer{Stdout: "sent 1 record back\n"}},
		{"--from mailer.dead --all", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: nothing was sent: --all needs a confirmation, but the input is not a terminal; " +
			"review with --dry-run, then add --yes\n"}},
		{"--from mailer.dead --all --yes --json", answer{Stdout: `{"from":"mailer.dead","selected":1,"sent":1,"unreadable":1,"forgotten":0}` + "\n"}},
		{"--from mailer.dead --group mailer --again --to shop.orders", answer{Stdout: "sent 3 records back; 1 record skipped: not written by package consume/kafka\n"}},
		{"--from mailer.dead", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: no records selected: use --topic, --group, --event-type, --event-id, --key or --error, or --all\n"}},
		{"--all", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --from is missing: give the dead-letter topic\n"}},
		{"--from mailer.dead --to mailer.dead --all", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --to is the dead-letter topic itself: use another topic, or remove it\n"}},
		{"--from mailer.dead --all --json", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --json needs --dry-run or --yes: add one of them, or remove --json\n"}},
		{"--from mailer.dead --group mailer --event-id=", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --event-id is empty: give it a value, or remove it\n"}},
		{"--from mailer.dead --group mailer --error=", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --error is empty: give it a value, or remove it\n"}},
		{"--from mailer.dead --group mailer --type=", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --event-type is empty: give it a value, or remove it\n"}},
		{"--from mailer.dead --group mailer --to=", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --to is empty: give it a value, or remove it\n"}},
		{"--from mailer.dead --group mailer --all --yes", answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --all selects all records: remove it, or the flags that select some of them\n"}},
		{"--from mailer.daed --all --yes", answer{Code: exitcode.Failed, Stderr: "outboxrelay: sent 0 records back, then: deadletter: topic mailer.daed: it does not exist: check its name: " +
			"UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition.\n"}},
	} {
		if diff := cmp.Diff(c.want, call(env, append([]string{"redrive"}, strings.Fields(c.args)...)...)); diff != "" {
			t.Errorf("outboxrelay redrive %s (-want +got):\n%s", c.args, diff)
		}
	}
}

// On a terminal redrive lists the records and asks for their number. It sends no more than
// these.
func TestRedriveAsksOnATerminal(t *testing.T) {
	t.Parallel()
	k := services.KFake(t, services.FakeTopic("mailer.dead", 1), services.FakeTopic("shop.orders", 1))
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	letter := func(i int) {
		l := deadletter.Letter{Topic: "shop.orders", Offset: int64(i), Group: "mailer", Attempts: 1, ErrorType: "e", Error: "x", Timestamp: time.UnixMilli(1_790_000_000_000)}
		r := &kgo.Record{Topic: "mailer.dead", Value: []byte("{}"), Headers: l.Headers([]kgo.RecordHeader{{Key: "event_id", Value: fmt.Append(nil, "id-", i)}})}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Error(err)
		}
	}
	letter(0)
	env := map[string]string{"KAFKA_BROKERS": strings.Join(k.Brokers, ",")}
	const question = "0@0  id-0  -  key -  from shop.orders/0@0  group mailer  after 1 attempt: x\nThis sends 1 record back. Type the number to continue: "
	for _, args := range [][]string{{"--all"}, {"--group", "mailer"}} {
		got := converse(env, strings.NewReader("no\n"), append([]string{"redrive", "--from", "mailer.dead"}, args...)...)
		if diff := cmp.Diff(answer{Code: exitcode.Failed, Stdout: question, Stderr: "outboxrelay: not confirmed: nothing was sent\n"}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", args, diff)
		}
	}
	got := converse(env, &typing{text: "1\n", first: func() { letter(1) }}, "redrive", "--from", "mailer.dead", "--all")
	if diff := cmp.Diff(answer{Stdout: question + "sent 1 record back\n"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = call(env, "redrive", "--from", "mailer.dead", "--all", "--dry-run")
	if !strings.Contains(got.Stdout, "id-1") || strings.Contains(got.Stdout, "id-0") {
		t.Errorf("what came in the meantime is not left: %+v", got)
	}
}

// A file with outboxes of several clusters needs --outbox.
func TestRedriveOfOneOfSeveralKafkas(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "brokers: [127.0.0.1:1]\noutboxes:\n  - {name: shop, database_url: postgres://h/d}\n  - {name: billing, database_url: postgres://h/d, schema: b, brokers: [127.0.0.1:2]}\n")
	got := call(nil, "redrive", "--config", file, "--from", "dead", "--all")
	if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: select an outbox with --outbox: shop, billing\n"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = call(nil, "redrive", "--config", file, "--from", "dead", "--all", "--outbox", "mailer")
	if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: unknown outbox \"mailer\": --outbox must be one of shop, billing\n"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
