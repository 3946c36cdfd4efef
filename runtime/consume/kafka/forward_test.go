package kafka_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/deadletter"
)

// stored is a record of a dead-letter topic or a retry topic.
type stored struct {
	Key, Value string
	Headers    []string // the original headers, name=value
	Letter     deadletter.Letter
}

// read returns n records of a topic.
func (b *bench) read(topic string, n int) []stored {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.k.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var list []stored
	for len(list) < n && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			s := stored{Key: string(r.Key), Value: string(r.Value)}
			for _, h := range deadletter.Strip(r.Headers) {
				s.Headers = append(s.Headers, h.Key+"="+string(h.Value))
			}
			if s.Letter, err = deadletter.Read(r.Headers); err != nil {
				b.t.Errorf("record %d of %s: %v", r.Offset, topic, err)
			}
			list = append(list, s)
		})
	}
	if len(list) < n {
		b.t.Fatalf("%d of %d records in %s: %v", len(list), n, topic, list)
	}
	return list
}

type refusal struct{ what string }

func (r refusal) Error() string { return "refused: " + r.what }

// Records that cannot be handled are sent to the dead-letter topic, with their key,
// value and headers and the cause. The records after them are handled.
func TestTheDeadLetterTopic(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead := b.k.NewTopic(b.t, "orders.dead", 1)
		big := make([]byte, 900<<10)
		_, _ = rand.Read(big)
		records := []*kgo.Record{
			{Key: []byte("k1"), Value: []byte("one"), Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}, {Key: "event_id", Value: []byte("0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11")}}},
			{Value: []byte("not JSON"), Headers: []kgo.RecordHeader{{Key: "tenant", Value: []byte("t1")}}},
			{Key: []byte("k3"), Value: []byte("three"), Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}, {Key: deadletter.HeaderError, Value: []byte("forged")}}},
			{Key: []byte("k4"), Value: big, Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}}},
			{Key: []byte("k5"), Value: []byte("fine"), Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}}},
		}
		for i, r := range records {
			r.Topic, r.Timestamp = b.topic, time.UnixMilli(1_790_000_000_000+int64(i))
		}
		if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		router, log := consume.NewRouter(), &lines{}
		router.Handle("paid", func(_ context.Context, m consume.Message) error {
			switch string(m.Key) {
			case "k1", "k4":
				return fmt.Errorf("order %s: %w", m.Key, refusal{"no stock"})
			case "k3":
				panic("a bug")
			}
			return nil
		})
		cfg := b.config(router)
		cfg.DeadLetterTopic, cfg.MaxAttempts, cfg.Logger = dead, 3, log.logger()
		consumer, stop, _ := launch(b.t, cfg)
		got := b.read(dead, 4)
		b.waitCommitted(0, 5)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		letter := func(offset int64, attempts int, kind, cause string) deadletter.Letter {
			return deadletter.Letter{
				Topic: b.topic, Offset: offset, Timestamp: time.UnixMilli(1_790_000_000_000 + offset), Group: b.group,
				Attempts: attempts, ErrorType: kind, Error: cause,
			}
		}
		want := []stored{
			{Key: "k1", Value: "one", Headers: []string{"event_type=paid", "event_id=0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11"}, Letter: letter(0, 3, "*fmt.wrapError",
				"consume: handle record "+b.topic+"/0@0 type=paid event_id=0199d2c4-7c1e-7b0a-9d52-0d5f3a1f4c11: order k1: refused: no stock")},
			{Value: "not JSON", Headers: []string{"tenant=t1"}, Letter: letter(1, 1, "consume.remedied", "consume: decode record "+b.topic+"/0@1: there is no header event_type, "+
				"and the body is not an event envelope: invalid character 'o' in literal null (expecting 'u'); if its producer does not use outboxgen, describe the topic with consume.ForTopic")},
			{Key: "k3", Value: "three", Headers: []string{"event_type=paid"}, Letter: letter(2, 3, "*consume.PanicError", "consume: handle record "+b.topic+"/0@2 type=paid: panic: a bug")},
			{Key: "k4", Value: string(big), Headers: []string{"event_type=paid"}, Letter: letter(3, 3, "*fmt.wrapError", "consume: handle record "+b.topic+"/0@3 type=paid: order k4: refused: no stock")},
		}
		if !strings.Contains(got[2].Letter.Stack, "forward_test.go") {
			b.t.Errorf("the stack of the panic is %q", got[2].Letter.Stack)
		}
		got[2].Letter.Stack = ""
		if d := cmp.Diff(want, got); d != "" {
			b.t.Errorf("the dead letters (-want +got):\n%s", d)
		}
		if d := cmp.Diff(kafka.Stats{Handled: 1, DeadLettered: 4, Failed: 10, Panics: 3}, consumer.Stats(), cmpopts.IgnoreFields(kafka.Stats{}, "Polls", "FetchErrors")); d != "" {
			b.t.Errorf("the counts (-want +got):\n%s", d)
		}
	})
}

