package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func (b *bench) deleteTopic() {
	b.t.Helper()
	if _, err := kadm.NewClient(b.client).DeleteTopic(b.t.Context(), b.topic); err != nil {
		b.t.Fatal(err)
	}
}

// createAgain creates the topic once the brokers have forgotten the former one.
func (b *bench) createAgain(partitions int32) {
	b.t.Helper()
	var created kadm.TopicID
	admin := kadm.NewClient(b.client)
	await(b.t, "the topic is created again", func() bool {
		resp, err := admin.CreateTopic(b.t.Context(), partitions, 1, nil, b.topic)
		if err != nil && resp.Err == nil {
			b.t.Fatal(err)
		}
		created = resp.ID
		return err == nil
	}, &lines{})
	// Otherwise a new producer could get the former topic's metadata.
	await(b.t, "the brokers know the new topic", func() bool {
		req := kmsg.NewPtrMetadataRequest()
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(b.topic)
		req.Topics = append(req.Topics, topic)
		resp, err := req.RequestWith(b.t.Context(), b.client)
		return err == nil && len(resp.Topics) == 1 && resp.Topics[0].TopicID == created
	}, &lines{})
}

// fill writes n records to the partitions, each with the text and its number. Its new
// client does not know a former topic.
func (b *bench) fill(text string, partitions, n int) (values []string) {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.k.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.UnknownTopicRetries(-1))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	for i := range n {
		value := fmt.Sprintf("%s%d", text, i)
		err := client.ProduceSync(b.t.Context(), &kgo.Record{
			Topic: b.topic, Partition: int32(i % partitions), Value: []byte(value),
			Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}},
		}).FirstErr()
		if err != nil {
			b.t.Fatal(err)
		}
		values = append(values, value)
	}
	return values
}

func (b *bench) value(seen *log) func(context.Context, consume.Message) error {
	return func(_ context.Context, m consume.Message) error {
		seen.add(string(m.Value))
		return nil
	}
}

// A topic is deleted and created again. The consumer continues without a restart, loses
// no record of the new topic, and logs it in a few lines.
func TestARecreatedTopic(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		for _, c := range []struct {
			name          string
			before, after int  // partitions
			first, second int  // records
			wait          bool // until the consumer has noticed that it is gone
			times         int
			unwatched     bool // it knows only the errors of its fetches
		}{
			{name: "fewer records than before", before: 2, after: 2, first: 20, second: 6, times: 1},
			{name: "more records than before", before: 1, after: 1, first: 5, second: 20, times: 1},
			{name: "more partitions", before: 1, after: 3, first: 5, second: 9, times: 1},
			{name: "fewer partitions", before: 3, after: 1, first: 9, second: 5, times: 1},
			{name: "after a while", before: 2, after: 2, first: 6, second: 6, wait: true, times: 1},
			{name: "noticed by failing fetches", before: 2, after: 2, first: 6, second: 6, times: 1, unwatched: true},
			{name: "again and again", before: 2, after: 2, first: 6, second: 6, times: 3},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, k, int32(c.before))
				seen, log := newLog(), &lines{}
				router := consume.NewRouter()
				router.Handle("paid", b.value(seen))
				cfg := b.config(router)
				if c.unwatched {
					cfg = kafka.Impatient(cfg, func(i *kafka.Timing) { i.Watch = time.Hour })
				}
				cfg.Logger = log.logger()
				consumer, stop, _ := launch(t, cfg)
				want := b.fill("a", c.before, c.first)
				if diff := cmp.Diff(sorted(want), sorted(seen.wait(t, len(want)))); diff != "" {
					t.Fatal(diff)
				}
				for p := range c.before {
					await(t, "the offsets are committed", func() bool { return b.committed(int32(p)) > 0 }, log)
				}
				for i := range c.times {
					b.deleteTopic()
					if c.wait {
						log.await(t, "topic does not exist")
						await(t, "it is not ready", func() bool { return consumer.Ready() != nil }, log)
					}
					b.createAgain(int32(c.after))
					want = append(want, b.fill(fmt.Sprintf("b%d.", i), c.after, c.second)...)
					await(t, "the records of the new topic are handled", func() bool { return len(seen.list()) >= len(want) }, log)
				}
				if diff := cmp.Diff(sorted(want), sorted(seen.list())); diff != "" {
					t.Fatal(diff)
				}
				await(t, "it is ready", func() bool { return consumer.Ready() == nil }, log)
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				// The next member continues where this one ended.
				again := newLog()
				router = consume.NewRouter()
				router.Handle("paid", b.value(again))
				cfg.Router = router
				_, stop, _ = launch(t, cfg)
				last := b.fill("c", c.after, 3)
				if diff := cmp.Diff(sorted(last), sorted(again.wait(t, len(last)))); diff != "" {
					t.Error(diff)
				}
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if n, polls := log.count(), consumer.Stats().Polls; n > 20*c.times || polls > 500 {
					t.Errorf("%d lines in %d polls:\n%s", n, polls, log)
				}
			})
		}
	})
}

