package wake

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// ErrClosed is returned after Close: by Wait of a source, and by Wake of a waker
// that has a client of its own.
var ErrClosed = errors.New("wake: it is closed")

const (
	shortestPause = 100 * time.Millisecond
	longestPause  = 5 * time.Second
	// quietFor is how long the same trouble is not complained about again, at
	// first; each time it doubles, up to maxQuiet.
	quietFor = time.Minute
	maxQuiet = time.Hour
)

// SourceOptions configure the relay's end. The zero value is usable.
type SourceOptions struct {
	// Logger gets a warning when no wake-up can come: at once, then after a minute,
	// two, four, up to an hour. It gets a line when waiting has worked again. nil:
	// slog.Default().
	Logger *slog.Logger
}

// channel is what carries wake-ups.
type channel interface {
	// connect makes the connection, or checks the one that there is.
	connect(ctx context.Context) error
	// proves says whether a connection proves that wake-ups come. Otherwise only a
	// receive without an error does.
	proves() bool
	// receive waits for a wake-up; false without an error: for too long.
	receive(ctx context.Context) (bool, error)
	// disconnect drops a connection that has failed.
	disconnect()
	// shutdown drops everything.
	shutdown()
}

// source is what the sources have in common: one connection that is made again
// whenever it must be.
type source struct {
	options SourceOptions
	what    string

	closed context.Context
	cancel context.CancelFunc

	mu        sync.Mutex // held by Wait
	connected bool
	failures  int           // in a row
	troubled  bool          // it complained, and wake-ups have not worked since
	complains time.Time     // when it complained last
	quiet     time.Duration // how long it is quiet after that
}

func newSource(options SourceOptions, what string) source {
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	closed, cancel := context.WithCancel(context.Background())
	return source{options: options, what: what, closed: closed, cancel: cancel}
}

func (s *source) wait(ctx context.Context, c channel) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)()
	for {
		if err := s.ended(ctx); err != nil {
			return err
		}
		woken, err := s.step(ctx, c)
		switch {
		case woken:
			return nil
		case err != nil && s.ended(ctx) == nil:
			s.connected = false
			c.disconnect()
			s.complain(err)
			s.pause(ctx)
		}
	}
}

// ended says why there is nothing more to wait for, if so.
func (s *source) ended(ctx context.Context) error {
	if s.closed.Err() != nil {
		return ErrClosed
	}
	return context.Cause(ctx)
}

// step connects, which counts as a wake-up, or receives.
func (s *source) step(ctx context.Context, c channel) (bool, error) {
	if s.connected {
		woken, err := c.receive(ctx)
		if err == nil {
			s.failures = 0
			s.works()
		}
		return woken, err
	}
	if err := c.connect(ctx); err != nil {
		return false, err
	}
	s.connected = true
	if c.proves() {
		s.works()
	}
	return true, nil
}

// works notes that wake-ups can come. The pauses between tries go on growing until
// a wait has worked: a connection that can be made and a wait that fails at once
// must not be tried again and again.
func (s *source) works() {
	s.quiet = 0
	if s.troubled {
		s.troubled = false
		s.options.Logger.Info("wake-ups work again", "by", s.what)
	}
}

// complain logs the trouble, unless it has just done so, also when wake-ups worked
// for a moment in between.
func (s *source) complain(err error) {
	quiet := max(s.quiet, quietFor)
	if !s.complains.IsZero() && time.Since(s.complains) < quiet {
		return
	}
	if s.troubled {
		s.quiet = min(2*quiet, maxQuiet)
	}
	s.troubled = true
	s.complains = time.Now()
	s.options.Logger.Warn("no wake-ups; the relay polls until they are back", "by", s.what, "error", err)
}

func (s *source) pause(ctx context.Context) {
	s.failures++
	select {
	case <-ctx.Done():
	case <-time.After(backoff.Jittered(shortestPause, longestPause, s.failures)):
	}
}

func (s *source) close(c channel) {
	s.cancel()
	s.mu.Lock() // Wait has returned
	defer s.mu.Unlock()
	c.shutdown()
}