// If the dead-letter topic does not exist, the consumer says so at once, the partition
// waits, nothing is committed, and nothing is lost, also after a restart.
func TestADeadLetterTopicThatDoesNotExist(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 2)
		dead, seen := b.topic+".dead", newLog()
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			_ = seen.handle(ctx, m)
			return errors.New("no")
		})
		for range 2 {
			log := &lines{}
			cfg := b.config(router)
			cfg.DeadLetterTopic, cfg.MaxAttempts, cfg.Logger = dead, 1, log.logger()
			consumer, stop, _ := launch(b.t, cfg)
			line := log.await(b.t, "dead-letter topic cannot be written")
			if d := cmp.Diff([]any{dead, "dead-letter topic cannot be written: it does not exist; create it; until then a record that cannot be handled holds up its partition"},
				[]any{line["topic"], line["msg"]}); d != "" {
				b.t.Errorf("the line (-want +got):\n%s", d)
			}
			log.await(b.t, "event not stored in the dead-letter topic, retrying")
			await(b.t, "it is ready", func() bool { return consumer.Ready() == nil }, log)
			if err := stop(); err != nil {
				b.t.Fatal(err)
			}
			if at := b.committed(0); at > 0 {
				b.t.Fatalf("committed at %d, and nothing was stored", at)
			}
		}
		if d := cmp.Diff([]string{"0:0", "0:0"}, seen.list()); d != "" {
			b.t.Errorf("the records that handlers saw (-want +got):\n%s", d)
		}
		cfg := b.config(router)
		cfg.DeadLetterTopic, cfg.MaxAttempts = dead, 1
		b.k.CreateTopic(b.t, dead, 1)
		launch(b.t, cfg)
		var values []string
		for _, s := range b.read(dead, 2) {
			values = append(values, s.Value)
		}
		if d := cmp.Diff([]string{"0", "1"}, values); d != "" {
			b.t.Errorf("the dead letters (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 2)
	})
}

