package kafka_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// embedding has its own Dispatch, and every other method of the router.
type embedding struct {
	*consume.Router
	dispatched atomic.Int64
}

func (e *embedding) Dispatch(ctx context.Context, m consume.Message) error {
	e.dispatched.Add(1)
	return e.Router.Dispatch(ctx, m)
}

// holding has the router in a field with a name.
type holding struct {
	router     *consume.Router
	dispatched atomic.Int64
}

func (h *holding) Dispatch(ctx context.Context, m consume.Message) error {
	h.dispatched.Add(1)
	return h.router.Dispatch(ctx, m)
}

// batching lets whole batches through.
type batching struct{ holding }

func (b *batching) Batch(m consume.Message) (*consume.Batch, bool) { return b.router.Batch(m) }

// Every message passes the Dispatch of a wrapper, tombstones and messages without a handler
// too, and is counted as without a wrapper.
func TestMessagesPassAWrapper(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 3)
		b.produce(0, "other", 2)
		gone := &kgo.Record{Topic: b.topic, Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}}}
		if err := b.client.ProduceSync(b.t.Context(), gone).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		seen := newLog()
		router := consume.NewRouter()
		router.Handle("paid", seen.handle)
		consume.OnTombstone(router, b.topic, func(_ context.Context, key string) error {
			return seen.handle(b.t.Context(), consume.Message{Value: []byte("gone " + key)})
		})
		wrapper := &embedding{Router: router}
		cfg, told := b.config(wrapper), &notebook{}
		cfg.Observer = told
		c, stop, _ := launch(b.t, cfg)
		await(b.t, "it is ready", func() bool { return c.Ready() == nil }, &lines{})
		b.waitCommitted(0, 6)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if d := cmp.Diff([]string{"0:0", "0:1", "0:2", "0:gone k"}, seen.list()); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
		if n := wrapper.dispatched.Load(); n != 6 {
			b.t.Errorf("%d of 6 messages passed the wrapper", n)
		}
		outcomes := map[kafka.Outcome]int{}
		for _, f := range told.finished {
			outcomes[f.Outcome]++
		}
		if d := cmp.Diff(map[kafka.Outcome]int{kafka.Handled: 4, kafka.SkippedNoHandler: 2}, outcomes); d != "" {
			b.t.Errorf("outcomes (-want +got):\n%s", d)
		}
	})
}

// Batches do not pass Dispatch. Behind a wrapper that embeds the router they would bypass it
// without anybody having asked for that, so it is refused. Others decide with a method.
func TestBatchesBehindAWrapper(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 4)
		newRouter := func(sizes *[]int) *consume.Router {
			router := consume.NewRouter()
			router.HandleBatch("paid", consume.BatchOptions{MaxRecords: 2}, func(_ context.Context, batch []consume.Message) error {
				*sizes = append(*sizes, len(batch))
				return nil
			})
			return router
		}
		const problem = "Config.Router is a *kafka_test.embedding, which embeds a *consume.Router, so the batches of paid would not pass its Dispatch: " +
			"give middleware to consume.Use and consume.UseBatch; or keep the router in a field with a name, and write the methods Dispatch and Batch"
		if _, err := kafka.New(b.config(&embedding{Router: newRouter(new([]int))})); err == nil || !strings.Contains(err.Error(), problem) {
			b.t.Errorf("New returns %v", err)
		}
		late := &embedding{Router: consume.NewRouter()}
		late.Handle("other", func(context.Context, consume.Message) error { return nil })
		c, err := kafka.New(b.config(late))
		if err != nil {
			b.t.Fatal(err)
		}
		late.HandleBatch("paid", consume.BatchOptions{}, func(context.Context, []consume.Message) error { return nil })
		if err := c.Run(b.t.Context()); err == nil || !strings.Contains(err.Error(), problem) {
			b.t.Errorf("Run returns %v", err)
		}
		for name, test := range map[string]struct {
			wrap       func(*consume.Router) kafka.Dispatcher
			want       []int
			dispatched int64
		}{
			"without Batch": {func(r *consume.Router) kafka.Dispatcher { return &holding{router: r} }, []int{1, 1, 1, 1}, 4},
			"with Batch":    {func(r *consume.Router) kafka.Dispatcher { return &batching{holding{router: r}} }, []int{2, 2}, 0},
		} {
			var sizes []int
			wrapper := test.wrap(newRouter(&sizes))
			cfg := b.config(wrapper)
			cfg.Group += name
			c, stop, _ := launch(b.t, cfg)
			await(b.t, "it is ready", func() bool { return c.Ready() == nil }, &lines{})
			group := b.group
			b.group = cfg.Group
			b.waitCommitted(0, 4)
			b.group = group
			if err := stop(); err != nil {
				b.t.Fatal(err)
			}
			var dispatched int64
			switch w := wrapper.(type) {
			case *holding:
				dispatched = w.dispatched.Load()
			case *batching:
				dispatched = w.dispatched.Load()
			}
			if d := cmp.Diff(test.want, sizes); d != "" || dispatched != test.dispatched {
				b.t.Errorf("%s: %d messages passed the wrapper; sizes (-want +got):\n%s", name, dispatched, d)
			}
		}
	})
}
