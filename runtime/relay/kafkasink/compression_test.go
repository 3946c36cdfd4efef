package kafkasink

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Without the setting, every client can read the records.
func TestCompression(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		got := map[string]uint8{}
		for name, codecs := range map[string][]kgo.CompressionCodec{
			"default": nil, "none": {kgo.NoCompression()}, "gzip": {kgo.GzipCompression()}, "snappy": {kgo.SnappyCompression()},
			"lz4": {kgo.Lz4Compression()}, "zstd": {kgo.ZstdCompression()},
		} {
			topic := k.NewTopic(t, "compressed-"+name, 1)
			sink, err := New(Config{Opts: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, Compression: codecs})
			if err != nil {
				t.Fatal(err)
			}
			p, err := sink.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			record := relay.Record{Topic: topic, Value: make([]byte, 10_000)}
			if d := cmp.Diff(same(1, relay.ClassOK), send(t, p, []relay.Record{record}, time.Minute)); d != "" {
				t.Fatal(d)
			}
			p.Close()
			client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			if err != nil {
				t.Fatal(err)
			}
			fetches := client.PollFetches(t.Context())
			client.Close()
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			fetches.EachRecord(func(r *kgo.Record) { got[name] = r.Attrs.CompressionType() })
		}
		want := map[string]uint8{"default": 0, "none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("codecs of the batches (-want +got):\n%s", d)
		}
	})
}