// A record that fails is handled again after the delay of each retry topic, with its
// original topic and headers. The records after it are handled meanwhile. In the end it
// is a dead letter.
func TestRetryTopics(t *testing.T) {
	each(t, 1, func(b *bench) {
		const delay = 300 * time.Millisecond
		retries := []kafka.RetryTopic{{Topic: b.k.NewTopic(b.t, "retry.1", 1), Delay: delay}, {Topic: b.k.NewTopic(b.t, "retry.2", 2), Delay: 2 * delay}}
		dead := b.k.NewTopic(b.t, "dead", 1)
		b.produce(0, "paid", 3)
		seen, log := newLog(), &lines{}
		began := map[string]time.Time{}
		router := consume.NewRouter()
		router.Handle("paid", func(_ context.Context, m consume.Message) error {
			seen.add(fmt.Sprintf("%s/%d@%d %v", strings.TrimPrefix(m.Topic, b.topic), m.Partition, m.Offset, m.Headers))
			if m.Offset == 1 {
				return refusal{"always"}
			}
			began[string(m.Value)] = time.Now()
			return nil
		})
		cfg := b.config(router)
		cfg.MaxAttempts, cfg.RetryTopics, cfg.DeadLetterTopic, cfg.Logger = 2, retries, dead, log.logger()
		consumer, stop, _ := launch(b.t, cfg)
		got := b.read(dead, 1)
		deadAt := time.Now()
		b.waitCommitted(0, 3)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		headers := []outbox.Header{{Key: "event_type", Value: []byte("paid")}}
		at := func(offset int) string { return fmt.Sprintf("/0@%d %v", offset, headers) }
		if d := cmp.Diff([]string{at(0), at(1), at(1), at(2), at(1), at(1), at(1), at(1)}, seen.list()); d != "" {
			b.t.Errorf("the attempts (-want +got):\n%s", d)
		}
		if took := deadAt.Sub(began["0"]); took < 3*delay {
			b.t.Errorf("it was a dead letter after %v, before the delays were over", took)
		}
		want := []stored{{Value: "1", Headers: []string{"event_type=paid"}, Letter: deadletter.Letter{
			Topic: b.topic, Offset: 1, Group: b.group, Attempts: 6, ErrorType: "kafka_test.refusal",
			Error: "consume: handle record " + b.topic + "/0@1 type=paid: refused: always",
		}}}
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(deadletter.Letter{}, "Timestamp")); d != "" {
			b.t.Errorf("the dead letter (-want +got):\n%s", d)
		}
		if d := cmp.Diff(kafka.Stats{Handled: 2, Delayed: 2, DeadLettered: 1, Failed: 6}, consumer.Stats(), cmpopts.IgnoreFields(kafka.Stats{}, "Polls", "FetchErrors")); d != "" {
			b.t.Errorf("the counts (-want +got):\n%s", d)
		}
		line := log.await(b.t, "event failed, to be retried from its retry topic")
		if d := cmp.Diff([]any{retries[0].Topic, 2.0, 1.0, delay.String()}, []any{line["retry_topic"], line["attempts"], line["offset"], line["retry_in"]}); d != "" {
			b.t.Errorf("the line (-want +got):\n%s", d)
		}
	})
}

// A consumer whose topics are patterns reads its retry topics too, and does not run if it
// would read its own dead letters.
func TestPatternsAndRetryTopics(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead := b.topic + ".dead"
		b.k.CreateTopic(b.t, dead, 1)
		retry := b.k.NewTopic(b.t, "retry", 1)
		b.produce(0, "paid", 1)
		seen := newLog()
		router := consume.NewRouter()
		router.Handle("paid", func(_ context.Context, m consume.Message) error {
			seen.add(m.Topic)
			return refusal{"always"}
		})
		cfg := b.config(router)
		cfg.Topics, cfg.Options = []string{"^" + b.topic}, append(cfg.Options, kgo.ConsumeRegex())
		cfg.MaxAttempts, cfg.RetryTopics, cfg.DeadLetterTopic = 1, []kafka.RetryTopic{{Topic: retry, Delay: time.Millisecond}}, dead
		exact := "^" + regexp.QuoteMeta(dead) + "$"
		want := fmt.Sprintf("consume/kafka: Config.Topics has the pattern %q, which matches DeadLetterTopic %s: change it, or add kgo.ConsumeExcludeTopics(%q) to Options",
			"^"+b.topic, dead, exact)
		if d := cmp.Diff(want, fmt.Sprint(kafka.Run(b.t.Context(), cfg))); d != "" {
			b.t.Fatalf("the error (-want +got):\n%s", d)
		}
		cfg.Options = append(cfg.Options, kgo.ConsumeExcludeTopics(exact))
		_, stop, _ := launch(b.t, cfg)
		b.read(dead, 1)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if d := cmp.Diff([]string{b.topic, b.topic}, seen.list()); d != "" {
			b.t.Errorf("the attempts (-want +got):\n%s", d)
		}
		committed, err := kadm.NewClient(b.client).FetchOffsets(b.t.Context(), b.group)
		if err != nil {
			b.t.Fatal(err)
		}
		var topics []string
		committed.Each(func(o kadm.OffsetResponse) { topics = append(topics, o.Topic) })
		if d := cmp.Diff(sorted([]string{b.topic, retry}), sorted(topics)); d != "" {
			b.t.Errorf("the topics with offsets (-want +got):\n%s", d)
		}
	})
}

