package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// ready runs a consumer and waits until it is ready.
func (b *bench) ready(handle func(ctx context.Context, m consume.Message) error, change ...func(*kafka.Config)) (c *kafka.Consumer, stop func() error, log *lines) {
	b.t.Helper()
	router, log := consume.NewRouter(), &lines{}
	router.Handle("paid", handle)
	cfg := b.config(router)
	cfg.Logger = log.logger()
	for _, f := range change {
		f(&cfg)
	}
	c, stop, _ = launch(b.t, cfg)
	await(b.t, "it is ready", func() bool { return c.Ready() == nil }, log)
	return c, stop, log
}

// A consumer goes back and handles records again. The offset is committed before the
// first of them is handled, so that a restart begins there too.
func TestSeekBack(t *testing.T) {
	for name, concurrency := range map[string]int{"one after the other": 1, "in parallel": 4} {
		t.Run(name, func(t *testing.T) {
			each(t, 1, func(b *bench) {
				b.produce(0, "paid", 10)
				seen := newLog()
				var blocked atomic.Bool
				handle := func(ctx context.Context, m consume.Message) error {
					if blocked.Load() {
						<-ctx.Done()
						return ctx.Err()
					}
					return seen.handle(ctx, m)
				}
				change := func(c *kafka.Config) { c.Concurrency, c.DrainTimeout = concurrency, time.Millisecond }
				c, stop, _ := b.ready(handle, change)
				seen.wait(b.t, 10)
				b.waitCommitted(0, 10)
				blocked.Store(true)
				if err := c.Seek(b.t.Context(), b.topic, 0, 3); err != nil {
					b.t.Fatal(err)
				}
				if at := b.committed(0); at != 3 {
					b.t.Errorf("committed at %d", at)
				}
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
				blocked.Store(false)
				c, stop, _ = b.ready(handle, change)
				want := append(numbers(0, 10), numbers(0, 10)[3:]...)
				if d := cmp.Diff(sorted(want), sorted(seen.wait(b.t, len(want)))); d != "" {
					b.t.Errorf("handled (-want +got):\n%s", d)
				}
				// And again, in the run that goes on.
				if err := c.Seek(b.t.Context(), b.topic, 0, 8); err != nil {
					b.t.Fatal(err)
				}
				want = append(want, "0:8", "0:9")
				if d := cmp.Diff(sorted(want), sorted(seen.wait(b.t, len(want)))); d != "" {
					b.t.Errorf("handled in the end (-want +got):\n%s", d)
				}
				b.waitCommitted(0, 10)
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
			})
		})
	}
}

// An operator leaves out a record that cannot be handled, and those that wait behind it
// up to an offset. A batch that waits for more records does not delay that.
func TestSeekForward(t *testing.T) {
	for name, register := range map[string]func(r *consume.Router, h func(context.Context, consume.Message) error){
		"records": func(r *consume.Router, h func(context.Context, consume.Message) error) { r.Handle("paid", h) },
		"batches": func(r *consume.Router, h func(context.Context, consume.Message) error) {
			r.HandleBatch("paid", consume.BatchOptions{MaxRecords: 2}, func(ctx context.Context, batch []consume.Message) error {
				for i, m := range batch {
					if err := h(ctx, m); err != nil {
						return &consume.BatchError{Index: i, Err: err}
					}
				}
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 1, func(b *bench) {
				b.produce(0, "paid", 6)
				seen, log := newLog(), &lines{}
				router := consume.NewRouter()
				register(router, func(ctx context.Context, m consume.Message) error {
					if string(m.Value) == "1" {
						return errors.New("never")
					}
					return seen.handle(ctx, m)
				})
				cfg := b.config(router)
				cfg.Logger, cfg.RetryMin, cfg.RetryMax = log.logger(), time.Hour, time.Hour
				c, stop, _ := launch(b.t, cfg)
				await(b.t, "record 1 fails", func() bool { return c.Stats().Failed > 0 }, log)
				if err := c.Seek(b.t.Context(), b.topic, 0, 4); err != nil {
					b.t.Fatal(err)
				}
				want := []string{"0:0", "0:4", "0:5"}
				if d := cmp.Diff(want, seen.wait(b.t, len(want))); d != "" {
					b.t.Errorf("handled (-want +got):\n%s", d)
				}
				b.waitCommitted(0, 6)
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
				line := log.await(b.t, "reading continues at another offset")
				if d := cmp.Diff([]any{b.topic, 0.0, 4.0}, []any{line["topic"], line["partition"], line["offset"]}); d != "" {
					b.t.Errorf("the line (-want +got):\n%s", d)
				}
			})
		})
	}
}

