package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// notebook is an observer that records everything.
type notebook struct {
	mu       sync.Mutex
	attempts []kafka.Attempt
	finished []kafka.Finished
	last     kafka.Status
}

func (n *notebook) Attempted(a kafka.Attempt) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.attempts = append(n.attempts, a)
}

func (n *notebook) Finished(f kafka.Finished) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.finished = append(n.finished, f)
}

func (n *notebook) Status(s kafka.Status) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = s
}

func (n *notebook) status() kafka.Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

// An observer gets each attempt, each record, and the lag of the consumer. Here the
// handler of one record waits, with two records after it.
func TestAnObserver(t *testing.T) {
	each(t, 2, func(b *bench) {
		wait := make(chan struct{})
		release := sync.OnceFunc(func() { close(wait) })
		defer release()
		failed := false
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			switch {
			case m.Offset == 0 && !failed:
				failed = true
				return errors.New("not yet")
			case m.Offset == 2:
				select {
				case <-wait:
				case <-ctx.Done():
				}
			}
			return nil
		})
		b.produce(0, "paid", 1)
		b.produce(0, "unheard of", 1)
		b.produce(0, "paid", 3)
		told, log := &notebook{}, &lines{}
		cfg := b.config(router)
		cfg.Observer, cfg.Logger = told, log.logger()
		_, stop, _ := launch(b.t, cfg)
		await(b.t, "the lag is known", func() bool {
			return slices.Equal(told.status().Lag, []kafka.Lag{{Topic: b.topic, Partition: 0, Records: 3}, {Topic: b.topic, Partition: 1, Records: 0}})
		}, log)
		if s := told.status(); !s.Ready {
			b.t.Errorf("not ready: %v", s.Reasons)
		}
		release()
		await(b.t, "there is no lag", func() bool {
			return slices.Equal(told.status().Lag, []kafka.Lag{{Topic: b.topic, Partition: 0}, {Topic: b.topic, Partition: 1}})
		}, log)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		want := kafka.Status{Reasons: []string{"Run has ended"}, Lag: []kafka.Lag{}, Stats: kafka.Stats{Handled: 5, Failed: 1}}
		if d := cmp.Diff(want, told.status(), cmpopts.IgnoreFields(kafka.Stats{}, "Polls", "FetchErrors")); d != "" {
			b.t.Errorf("the last status (-want +got):\n%s", d)
		}
		var got []string
		for _, a := range told.attempts {
			got = append(got, fmt.Sprintf("%d attempt %d %s: %v", a.Record.Offset, a.Number, a.Record.EventType, a.Err != nil))
		}
		for _, f := range told.finished {
			got = append(got, fmt.Sprintf("%d %s after %d", f.Record.Offset, f.Outcome, f.Attempts))
		}
		if d := cmp.Diff([]string{
			"0 attempt 1 paid: true", "0 attempt 2 paid: false", "1 attempt 1 unheard of: false",
			"2 attempt 1 paid: false", "3 attempt 1 paid: false", "4 attempt 1 paid: false",
			"0 handled after 2", "1 skipped_no_handler after 1", "2 handled after 1", "3 handled after 1", "4 handled after 1",
		}, got); d != "" {
			b.t.Errorf("what the observer was told (-want +got):\n%s", d)
		}
	})
}

type nervous struct{}

func (nervous) Attempted(kafka.Attempt) { panic("attempted") }
func (nervous) Finished(kafka.Finished) { panic("finished") }
func (nervous) Status(kafka.Status)     { panic("status") }

// An observer that panics affects only the log and a count.
func TestAPanickyObserver(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 3)
		seen, log := newLog(), &lines{}
		router := consume.NewRouter()
		router.Handle("paid", seen.handle)
		cfg := b.config(router)
		cfg.Observer, cfg.Logger = nervous{}, log.logger()
		consumer, stop, _ := launch(b.t, cfg)
		if d := cmp.Diff(numbers(0, 3), seen.wait(b.t, 3)); d != "" {
			b.t.Error(d)
		}
		log.await(b.t, "Config.Observer panicked")
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if s := consumer.Stats(); s.Panics < 6 || s.Handled != 3 {
			b.t.Errorf("%+v", s)
		}
	})
}
