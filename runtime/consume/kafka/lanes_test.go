package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// keyed writes records with keys and returns what handlers should see of each key.
func (b *bench) keyed(n, keys int) (want map[string][]string) {
	b.t.Helper()
	want = map[string][]string{}
	var records []*kgo.Record
	for i := range n {
		key := fmt.Sprintf("k%d", i%keys)
		records = append(records, &kgo.Record{
			Topic: b.topic, Key: []byte(key), Value: fmt.Append(nil, i), Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}},
		})
		want[key] = append(want[key], fmt.Sprint(i))
	}
	if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	return want
}

// Records of different keys are handled at the same time, and those of one key in their
// order, with failures in between; all of them are committed.
func TestKeysAreHandledAtTheSameTime(t *testing.T) {
	each(t, 1, func(b *bench) {
		const lanes, n = 8, 400
		want := b.keyed(n, 40)
		var mu sync.Mutex
		got, running, failed := map[string][]string{}, map[string]bool{}, map[string]bool{}
		most, seen := 0, newLog()
		together := make(chan struct{}) // closed when several handlers run
		stop := b.start(func(ctx context.Context, m consume.Message) error {
			key, value := string(m.Key), string(m.Value)
			mu.Lock()
			if running[key] {
				b.t.Errorf("two handlers of key %s", key)
			}
			running[key] = true
			if len(running) > most {
				if most = len(running); most == 4 {
					close(together)
				}
			}
			fails := !failed[value] && rand.IntN(10) == 0
			failed[value] = fails
			mu.Unlock()
			select { // no handler continues before several run
			case <-together:
			case <-ctx.Done():
			}
			mu.Lock()
			defer mu.Unlock()
			delete(running, key)
			if fails {
				return errors.New("once")
			}
			got[key] = append(got[key], value)
			seen.add(value)
			return nil
		}, func(c *kafka.Config) { c.Concurrency = lanes })
		seen.wait(b.t, n)
		b.waitCommitted(0, n)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			b.t.Errorf("handled, by key (-want +got):\n%s", d)
		}
		if most > lanes {
			b.t.Errorf("%d handlers at the same time, and %d are allowed", most, lanes)
		}
	})
}

// While the record of one key cannot be handled, the other keys continue, and no offset
// after it is committed. The next consumer gets it, and no record is lost.
func TestAKeyThatHoldsUpTheCommits(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.keyed(40, 40)
		seen, log := newLog(), &lines{}
		blocked := func(_ context.Context, m consume.Message) error {
			if string(m.Key) == "k5" {
				return errors.New("not now")
			}
			seen.add(string(m.Key))
			return nil
		}
		router := consume.NewRouter()
		router.Handle("paid", blocked)
		cfg := b.config(router)
		// Some other keys have the same hash as k5, and wait behind it.
		cfg.TopicConcurrency, cfg.Logger = map[string]int{b.topic: 40}, log.logger()
		_, stop, _ := launch(b.t, cfg)
		log.await(b.t, "event failed")
		b.waitCommitted(0, 5)
		await(b.t, "others go on", func() bool { return len(seen.list()) >= 20 }, log)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if at := b.committed(0); at != 5 {
			b.t.Errorf("committed at %d", at)
		}
		again := newLog()
		b.start(func(_ context.Context, m consume.Message) error {
			again.add(string(m.Key))
			return nil
		}, func(c *kafka.Config) { c.Concurrency = 3 })
		var keys []string
		for i := 5; i < 40; i++ {
			keys = append(keys, fmt.Sprintf("k%d", i))
		}
		if d := cmp.Diff(sorted(keys), sorted(again.wait(b.t, 35))); d != "" {
			b.t.Errorf("delivered again (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 40)
	})
}

// A key that does not continue stops its partition after BufferRecords, so that at most
// these are delivered again.
func TestAKeyThatHoldsUpItsPartition(t *testing.T) {
	each(t, 1, func(b *bench) {
		const n, most = 3000, 50
		b.keyed(n, 500)
		release := make(chan struct{})
		seen, log := newLog(), &lines{}
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			if m.Offset == 0 {
				select {
				case <-release:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			seen.add(string(m.Value))
			return nil
		})
		cfg := b.config(router)
		cfg.Concurrency, cfg.BufferRecords, cfg.Logger = 4, most, log.logger()
		consumer, stop, _ := launch(b.t, cfg)
		await(b.t, "some are handled and the rest waits", func() bool {
			s := consumer.Stats()
			return s.Handled > most/2 && s.BufferedRecords > 0
		}, log)
		close(release)
		b.waitCommitted(0, n)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if got := len(seen.list()); got != n {
			b.t.Errorf("%d of %d handled", got, n)
		}
		if strings.Contains(log.String(), "ERROR") {
			b.t.Error(log)
		}
	})
}
