package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// silent accepts connections and never answers, as a hung machine does.
func silent(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	return l.Addr().String()
}

// setCode sets the error of a whole response, where such a response has one.
func setCode(r kmsg.Response, code int16) {
	switch r := r.(type) {
	case *kmsg.FetchResponse:
		r.ErrorCode = code
	case *kmsg.JoinGroupResponse:
		r.ErrorCode = code
	case *kmsg.SyncGroupResponse:
		r.ErrorCode = code
	case *kmsg.HeartbeatResponse:
		r.ErrorCode = code
	case *kmsg.FindCoordinatorResponse:
		r.ErrorCode = code
	case *kmsg.OffsetFetchResponse:
		r.ErrorCode = code
	default:
		panic(fmt.Sprintf("%T", r))
	}
}

// fault breaks something, and repair ends it.
type fault struct {
	bench  *bench
	cfg    *kafka.Config
	repair func()
}

// answerWith makes every request of a kind return an error.
func answerWith(key kmsg.Key, code *kerr.Error) func(*fault) {
	return func(f *fault) {
		var failing atomic.Bool
		failing.Store(true)
		f.bench.k.Fake.Control(f.bench.t, key, func(r kmsg.Request) kmsg.Response {
			if !failing.Load() {
				return nil
			}
			resp := r.ResponseKind()
			if of, ok := resp.(*kmsg.OffsetFetchResponse); ok && r.GetVersion() >= 8 {
				for _, g := range r.(*kmsg.OffsetFetchRequest).Groups {
					rg := kmsg.NewOffsetFetchResponseGroup()
					rg.Group, rg.ErrorCode = g.Group, code.Code
					of.Groups = append(of.Groups, rg)
				}
				return of
			}
			if fc, ok := resp.(*kmsg.FindCoordinatorResponse); ok && r.GetVersion() >= 4 {
				for _, key := range r.(*kmsg.FindCoordinatorRequest).CoordinatorKeys {
					c := kmsg.NewFindCoordinatorResponseCoordinator()
					c.Key, c.ErrorCode = key, code.Code
					fc.Coordinators = append(fc.Coordinators, c)
				}
				return fc
			}
			setCode(resp, code.Code)
			return resp
		})
		f.repair = func() { failing.Store(false) }
	}
}

// topicAnswer makes the metadata of all topics an error.
func topicAnswer(code *kerr.Error) func(*fault) {
	return func(f *fault) {
		var failing atomic.Bool
		failing.Store(true)
		f.bench.k.Fake.Control(f.bench.t, kmsg.Metadata, func(r kmsg.Request) kmsg.Response {
			req := r.(*kmsg.MetadataRequest)
			if !failing.Load() || len(req.Topics) == 0 {
				return nil
			}
			resp := req.ResponseKind().(*kmsg.MetadataResponse)
			for i, address := range f.bench.k.Brokers {
				host, port, _ := net.SplitHostPort(address)
				b := kmsg.NewMetadataResponseBroker()
				b.NodeID, b.Host = int32(i), host
				_, _ = fmt.Sscan(port, &b.Port)
				resp.Brokers = append(resp.Brokers, b)
			}
			for _, t := range req.Topics {
				rt := kmsg.NewMetadataResponseTopic()
				rt.Topic, rt.ErrorCode = t.Topic, code.Code
				resp.Topics = append(resp.Topics, rt)
			}
			return resp
		})
		f.repair = func() { failing.Store(false) }
	}
}

