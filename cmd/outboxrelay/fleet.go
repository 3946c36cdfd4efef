package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// fleet is the relays of this process. Those of a fixed schema run from start to
// end; those of schemas that a pattern matches come and go with the schemas.
type fleet struct {
	log     *slog.Logger
	stdout  io.Writer
	metrics *prometheus.Registry
	secrets *secret.Redactor

	servers  map[string]*pgstore.Server // by address
	fixed    []namedRelay
	patterns []outbox

	mu      sync.Mutex
	found   map[string]namedRelay // of patterns, by name
	looking int                   // patterns that have not been looked for yet
}

// namedRelay is one relay of this process.
type namedRelay struct {
	name  string
	relay *relay.Relay
}

// newFleet makes the relays of a fixed schema; it connects to nothing yet.
func newFleet(outboxes []outbox, log *slog.Logger, stdout io.Writer, secrets *secret.Redactor) (*fleet, error) {
	f := &fleet{
		log: log, stdout: stdout, metrics: prometheus.NewRegistry(), secrets: secrets,
		servers: map[string]*pgstore.Server{}, found: map[string]namedRelay{},
	}
	f.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, o := range outboxes {
		if err := f.connectTo(o, outboxes); err != nil {
			return nil, fmt.Errorf("outbox %s: %w", o.name, err)
		}
		if pgstore.IsPattern(o.schema) {
			f.patterns = append(f.patterns, o)
			continue
		}
		r, _, err := f.newRelay(o)
		if err != nil {
			return nil, fmt.Errorf("outbox %s: %w", o.name, err)
		}
		f.fixed = append(f.fixed, namedRelay{o.name, r})
	}
	f.looking = len(f.patterns)
	return f, nil
}

// connectTo sees to it that there are sessions for an outbox's database. Outboxes
// of one database share them.
func (f *fleet) connectTo(o outbox, all []outbox) error {
	key := serverKey(o.database)
	if f.servers[key] != nil {
		return nil
	}
	most := 0
	for _, other := range all {
		if serverKey(other.database) == key {
			most = max(most, other.maxSessions)
		}
	}
	server, err := pgstore.NewServer(pgstore.ServerConfig{Conn: o.database, MaxSessions: most, Logger: f.log})
	if err != nil {
		return err
	}
	f.servers[key] = server
	return nil
}

// serverKey tells databases, and who connects to them, from each other.
func serverKey(c *pgx.ConnConfig) string { return c.ConnString() }

func (f *fleet) server(o outbox) *pgstore.Server { return f.servers[serverKey(o.database)] }

// all lists the relays there are now.
func (f *fleet) all() []namedRelay {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := slices.Clone(f.fixed)
	for _, r := range f.found {
		list = append(list, r)
	}
	slices.SortStableFunc(list[len(f.fixed):], func(a, b namedRelay) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return list
}

// complete reports whether every pattern has been looked for.
func (f *fleet) complete() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looking == 0
}

// run runs the relays until ctx ends or one of a fixed schema cannot go on.
func (f *fleet) run(ctx context.Context) error {
	defer func() {
		for _, s := range f.servers {
			s.Close()
		}
	}()
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range f.fixed {
		group.Go(func() error {
			if err := r.relay.Run(ctx); err != nil {
				return fmt.Errorf("outbox %s: %w", r.name, err)
			}
			return nil
		})
	}
	for _, o := range f.patterns {
		group.Go(func() error { return f.follow(ctx, o) })
	}
	err := group.Wait()
	if setup, ok := errors.AsType[*relay.SetupError](err); ok {
		f.log.Error("stopped: this needs an operator", "problem", setup.Problem, "remedy", setup.Remedy)
	}
	return err
}

const (
	// lookForSchemas is how often the schemas that match a pattern are looked for.
	lookForSchemas = 10 * time.Second
	// tryAgain is how long an outbox that a pattern found stays alone after it
	// turned out to need an operator.
	tryAgain = 30 * time.Second
)

// follow runs a relay for each schema that matches an outbox's pattern, for as
// long as there is such a schema.
func (f *fleet) follow(ctx context.Context, o outbox) error {
	var running sync.WaitGroup
	defer running.Wait()
	stops := map[string]context.CancelFunc{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	complained, first := false, true
	for {
		schemas, err := f.server(o).Schemas(ctx, o.schema)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !complained:
			complained = true
			f.log.WarnContext(ctx, "schemas cannot be looked for, retrying", "outbox", o.name, "pattern", o.schema, "error", err)
		case err == nil:
			complained = false
			if first && len(schemas) == 0 {
				f.log.WarnContext(ctx, "no schema with an event_outbox matches the pattern yet", "outbox", o.name, "pattern", o.schema)
			}
			for schema, stop := range stops {
				if !slices.Contains(schemas, schema) {
					f.log.InfoContext(ctx, "schema is gone, its relay stops", "outbox", o.name, "schema", schema)
					stop()
					delete(stops, schema)
				}
			}
			for _, schema := range schemas {
				if stops[schema] != nil {
					continue
				}
				own, stop := context.WithCancel(ctx)
				stops[schema] = stop
				running.Go(func() { f.keep(own, o.forSchema(schema)) })
			}
			if first {
				first = false
				f.mu.Lock()
				f.looking--
				f.mu.Unlock()
			}
		}
		if !sleep(ctx, lookForSchemas) {
			return nil
		}
	}
}

// keep runs the relay of one schema until ctx ends. What needs an operator stops
// this outbox alone, and is tried again.
func (f *fleet) keep(ctx context.Context, o outbox) {
	for {
		r, forget, err := f.newRelay(o)
		if err == nil {
			f.mu.Lock()
			f.found[o.name] = namedRelay{o.name, r}
			f.mu.Unlock()
			err = r.Run(ctx)
			f.mu.Lock()
			delete(f.found, o.name)
			f.mu.Unlock()
			forget()
		}
		if ctx.Err() != nil {
			return
		}
		if setup, ok := errors.AsType[*relay.SetupError](err); ok {
			f.log.ErrorContext(ctx, "outbox needs an operator, trying again later", "outbox", o.name,
				"problem", setup.Problem, "remedy", setup.Remedy, "again_in", tryAgain)
		} else {
			f.log.ErrorContext(ctx, "relay stopped, trying again later", "outbox", o.name, "error", err, "again_in", tryAgain)
		}
		if !sleep(ctx, tryAgain) {
			return
		}
	}
}

// sleep waits, or returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