// The brokers still have the group's offsets of a topic that was deleted, as when a
// commit was under way or they were not removed yet: a consumer does not use them for
// the new topic, with any number of records in it.
func TestOffsetsOfAFormerTopic(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after int // records in each partition
	}{
		{"fewer records", 6, 3},
		{"as many records", 6, 6},
		{"more records", 6, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, 2, func(b *bench) {
				read := func(want []string) *lines {
					b.t.Helper()
					seen, log := newLog(), &lines{}
					router := consume.NewRouter()
					router.Handle("paid", b.value(seen))
					cfg := b.config(router)
					cfg.Logger = log.logger()
					_, stop, _ := launch(b.t, cfg)
					await(b.t, "the records are handled", func() bool { return len(seen.list()) >= len(want) }, log)
					if diff := cmp.Diff(sorted(want), sorted(seen.list())); diff != "" {
						b.t.Errorf("%s\n%s", diff, log)
					}
					if err := stop(); err != nil {
						b.t.Fatal(err)
					}
					return log
				}
				read(b.fill("a", 2, 2*c.before))
				admin := kadm.NewClient(b.client)
				stored, err := admin.FetchOffsets(b.t.Context(), b.group)
				if err != nil {
					b.t.Fatal(err)
				}
				b.deleteTopic()
				b.createAgain(2)
				want := b.fill("b", 2, 2*c.after)
				await(b.t, "the former offsets are there", func() bool {
					if err := admin.CommitAllOffsets(b.t.Context(), b.group, stored.Offsets()); err != nil {
						return false
					}
					return b.committed(0) == int64(c.before) && b.committed(1) == int64(c.before)
				}, &lines{})
				log := read(want)
				if n := len(log.like(b.t, "truncated")); n > 0 {
					b.t.Errorf("the new topic counts as truncated:\n%s", log)
				}
				read(b.fill("c", 2, 4)) // the offsets of the new topic are used
			})
		})
	}
}

// A topic is recreated, with more partitions or fewer, while members come and go,
// so that partitions are assigned, read and committed at the same time: no record
// of the new topic is skipped, by whichever member.
func TestATopicIsRecreatedDuringARebalance(t *testing.T) {
	each(t, 2, func(b *bench) {
		seen, log := newLog(), &lines{}
		member := func() func() error {
			router := consume.NewRouter()
			router.Handle("paid", b.value(seen))
			cfg := b.config(router)
			cfg.Logger = log.logger()
			_, stop, _ := launch(b.t, cfg)
			return stop
		}
		handled := func(want []string) {
			b.t.Helper()
			await(b.t, fmt.Sprintf("%d records are handled", len(want)), func() bool {
				got := map[string]bool{}
				for _, value := range seen.list() {
					got[value] = true
				}
				for _, value := range want {
					if !got[value] {
						return false
					}
				}
				return true
			}, log)
		}
		first := member()
		var leaving sync.WaitGroup
		defer leaving.Wait()
		handled(b.fill("a", 2, 8))
		for i, partitions := range []int{3, 1, 2, 4, 2} {
			second := member() // it joins while the topic is deleted
			b.deleteTopic()
			b.createAgain(int32(partitions))
			want := b.fill(fmt.Sprintf("b%d.", i), partitions, 4*partitions)
			if i%2 == 1 { // while the new topic is being taken up
				if err := first(); err != nil {
					b.t.Fatal(err)
				}
				first = second
			}
			handled(want)
			if i%2 == 0 { // while the next one is deleted
				leaving.Go(func() { _ = second() })
			}
		}
		handled(b.fill("c", 2, 6))
		if err := first(); err != nil {
			b.t.Fatal(err)
		}
		if n := len(log.like(b.t, "truncated")); n > 0 {
			b.t.Errorf("a new topic counts as truncated:\n%s", log)
		}
	})
}

