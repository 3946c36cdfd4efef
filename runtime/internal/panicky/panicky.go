// Package panicky has a log handler and an error that panic, for tests.
package panicky

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// Log is a log handler that panics at each line.
type Log struct{ lines *atomic.Int64 }

// NewLog returns a Log.
func NewLog() Log { return Log{new(atomic.Int64)} }

// Logger returns a logger with this handler.
func (l Log) Logger() *slog.Logger { return slog.New(l) }

// Lines returns the number of lines at which it panicked.
func (l Log) Lines() int64 { return l.lines.Load() }

// Enabled implements [slog.Handler].
func (Log) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (l Log) Handle(context.Context, slog.Record) error {
	l.lines.Add(1)
	panic("the log is broken")
}

// WithAttrs implements [slog.Handler].
func (l Log) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements [slog.Handler].
func (l Log) WithGroup(string) slog.Handler { return l }

// Error returns a nil pointer as an error, as code does by mistake that keeps its error in
// a variable of a pointer type. It is not nil, and its methods panic.
func Error() error {
	var err *lost
	return err
}

type lost struct {
	what  string
	cause error
}

func (l *lost) Error() string { return l.what + ": " + l.cause.Error() }
func (l *lost) Unwrap() error { return l.cause }
