package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// stall limits each step. After it the run ends with an error.
const stall = 5 * time.Minute

// relay drains with the relay of this repository.
func (d drain) relay(ctx context.Context, l *lab, brokers []string, late func() error) (_ usage, err error) {
	w := newWatch()
	r, err := l.startRelay(ctx, brokers, d.mode, relay.Config{Observer: w, UnsettledRows: d.unsettled})
	if err != nil {
		return usage{}, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if err := r.wait(w.began); err != nil {
		return usage{}, err
	}
	used, err := l.during(ctx, func() error { return r.wait(w.after(l.rows)) })
	if err != nil {
		return usage{}, err
	}
	if err := late(); err != nil || !d.held {
		return used, err
	}
	return used, r.wait(w.after(l.rows + 1))
}

// watch sees when a relay's term begins and how many rows it has settled.
type watch struct {
	relay.NopObserver
	began chan struct{} // closed when the first term begins
	first sync.Once

	mu      sync.Mutex
	settled int
	target  int
	reached chan struct{} // nil: no waiter
}

func newWatch() *watch { return &watch{began: make(chan struct{})} }

func (w *watch) Term(leader bool, _ int64) {
	if leader {
		w.first.Do(func() { close(w.began) })
	}
}

func (w *watch) Settled(s relay.Settled) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled += s.Published
	w.tell()
}

// after returns a channel that is closed once n rows are settled.
func (w *watch) after(n int) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	reached := make(chan struct{})
	w.target, w.reached = n, reached
	w.tell()
	return reached
}

func (w *watch) tell() {
	if w.reached != nil && w.settled >= w.target {
		close(w.reached)
		w.reached = nil
	}
}

type running struct {
	relay  *relay.Relay
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done
}

// startRelay starts a relay with the configuration, which needs no store and no sink.
func (l *lab) startRelay(ctx context.Context, brokers []string, mode pgstore.Mode, config relay.Config) (*running, error) {
	conn, err := pgx.ParseConfig(l.url)
	if err != nil {
		return nil, err
	}
	config.Logger = l.log
	store := pgstore.Config{Conn: conn, Mode: mode, ApplicationName: l.application, Logger: l.log}
	if mode == inLog {
		store.Mode = ""
		config.Store, err = pgstore.NewLogStore(store)
	} else {
		config.Store, err = pgstore.New(store)
	}
	if err != nil {
		return nil, err
	}
	if config.Sink, err = kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(brokers...)}}); err != nil {
		return nil, err
	}
	r, err := relay.New(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	run := &running{relay: r, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(run.done)
		run.err = r.Run(ctx)
	}()
	return run, nil
}

// wait waits until the channel is closed, which the relay causes.
func (r *running) wait(what <-chan struct{}) error {
	limit := time.NewTimer(stall)
	defer limit.Stop()
	select {
	case <-what:
		return nil
	case <-r.done:
		return errors.Join(errors.New("the relay ended"), r.err)
	case <-limit.C:
		return fmt.Errorf("the relay did not finish in %s; its status: %+v", stall, r.relay.Status())
	}
}

func (r *running) stop() error {
	r.cancel()
	<-r.done
	return r.err
}
