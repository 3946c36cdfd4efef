package pgstore

import (
	"context"
	"sync"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// WakeSource returns the relay's source of wake-ups that services send with NOTIFY on a
// channel; wake.PostgresChannel returns the name for a service. It listens on the session
// of the leases, so it needs no other session. Each new connection counts as a wake-up.
func (s *Server) WakeSource(channel string) relay.WakeSource {
	ctx, cancel := context.WithCancel(context.Background())
	return &wakeSource{server: s, channel: channel, told: make(chan struct{}, 1), closed: ctx, cancel: cancel}
}

// wakeSource is one channel. One goroutine at a time calls Wait.
type wakeSource struct {
	server  *Server
	channel string
	told    chan struct{}   // holds a token
	closed  context.Context // ends with Close
	cancel  context.CancelFunc

	mu     sync.Mutex // held by Wait
	run    *serverRun // where it listens; nil: nowhere
	forget func()
}

// Wait implements [relay.WakeSource].
func (w *wakeSource) Wait(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.closed, func() { cancel(errClosed) })()
	run, _, err := w.server.current(ctx)
	if err != nil {
		return err
	}
	if run != w.run {
		if w.forget != nil {
			w.forget()
			w.run, w.forget = nil, nil
		}
		forget, err := run.anchor.hear(ctx, w.channel, func(string) { w.tell() })
		if err != nil {
			return err
		}
		w.run, w.forget = run, forget
		return nil
	}
	select {
	case <-w.told:
		return nil
	case <-run.done:
		return run.reason()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *wakeSource) tell() {
	select {
	case w.told <- struct{}{}:
	default: // one is waiting already
	}
}

// Close implements [relay.WakeSource].
func (w *wakeSource) Close() {
	w.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.forget != nil {
		w.forget()
		w.run, w.forget = nil, nil
	}
}