// A handler that runs is finished first, and records that wait are dropped.
func TestSeekWhileAHandlerRuns(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 5)
		seen := newLog()
		began, release := make(chan struct{}, 5), make(chan struct{})
		c, stop, log := b.ready(func(ctx context.Context, m consume.Message) error {
			began <- struct{}{}
			<-release
			return seen.handle(ctx, m)
		})
		<-began
		await(b.t, "the others wait", func() bool { return c.Stats().BufferedRecords == 5 }, log)
		moved := make(chan error, 1)
		go func() { moved <- c.Seek(b.t.Context(), b.topic, 0, 5) }()
		await(b.t, "the handler is told to end", func() bool { return kafka.Stopping(c, b.topic, 0) }, log)
		select {
		case err := <-moved:
			b.t.Errorf("it does not wait for the handler, and returns %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		close(release)
		if err := <-moved; err != nil {
			b.t.Fatal(err)
		}
		if at := b.committed(0); at != 5 {
			b.t.Errorf("committed at %d", at)
		}
		b.produce(0, "paid", 2)
		if d := cmp.Diff([]string{"0:0", "0:0", "0:1"}, seen.wait(b.t, 3)); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// All partitions of Config.Topics continue at a time, those without such records at their
// end. Retry topics are not moved.
func TestSeekToTime(t *testing.T) {
	base := time.UnixMilli(1_790_000_000_000)
	each(t, 3, func(b *bench) {
		retry := b.k.NewTopic(b.t, "retry", 1)
		for partition, n := range []int{4, 2, 0} {
			for i := range n {
				r := &kgo.Record{Topic: b.topic, Partition: int32(partition), Value: fmt.Append(nil, i), Timestamp: base.Add(time.Duration(i) * time.Second),
					Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}}}
				if err := b.client.ProduceSync(b.t.Context(), r).FirstErr(); err != nil {
					b.t.Fatal(err)
				}
			}
		}
		other := &kgo.Record{Topic: retry, Value: []byte("retry"), Timestamp: base.Add(time.Hour), Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}}}
		if err := b.client.ProduceSync(b.t.Context(), other).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		seen := newLog()
		c, stop, _ := b.ready(seen.handle, func(c *kafka.Config) {
			c.MaxAttempts, c.RetryTopics = 1, []kafka.RetryTopic{{Topic: retry, Delay: time.Millisecond}}
		})
		seen.wait(b.t, 7)
		if err := c.SeekToTime(b.t.Context(), base.Add(2*time.Second)); err != nil {
			b.t.Fatal(err)
		}
		want := []string{"0:0", "0:1", "0:2", "0:3", "0:retry", "1:0", "1:1", "0:2", "0:3"}
		if d := cmp.Diff(sorted(want), sorted(seen.wait(b.t, len(want)))); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 4)
		b.waitCommitted(1, 2)
		for _, early := range []time.Time{{}, time.UnixMilli(-1)} { // -1 means the end to a broker
			if err := c.SeekToTime(b.t.Context(), early); err != nil {
				b.t.Fatal(err)
			}
			want = append(want, "0:0", "0:1", "0:2", "0:3", "1:0", "1:1")
			if d := cmp.Diff(sorted(want), sorted(seen.wait(b.t, len(want)))); d != "" {
				b.t.Errorf("from %v (-want +got):\n%s", early, d)
			}
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// A group that starts with new records is told to go back before it has handled one.
func TestSeekInANewGroup(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 5)
		seen := newLog()
		latest := func(c *kafka.Config) { c.StartAt = kafka.Latest }
		c, stop, _ := b.ready(seen.handle, latest)
		if err := c.Seek(b.t.Context(), b.topic, 0, 2); err != nil {
			b.t.Fatal(err)
		}
		if d := cmp.Diff([]string{"0:2", "0:3", "0:4"}, seen.wait(b.t, 3)); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 5)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// What cannot be moved is refused, with the reason, and nothing is moved.
