package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

// bench is one topic with the tools to fill it and to look at a group.
type bench struct {
	t      *testing.T
	k      *services.KafkaCluster
	topic  string
	group  string
	client *kgo.Client
}

func each(t *testing.T, partitions int32, test func(b *bench)) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		test(newBench(t, k, partitions))
	})
}

func newBench(t *testing.T, k *services.KafkaCluster, partitions int32) *bench {
	t.Helper()
	// Some tests write records of a fixed time, which the default retention would remove.
	b := &bench{t: t, k: k, topic: k.NewTopic(t, "orders", partitions, "retention.ms=-1")}
	b.group = b.topic + "-group"
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	b.client = client
	return b
}

// config returns the configuration of a member with short pauses.
func (b *bench) config(router kafka.Dispatcher) kafka.Config {
	return kafka.Impatient(kafka.Config{
		Brokers: b.k.Brokers, Group: b.group, Topics: []string{b.topic}, Router: router,
		CommitEvery: 100 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond,
		Options: []kgo.Opt{kgo.FetchMaxWait(50 * time.Millisecond)},
	})
}

// produce writes records "0", "1", … to a partition, with an event type.
func (b *bench) produce(partition int32, eventType string, n int) {
	b.t.Helper()
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{
			Topic: b.topic, Partition: partition, Value: fmt.Append(nil, i),
			Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte(eventType)}},
		})
	}
	if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// committed returns the group's offset of a partition, or -1.
func (b *bench) committed(partition int32) int64 {
	b.t.Helper()
	offsets, err := kadm.NewClient(b.client).FetchOffsets(b.t.Context(), b.group)
	if err != nil {
		b.t.Fatal(err)
	}
	if o, ok := offsets.Lookup(b.topic, partition); ok {
		return o.At
	}
	return -1
}

func (b *bench) waitCommitted(partition int32, at int64) {
	b.t.Helper()
	const patience = time.Minute
	deadline := time.After(patience)
	for b.committed(partition) != at {
		select {
		case <-deadline:
			b.t.Fatalf("after %v partition %d is not committed at %d but at %d", patience, partition, at, b.committed(partition))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// start runs a member of the group; stop ends it and returns Run's error.
func (b *bench) start(handle func(ctx context.Context, m consume.Message) error, change ...func(*kafka.Config)) (stop func() error) {
	b.t.Helper()
	r := consume.NewRouter()
	r.Handle("paid", handle)
	cfg := b.config(r)
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	result := make(chan error, 1)
	go func() {
		err := kafka.Run(ctx, cfg)
		if ctx.Err() == nil {
			b.t.Errorf("Run ended by itself: %v", err)
		}
		result <- err
	}()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	b.t.Cleanup(func() { _ = stop() })
	return stop
}

// wait returns Run's error when it ends by itself.
func (b *bench) run(handle func(ctx context.Context, m consume.Message) error, change ...func(*kafka.Config)) error {
	b.t.Helper()
	r := consume.NewRouter(consume.OnUnknown(consume.Fail))
	r.Handle("paid", handle)
	cfg := kafka.Config{
		Brokers: b.k.Brokers, Group: b.group, Topics: []string{b.topic}, Router: r,
		RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond,
	}
	for _, c := range change {
		c(&cfg)
	}
	return kafka.Run(b.t.Context(), cfg)
}

// log collects what was handled.
type log struct {
	mu      sync.Mutex
	entries []string
	changed chan struct{} // holds a token when there is something new
}

func newLog() *log { return &log{changed: make(chan struct{}, 1)} }

func (l *log) add(entry string) {
	l.mu.Lock()
	l.entries = append(l.entries, entry)
	l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *log) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// wait returns the entries once there are n.
func (l *log) wait(t *testing.T, n int) []string {
	t.Helper()
	for {
		if entries := l.list(); len(entries) >= n {
			return entries
		}
		select {
		case <-l.changed:
		case <-time.After(patience):
			t.Fatalf("%d of %d: %v", len(l.list()), n, l.list())
		}
	}
}

func (l *log) handle(_ context.Context, m consume.Message) error {
	l.add(fmt.Sprintf("%d:%s", m.Partition, m.Value))
	return nil
}

func numbers(partition, n int) []string {
	list := make([]string, n)
	for i := range n {
		list[i] = fmt.Sprintf("%d:%d", partition, i)
	}
	return list
}

func TestOffsetsAreCommittedAfterTheHandler(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 3)
		began, proceed := make(chan struct{}), make(chan struct{})
		stop := b.start(func(_ context.Context, m consume.Message) error {
			if string(m.Value) == "1" {
				close(began)
				<-proceed
			}
			return nil
		})
		<-began
		// Record 0 is handled, record 1 is being handled: 1 is the next to read.
		b.waitCommitted(0, 1)

		// At the end the consumer waits for the handler, whose context is not
		// cancelled, and commits.
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		close(proceed)
		if err := <-stopped; err != nil {
			b.t.Fatal(err)
		}
		if at := b.committed(0); at < 2 {
			b.t.Fatalf("committed at %d", at)
		}
	})
}