// Records of a deleted topic in a consumer's memory cannot be read by others. They are
// handled, and their offsets are not used for the new topic.
func TestRecordsInHandOfADeletedTopic(t *testing.T) {
	each(t, 1, func(b *bench) {
		seen, log := newLog(), &lines{}
		proceed, began := make(chan struct{}), make(chan struct{}, 1)
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			select {
			case began <- struct{}{}:
			default:
			}
			<-proceed
			return b.value(seen)(ctx, m)
		})
		cfg := b.config(router)
		cfg.Logger = log.logger()
		consumer, stop, _ := launch(b.t, cfg)
		want := b.fill("a", 1, 50)
		<-began
		await(b.t, "all records are in memory", func() bool { return consumer.Stats().BufferedRecords == 50 }, log)
		b.deleteTopic()
		b.createAgain(1)
		log.await(b.t, "topic was deleted and created again")
		want = append(want, b.fill("b", 1, 5)...)
		close(proceed)
		if diff := cmp.Diff(want, seen.wait(b.t, len(want))); diff != "" {
			b.t.Fatalf("%s\n%s", diff, log)
		}
		b.waitCommitted(0, 5)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// A deleted topic does not stop the others.
func TestADeletedTopicBesideAnother(t *testing.T) {
	each(t, 1, func(b *bench) {
		gone := &bench{t: b.t, k: b.k, topic: b.k.NewTopic(b.t, "gone", 1), group: b.group, client: b.client}
		seen, log := newLog(), &lines{}
		router := consume.NewRouter()
		router.Handle("paid", b.value(seen))
		cfg := b.config(router)
		cfg.Topics = append(cfg.Topics, gone.topic)
		cfg.Logger = log.logger()
		consumer, stop, _ := launch(b.t, cfg)
		want := append(b.fill("a", 1, 3), gone.fill("b", 1, 3)...)
		seen.wait(b.t, len(want))
		gone.deleteTopic()
		log.await(b.t, "topic does not exist")
		for i := range 20 {
			want = append(want, b.fill(fmt.Sprintf("c%d.", i), 1, 1)...)
			seen.wait(b.t, len(want))
		}
		if diff := cmp.Diff(sorted(want), sorted(seen.list())); diff != "" {
			b.t.Fatal(diff)
		}
		await(b.t, "it is not ready", func() bool { return consumer.Ready() != nil }, log)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if _, err := kadm.NewClient(b.client).CreateTopic(b.t.Context(), 1, 1, nil, gone.topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			b.t.Fatal(err) // the bench deletes it
		}
	})
}

// setOffset sets the group's offset as Kafka's own tools do: by no member, and without
// metadata.
func (b *bench) setOffset(partition int32, at int64) error {
	var offsets kadm.Offsets
	offsets.AddOffset(b.topic, partition, at, -1)
	return kadm.NewClient(b.client).CommitAllOffsets(b.t.Context(), b.group, offsets)
}

// An operator resets the group's offsets after the topic was recreated. The brokers
// refuse that while a consumer runs. Consumers that start afterwards begin at the
// operator's offsets.
func TestOffsetsThatAnOperatorSetsAfterARecreation(t *testing.T) {
	each(t, 1, func(b *bench) {
		run := func() (*log, func() error) {
			seen, log := newLog(), &lines{}
			router := consume.NewRouter()
			router.Handle("paid", b.value(seen))
			cfg := b.config(router)
			cfg.Logger = log.logger()
			_, stop, _ := launch(b.t, cfg)
			return seen, stop
		}
		seen, stop := run()
		want := b.fill("a", 1, 3)
		if diff := cmp.Diff(want, seen.wait(b.t, len(want))); diff != "" {
			b.t.Fatal(diff)
		}
		b.deleteTopic()
		b.createAgain(1)
		anew := b.fill("b", 1, 6)
		if diff := cmp.Diff(append(want, anew...), seen.wait(b.t, len(want)+len(anew))); diff != "" {
			b.t.Fatal(diff)
		}
		b.waitCommitted(0, 6)
		if err := b.setOffset(0, 2); !errors.Is(err, kerr.UnknownMemberID) {
			b.t.Errorf("while a consumer runs, the brokers answer: %v", err)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}

		if err := b.setOffset(0, 2); err != nil {
			b.t.Fatal(err)
		}
		seen, stop = run()
		if diff := cmp.Diff(anew[2:], seen.wait(b.t, len(anew)-2)); diff != "" {
			b.t.Error(diff)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// A consumer that has seen the topic being recreated is out of its group for a moment, and
// an operator sets the group's offset meanwhile. It uses the offset if it has committed one
// of the new topic before. Otherwise it cannot know whether the offset is one of the former
// topic: it says so and reads from the beginning.
func TestOffsetsThatAnOperatorSetsUnderARunningConsumer(t *testing.T) {
	for name, committed := range map[string]bool{"after a commit": true, "before a commit": false} {
		t.Run(name, func(t *testing.T) {
			each(t, 1, func(b *bench) {
				seen, log := newLog(), &lines{}
				router := consume.NewRouter()
				blocked := make(chan struct{}, 1)
				router.Handle("paid", func(ctx context.Context, m consume.Message) error {
					if !committed && len(seen.list()) == 3 { // the first record of the new topic, once
						select {
						case blocked <- struct{}{}:
							<-ctx.Done()
							return ctx.Err()
						default:
						}
					}
					return b.value(seen)(ctx, m)
				})
				cfg := b.config(router)
				cfg.Logger, cfg.DrainTimeout = log.logger(), time.Millisecond
				_, stop, _ := launch(b.t, cfg)
				want := b.fill("a", 1, 3)
				seen.wait(b.t, len(want))
				b.waitCommitted(0, 3)
				b.deleteTopic()
				b.createAgain(1)
				anew := b.fill("b", 1, 6)
				const told = "offsets belong to a deleted topic of this name"
				if committed {
					want = append(want, anew...)
					seen.wait(b.t, len(want))
					b.waitCommitted(0, 6)
				} else {
					await(b.t, "the first record is being handled", func() bool { return len(blocked) == 1 }, log)
				}
				before := len(log.like(b.t, told))
				b.throwOut()
				if err := b.setOffset(0, 2); err != nil {
					b.t.Fatal(err)
				}
				if committed {
					anew = anew[2:]
				} else {
					await(b.t, "it is told that the offset is not used", func() bool { return len(log.like(b.t, told)) > before }, log)
				}
				want = append(want, anew...)
				if diff := cmp.Diff(want, seen.wait(b.t, len(want))); diff != "" {
					b.t.Errorf("%s\n%s", diff, log)
				}
				b.waitCommitted(0, 6)
				if diff := cmp.Diff(want, seen.list()); diff != "" {
					b.t.Errorf("handled in the end: %s\n%s", diff, log)
				}
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
			})
		})
	}
}

// throwOut removes the members of the group.
func (b *bench) throwOut() {
	b.t.Helper()
	groups, err := kadm.NewClient(b.client).DescribeGroups(b.t.Context(), b.group)
	if err != nil {
		b.t.Fatal(err)
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = b.group
	for _, member := range groups[b.group].Members {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = member.MemberID
		req.Members = append(req.Members, m)
	}
	resp, err := req.RequestWith(b.t.Context(), b.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
