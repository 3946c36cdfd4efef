// Package history records what writers committed and what was read from Kafka, and
// decides whether the relay's guarantees held.
//
// It collects four kinds of facts: transactions (the events of each, and how it ended),
// deliveries (records, by topic, partition and offset), journals (what each relay
// instance sent and settled), and the end of the run. It decides nothing before the
// end, because a record may be read before its writer knows that it was committed.
package history

import (
	"cmp"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Event is one event that a writer inserted.
type Event struct {
	ID uuid.UUID
	// Topic and Key are those of the record. Events without a key have no order.
	Topic string
	Key   string
	Keyed bool
	// N counts the events of the topic and key. The writer draws it under the lock
	// that covers the key, so it says in which order they were committed.
	N int64
	// Sum is of the record's value: see [Sum].
	Sum uint64
	// Dropped is true if a savepoint around the event was rolled back.
	Dropped bool
	// Poison is true if the event cannot be sent until it is fixed. It may become a
	// dead row, and no order is promised around it.
	Poison bool
	// DeliverAt is the time before which the event must not be sent; zero: immediately. No
	// order is promised between a delayed event and others.
	DeliverAt time.Time
}

// Outcome is how a transaction ended.
type Outcome uint8

// The outcomes.
const (
	RolledBack Outcome = iota
	Committed
	// Unknown: the connection broke after COMMIT was sent. At the end of the run the
	// database decides.
	Unknown
)

func (o Outcome) String() string {
	return [...]string{"rolled back", "committed", "of unknown outcome"}[o]
}

// Label says in which term and wave a record was sent, and from which row. The relay
// instances of a run add it to their records.
type Label struct {
	Epoch int64
	Wave  int64
	Seq   int64
}

func (l Label) compare(o Label) int {
	return cmp.Or(cmp.Compare(l.Epoch, o.Epoch), cmp.Compare(l.Wave, o.Wave))
}

// Delivery is one record in Kafka.
type Delivery struct {
	ID          uuid.UUID
	Topic       string
	Key         string
	Keyed       bool
	Incarnation int // of the topic: how often it was created again
	Partition   int32
	Offset      int64
	Sum         uint64
	Label       Label
	At          time.Time // when the relay made the record, by its wall clock
}

func (d Delivery) before(o Delivery) bool {
	return cmp.Or(cmp.Compare(d.Incarnation, o.Incarnation), cmp.Compare(d.Offset, o.Offset)) < 0
}

// History collects the facts of a run. It is safe for concurrent use.
type History struct {
	mu     sync.Mutex
	claims map[uuid.UUID]Outcome // by transaction, as its writer saw the end
	events map[uuid.UUID]*event
	reads  map[uuid.UUID]*reads
	tally  Tally
}

type event struct {
	Event
	tx     uuid.UUID
	spared bool // no order is promised around it
}

// reads are the deliveries of one event.
type reads struct {
	first Delivery
	again []Delivery
}

// Tally counts while the run goes on.
type Tally struct {
	// Committed is the number of events whose writer knows that they are committed.
	Committed int64
	// Records is the number of records that were read, and Read the number of different
	// events among them.
	Records, Read int64
}

// New returns an empty history.
func New() *History {
	return &History{claims: map[uuid.UUID]Outcome{}, events: map[uuid.UUID]*event{}, reads: map[uuid.UUID]*reads{}}
}

// Transaction records how a transaction ended, as far as its writer knows.
func (h *History) Transaction(id uuid.UUID, outcome Outcome, events []Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claims[id] = outcome
	for _, e := range events {
		h.events[e.ID] = &event{Event: e, tx: id}
		if outcome == Committed && !e.Dropped {
			h.tally.Committed++
		}
	}
}

// Delivered adds a record. Call it for the records of a partition in the order of their
// offsets.
func (h *History) Delivered(d Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tally.Records++
	r := h.reads[d.ID]
	if r == nil {
		h.tally.Read++
		h.reads[d.ID] = &reads{first: d}
		return
	}
	r.again = append(r.again, d)
}

// Spare records that no order is promised around an event, because it was replayed.
func (h *History) Spare(ids ...uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		if e := h.events[id]; e != nil {
			e.spared = true
		}
	}
}

// Tally returns the counts so far.
func (h *History) Tally() Tally {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tally
}

// Poison reports whether an event cannot be sent until it is fixed.
func (h *History) Poison(id uuid.UUID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.events[id]
	return e != nil && e.Poison
}

// Unread counts the events of a topic that are committed, or may be, and were not read.
// It leaves out poison events unless asked to count them.
func (h *History) Unread(topic string, poison bool) int64 {
	return h.count(poison, func(e *event) bool { return (topic == "" || e.Topic == topic) && h.reads[e.ID] == nil })
}

func (h *History) count(poison bool, meets func(*event) bool) (n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if (poison || !e.Poison) && h.committed(e) && meets(e) {
			n++
		}
	}
	return n
}

// Resolve says which transactions are in the database at the end of the run. This
// overrides what the writers saw.
func (h *History) Resolve(committed map[uuid.UUID]bool) (broken []uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, claim := range h.claims {
		truth := RolledBack
		if committed[id] {
			truth = Committed
		}
		if claim != Unknown && claim != truth {
			broken = append(broken, id)
		}
		h.claims[id] = truth
	}
	h.tally.Committed = 0
	for _, e := range h.events {
		if h.committed(e) {
			h.tally.Committed++
		}
	}
	return broken
}

func (h *History) committed(e *event) bool {
	return e != nil && h.claims[e.tx] == Committed && !e.Dropped
}

// Expected counts the committed events of all topics but one.
func (h *History) Expected(except string, poison bool) int64 {
	return h.count(poison, func(e *event) bool { return e.Topic != except })
}

// Open lists the transactions with events for a topic that have not been read,
// whose writer does not know how they ended.
func (h *History) Open(topic string) []uuid.UUID {
	h.mu.Lock()
	defer h.mu.Unlock()
	var open []uuid.UUID
	for id, e := range h.events {
		if e.Topic == topic && h.claims[e.tx] == Unknown && !e.Dropped && h.reads[id] == nil {
			open = append(open, e.tx)
		}
	}
	return open
}
