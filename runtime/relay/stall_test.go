package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// cluster is a sink with topics and answers chosen by a test.
type cluster struct {
	mu       sync.Mutex
	topics   map[string]relay.TopicInfo
	answer   func(ctx context.Context, r *relay.Record) relay.Result
	sent     []string // topics of the records that were handed over
	timeouts []time.Duration
}

func (c *cluster) Open(context.Context) (relay.Producer, error) { return c, nil }
func (c *cluster) Partition(_ []byte, n int) int32              { return int32(n - 1) }
func (c *cluster) Close()                                       {}

func (c *cluster) Topics(_ context.Context, names []string) ([]relay.TopicInfo, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []relay.TopicInfo
	for _, name := range names {
		info := c.topics[name]
		info.Name = name
		out = append(out, info)
	}
	return out, nil
}

func (c *cluster) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	c.mu.Lock()
	end, _ := ctx.Deadline()
	c.timeouts = append(c.timeouts, time.Until(end))
	for i := range wave {
		c.sent = append(c.sent, wave[i].Topic)
	}
	c.mu.Unlock()
	for i := range wave {
		results[i] = c.answer(ctx, &wave[i])
	}
}

func (c *cluster) seen() (sent []string, timeouts []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(sent, c.sent...), append(timeouts, c.timeouts...)
}

// A process that was suspended while its sink waited does not know yet that its lease is
// over. The sink can see it.
func TestTheContextOfAWaveEndsWithTheLease(t *testing.T) {
	t.Parallel()
	clock := &skippingClock{start: time.Now()}
	c := &cluster{topics: map[string]relay.TopicInfo{"t": {Partitions: 1}}}
	var before, after error
	first := true
	c.answer = func(ctx context.Context, _ *relay.Record) relay.Result {
		if first {
			first = false
			before = ctx.Err()
			clock.skipped.Add(int64(time.Minute))
			after = ctx.Err()
		}
		return relay.Result{}
	}
	store := relay.NewMemStore()
	store.Add(rows(1, "t", "k")...)
	r := start(t, relay.Config{Store: store, Sink: c, Clock: clock})
	r.w.publishes(t, 1)
	if before != nil || after == nil {
		t.Errorf("the context's error is %v within the lease and %v after it", before, after)
	}
}

// A topic with one partition that does not answer pauses as a whole. While it is tried
// again everything waits, so this must not take the whole wave timeout.
func TestATopicThatDoesNotAnswerIsProbedShortly(t *testing.T) {
	t.Parallel()
	store := relay.NewMemStore()
	store.Add(rows(1, "stuck", "k")...)
	c := &cluster{topics: map[string]relay.TopicInfo{"stuck": {Partitions: 1}}}
	c.answer = func(ctx context.Context, _ *relay.Record) relay.Result {
		<-ctx.Done()
		return relay.Result{Class: relay.ClassPartition, Err: errors.New("no answer")}
	}
	r := start(t, relay.Config{Store: store, Sink: c, WaveTimeout: 500 * time.Millisecond, PauseMin: 10 * time.Millisecond, PauseMax: 20 * time.Millisecond})
	r.w.until(t, "three waves", func(*watcher) bool {
		_, timeouts := c.seen()
		return len(timeouts) >= 3
	})
	_, timeouts := c.seen()
	for _, d := range timeouts[1:] {
		if d > 100*time.Millisecond {
			t.Errorf("the topic was tried again for %s: a fifth of 500ms is enough; all: %v", d, timeouts)
		}
	}
}

// Rows of a topic without any leader are never handed over, even when its pause is
// over.
func TestATopicWithoutALeaderIsNotSentTo(t *testing.T) {
	t.Parallel()
	store := relay.NewMemStore()
	store.Add(rows(1, "headless", "k")...)
	c := &cluster{topics: map[string]relay.TopicInfo{"headless": {Partitions: 1, Unavailable: []int32{0}}, "fine": {Partitions: 1}}}
	c.answer = func(context.Context, *relay.Record) relay.Result { return relay.Result{} }
	r := start(t, relay.Config{Store: store, Sink: c, PauseMin: 10 * time.Millisecond, PauseMax: 20 * time.Millisecond})
	for i := range 20 {
		store.Add(rows(1, "fine", "k")...)
		r.w.publishes(t, i+1)
		time.Sleep(5 * time.Millisecond) // several pauses end in this time
	}
	sent, _ := c.seen()
	if got := strings.Join(sent, " "); strings.Contains(got, "headless") {
		t.Errorf("sent: %s", got)
	}
	c.mu.Lock()
	c.topics["headless"] = relay.TopicInfo{Partitions: 1}
	c.mu.Unlock()
	r.w.publishes(t, 21)
}

// A client that knows fewer partitions than the relay refuses the record without an
// error of Kafka. The relay has to describe the topic again, or it would repeat this
// forever.
func TestATopicThatShrankIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	store := relay.NewMemStore()
	c := &cluster{topics: map[string]relay.TopicInfo{"t": {Partitions: 6}}}
	c.answer = func(_ context.Context, r *relay.Record) relay.Result {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.topics["t"] = relay.TopicInfo{Partitions: 3} // from the first attempt on
		if r.Partition >= 3 {
			return relay.Result{Class: relay.ClassRelay, Err: errors.New("invalid record partitioning choice")}
		}
		return relay.Result{}
	}
	store.Add(rows(2, "t", "k")...)
	r := start(t, relay.Config{Store: store, Sink: c, OutageMin: 10 * time.Millisecond, OutageMax: 20 * time.Millisecond})
	r.w.publishes(t, 2)
}

// A topic may be described and not written, for example with DESCRIBE granted and WRITE
// denied. It stays paused, is tried with one row at a time, and the log says once that
// it paused and once that it continues: after it has accepted a record.
func TestATopicThatIsDescribedAndNotWrittenStaysPaused(t *testing.T) {
	t.Parallel()
	store := relay.NewMemStore()
	store.Add(rows(50, "denied", "k")...)
	var tries, granted atomic.Int64
	c := &cluster{topics: map[string]relay.TopicInfo{"denied": {Partitions: 1}}}
	c.answer = func(context.Context, *relay.Record) relay.Result {
		if granted.Load() == 0 {
			tries.Add(1)
			return relay.Result{Class: relay.ClassTopic, Err: errors.New("not authorised to write")}
		}
		return relay.Result{}
	}
	log := &logText{}
	r := start(t, relay.Config{
		Store: store, Sink: c, PauseMin: 5 * time.Millisecond, PauseMax: 20 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	paused := func(w *watcher) bool { return len(w.status.PausedTopics) == 1 }
	r.w.until(t, "the topic is paused", paused)
	r.w.until(t, "it is tried ten times", func(w *watcher) bool {
		if !paused(w) {
			t.Errorf("it is not shown as paused: %+v", w.status)
		}
		sent, _ := c.seen()
		return len(sent) >= 50+10 // the first wave has all rows
	})
	if sent, timeouts := c.seen(); len(sent) > 50+len(timeouts) {
		t.Errorf("%d records were handed over in %d waves: after the first, one at a time is enough", len(sent), len(timeouts))
	}
	granted.Store(1)
	r.w.publishes(t, 50)
	r.stop()
	text := log.String()
	if n := strings.Count(text, "topic paused"); n != 1 {
		t.Errorf("the log says %d times that the topic is paused:\n%s", n, text)
	}
	if n := strings.Count(text, "topic resumed"); n != 1 {
		t.Errorf("the log says %d times that the topic is resumed:\n%s", n, text)
	}
}
