// Package panicky has a log handler that panics, for tests.
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