// For each fault that stops a consumer from reading, the consumer logs it once and then
// less and less often, and Ready reports it. When the fault is over, the consumer
// continues and logs it. With StopWhenUnready it ends.
func TestWhatKeepsAConsumerFromReading(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(*fault)
		says  string // a line of the log, and a reason of Ready
		again string // a line of the log after it is repaired; "" for those that no line ends
	}{
		"topic missing": {fault: func(f *fault) {
			f.bench.deleteTopic()
			f.repair = func() { f.bench.createAgain(2) }
		}, says: "topic does not exist", again: "topic can be read again"},
		"topic not to be seen":      {fault: topicAnswer(kerr.TopicAuthorizationFailed), says: "topic access denied", again: "topic can be read again"},
		"topic invalid":             {fault: topicAnswer(kerr.InvalidTopicException), says: "topic cannot be read", again: "topic can be read again"},
		"group not allowed":         {fault: answerWith(kmsg.JoinGroup, kerr.GroupAuthorizationFailed), says: "joining the group is not allowed", again: "joined the group again"},
		"coordinator not allowed":   {fault: answerWith(kmsg.FindCoordinator, kerr.GroupAuthorizationFailed), says: "joining the group is not allowed", again: "joined the group again"},
		"group full":                {fault: answerWith(kmsg.JoinGroup, kerr.GroupMaxSizeReached), says: "membership in the group failed", again: "joined the group again"},
		"another protocol":          {fault: answerWith(kmsg.JoinGroup, kerr.InconsistentGroupProtocol), says: "membership in the group failed", again: "joined the group again"},
		"fenced when joining":       {fault: answerWith(kmsg.JoinGroup, kerr.FencedInstanceID), says: "another member of the group has the same kgo.InstanceID", again: "joined the group again"},
		"fenced when syncing":       {fault: answerWith(kmsg.SyncGroup, kerr.FencedInstanceID), says: "another member of the group has the same kgo.InstanceID", again: "joined the group again"},
		"no coordinator":            {fault: answerWith(kmsg.JoinGroup, kerr.CoordinatorNotAvailable), says: "the group was not joined yet", again: "joined the group again"},
		"offsets not allowed":       {fault: answerWith(kmsg.OffsetFetch, kerr.GroupAuthorizationFailed), says: "joining the group is not allowed", again: "joined the group again"},
		"fetches broken as a whole": {fault: answerWith(kmsg.Fetch, kerr.InconsistentTopicID), says: "broker answers fetches immediately and without records", again: "broker answers fetches again"},
		"no broker listens": {fault: func(f *fault) {
			if err := f.bench.k.Stop(); err != nil {
				f.bench.t.Fatal(err)
			}
			f.repair = func() {
				if err := f.bench.k.Start(f.bench.t.Context()); err != nil {
					f.bench.t.Fatal(err)
				}
			}
		}, says: "no Kafka broker answers", again: "Kafka brokers answer again"},
		"a broker cannot be reached": {fault: func(f *fault) {
			var failing atomic.Bool
			failing.Store(true)
			bad := f.bench.k.Brokers[1]
			f.cfg.Brokers = f.bench.k.Brokers[:1]
			f.cfg.Options = append(f.cfg.Options, kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
				if host == bad && failing.Load() {
					return nil, errors.New("no route to host")
				}
				return (&net.Dialer{}).DialContext(ctx, network, host)
			}))
			f.repair = func() { failing.Store(false) }
		}, says: "broker cannot be reached", again: "broker can be reached again"},
	} {
		for _, stop := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stop=%v", name, stop), func(t *testing.T) {
				t.Parallel()
				k := services.KFake(t, services.FakeBrokers(2))
				b := newBench(t, k, 2)
				var written []string
				if name != "topic missing" {
					written = b.fill("a", 2, 6)
				}
				seen, log := newLog(), &lines{}
				router := consume.NewRouter()
				router.Handle("paid", b.value(seen))
				cfg := kafka.Impatient(b.config(router), func(i *kafka.Timing) {
					i.Joining, i.Answer = time.Second, 2*time.Second
				})
				cfg.Logger = log.logger()
				cfg.Options = append(cfg.Options, kgo.FetchMaxWait(fetchWait))
				f := &fault{bench: b, cfg: &cfg}
				c.fault(f)
				if stop {
					cfg.StopWhenUnready = 3 * time.Second
				}
				consumer, end, result := launch(t, cfg)
				log.await(t, c.says)
				if !stop {
					await(t, "Ready says "+c.says, func() bool {
						unready, ok := errors.AsType[*kafka.NotReadyError](consumer.Ready())
						return ok && strings.Contains(unready.Error(), c.says)
					}, log)
				}
				if stop {
					err := <-result
					if unready, ok := errors.AsType[*kafka.NotReadyError](err); !ok || len(unready.Reasons) == 0 || unready.For < cfg.StopWhenUnready {
						t.Errorf("Run returns %v", err)
					}
					f.repair() // for the end of the test
					return
				}
				before := consumer.Stats().Polls
				time.Sleep(window)
				if n, polls := log.count(), consumer.Stats().Polls-before; n > 12 || polls > 100 {
					t.Errorf("%d lines, and %d polls in %v:\n%s", n, polls, window, log)
				}
				f.repair()
				if name == "topic missing" {
					written = b.fill("a", 2, 6)
				}
				await(t, "all is read", func() bool { return len(seen.list()) >= len(written) }, log)
				await(t, "it is ready", func() bool { return consumer.Ready() == nil }, log)
				log.await(t, c.again)
				if err := end(); err != nil {
					t.Fatal(err)
				}
				if err := consumer.Ready(); err == nil {
					t.Error("a consumer that has ended is ready")
				}
			})
		}
	}
}