// The process dies, or loses its network, before it commits. Everything that was not
// committed is delivered again.
func TestACrashBeforeTheCommitDeliversAgain(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 5)
		var dead atomic.Bool
		var mu sync.Mutex
		var conns []net.Conn
		first := newLog()
		stop := b.start(first.handle, func(c *kafka.Config) {
			c.CommitEvery = time.Hour
			c.DrainTimeout = 50 * time.Millisecond
			c.Options = append(c.Options, kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				if dead.Load() {
					return nil, errors.New("dead")
				}
				conn, err := (&net.Dialer{}).DialContext(ctx, network, host)
				conns = append(conns, conn)
				return conn, err
			}), kgo.SessionTimeout(6*time.Second))
		})
		first.wait(b.t, 5)
		mu.Lock()
		dead.Store(true)
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		second := newLog()
		stop = b.start(second.handle)
		if diff := cmp.Diff(numbers(0, 5), second.wait(b.t, 5)); diff != "" {
			b.t.Fatal(diff)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

func TestUnknownTypesAreSkipped(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "gone", 3)
		b.produce(0, "paid", 2)
		seen := newLog()
		stop := b.start(seen.handle)
		if diff := cmp.Diff(numbers(0, 2), seen.wait(b.t, 2)); diff != "" {
			b.t.Fatal(diff)
		}
		b.waitCommitted(0, 5)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// A record that fails is retried in place. Its partition waits, the others do not, and
// the records in memory stay limited meanwhile.
func TestAFailingRecordHoldsUpItsPartitionOnly(t *testing.T) {
	each(t, 2, func(b *bench) {
		const n = 200
		b.produce(0, "paid", n)
		b.produce(1, "paid", n)
		var fixed atomic.Bool
		seen := newLog()
		stop := b.start(func(ctx context.Context, m consume.Message) error {
			if m.Partition == 0 && string(m.Value) == "3" && !fixed.Load() {
				return errors.New("no")
			}
			return seen.handle(ctx, m)
		}, func(c *kafka.Config) { c.BufferRecords = 10 })
		seen.wait(b.t, 3+n)
		b.waitCommitted(1, n)
		b.waitCommitted(0, 3)
		fixed.Store(true)
		got := map[byte][]string{}
		for _, e := range seen.wait(b.t, 2*n) {
			got[e[0]] = append(got[e[0]], e)
		}
		if diff := cmp.Diff(map[byte][]string{'0': numbers(0, n), '1': numbers(1, n)}, got); diff != "" {
			b.t.Fatal(diff)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

func TestGivingUp(t *testing.T) {
	broken := errors.New("no")
	failAtOne := func(seen *log) func(ctx context.Context, m consume.Message) error {
		return func(ctx context.Context, m consume.Message) error {
			if string(m.Value) == "1" {
				seen.add("try")
				return broken
			}
			return seen.handle(ctx, m)
		}
	}
	t.Run("stop", func(t *testing.T) {
		each(t, 1, func(b *bench) {
			b.produce(0, "paid", 3)
			seen := newLog()
			err := b.run(failAtOne(seen), func(c *kafka.Config) { c.MaxAttempts = 3 })
			handler, ok := errors.AsType[*consume.HandlerError](err)
			if !ok || !errors.Is(err, broken) || handler.Record.Offset != 1 {
				b.t.Fatalf("Run says %v", err)
			}
			if diff := cmp.Diff([]string{"0:0", "try", "try", "try"}, seen.list()); diff != "" {
				b.t.Fatal(diff)
			}
			if at := b.committed(0); at != 1 {
				b.t.Fatalf("committed at %d", at)
			}
		})
	})
	t.Run("skip", func(t *testing.T) {
		each(t, 1, func(b *bench) {
			b.produce(0, "paid", 3)
			seen := newLog()
			stop := b.start(failAtOne(seen), func(c *kafka.Config) { c.MaxAttempts, c.GiveUp = 2, kafka.Skip })
			if diff := cmp.Diff([]string{"0:0", "try", "try", "0:2"}, seen.wait(b.t, 4)); diff != "" {
				b.t.Fatal(diff)
			}
			b.waitCommitted(0, 3)
			if err := stop(); err != nil {
				b.t.Fatal(err)
			}
		})
	})
	t.Run("dead letter", func(t *testing.T) {
		each(t, 1, func(b *bench) {
			b.produce(0, "paid", 2)
			b.produce(0, "", 1) // no type anywhere, so there is no second attempt
			b.produce(0, "paid", 1)
			seen := newLog()
			letters := 0
			stop := b.start(failAtOne(seen), func(c *kafka.Config) {
				c.MaxAttempts = 2
				c.DeadLetter = func(_ context.Context, m consume.Message, cause error) error {
					if letters++; letters == 1 {
						return errors.New("the dead letters are full")
					}
					seen.add(fmt.Sprintf("dead %d permanent=%v", m.Offset, consume.Permanent(cause)))
					return nil
				}
			})
			want := []string{"0:0", "try", "try", "dead 1 permanent=false", "dead 2 permanent=true", "0:0"}
			if diff := cmp.Diff(want, seen.wait(b.t, len(want))); diff != "" {
				b.t.Fatal(diff)
			}
			b.waitCommitted(0, 4)
			if err := stop(); err != nil {
				b.t.Fatal(err)
			}
		})
	})
	t.Run("unknown type", func(t *testing.T) {
		each(t, 1, func(b *bench) {
			b.produce(0, "gone", 1)
			err := b.run(newLog().handle)
			unknown, ok := errors.AsType[*consume.UnknownTypeError](err)
			if !ok || unknown.Record.EventType != "gone" {
				b.t.Fatalf("Run says %v", err)
			}
		})
	})
}

// Members come and go while records are handled. Each partition's records are handled
// in order and, because every member ends cleanly, once.
func TestRebalance(t *testing.T) {
	each(t, 4, func(b *bench) {
		const n = 150
		for p := range int32(4) {
			b.produce(p, "paid", n)
		}
		seen := newLog()
		slow := func(ctx context.Context, m consume.Message) error {
			time.Sleep(time.Millisecond) // the work that a handler does
			return seen.handle(ctx, m)
		}
		stopA := b.start(slow)
		seen.wait(b.t, 40)
		stopB := b.start(slow)
		seen.wait(b.t, 200)
		stopC := b.start(slow)
		seen.wait(b.t, 300)
		if err := stopA(); err != nil {
			b.t.Fatal(err)
		}
		got := map[byte][]string{}
		for _, e := range seen.wait(b.t, 4*n) {
			got[e[0]] = append(got[e[0]], e)
		}
		want := map[byte][]string{'0': numbers(0, n), '1': numbers(1, n), '2': numbers(2, n), '3': numbers(3, n)}
		if diff := cmp.Diff(want, got); diff != "" {
			b.t.Fatal(diff)
		}
		for _, stop := range []func() error{stopB, stopC} {
			if err := stop(); err != nil {
				b.t.Fatal(err)
			}
		}
	})
}

// By default the span that inserted the event is only linked. The handler gets the
// baggage anyway.
func TestSpansAreLinkedToTheProducer(t *testing.T) {
	each(t, 1, func(b *bench) {
		const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		err := b.client.ProduceSync(b.t.Context(), &kgo.Record{Topic: b.topic, Value: []byte("1"), Headers: []kgo.RecordHeader{
			{Key: "event_type", Value: []byte("paid")}, {Key: "traceparent", Value: []byte(parent)}, {Key: "baggage", Value: []byte("tenant=t1")},
		}}).FirstErr()
		if err != nil {
			b.t.Fatal(err)
		}
		spans := tracetest.NewInMemoryExporter()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
		seen := newLog()
		stop := b.start(func(ctx context.Context, _ consume.Message) error {
			seen.add("tenant " + baggage.FromContext(ctx).Member("tenant").Value())
			return nil
		}, func(c *kafka.Config) { c.TracerProvider = provider })
		if d := cmp.Diff([]string{"tenant t1"}, seen.wait(b.t, 1)); d != "" {
			b.t.Errorf("the handler's context (-want +got):\n%s", d)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		got := spans.GetSpans()
		if len(got) != 1 || len(got[0].Links) != 1 {
			b.t.Fatalf("the spans are %+v", got)
		}
		link := got[0].Links[0].SpanContext
		if link.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || link.SpanID().String() != "b7ad6b7169203331" {
			b.t.Fatalf("linked to %v", link)
		}
	})
}

// With ContinueTraces the attempt's span is a child of the span that inserted the event,
// and the handler finds the trace and the baggage in its context, without a tracer too.
func TestTracesThatContinue(t *testing.T) {
	each(t, 1, func(b *bench) {
		const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		err := b.client.ProduceSync(b.t.Context(), &kgo.Record{Topic: b.topic, Value: []byte("1"), Headers: []kgo.RecordHeader{
			{Key: "event_type", Value: []byte("paid")}, {Key: "traceparent", Value: []byte(parent)}, {Key: "baggage", Value: []byte("tenant=t1")},
		}}).FirstErr()
		if err != nil {
			b.t.Fatal(err)
		}
		spans := tracetest.NewInMemoryExporter()
		for _, provider := range []trace.TracerProvider{nil, sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))} {
			seen := newLog()
			stop := b.start(func(ctx context.Context, _ consume.Message) error {
				at := trace.SpanContextFromContext(ctx)
				seen.add(fmt.Sprintf("trace %s, tenant %s", at.TraceID(), baggage.FromContext(ctx).Member("tenant").Value()))
				return nil
			}, func(c *kafka.Config) {
				c.Group += fmt.Sprint(provider == nil)
				c.TracerProvider, c.ContinueTraces = provider, true
			})
			if d := cmp.Diff([]string{"trace 0af7651916cd43dd8448eb211c80319c, tenant t1"}, seen.wait(b.t, 1)); d != "" {
				b.t.Errorf("the handler's context (-want +got):\n%s", d)
			}
			if err := stop(); err != nil {
				b.t.Fatal(err)
			}
		}
		got := spans.GetSpans()
		if len(got) != 1 || len(got[0].Links) != 0 || got[0].Parent.SpanID().String() != "b7ad6b7169203331" || !got[0].Parent.IsRemote() {
			b.t.Errorf("the spans are %+v", got)
		}
	})
}

func TestConfigurationMistakes(t *testing.T) {
	t.Parallel()
	err := kafka.Run(t.Context(), kafka.Config{MaxAttempts: -1, CommitEvery: time.Millisecond, GiveUp: "shrug", OnLoss: "cry", StopWhenUnready: -1, BufferBytes: 5, RetryMin: 2 * time.Second, RetryMax: time.Second})
	const want = `consume/kafka: Config.Brokers is empty: name at least one host:port
consume/kafka: Config.Group is empty: name the consumer group, for instance after the service
consume/kafka: Config.Topics is empty: name the topics to read
consume/kafka: Config.Router is nil: give it a consume.Router
consume/kafka: Config.MaxAttempts is -1: use 0 for no limit
consume/kafka: Config.RetryMin and RetryMax are 2s and 1s: use 0 <= RetryMin <= RetryMax
consume/kafka: Config.GiveUp is "shrug": use "stop" or "skip"
consume/kafka: Config.OnLoss is "cry": use "stop" or "skip"
consume/kafka: Config.StopWhenUnready is -1ns: use 0 for never
consume/kafka: Config.BufferBytes is 5: use 1048576 (1 MiB) or more
consume/kafka: Config.CommitEvery is 1ms: use 100ms or more`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Fatal(diff)
	}
}
