package main

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

// running is the relay of a schema that a pattern found.
type running struct {
	stop func()        // called once, when the schema is gone
	gone bool          // it was told to stop
	done chan struct{} // closed when it has ended
}

func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// follower runs relays for the schemas that match the pattern of an outbox. Only its
// goroutine uses it.
type follower struct {
	*fleet
	outbox  outbox
	earlier []outbox // before this one in the configuration

	runs    map[string]*running // by schema
	skipped map[string]bool     // schemas whose skipping was logged
	relays  sync.WaitGroup
}

func newFollower(f *fleet, o outbox, earlier []outbox) *follower {
	return &follower{fleet: f, outbox: o, earlier: earlier, runs: map[string]*running{}, skipped: map[string]bool{}}
}

// follow runs a relay for each schema that matches an outbox's pattern, as long as the
// schema exists. Schemas of an earlier outbox are left to that one.
func (f *fleet) follow(ctx context.Context, o outbox, earlier []outbox) {
	ctx, cancel := context.WithCancel(ctx)
	w := newFollower(f, o, earlier)
	defer w.relays.Wait()
	defer cancel()
	failing, first := false, true
	for {
		schemas, err := f.server(o).Schemas(ctx, o.schema)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			failing = true
			f.log.WarnContext(ctx, "cannot list schemas, retrying", "outbox", o.name, "pattern", o.schema, "error", err)
		case err == nil:
			failing = false
			if first && len(schemas) == 0 {
				f.log.WarnContext(ctx, "no schema with an event_outbox matches the pattern yet", "outbox", o.name, "pattern", o.schema)
			}
			w.update(ctx, schemas)
			if first {
				first = false
				f.mu.Lock()
				f.looking--
				f.mu.Unlock()
			}
		}
		if !wait.For(ctx, f.look) {
			return
		}
	}
}

// update takes the schemas that match now: it starts the relays of new ones, stops
// those of missing ones, and forgets those that have ended.
func (w *follower) update(ctx context.Context, schemas []string) {
	maps.DeleteFunc(w.skipped, func(schema string, _ bool) bool { return !slices.Contains(schemas, schema) })
	maps.DeleteFunc(w.runs, func(_ string, r *running) bool { return r.gone && r.ended() })
	schemas = slices.DeleteFunc(slices.Clone(schemas), func(schema string) bool { return w.skip(ctx, schema) })
	for schema, r := range w.runs {
		if !r.gone && !slices.Contains(schemas, schema) {
			w.log.InfoContext(ctx, "schema was removed, stopping its relay", "outbox", w.outbox.name, "schema", schema)
			r.gone = true
			r.stop()
		}
	}
	for _, schema := range schemas {
		if former := w.runs[schema]; former == nil || former.gone {
			w.runs[schema] = w.begin(ctx, w.outbox.forSchema(schema), former)
		}
	}
}

// begin runs the relay of a schema after the former one has ended: a schema may be
// dropped and created again while its relay is still finishing.
func (w *follower) begin(ctx context.Context, o outbox, former *running) *running {
	ctx, stop := context.WithCancel(ctx)
	r := &running{stop: stop, done: make(chan struct{})}
	m := &member{outbox: o}
	if former == nil {
		w.join(m) // before a request asks whether all outboxes are known
	} else {
		w.log.InfoContext(ctx, "schema is back, its relay starts when the previous one has ended", "outbox", o.name, "schema", o.schema)
	}
	w.relays.Go(func() {
		defer close(r.done)
		defer stop()
		if former != nil {
			<-former.done // its context has ended, so it ends
			w.join(m)
		}
		defer w.leave(m)
		w.keep(ctx, m)
	})
	return r
}

// skip reports whether an earlier outbox serves a schema, and warns once.
func (w *follower) skip(ctx context.Context, schema string) bool {
	other, taken := servedBy(w.outbox, schema, w.outboxes, w.earlier)
	if !taken {
		return false
	}
	if !w.skipped[schema] {
		w.skipped[schema] = true
		w.log.WarnContext(ctx, "schema skipped, another outbox of the settings serves it; make the pattern narrower",
			"outbox", w.outbox.name, "pattern", w.outbox.schema, "schema", schema, "served_by", other.name)
	}
	return true
}
