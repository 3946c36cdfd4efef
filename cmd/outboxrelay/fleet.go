package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// fleet has the outboxes of this process. Those with a fixed schema are there from
// start to end; those found by a pattern come and go with their schemas.
type fleet struct {
	log     *slog.Logger
	stdout  io.Writer
	metrics *prometheus.Registry
	blocked *prometheus.GaugeVec // by outbox: 1 while it needs operator action
	secrets *secret.Redactor

	published map[string]*atomic.Int64 // rows, by outbox

	servers  map[string]*pgstore.Server // by address
	outboxes []outbox
	newStore func(outbox, pgstore.Config) (outboxStore, error)
	look     time.Duration // between two searches for schemas
	retry    time.Duration // pause before an outbox that needs operator action is tried again

	mu      sync.Mutex
	members []*member
	looking int // patterns that have not been searched yet
}

// member is one outbox of the fleet. The fleet's mutex guards the fields that change.
type member struct {
	outbox outbox
	next   *relay.Relay // created and not running yet; nil: none
	forget func()       // removes the metrics of next

	relay   *relay.Relay // running, or about to; nil: none
	problem error        // why the last one ended, until one is ready; nil: no known problem
}

// memberState is the current state of a member.
type memberState struct {
	name    string
	found   bool // a pattern found its schema
	ready   bool
	status  relay.Status
	problem error // needs operator action, until a retry has succeeded; nil: no known problem

	outbox    outbox
	published int64 // rows that this process has recorded as published
}

const (
	lookForSchemas = 10 * time.Second
	retrySetup     = 30 * time.Second
)

// newFleet creates the relays of fixed schemas. It does not connect yet.
func newFleet(outboxes []outbox, log *slog.Logger, stdout io.Writer, secrets *secret.Redactor) (*fleet, error) {
	f := &fleet{
		log: log, stdout: stdout, metrics: prometheus.NewRegistry(), secrets: secrets,
		blocked: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "outbox_relay_needs_operator", Help: "1 if this process cannot serve the outbox until an operator acts; its log says what to do.",
		}, []string{"outbox"}),
		published: map[string]*atomic.Int64{},
		servers:   map[string]*pgstore.Server{}, outboxes: outboxes, newStore: newStore,
		look: lookForSchemas, retry: retrySetup,
	}
	f.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), f.blocked)
	for _, o := range outboxes {
		if err := f.connectTo(o, outboxes); err != nil {
			return nil, fmt.Errorf("outbox %s: %w", o.name, err)
		}
		if pgstore.IsPattern(o.schema) {
			f.looking++
			continue
		}
		r, forget, err := f.newRelay(o)
		if err != nil {
			return nil, fmt.Errorf("outbox %s: %w", o.name, err)
		}
		f.join(&member{outbox: o, next: r, forget: forget, relay: r})
	}
	return f, nil
}

func (f *fleet) join(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members = append(f.members, m)
	f.blocked.WithLabelValues(m.outbox.name).Set(0)
}

func (f *fleet) leave(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members = slices.DeleteFunc(f.members, func(other *member) bool { return other == m })
	f.blocked.DeleteLabelValues(m.outbox.name)
	delete(f.published, m.outbox.name)
}

// started records that a member has a relay. Its problem stays until the relay is
// ready.
func (f *fleet) started(m *member, r *relay.Relay) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m.relay = r
}

// stopped records that a member has no relay, and why.
func (f *fleet) stopped(m *member, problem error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m.relay, m.problem = nil, problem
	f.blocked.WithLabelValues(m.outbox.name).Set(1)
}

// solved records that a member's problem is over.
func (f *fleet) solved(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m.problem = nil
	f.blocked.WithLabelValues(m.outbox.name).Set(0)
}

func (f *fleet) hasProblem(m *member) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return m.problem != nil
}

// connectTo creates the sessions for an outbox's database, unless they exist. Outboxes
// of one database share them.
func (f *fleet) connectTo(o outbox, all []outbox) error {
	key := serverKey(o)
	if f.servers[key] != nil {
		return nil
	}
	most := 0
	for _, other := range all {
		if serverKey(other) == key {
			most = max(most, other.maxSessions)
		}
	}
	server, err := pgstore.NewServer(pgstore.ServerConfig{
		Conn: o.database, Password: o.password.databasePassword(), TLS: o.tls.renew(f.log), MaxSessions: most, Logger: f.log,
	})
	if err != nil {
		return err
	}
	f.servers[key] = server
	if err := server.CheckAddress(); err != nil {
		return misuse{fmt.Errorf("setting database-url: %w", err)}
	}
	return nil
}

// serverKey identifies a database and the user who connects to it.
func serverKey(o outbox) string {
	if o.password == nil {
		return o.database.ConnString()
	}
	return o.database.ConnString() + "\n" + o.password.path
}

func (f *fleet) server(o outbox) *pgstore.Server { return f.servers[serverKey(o)] }

// all returns the current outboxes: those with a fixed schema in their order, then the
// others by name.
func (f *fleet) all() []memberState {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []memberState
	fixed := 0
	for _, m := range f.members {
		state := memberState{name: m.outbox.name, found: m.outbox.found, problem: m.problem, outbox: m.outbox}
		if rows := f.published[m.outbox.name]; rows != nil {
			state.published = rows.Load()
		}
		switch {
		case m.problem != nil:
			state.status = relay.Status{Name: m.outbox.name, Reason: "needs operator action: " + m.problem.Error()}
		case m.relay != nil:
			state.ready, state.status = m.relay.Ready(), m.relay.Status()
		default:
			state.status = relay.Status{Name: m.outbox.name, Reason: "not running"}
		}
		list = append(list, state)
		if !m.outbox.found {
			fixed++
		}
	}
	slices.SortStableFunc(list[fixed:], func(a, b memberState) int { return strings.Compare(a.name, b.name) })
	return list
}

// complete reports whether every pattern has been searched.
func (f *fleet) complete() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looking == 0
}

// run runs the relays until ctx ends. If there is only one outbox and it needs operator
// action, run returns an error. With several outboxes, one does not stop the others.
func (f *fleet) run(ctx context.Context) error {
	defer func() {
		for _, s := range f.servers {
			s.Close()
		}
	}()
	if len(f.outboxes) == 1 && len(f.members) == 1 {
		return f.runOnly(ctx, f.members[0])
	}
	var running sync.WaitGroup
	defer running.Wait()
	for _, m := range f.members {
		running.Go(func() { f.keep(ctx, m) })
	}
	for i, o := range f.outboxes {
		if pgstore.IsPattern(o.schema) {
			running.Go(func() { f.follow(ctx, o, f.outboxes[:i]) })
		}
	}
	return nil
}

// runOnly runs the relay of the only outbox.
func (f *fleet) runOnly(ctx context.Context, m *member) error {
	err := m.next.Run(ctx)
	if err == nil {
		return nil
	}
	if setup, ok := errors.AsType[*relay.SetupError](err); ok {
		f.log.ErrorContext(ctx, "relay stopped, operator action needed", "outbox", m.outbox.name, "problem", setup.Problem, "remedy", setup.Remedy)
	}
	return fmt.Errorf("outbox %s: %w", m.outbox.name, err)
}
