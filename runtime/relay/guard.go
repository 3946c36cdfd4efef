package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/safeerr"
	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
)

// guard keeps the relay running when code that it was given panics: the observer, the
// wake source, the sink, the store, the tracer, the log's handler. A panic is counted,
// and logged with its stack, at most once a minute for each place.
type guard struct {
	log      *slog.Logger // itself guarded
	observer Observer     // as it was given
	count    atomic.Int64

	mu   sync.Mutex
	said map[string]*silenced
}

// silenced has the panics of one place that were not logged.
type silenced struct {
	at    time.Time // of the last log line
	since int       // panics since then
}

// sayPanicEvery limits the log lines about panics of one place.
const sayPanicEvery = time.Minute

// panicked is a panic as an error.
type panicked struct {
	where string
	value any
}

func (p *panicked) Error() string {
	return fmt.Sprintf("relay: %s panicked: %v", p.where, p.value)
}

// Unwrap returns the panic's value if that is an error.
func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// call runs f and returns its panic, if any, as an error.
func (g *guard) call(where string, f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = g.record(&panicked{where, v})
		}
	}()
	f()
	return nil
}

// sound returns err, or the panic of its methods if they panic.
func (g *guard) sound(where string, err error) error {
	if err == nil {
		return nil
	}
	if failed := g.call("an error of "+where, func() { safeerr.Use(err) }); failed != nil {
		return failed
	}
	return err
}

// record logs and counts a panic. It runs while the panic unwinds, so that the stack is
// the panic's.
func (g *guard) record(p *panicked) error {
	g.count.Add(1)
	g.mu.Lock()
	s := g.said[p.where]
	if s == nil {
		s = &silenced{}
		g.said[p.where] = s
	}
	say, unsaid := time.Since(s.at) >= sayPanicEvery, s.since
	if say {
		s.at, s.since = time.Now(), 0
	} else {
		s.since++
	}
	g.mu.Unlock()
	if say {
		g.log.Error("code given to the relay panicked; the relay continues", slog.String("where", p.where),
			slog.Any("error", p), slog.Int("not_logged", unsaid), slog.String("stack", string(debug.Stack())))
	}
	if p.where != "Observer.Failed" {
		guardedObserver{g}.Failed("panic", ClassRelay, p)
	}
	return p
}

// guarded puts a guard around all code in a config that is not the relay's.
func guarded(cfg Config) (Config, *guard) {
	g := &guard{observer: cfg.Observer, said: map[string]*silenced{}}
	cfg.Logger = safelog.New(cfg.Logger).With(slog.String("outbox", cfg.Name))
	g.log = cfg.Logger
	cfg.Observer = guardedObserver{g}
	cfg.Sink = guardedSink{cfg.Sink, g}
	if cfg.Wake != nil {
		cfg.Wake = guardedWake{cfg.Wake, g}
	}
	return cfg, g
}

// guardedObserver calls the observer.
type guardedObserver struct{ g *guard }

func (o guardedObserver) Read(rows int) {
	_ = o.g.call("Observer.Read", func() { o.g.observer.Read(rows) })
}

func (o guardedObserver) HeadersLeftOut(headers int) {
	_ = o.g.call("Observer.HeadersLeftOut", func() { o.g.observer.HeadersLeftOut(headers) })
}

func (o guardedObserver) Wave(w WaveReport) {
	_ = o.g.call("Observer.Wave", func() { o.g.observer.Wave(w) })
}

func (o guardedObserver) Settled(s Settled) {
	_ = o.g.call("Observer.Settled", func() { o.g.observer.Settled(s) })
}

func (o guardedObserver) Failed(what string, class Class, err error) {
	_ = o.g.call("Observer.Failed", func() { o.g.observer.Failed(what, class, err) })
}

func (o guardedObserver) Term(leader bool, epoch int64) {
	_ = o.g.call("Observer.Term", func() { o.g.observer.Term(leader, epoch) })
}

func (o guardedObserver) Stats(s Stats) {
	_ = o.g.call("Observer.Stats", func() { o.g.observer.Stats(s) })
}

func (o guardedObserver) Status(s Status) {
	_ = o.g.call("Observer.Status", func() { o.g.observer.Status(s) })
}

// guardedSink calls the sink.
type guardedSink struct {
	s Sink
	g *guard
}

func (s guardedSink) Open(ctx context.Context) (p Producer, err error) {
	if failed := s.g.call("Sink.Open", func() { p, err = s.s.Open(ctx) }); failed != nil {
		return nil, failed
	}
	if p == nil && err == nil {
		err = errors.New("relay: Sink.Open gave neither a producer nor an error")
	}
	if err != nil {
		return nil, s.g.sound("Sink.Open", err)
	}
	return guardedProducer{p, s.g}, nil
}

// Partition returns 0 if the sink fails, so rows of one key still go to one partition.
func (s guardedSink) Partition(key []byte, n int) (part int32) {
	defer func() {
		if v := recover(); v != nil {
			part = 0
			_ = s.g.record(&panicked{"Sink.Partition", v})
		}
	}()
	part = s.s.Partition(key, n)
	if part < 0 || int(part) >= n {
		panic(fmt.Sprintf("partition %d of a topic that has %d", part, n))
	}
	return part
}

type guardedProducer struct {
	p Producer
	g *guard
}

func (p guardedProducer) Topics(ctx context.Context, names []string) (infos []TopicInfo, err error) {
	if failed := p.g.call("Producer.Topics", func() { infos, err = p.p.Topics(ctx, names) }); failed != nil {
		return nil, failed
	}
	for i := range infos {
		infos[i].Problem = p.sound("Producer.Topics", infos[i].Problem)
	}
	return infos, p.g.sound("Producer.Topics", err)
}

// sound gives a failure an error that can be used.
func (p guardedProducer) sound(where string, r Result) Result {
	if r.Class == ClassOK {
		return r
	}
	if r.Err == nil {
		r.Err = fmt.Errorf("relay: %s gave a failure without an error", where)
	}
	r.Err = p.g.sound(where, r.Err)
	return r
}

// Send reports an unknown result for each record if the producer panics.
func (p guardedProducer) Send(ctx context.Context, wave []Record, results []Result) {
	if failed := p.g.call("Producer.Send", func() { p.p.Send(ctx, wave, results) }); failed != nil {
		for i := range results {
			results[i] = Result{ClassRelay, failed}
		}
		return
	}
	for i := range results {
		results[i] = p.sound("Producer.Send", results[i])
	}
}

func (p guardedProducer) Close() { _ = p.g.call("Producer.Close", p.p.Close) }

// panicOf returns the panic that ended a wave, or nil.
func panicOf(results []Result) error {
	if len(results) == 0 {
		return nil
	}
	if p, ok := results[0].Err.(*panicked); ok { //nolint:errorlint // a sink may wrap a panic of its own
		return p
	}
	return nil
}

// guardedWake calls the wake source.
type guardedWake struct {
	w WakeSource
	g *guard
}

func (w guardedWake) Wait(ctx context.Context) (err error) {
	if failed := w.g.call("WakeSource.Wait", func() { err = w.w.Wait(ctx) }); failed != nil {
		return failed
	}
	return w.g.sound("WakeSource.Wait", err)
}

func (w guardedWake) Close() { _ = w.g.call("WakeSource.Close", w.w.Close) }