func TestSeeksThatAreRefused(t *testing.T) {
	each(t, 2, func(b *bench) {
		b.produce(0, "paid", 3)
		b.produce(1, "paid", 3)
		idle, err := kafka.New(b.config(consume.NewRouter()))
		if err != nil {
			b.t.Fatal(err)
		}
		if err := idle.Seek(b.t.Context(), b.topic, 0, 0); !errors.Is(err, kafka.ErrNotRunning) {
			b.t.Errorf("before Run: %v", err)
		}
		if err := idle.SeekToTime(b.t.Context(), time.Now()); !errors.Is(err, kafka.ErrNotRunning) {
			b.t.Errorf("before Run: %v", err)
		}
		seen := newLog()
		c, stop, log := b.ready(seen.handle)
		seen.wait(b.t, 6)
		b.waitCommitted(0, 3)
		b.remove(2)
		for name, call := range map[string]struct {
			err  error
			says string
		}{
			"an offset that is not there yet": {c.Seek(b.t.Context(), b.topic, 0, 4), fmt.Sprintf("consume/kafka: offset 4 is not in partition %s/0, which has the offsets 2 to 3", b.topic)},
			"an offset that was removed":      {c.Seek(b.t.Context(), b.topic, 0, 1), fmt.Sprintf("consume/kafka: offset 1 is not in partition %s/0, which has the offsets 2 to 3", b.topic)},
			"a partition that does not exist": {c.Seek(b.t.Context(), b.topic, 2, 0), fmt.Sprintf("consume/kafka: group %s: partition 2 of topic %s is not assigned to this member: call the member that has it", b.group, b.topic)},
			"another topic":                   {c.Seek(b.t.Context(), "other", 0, 0), fmt.Sprintf("consume/kafka: group %s: partition 0 of topic other is not assigned to this member: call the member that has it", b.group)},
		} {
			if call.err == nil || call.err.Error() != call.says {
				b.t.Errorf("%s: %v", name, call.err)
			}
		}
		gone, cancel := context.WithCancel(b.t.Context())
		cancel()
		if err := c.Seek(gone, b.topic, 0, 2); !errors.Is(err, context.Canceled) {
			b.t.Errorf("the caller has gone: %v", err)
		}
		// Another member has one of the partitions.
		_, _, _ = b.ready(seen.handle)
		of := func() (refused int) {
			for id := range int32(2) {
				err := c.Seek(b.t.Context(), b.topic, id, 3)
				missing, ok := errors.AsType[*kafka.NotAssignedError](err)
				if err != nil && !ok {
					b.t.Fatal(err)
				}
				if ok {
					refused++
					if d := cmp.Diff(&kafka.NotAssignedError{Group: b.group, Topic: b.topic, Partitions: []int32{id}}, missing); d != "" {
						b.t.Errorf("(-want +got):\n%s", d)
					}
				}
			}
			return refused
		}
		await(b.t, "one partition is the other member's", func() bool { return of() == 1 }, log)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if err := c.Seek(b.t.Context(), b.topic, 0, 3); !errors.Is(err, kafka.ErrNotRunning) {
			b.t.Errorf("after Run: %v", err)
		}
		if d := cmp.Diff(append(numbers(0, 3), numbers(1, 3)...), sorted(seen.list())); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
	})
}

