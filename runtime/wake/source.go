package wake

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// ErrClosed is returned after Close: by Wait of a source, and by Wake of a waker with
// its own client.
var ErrClosed = errors.New("wake: it is closed")

const (
	shortestPause = 100 * time.Millisecond
	longestPause  = 5 * time.Second
	// quietFor is how long a repeated failure is not logged at first. It doubles each
	// time, up to maxQuiet.
	quietFor = time.Minute
	maxQuiet = time.Hour
	// mostCauses limits the causes that are logged immediately, in case that no two failures
	// have the same text.
	mostCauses = 8
)

// SourceOptions configure a source. The zero value is usable.
type SourceOptions struct {
	// Logger gets a warning when no wake-ups can arrive: immediately, then after one, two,
	// four minutes and so on, up to an hour. Another cause is logged immediately. It also gets
	// a line when they work again. nil: slog.Default().
	Logger *slog.Logger
}

// channel transports wake-ups.
type channel interface {
	// connect opens the connection, or checks the existing one.
	connect(ctx context.Context) error
	// receive waits for a wake-up. It returns false without an error after its time
	// limit.
	receive(ctx context.Context) (bool, error)
	// disconnect closes the connection, if there is one.
	disconnect()
}

// source is what all sources share: one connection that is reopened when needed.
type source struct {
	options SourceOptions
	what    string
	// proves says that a connection proves that wake-ups arrive. Otherwise only a receive
	// without an error proves it.
	proves bool

	closed context.Context
	cancel context.CancelFunc

	mu        sync.Mutex // held by Wait
	connected bool
	failures  int           // in a row
	troubled  bool          // a failure was logged, and wake-ups have not worked since
	complains time.Time     // when the last failure was logged
	quiet     time.Duration // how long failures are not logged after that
	causes    []string      // that were logged since complains
}

func newSource(options SourceOptions, what string, proves bool) source {
	options.Logger = cmp.Or(options.Logger, slog.Default())
	closed, cancel := context.WithCancel(context.Background())
	return source{options: options, what: what, proves: proves, closed: closed, cancel: cancel}
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

// ended returns why waiting is over, or nil.
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
	if s.proves {
		s.works()
	}
	return true, nil
}

// works records that wake-ups can arrive. The pauses between tries keep growing until a
// wait has worked: otherwise a connection that opens, with a wait that fails immediately,
// would be tried without pause.
func (s *source) works() {
	s.quiet = 0
	if s.troubled {
		s.troubled = false
		s.options.Logger.Info("wake-ups work again", "by", s.what)
	}
}

// complain logs the failure, unless one with the same cause was logged lately, even if
// wake-ups worked for a moment in between.
func (s *source) complain(err error) {
	quiet, cause := max(s.quiet, quietFor), causeOf(err)
	switch early := !s.complains.IsZero() && time.Since(s.complains) < quiet; {
	case early && (slices.Contains(s.causes, cause) || len(s.causes) >= mostCauses):
		return
	case !early:
		if s.troubled {
			s.quiet = min(2*quiet, maxQuiet)
		}
		s.complains, s.causes = time.Now(), nil
	}
	s.causes = append(s.causes, cause)
	s.troubled = true
	s.options.Logger.Warn("no wake-ups; the relay polls until they are back", "by", s.what, "error", err)
}

// causeOf returns the texts of the innermost errors: those around them have the ports of
// connections, and differ each time. A connection can break in several ways for one
// reason, so these have the same text.
func causeOf(err error) string {
	switch wrapping := err.(type) { //nolint:errorlint // all are looked into
	case interface{ Unwrap() error }:
		if inner := wrapping.Unwrap(); inner != nil {
			return causeOf(inner)
		}
	case interface{ Unwrap() []error }:
		var texts []string
		for _, inner := range wrapping.Unwrap() {
			texts = append(texts, causeOf(inner))
		}
		return strings.Join(texts, "; ")
	case syscall.Errno:
		return "connection"
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, context.DeadlineExceeded} {
		if err == broken { //nolint:errorlint // it wraps nothing
			return "connection"
		}
	}
	return err.Error()
}

func (s *source) pause(ctx context.Context) {
	s.failures++
	backoff.Sleep(ctx, backoff.Jittered(shortestPause, longestPause, s.failures))
}

func (s *source) close(c channel) {
	s.cancel()
	s.mu.Lock() // Wait has returned
	defer s.mu.Unlock()
	c.disconnect()
}
