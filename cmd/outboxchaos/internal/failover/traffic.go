package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

// writer inserts events all the time, into the server that it regards as the primary.
type writer struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	address string
	phase   int
	leave   context.CancelFunc // ends the writing at the address; nil: there is none
	events  map[uuid.UUID]int  // the phase in which each was committed
}

const keys = 5

func startWriter(ctx context.Context, address, topic string) *writer {
	ctx, cancel := context.WithCancel(ctx)
	w := &writer{cancel: cancel, address: address, events: map[uuid.UUID]int{}}
	w.done.Go(func() { w.run(ctx, topic) })
	return w
}

// follow makes the writer continue at an address, and begins a phase.
func (w *writer) follow(address string) (phase int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.address = address
	w.phase++
	if w.leave != nil {
		w.leave() // a commit may wait for a standby that has ended
	}
	return w.phase
}

// where returns the address, and a context for the time at this address.
func (w *writer) where(ctx context.Context) (bounded context.Context, cancel context.CancelFunc, address string, phase int) {
	const patience = 2 * time.Second
	w.mu.Lock()
	defer w.mu.Unlock()
	bounded, w.leave = context.WithTimeout(ctx, patience)
	return bounded, w.leave, w.address, w.phase
}

// committedIn reports whether an event was committed in a phase or a later one.
func (w *writer) committedIn(id uuid.UUID, phase int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	in, ok := w.events[id]
	return ok && in >= phase
}

func (w *writer) stop() {
	w.cancel()
	w.done.Wait()
}

func (w *writer) run(ctx context.Context, topic string) {
	const every = 20 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	var conn *pgx.Conn
	var at string
	closeConn := func() {
		if conn != nil {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), every)
			defer cancel()
			_ = conn.Close(bounded) // the server may have failed
			conn = nil
		}
	}
	defer closeConn()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel, address, phase := w.where(ctx)
		if at != address {
			closeConn()
			at = address
		}
		if conn == nil || conn.IsClosed() {
			conn, _ = pgx.Connect(bounded, at) // the server may have failed
		}
		if conn != nil {
			w.insert(bounded, conn, phase, topic, n)
		}
		cancel()
	}
}

// insert inserts an event, and records it if it was certainly committed.
func (w *writer) insert(ctx context.Context, conn *pgx.Conn, phase int, topic string, n int) {
	id := uuid.New()
	_, err := conn.Exec(ctx, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		VALUES ($1, $2, 'order', 'order.changed.v1', $3, $2, '{}')`, id, fmt.Sprintf("k%d", n%keys), topic)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[id] = phase
}

type reader struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	first map[uuid.UUID]arrival // by event
}

// arrival is the first record of an event.
type arrival struct {
	at    time.Time
	place int64
}

func startReader(ctx context.Context, brokers []string, topic string) (*reader, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{client: client, cancel: cancel, first: map[uuid.UUID]arrival{}}
	r.done.Go(func() {
		for ctx.Err() == nil {
			fetches := client.PollFetches(ctx)
			r.note(fetches.Records(), time.Now())
		}
	})
	return r, nil
}

func (r *reader) note(records []*kgo.Record, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range records {
		for _, h := range record.Headers {
			if h.Key != "event_id" {
				continue
			}
			id, err := uuid.ParseBytes(h.Value)
			if _, seen := r.first[id]; err == nil && !seen {
				r.first[id] = arrival{now, record.Offset} // the topic has one partition
			}
		}
	}
}

func (r *reader) stop() {
	r.cancel()
	r.done.Wait()
	r.client.Close()
}

// wait waits until the records that were read meet a condition.
func (r *reader) wait(ctx context.Context, holds func() bool) error {
	const pause = 10 * time.Millisecond
	return wait.Until(ctx, pause, func() (bool, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return holds(), nil
	})
}

// earliest returns when the first record of an event of a phase arrived.
func (r *reader) earliest(w *writer, phase int) (at time.Time, ok bool) {
	for id, a := range r.first {
		if (!ok || a.at.Before(at)) && w.committedIn(id, phase) {
			at, ok = a.at, true
		}
	}
	return at, ok
}

// check compares the records with the events of a server: all were published, and those
// of a key in order.
func (r *reader) check(ctx context.Context, address string) (problems []string, err error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	rows, err := conn.Query(ctx, `SELECT id, event_key FROM event_outbox ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	type event struct {
		ID  uuid.UUID
		Key string
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[event])
	if err != nil {
		return nil, err
	}
	published := func() bool {
		return !slices.ContainsFunc(events, func(e event) bool { _, ok := r.first[e.ID]; return !ok })
	}
	if err := r.wait(ctx, published); err != nil {
		problems = append(problems, "events that the promoted server has were never published")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last := map[string]int64{}
	for _, e := range events {
		a, ok := r.first[e.ID]
		if !ok {
			continue
		}
		if before, ok := last[e.Key]; ok && a.place < before {
			problems = append(problems, "events of a key were published out of order")
			break
		}
		last[e.Key] = a.place
	}
	if len(events) == 0 {
		problems = append(problems, "there is no event")
	}
	return problems, nil
}