// Partitions come and go while they are moved. Each call moves a partition that the member
// has, or is refused, and no record is left out in the end.
func TestSeekDuringRebalances(t *testing.T) {
	each(t, 3, func(b *bench) {
		for p := range int32(3) {
			b.produce(p, "paid", 20)
		}
		seen := newLog()
		c, stop, log := b.ready(seen.handle, func(c *kafka.Config) { c.Concurrency = 3 })
		seen.wait(b.t, 60)
		ending, end := context.WithCancel(b.t.Context())
		moved := make(chan int, 1)
		go func() {
			n := 0
			for i := 0; ending.Err() == nil; i++ {
				err := c.Seek(ending, b.topic, int32(i%3), int64(i%20))
				_, elsewhere := errors.AsType[*kafka.NotAssignedError](err)
				if err != nil && !elsewhere && ending.Err() == nil {
					log.logger().Warn("seek", "error", err) // a commit that a rebalance refuses: it is tried again
				}
				if err == nil {
					n++
				}
			}
			moved <- n
		}()
		for range 3 {
			_, leave, _ := b.ready(seen.handle)
			if err := leave(); err != nil {
				b.t.Fatal(err)
			}
		}
		end()
		if n := <-moved; n == 0 {
			b.t.Errorf("nothing was moved\n%s", log)
		}
		for p := range int32(3) {
			b.waitCommitted(p, 20)
		}
		for p := range int32(3) {
			await(b.t, "the partition is this member's again", func() bool { return c.Seek(b.t.Context(), b.topic, p, 19) == nil }, log)
			b.produce(p, "paid", 1)
			b.waitCommitted(p, 21)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// A commit that the brokers refuse, as during a rebalance, is an error of Seek. Reading
// still continues at the offset, and tries the commit again.
func TestASeekThatIsNotCommitted(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	b := newBench(t, k, 1)
	b.produce(0, "paid", 5)
	seen := newLog()
	c, stop, _ := b.ready(seen.handle)
	seen.wait(t, 5)
	b.waitCommitted(0, 5)
	refusing := refuseCommits(t, k, kerr.RebalanceInProgress)
	if err := c.Seek(t.Context(), b.topic, 0, 3); !errors.Is(err, kerr.RebalanceInProgress) {
		t.Errorf("it returns %v", err)
	}
	if d := cmp.Diff(append(numbers(0, 5), "0:3", "0:4"), seen.wait(t, 7)); d != "" {
		t.Errorf("handled (-want +got):\n%s", d)
	}
	if err := c.Seek(t.Context(), b.topic, 0, 4); !errors.Is(err, kerr.RebalanceInProgress) {
		t.Errorf("it returns %v", err)
	}
	seen.wait(t, 8)
	b.produce(0, "paid", 1)
	seen.wait(t, 9)
	refusing.Store(false)
	b.waitCommitted(0, 6)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// While handlers of some partitions do not end, other partitions are read and rebalances
// are not held up, however many calls wait. The calls end with their contexts, the handlers
// are cancelled then, and the partitions continue at the offsets when they have ended.
func TestSeeksThatWaitForHandlers(t *testing.T) {
	each(t, 4, func(b *bench) {
		for p := range int32(4) {
			b.produce(p, "paid", 3)
		}
		seen := newLog()
		began, cancelled, release := make(chan struct{}, 3), make(chan struct{}, 3), make(chan struct{})
		var holding atomic.Bool
		holding.Store(true)
		c, stop, log := b.ready(func(ctx context.Context, m consume.Message) error {
			if m.Partition > 0 && holding.Load() {
				began <- struct{}{}
				<-ctx.Done()
				cancelled <- struct{}{}
				<-release
				return ctx.Err()
			}
			return seen.handle(ctx, m)
		}, func(c *kafka.Config) { c.DrainTimeout = time.Hour })
		for range 3 {
			<-began
		}
		holding.Store(false)
		seeking, giveUp := context.WithCancel(b.t.Context())
		type outcome struct {
			partition int32
			err       error
		}
		outcomes := make(chan outcome, 4)
		for p := int32(1); p < 4; p++ {
			go func() { outcomes <- outcome{p, c.Seek(seeking, b.topic, p, 2)} }()
		}
		go func() { outcomes <- outcome{0, c.Seek(b.t.Context(), b.topic, 0, 3)} }()
		if first := <-outcomes; first.partition != 0 || first.err != nil {
			b.t.Errorf("partition %d is moved first, with %v", first.partition, first.err)
		}
		b.produce(0, "paid", 2)
		if d := cmp.Diff([]string{"0:0", "0:0", "0:1", "0:1", "0:2"}, sorted(seen.wait(b.t, 5))); d != "" {
			b.t.Errorf("handled beside the calls (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 5)
		if n := len(cancelled); n != 0 {
			b.t.Errorf("%d handlers are cancelled too early", n)
		}
		for p := int32(1); p < 4; p++ {
			await(b.t, "the handlers are told to end", func() bool { return kafka.Stopping(c, b.topic, p) }, log)
		}
		giveUp()
		for range 3 {
			if got := <-outcomes; !errors.Is(got.err, context.Canceled) {
				b.t.Errorf("partition %d: %v", got.partition, got.err)
			}
			<-cancelled
		}
		close(release)
		want := []string{"0:0", "0:0", "0:1", "0:1", "0:2", "1:2", "2:2", "3:2"}
		if d := cmp.Diff(want, sorted(seen.wait(b.t, len(want)))); d != "" {
			b.t.Errorf("handled in the end (-want +got):\n%s", d)
		}
		for p := int32(1); p < 4; p++ {
			b.waitCommitted(p, 3)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if lines := log.like(b.t, "reading continues at another offset"); len(lines) != 4 {
			b.t.Errorf("%d partitions were moved, want 4\n%s", len(lines), log)
		}
	})
}

// Calls for one partition at the same time are all served.
func TestSeeksForOnePartition(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 6)
		seen := newLog()
		began, release := make(chan struct{}), make(chan struct{})
		signal := sync.OnceFunc(func() { close(began) })
		c, stop, _ := b.ready(func(ctx context.Context, m consume.Message) error {
			signal()
			<-release
			return seen.handle(ctx, m)
		})
		<-began
		outcomes := make(chan error, 3)
		for range cap(outcomes) {
			go func() { outcomes <- c.Seek(b.t.Context(), b.topic, 0, 5) }()
		}
		close(release)
		for range cap(outcomes) {
			if err := <-outcomes; err != nil {
				b.t.Error(err)
			}
		}
		b.waitCommitted(0, 6)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if list := seen.list(); list[0] != "0:0" || list[len(list)-1] != "0:5" {
			b.t.Errorf("handled %q", list)
		}
	})
}

// A rebalance begins while calls wait for handlers. It waits for the same handlers. The
// partition that goes to another member continues there after the record that was handled,
// and the call says so. The one that stays is moved.
func TestARebalanceWhileASeekWaits(t *testing.T) {
	type outcome struct {
		partition int32 // -1: of all
		err       error
	}
	for name, seek := range map[string]func(b *bench, c *kafka.Consumer, outcomes chan<- outcome) (calls int){
		"a call for each": func(b *bench, c *kafka.Consumer, outcomes chan<- outcome) int {
			for p := range int32(2) {
				go func() { outcomes <- outcome{p, c.Seek(b.t.Context(), b.topic, p, 0)} }()
			}
			return 2
		},
		"one call for both": func(b *bench, c *kafka.Consumer, outcomes chan<- outcome) int {
			go func() { outcomes <- outcome{-1, c.SeekToTime(b.t.Context(), time.Time{})} }()
			return 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 2, func(b *bench) {
				for p := range int32(2) {
					b.produce(p, "paid", 3)
				}
				seen, others := newLog(), newLog()
				began, release := make(chan struct{}, 10), make(chan struct{})
				c, stop, log := b.ready(func(ctx context.Context, m consume.Message) error {
					began <- struct{}{}
					<-release
					return seen.handle(ctx, m)
				}, func(c *kafka.Config) { c.DrainTimeout = time.Hour })
				<-began
				<-began
				outcomes := make(chan outcome, 2)
				calls := seek(b, c, outcomes)
				for p := range int32(2) {
					await(b.t, "the handlers are told to end", func() bool { return kafka.Stopping(c, b.topic, p) }, log)
				}

				router := consume.NewRouter()
				router.Handle("paid", others.handle)
				cfg := b.config(router)
				cfg.Logger = log.logger()
				other, leave, _ := launch(b.t, cfg)
				var stays, goes int32
				await(b.t, "a partition is being revoked", func() bool {
					zero, one := kafka.Stopping(c, b.topic, 0), kafka.Stopping(c, b.topic, 1)
					if stays, goes = 0, 1; one {
						stays, goes = 1, 0
					}
					return zero != one
				}, log)
				if n := len(outcomes); n != 0 {
					b.t.Errorf("%d calls do not wait for the handlers", n)
				}
				close(release)

				for range calls {
					got := <-outcomes
					refused, left := errors.AsType[*kafka.NotAssignedError](got.err)
					switch {
					case got.partition == stays && (got.err == nil || errors.Is(got.err, kerr.RebalanceInProgress)): // then it is committed later
					case got.partition != stays && left:
						if d := cmp.Diff(&kafka.NotAssignedError{Group: b.group, Topic: b.topic, Partitions: []int32{goes}}, refused); d != "" {
							b.t.Errorf("the partition that goes (-want +got):\n%s", d)
						}
					case got.partition < 0 && errors.Is(got.err, kerr.RebalanceInProgress):
					default:
						b.t.Errorf("partition %d of 0 and 1, of which %d stays: %v", got.partition, stays, got.err)
					}
				}
				await(b.t, "the other member has its partition", func() bool { return other.Ready() == nil }, log)
				if d := cmp.Diff(sorted(append(numbers(int(stays), 3), numbers(0, 1)[0], numbers(1, 1)[0])), sorted(seen.wait(b.t, 5))); d != "" {
					b.t.Errorf("handled by the first member (-want +got):\n%s", d)
				}
				if d := cmp.Diff(numbers(int(goes), 3)[1:], others.wait(b.t, 2)); d != "" {
					b.t.Errorf("handled by the other member (-want +got):\n%s", d)
				}
				for p := range int32(2) {
					b.waitCommitted(p, 3)
				}
				for _, end := range []func() error{leave, stop} {
					if err := end(); err != nil {
						b.t.Fatal(err)
					}
				}
			})
		})
	}
}
