package kafka_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// window is how long something fails in these tests. Only upper limits of counts depend
// on it, because a slow machine has lower counts.
const window = 1500 * time.Millisecond

// fetchWait is how long brokers wait for records where answers without records are counted,
// as services have it. With less, a slow answer of a busy machine looks like one that waited.
const fetchWait = 500 * time.Millisecond

// codes returns the error codes that the client knows.
func codes() []int16 {
	codes := []int16{-1}
	for code := int16(1); code < 200; code++ {
		if _, known := errors.AsType[*kerr.Error](kerr.ErrorForCode(code)); known && !errors.Is(kerr.ErrorForCode(code), kerr.UnknownServerError) {
			codes = append(codes, code)
		}
	}
	return codes
}

// The fetches of each partition fail at once, each with another error code. The
// consumer neither spins nor floods the log, a partition without errors is read as
// usual, and once the errors end everything is read.
func TestFetchErrorsOfEveryKind(t *testing.T) {
	t.Parallel()
	codes := codes()
	if len(codes) < 100 {
		t.Fatalf("only %d codes", len(codes))
	}
	k := services.KFake(t)
	well := int32(len(codes)) // the partition without errors
	b := newBench(t, k, well+1)
	var failing atomic.Bool
	failing.Store(true)
	var fetches atomic.Int64
	k.Fake.Control(t, kmsg.Fetch, func(r kmsg.Request) kmsg.Response {
		req := r.(*kmsg.FetchRequest)
		fetches.Add(1)
		if !failing.Load() {
			return nil
		}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, rt := range req.Topics {
			st := kmsg.NewFetchResponseTopic()
			st.Topic, st.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				if rp.Partition == well {
					continue
				}
				sp := kmsg.NewFetchResponseTopicPartition()
				sp.Partition, sp.ErrorCode = rp.Partition, codes[rp.Partition]
				st.Partitions = append(st.Partitions, sp)
			}
			if len(st.Partitions) > 0 {
				resp.Topics = append(resp.Topics, st)
			}
		}
		if len(resp.Topics) == 0 {
			return nil
		}
		return resp
	})
	seen, log := newLog(), &lines{}
	router := consume.NewRouter()
	router.Handle("paid", b.value(seen))
	cfg := b.config(router)
	cfg.Logger = log.logger()
	cfg.Options = append(cfg.Options, kgo.DisableFetchSessions(), kgo.MetadataMinAge(100*time.Millisecond), kgo.FetchMaxWait(fetchWait))
	consumer, stop, _ := launch(t, cfg)
	want := b.fill("a", len(codes)+1, len(codes)+1)
	log.await(t, "reading from Kafka")
	polled, fetched := consumer.Stats().Polls, fetches.Load()
	time.Sleep(window) // the time during which it might spin
	polls, asked, logged := consumer.Stats().Polls-polled, fetches.Load()-fetched, log.count()
	if polls > 600 || asked > 2000 || logged > 40 {
		t.Errorf("in %v: %d polls, %d fetches, %d lines:\n%s", window, polls, asked, logged, log)
	}
	t.Logf("in %v: %d polls with %d errors, %d fetches, %d lines", window, polls, consumer.Stats().FetchErrors, asked, logged)
	await(t, "it is not ready", func() bool { return consumer.Ready() != nil }, log)
	failing.Store(false)
	// A topic that is read anew may give records again.
	distinct := func() []string { return slices.Compact(sorted(seen.list())) }
	await(t, "all is read", func() bool { return len(distinct()) >= len(want) }, log)
	if diff := cmp.Diff(sorted(want), distinct()); diff != "" {
		t.Fatal(diff)
	}
	await(t, "it is ready", func() bool { return consumer.Ready() == nil }, log)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// One error code at a time, on every fetch. After an immediate error the consumer
// pauses before the next fetch.
func TestOneFetchErrorForAll(t *testing.T) {
	t.Parallel()
	for _, code := range []*kerr.Error{
		kerr.UnknownServerError, kerr.TopicAuthorizationFailed, kerr.UnknownTopicID, kerr.InconsistentTopicID,
		kerr.UnknownTopicOrPartition, kerr.NotLeaderForPartition, kerr.KafkaStorageError, kerr.CorruptMessage,
		kerr.OffsetOutOfRange, kerr.FencedLeaderEpoch, kerr.UnsupportedVersion, kerr.InvalidRequest,
	} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s whole=%v", code.Message, whole), func(t *testing.T) {
				t.Parallel()
				k := services.KFake(t)
				b := newBench(t, k, 3)
				var failing atomic.Bool
				failing.Store(true)
				var fetches atomic.Int64
				k.Fake.Control(t, kmsg.Fetch, func(r kmsg.Request) kmsg.Response {
					req := r.(*kmsg.FetchRequest)
					fetches.Add(1)
					resp := req.ResponseKind().(*kmsg.FetchResponse)
					if !failing.Load() {
						return nil
					}
					if whole {
						resp.ErrorCode = code.Code
						return resp
					}
					for _, rt := range req.Topics {
						st := kmsg.NewFetchResponseTopic()
						st.Topic, st.TopicID = rt.Topic, rt.TopicID
						for _, rp := range rt.Partitions {
							sp := kmsg.NewFetchResponseTopicPartition()
							sp.Partition, sp.ErrorCode = rp.Partition, code.Code
							st.Partitions = append(st.Partitions, sp)
						}
						resp.Topics = append(resp.Topics, st)
					}
					return resp
				})
				seen, log := newLog(), &lines{}
				router := consume.NewRouter()
				router.Handle("paid", b.value(seen))
				cfg := b.config(router)
				cfg.Logger = log.logger()
				cfg.Options = append(cfg.Options, kgo.DisableFetchSessions(), kgo.FetchMaxWait(fetchWait))
				consumer, stop, _ := launch(t, cfg)
				want := b.fill("a", 3, 6)
				await(t, "it fetches", func() bool { return fetches.Load() > 0 }, log)
				polled, fetched := consumer.Stats().Polls, fetches.Load()
				time.Sleep(window)
				polls, asked, logged := consumer.Stats().Polls-polled, fetches.Load()-fetched, log.count()
				t.Logf("in %v: %d polls, %d fetches, %d lines", window, polls, asked, logged)
				if polls > 150 || asked > 300 || logged > 30 {
					t.Errorf("in %v: %d polls, %d fetches, %d lines:\n%s", window, polls, asked, logged, log)
				}
				failing.Store(false)
				await(t, "all is read", func() bool { return len(seen.list()) >= len(want) }, log)
				await(t, "it is ready", func() bool { return consumer.Ready() == nil }, log)
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(log.String(), "panic") {
					t.Error(log)
				}
			})
		}
	}
}
