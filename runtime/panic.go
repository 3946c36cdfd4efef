package outbox

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/jackc/pgx/v5"
)

// panicError is a recovered panic with its stack.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// recovered returns a panic as an error, or nil. A deferred function calls it with the
// result of recover.
func recovered(value any) error {
	if value == nil {
		return nil
	}
	return &panicError{value: value, stack: debug.Stack()}
}

// stackOf returns the log attribute with the stack of the panic in err.
func stackOf(err error) slog.Attr {
	if p, ok := errors.AsType[*panicError](err); ok {
		return slog.String("stack", string(p.stack))
	}
	return slog.Attr{}
}

// copySource brings a panic of a CopyFromSource to the caller's goroutine. pgx reads
// the source in another goroutine, where the caller could not recover it.
type copySource struct {
	pgx.CopyFromSource
	panicked bool
	value    any
}

var errSourcePanicked = errors.New("outbox: the source of the rows panicked")

// guard runs f unless the source has panicked, and stores a panic of f.
func (s *copySource) guard(f func()) {
	if s.panicked {
		return
	}
	s.panicked = true
	defer func() {
		if s.panicked {
			s.value = recover()
		}
	}()
	f()
	s.panicked = false
}

func (s *copySource) Next() (more bool) {
	s.guard(func() { more = s.CopyFromSource.Next() })
	return more
}

func (s *copySource) Values() (values []any, err error) {
	err = errSourcePanicked
	s.guard(func() { values, err = s.CopyFromSource.Values() })
	return values, err
}

func (s *copySource) Err() (err error) {
	err = errSourcePanicked
	s.guard(func() { err = s.CopyFromSource.Err() })
	return err
}

// panicAgain repeats the panic in the caller's goroutine.
func (s *copySource) panicAgain() {
	if s.panicked {
		panic(s.value) // with the original value
	}
}
