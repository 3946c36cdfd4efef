package kafka_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The backlog is many times the limit, and no handler continues. The records in memory
// stay within the limit, in every distribution and compression, and each partition has
// its next record. Then all records are handled, in order.
func TestWhatIsInMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const bound, brokers, batch = 4 << 20, 3, 1_000_000 // the client's own batches are no larger
	random := func(n int) string {                      // does not compress
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rand.N(256))
		}
		return string(b)
	}
	zeros := func(n int) string { return strings.Repeat("0123456789", n/10) }
	for _, c := range []struct {
		name       string
		partitions int
		records    int // of each
		size       int
		text       func(int) string
		codec      kgo.CompressionCodec
		most       int64 // bytes that may be in memory
	}{
		{"records of 200 kB in 12 partitions", 12, 20, 200_000, random, kgo.NoCompression(), bound + brokers*batch},
		{"records of 1 kB in 3 partitions", 3, 8_000, 1_000, random, kgo.NoCompression(), bound + brokers*batch},
		{"records of 1 kB in 60 partitions", 60, 400, 1_000, random, kgo.NoCompression(), bound + brokers*batch},
		{"compressed 100 times", 6, 4_000, 1_000, zeros, kgo.ZstdCompression(), bound + brokers*batch},
		{"records larger than the bound", 2, 3, 5_000_000, random, kgo.NoCompression(), 4 * 5_000_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
				b := newBench(t, k, 1)
				b.topic = k.NewTopic(t, "large", int32(c.partitions), "max.message.bytes=20000000")
				b.produceLarge(c.partitions, c.records, c.size, c.text, c.codec)

				log := &lines{}
				proceed := make(chan struct{})
				var began, handled atomic.Int64
				last := make([]atomic.Int64, c.partitions)
				router := consume.NewRouter()
				router.Handle("paid", func(ctx context.Context, m consume.Message) error {
					began.Add(1)
					select {
					case <-proceed:
					case <-ctx.Done():
						return ctx.Err()
					}
					if before := last[m.Partition].Swap(m.Offset + 1); before != m.Offset {
						t.Errorf("partition %d: offset %d after %d", m.Partition, m.Offset, before-1)
					}
					handled.Add(1)
					return nil
				})
				cfg := b.config(router)
				cfg.BufferBytes, cfg.Logger = bound, log.logger()
				cfg.BufferRecords = 100_000 // here the bytes count
				consumer, stop, _ := launch(t, cfg)
				await(t, "there are records", func() bool { return began.Load() > 0 }, log)

				var most int64
				look := func() { most = max(most, consumer.Stats().BufferedBytes) }
				for began := time.Now(); time.Since(began) < window; time.Sleep(time.Millisecond) {
					look()
				}
				close(proceed)
				total := int64(c.partitions * c.records)
				await(t, "all is handled", func() bool { look(); return handled.Load() >= total }, log)
				all := total * int64(c.size)
				t.Logf("at most %.1f MB of %.1f MB were in memory; the bound is %.1f MB", float64(most)/1e6, float64(all)/1e6, float64(bound)/1e6)
				if most > c.most {
					t.Errorf("%d bytes were in memory; %d are allowed", most, c.most)
				}
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if s := consumer.Stats(); s.BufferedBytes != 0 || s.BufferedRecords != 0 || s.Handled != uint64(total) {
					t.Errorf("in the end the counts are %+v", s)
				}
			})
		})
	}
}

func (b *bench) produceLarge(partitions, records, size int, text func(int) string, codec kgo.CompressionCodec) {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.k.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec), kgo.ProducerBatchMaxBytes(int32(max(1_000_000, 2*size))), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	var failed atomic.Pointer[error]
	value := []byte(text(size))
	for i := range records {
		for p := range partitions {
			client.Produce(b.t.Context(), &kgo.Record{
				Topic: b.topic, Partition: int32(p), Value: value, Key: fmt.Append(nil, i),
				Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}},
			}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Store(&err)
				}
			})
		}
	}
	if err := client.Flush(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	if err := failed.Load(); err != nil {
		b.t.Fatal(*err)
	}
}

// A partition whose handler does not continue keeps its share of the limit, and the
// others continue.
func TestAStandingPartitionLeavesRoomForTheOthers(t *testing.T) {
	each(t, 4, func(b *bench) {
		const records, size = 60, 100_000
		b.produceLarge(4, records, size, func(n int) string { return strings.Repeat("x", n) }, kgo.NoCompression())
		log := &lines{}
		var handled atomic.Int64
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			if m.Partition < 3 {
				<-ctx.Done()
				return ctx.Err()
			}
			handled.Add(1)
			return nil
		})
		cfg := b.config(router)
		cfg.BufferBytes, cfg.Logger, cfg.DrainTimeout = 8<<20, log.logger(), time.Millisecond
		consumer, stop, _ := launch(b.t, cfg)
		await(b.t, "the one that goes on is read to its end", func() bool { return handled.Load() == records }, log)
		if s := consumer.Stats(); s.BufferedBytes > 8<<20 {
			b.t.Errorf("%d bytes are in memory", s.BufferedBytes)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// Fetch sizes that a service sets are not changed.
func TestTheServicesOwnFetchSizes(t *testing.T) {
	each(t, 1, func(b *bench) {
		want := b.fill("a", 1, 3)
		seen := newLog()
		router := consume.NewRouter()
		router.Handle("paid", b.value(seen))
		cfg := b.config(router)
		cfg.Options = append(cfg.Options, kgo.FetchMaxBytes(123_456), kgo.FetchMaxPartitionBytes(65_432))
		_, stop, _ := launch(b.t, cfg)
		seen.wait(b.t, len(want))
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}
