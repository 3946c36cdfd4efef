package outbox

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/jackc/pgx/v5"
)

// panicError is a panic that was recovered, with where it came from.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// recovered is the panic under way as an error, or nil. It is called by a deferred
// function, with what recover returned.
func recovered(value any) error {
	if value == nil {
		return nil
	}
	return &panicError{value: value, stack: debug.Stack()}
}

// stackOf is the attribute for a log line about err: the stack of a panic.
func stackOf(err error) slog.Attr {
	if p, ok := errors.AsType[*panicError](err); ok {
		return slog.String("stack", string(p.stack))
	}
	return slog.Attr{}
}

// copySource carries a panic of a CopyFromSource out of the goroutine in which pgx
// reads it, where nobody could recover it.
type copySource struct {
	pgx.CopyFromSource
	panicked bool
	value    any
}

var errSourcePanicked = errors.New("outbox: the source of the rows panicked")

// guard runs f unless there was a panic, and keeps a panic of f.
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

// panicAgain lets the panic go on, in the goroutine of the caller.
func (s *copySource) panicAgain() {
	if s.panicked {
		panic(s.value) // as it was, so that those who recover it know it
	}
}