// A record that was sent back for a group is skipped by the others.
func TestARecordThatWasSentBack(t *testing.T) {
	each(t, 1, func(b *bench) {
		records := []*kgo.Record{{Topic: b.topic, Value: []byte("a retry topic of another group"), Headers: deadletter.Letter{
			Topic: "shop.orders", Group: "another", NotBefore: time.Now(),
		}.Headers([]kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}})}}
		for _, group := range []string{"another", b.group} {
			records = append(records, &kgo.Record{Topic: b.topic, Value: []byte(group), Headers: []kgo.RecordHeader{
				{Key: "event_type", Value: []byte("paid")}, {Key: deadletter.HeaderRedriveGroup, Value: []byte(group)},
			}})
		}
		if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		seen, told := newLog(), &notebook{}
		router := consume.NewRouter()
		router.Handle("paid", seen.handle)
		cfg := b.config(router)
		cfg.Observer = told
		_, stop, _ := launch(b.t, cfg)
		seen.wait(b.t, 1)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if at := b.committed(0); at != 3 {
			b.t.Errorf("committed at %d", at)
		}
		if d := cmp.Diff([]string{"0:" + b.group}, seen.list()); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
		var outcomes []kafka.Outcome
		for _, f := range told.finished {
			outcomes = append(outcomes, f.Outcome)
		}
		if d := cmp.Diff([]kafka.Outcome{kafka.SkippedOtherGroup, kafka.SkippedOtherGroup, kafka.Handled}, outcomes); d != "" {
			b.t.Errorf("outcomes (-want +got):\n%s", d)
		}
	})
}

// What cannot work is an error of New.
func TestTopicsThatCannotWork(t *testing.T) {
	t.Parallel()
	cfg := kafka.Config{
		Brokers: []string{"localhost:9092"}, Group: "mailer", Topics: []string{"orders"}, Router: consume.NewRouter(),
		RetryTopics:     []kafka.RetryTopic{{Delay: time.Second}, {Topic: "orders"}, {Topic: "retry", Delay: time.Minute}},
		DeadLetterTopic: "retry", DeadLetter: func(context.Context, consume.Message, error) error { return nil },
	}
	_, err := kafka.New(cfg)
	const want = `consume/kafka: Config.RetryTopics[0].Topic is empty: name the topic
consume/kafka: Config.RetryTopics[1].Delay is 0s: use more than 0
consume/kafka: Config.RetryTopics[1].Topic is "orders", and so is one of Topics: use another topic
consume/kafka: Config.MaxAttempts is 0, so no record would get to RetryTopics: set the attempts before that
consume/kafka: Config.DeadLetterTopic is "retry", and so is one of RetryTopics[2].Topic: use another topic
consume/kafka: Config.DeadLetter and DeadLetterTopic are both set: use one`
	if d := cmp.Diff(want, fmt.Sprint(err)); d != "" {
		t.Errorf("the error (-want +got):\n%s", d)
	}
}

// Headers that others wrote, or that are incomplete, give errors and no panics.
func TestLettersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	headers := deadletter.Letter{Topic: "orders", Error: strings.Repeat("é", 5000), NotBefore: time.UnixMilli(5)}.Headers(nil)
	for i, h := range headers {
		if h.Key == deadletter.HeaderError && (len(h.Value) > 4096 || !bytes.HasSuffix(h.Value, []byte("é…"))) {
			t.Errorf("the error's header has %d bytes and ends in %q", len(h.Value), h.Value[len(h.Value)-8:])
		}
		cut := slices.Clone(headers)
		cut[i].Value = []byte("x")
		without := slices.Delete(slices.Clone(headers), i, i+1)
		_, errCut := deadletter.Read(cut)
		_, errWithout := deadletter.Read(without)
		t.Logf("%s: %v; %v", h.Key, errCut, errWithout)
	}
	if _, err := deadletter.Read(nil); fmt.Sprint(err) != "it has no header kafka_dlt-original-topic: no consumer of this kind wrote it" {
		t.Error(err)
	}
	headers[1].Value = []byte("3")
	if _, err := deadletter.Read(headers); fmt.Sprint(err) != "its header kafka_dlt-original-partition has 1 bytes, and should have 4: a big-endian number" {
		t.Error(err)
	}
}
