// Package safelog keeps a program running when the handler of its log panics. The
// library logs in its own goroutines and under its own locks, where no caller could
// recover the panic; after COMMIT, where a panic would make a committed transaction
// look like a failed one; and during other panics.
package safelog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
)

// New returns a logger that recovers the panics of logger's handler. A line on which it
// panics is dropped. The first panic is reported on stderr, because it cannot be
// logged.
func New(logger *slog.Logger) *slog.Logger {
	if _, safe := logger.Handler().(handler); safe {
		return logger
	}
	return slog.New(handler{logger.Handler(), &sync.Once{}})
}

type handler struct {
	h     slog.Handler
	first *sync.Once
}

var stderr io.Writer = os.Stderr

// report takes the result of recover, and returns whether there was a panic.
func (h handler) report(value any) bool {
	if value == nil {
		return false
	}
	h.first.Do(func() {
		slog.New(slog.NewTextHandler(stderr, nil)).Error("the handler of the log panicked; the line is lost, and nothing else; later panics are not reported",
			"panic", fmt.Sprint(value), "stack", string(debug.Stack()))
	})
	return true
}

func (h handler) Enabled(ctx context.Context, level slog.Level) (on bool) {
	defer func() { h.report(recover()) }()
	return h.h.Enabled(ctx, level)
}

func (h handler) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() { h.report(recover()) }()
	return h.h.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func() slog.Handler { return h.h.WithAttrs(attrs) })
}

func (h handler) WithGroup(name string) slog.Handler {
	return h.with(func() slog.Handler { return h.h.WithGroup(name) })
}

func (h handler) with(inner func() slog.Handler) (with slog.Handler) {
	defer func() {
		if h.report(recover()) {
			with = h
		}
	}()
	return handler{inner(), h.first}
}
