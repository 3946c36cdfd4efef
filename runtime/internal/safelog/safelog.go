// Package safelog keeps a program alive when the handler of its log panics: lines are
// written in goroutines and under locks of ours, where nobody could recover the panic.
package safelog

import (
	"context"
	"fmt"
	"log/slog"
)

// New returns logger without the panics of its handler. A line on which it panics is
// dropped: a panic in the log has nowhere to go.
func New(logger *slog.Logger) *slog.Logger {
	if _, safe := logger.Handler().(handler); safe {
		return logger
	}
	return slog.New(handler{logger.Handler()})
}

type handler struct{ h slog.Handler }

func (h handler) Enabled(ctx context.Context, level slog.Level) (on bool) {
	defer func() { _ = recover() }()
	return h.h.Enabled(ctx, level)
}

func (h handler) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the log's handler panicked: %v", v)
		}
	}()
	return h.h.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) (with slog.Handler) {
	defer func() {
		if recover() != nil {
			with = h
		}
	}()
	return handler{h.h.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) (with slog.Handler) {
	defer func() {
		if recover() != nil {
			with = h
		}
	}()
	return handler{h.h.WithGroup(name)}
}