// A second process with the same instance id replaces the first one. One of them says
// so, and is not ready.
func TestAFencedStaticMember(t *testing.T) {
	each(t, 2, func(b *bench) {
		var consumers []*kafka.Consumer
		log := &lines{}
		seen := newLog()
		for range 2 {
			router := consume.NewRouter()
			router.Handle("paid", b.value(seen))
			cfg := b.config(router)
			cfg.Logger = log.logger()
			cfg.Options = append(cfg.Options, kgo.InstanceID("one"), kgo.HeartbeatInterval(100*time.Millisecond))
			consumer, _, _ := launch(b.t, cfg)
			if len(consumers) == 0 {
				await(b.t, "the first is ready", func() bool { return consumer.Ready() == nil }, log)
			}
			consumers = append(consumers, consumer)
		}
		line := log.await(b.t, "another member of the group has the same kgo.InstanceID")
		if err, _ := line["error"].(string); !strings.Contains(err, "FENCED_INSTANCE_ID") {
			b.t.Errorf("the line is %v", line)
		}
		time.Sleep(window)
		if n := log.count(); n > 12 {
			b.t.Errorf("%d lines:\n%s", n, log)
		}
		if consumers[0].Ready() == nil && consumers[1].Ready() == nil {
			b.t.Error("both are ready")
		}
	})
}

// A member of a group with more members than partitions is ready, and says why
// it has nothing to do.
func TestAMemberWithoutPartitions(t *testing.T) {
	each(t, 1, func(b *bench) {
		log := &lines{}
		var consumers []*kafka.Consumer
		for range 2 {
			router := consume.NewRouter()
			router.Handle("paid", newLog().handle)
			cfg := kafka.Impatient(b.config(router), func(i *kafka.Timing) { i.Idle = 300 * time.Millisecond })
			cfg.Logger = log.logger()
			cfg.Options = append(cfg.Options, kgo.HeartbeatInterval(100*time.Millisecond))
			consumer, _, _ := launch(b.t, cfg)
			consumers = append(consumers, consumer)
		}
		log.await(b.t, "no partitions are assigned to this member")
		for _, c := range consumers {
			await(b.t, "it is ready", func() bool { return c.Ready() == nil }, log)
		}
		if n := log.count(); n > 10 {
			b.t.Errorf("%d lines:\n%s", n, log)
		}
	})
}

// Seed brokers that accept connections and never answer do not keep the consumer
// from the one that does: they are left out after some seconds, and not dialled again.
func TestSilentSeedBrokers(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		t.Parallel()
		b := newBench(t, k, 1)
		want := b.fill("a", 1, 3)
		seen, log := newLog(), &lines{}
		router := consume.NewRouter()
		router.Handle("paid", b.value(seen))
		cfg := b.config(router)
		cfg.Brokers = nil
		for range 4 { // the client picks the one that it begins with
			cfg.Brokers = append(cfg.Brokers, silent(t))
		}
		var dials atomic.Int64 // to them
		hung := slices.Clone(cfg.Brokers)
		cfg.Options = append(cfg.Options, kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
			if slices.Contains(hung, host) {
				dials.Add(1)
			}
			return (&net.Dialer{}).DialContext(ctx, network, host)
		}))
		cfg.Brokers = append(cfg.Brokers, k.Brokers[0])
		cfg.Logger = log.logger()
		began := time.Now()
		consumer, end, _ := launch(t, cfg)
		log.await(t, "seed brokers accept connections and do not answer")
		took := time.Since(began)
		// Each is asked once, and the client dials it again only after it waited for an
		// answer, 5 s as kafka.Config.Options says.
		if n, most := dials.Load(), int64(len(hung))*(2+int64(took/(5*time.Second))); n > most {
			t.Errorf("%d connections to the silent brokers within %v, more than %d", n, took, most)
		}
		seen.wait(t, len(want))
		await(t, "it is ready", func() bool { return consumer.Ready() == nil }, log)
		before := dials.Load()
		t.Logf("the first record after %v, with %d connections to the silent brokers", time.Since(began), before)
		time.Sleep(window)
		if n := dials.Load() - before; n > 0 {
			t.Errorf("%d more connections to the silent brokers, which are left out", n)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	})
}
