// Package routing tells the code that reads records whether a consume.Router called a
// handler, also if the router is behind a wrapper that only has Dispatch.
package routing

import (
	"context"
	"sync/atomic"
)

type key struct{}

// Watched is what the routers of one context noted.
type Watched struct{ called, skipped atomic.Bool }

// Watch returns a context for a call of Dispatch.
func Watch(ctx context.Context) (context.Context, *Watched) {
	w := &Watched{}
	return context.WithValue(ctx, key{}, w), w
}

// Note records whether a router called a handler.
func Note(ctx context.Context, called bool) {
	w, watched := ctx.Value(key{}).(*Watched)
	switch {
	case !watched:
	case called:
		w.called.Store(true)
	default:
		w.skipped.Store(true)
	}
}

// Skipped reports whether a router skipped the message, and none called a handler.
func (w *Watched) Skipped() bool { return w.skipped.Load() && !w.called.Load() }
