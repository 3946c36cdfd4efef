package main

import (
	"context"
	"slices"
	"sync"
)

// running is the relay of a schema that a pattern found.
type running struct {
	stop func()        // once: it ends when the schema is gone
	gone bool          // it was told to stop
	done chan struct{} // closed when it has ended
}

// follow runs a relay for each schema that matches an outbox's pattern, for as
// long as there is such a schema. A schema that an earlier outbox serves is left
// to that one.
func (f *fleet) follow(ctx context.Context, o outbox, earlier []outbox) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	runs, skipped := map[string]*running{}, map[string]bool{}
	failing, first := false, true
	for {
		schemas, err := f.server(o).Schemas(ctx, o.schema)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			failing = true
			f.log.WarnContext(ctx, "schemas cannot be listed, retrying", "outbox", o.name, "pattern", o.schema, "error", err)
		case err == nil:
			failing = false
			if first && len(schemas) == 0 {
				f.log.WarnContext(ctx, "no schema with an event_outbox matches the pattern yet", "outbox", o.name, "pattern", o.schema)
			}
			schemas = slices.DeleteFunc(schemas, func(schema string) bool { return f.skip(ctx, o, schema, earlier, skipped) })
			for schema, r := range runs {
				if !r.gone && !slices.Contains(schemas, schema) {
					f.log.InfoContext(ctx, "schema is gone, its relay stops", "outbox", o.name, "schema", schema)
					r.gone = true
					r.stop()
				}
			}
			for _, schema := range schemas {
				if former := runs[schema]; former == nil || former.gone {
					runs[schema] = f.begin(ctx, o.forSchema(schema), former, &all)
				}
			}
			if first {
				first = false
				f.mu.Lock()
				f.looking--
				f.mu.Unlock()
			}
		}
		if !sleep(ctx, f.look) {
			return
		}
	}
}

// begin runs the relay of a schema, once the former one has ended: a schema may
// be dropped and made again while its relay still finishes.
func (f *fleet) begin(ctx context.Context, o outbox, former *running, all *sync.WaitGroup) *running {
	ctx, stop := context.WithCancel(ctx)
	r := &running{stop: stop, done: make(chan struct{})}
	m := &member{outbox: o}
	if former == nil {
		f.join(m) // before anybody asks whether all outboxes are known
	} else {
		f.log.InfoContext(ctx, "schema is back, its relay starts when the former one has ended", "outbox", o.name, "schema", o.schema)
	}
	all.Go(func() {
		defer close(r.done)
		defer stop()
		if former != nil {
			<-former.done // it ends: its context has ended
			f.join(m)
		}
		defer f.leave(m)
		f.keep(ctx, m)
	})
	return r
}

// skip reports whether an earlier outbox serves a schema, and warns once.
func (f *fleet) skip(ctx context.Context, o outbox, schema string, earlier []outbox, skipped map[string]bool) bool {
	other, taken := servedBy(o, schema, f.outboxes, earlier)
	if !taken {
		return false
	}
	if !skipped[schema] {
		skipped[schema] = true
		f.log.WarnContext(ctx, "schema is skipped, another outbox of the configuration serves it: make the pattern narrower",
			"outbox", o.name, "pattern", o.schema, "schema", schema, "served_by", other.name)
	}
	return true
}
