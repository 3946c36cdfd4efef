// Package callctx has the contexts of those calls of a store that may outlast their deadline. They still
// have to end with the term.
package callctx

import (
	"context"
	"errors"
	"time"
)

type parent struct{}

// WithTimeout is [context.WithTimeout], for a call that is made during ctx.
func WithTimeout(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithValue(ctx, parent{}, ctx), limit)
}

// WithoutDeadline returns a context that ends after a time limit, and when ctx is cancelled, but not by
// the deadline of ctx. If ctx is that of a call of a relay, it ends with what the call is made during. It
// also ends with the others.
func WithoutDeadline(ctx context.Context, limit time.Duration, others ...context.Context) (context.Context, context.CancelFunc) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stops := []func() bool{context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
		}
	})}
	if during, is := ctx.Value(parent{}).(context.Context); is { // ctx says nothing more after its deadline
		others = append(others[:len(others):len(others)], during)
	}
	for _, o := range others {
		stops = append(stops, context.AfterFunc(o, cancel))
	}
	return limited, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
