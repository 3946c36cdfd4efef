package relay

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
)

// Policy says what happens to a key when one of its rows is dead.
type Policy string

const (
	// Park skips the dead row and lets its key continue.
	Park Policy = "park"
	// Block makes the key's later rows wait until an operator replays or discards the
	// dead row.
	Block Policy = "block"
)

// Config configures a Relay. Store and Sink are required; the zero value of any other
// field means its default. The package documentation explains the defaults.
type Config struct {
	// Name is the outbox's name in logs, metrics and spans. Default "event_outbox".
	Name string
	// Store reads and writes the outbox. The relay closes it when Run returns.
	Store Store
	// Sink is where the records go.
	Sink Sink
	// Wake ends the pauses of an idle relay early. Default nil: polling only. The relay
	// closes it when Run returns.
	Wake WakeSource

	// Term is how long a leader that does not renew its lease keeps it. A standby takes
	// over when the lease row has not changed for this long on the standby's clock. All
	// instances of an outbox must have the same Term. Default 3s; at least 500ms.
	Term time.Duration
	// TermMargin is how long before the end of its term a leader without a renewal
	// stops sending and settling. It allows for clocks that run at different speeds.
	// Default Term/6 (500ms).
	TermMargin time.Duration
	// RenewEvery is how often the leader renews its lease. Default 5/12 of Term
	// (1.25s).
	RenewEvery time.Duration
	// ObserveEvery is how often a standby looks at the lease. If the store implements
	// [ReleaseHints], as pgstore does, a standby notices a clean end of a term immediately.
	// Default 7/12 of Term (1.75s).
	ObserveEvery time.Duration

	// BufferRows limits the rows in memory, queued and being sent. Default 20,000, at
	// most 500,000.
	BufferRows int
	// UnsettledRows limits the rows that are being sent, or are sent and not yet marked
	// as published. These rows are sent twice if the relay is killed. A wave has at
	// most half of them, so that the next wave is sent while the last one is settled. A
	// lower value costs throughput; see the package documentation. Default 5,000.
	UnsettledRows int
	// BufferBytes limits the bytes of the rows in memory (data, headers, key). A larger
	// row is still read, alone. Default 64 MiB.
	BufferBytes int64
	// PageRows limits the rows of one read. Default 4,000.
	PageRows int
	// PageBytes limits the bytes of one read. Default 8 MiB.
	PageBytes int64
	// SettleRows limits the rows of one settlement. Default 5,000.
	SettleRows int

	// WaveTimeout is how long sending a wave may take, retries of the Kafka client
	// included. After it, the relay sets the unresolved partitions aside or backs off,
	// and sends the rows again. Default 10s.
	WaveTimeout time.Duration
	// StoreTimeout limits one call of the store. Calls for the lease are limited by the
	// term instead. Default 30s.
	StoreTimeout time.Duration
	// DrainTimeout limits a clean end: finish the wave, settle it, release the lease.
	// After it, the relay does not release the lease, which then expires. Default 15s.
	DrainTimeout time.Duration

	// PollMin and PollMax limit the pause between two reads of an idle outbox. The
	// pause doubles from PollMin to PollMax, and starts again when rows are found. A
	// wake-up ends it. PollMax is the latency without wake-ups. Defaults 10ms and
	// 200ms.
	PollMin, PollMax time.Duration
	// IdleWait limits a call of an [Idler]: when the pauses have grown to PollMax, the
	// relay lets the store wait for rows instead of polling, and after IdleWait it reads
	// once itself. Rows are still found within PollMax, and an idle outbox costs fewer
	// statements than polling, which needs five a second. Default 30s; -1: poll instead.
	IdleWait time.Duration
	// DecisionsEvery is how often the leader looks for dead rows that an operator replayed
	// or discarded. A renewal that reports some makes it look immediately. Default 1m.
	DecisionsEvery time.Duration

	// MaxAttempts is the number of attempts before a row is dead-lettered. Outages
	// are not counted. Default 10.
	MaxAttempts int
	// RetryMin and RetryMax limit the pause between two attempts of a row that failed
	// alone. The pause doubles from RetryMin to RetryMax. Defaults 1s and 5m: with 10
	// attempts a row is dead after about 9 minutes.
	RetryMin, RetryMax time.Duration
	// PauseMin and PauseMax limit the back-off of a paused topic and of a partition
	// that is set aside. Defaults 500ms and 30s.
	PauseMin, PauseMax time.Duration
	// OutageMin and OutageMax limit the back-off while Kafka is unavailable. Defaults
	// 100ms and 5s.
	OutageMin, OutageMax time.Duration
	// TopicsEvery is how often the relay describes the topics in use again (partitions,
	// max.message.bytes). Default 1m.
	TopicsEvery time.Duration

	// OnDead is the policy for event types that are not in OnDeadByType. Default Park.
	OnDead Policy
	// OnDeadByType is the policy by event type. Default nil: OnDead for all.
	OnDeadByType map[string]Policy

	// StripRouting removes the members topic and headers from the top level of the data of
	// rows without headers, as relays of hand-written outboxes do; all other bytes stay.
	// Use the same in every instance of an outbox. Default false: the record's value is the
	// row's data, byte for byte.
	StripRouting bool

	// Keep is how long settled rows stay in the table before they are deleted, from the time
	// when they were settled; -1: forever. A log drops the events of a day together: when the
	// day ended that long ago, and the last of them was settled that long ago. Keep has no
	// effect on a store that deletes rows when it settles them. Default 168h (7 days).
	Keep time.Duration
	// SweepEvery is how often settled rows are deleted, and SweepRows is how many at a
	// time. Together they limit the load. After a full batch the next one follows in a
	// tenth of SweepEvery. Defaults 1m and 5,000.
	SweepEvery time.Duration
	SweepRows  int
	// StatsEvery is how often the store is asked for its statistics. Default 15s.
	StatsEvery time.Duration

	// Clock is the relay's clock. Default: a clock that counts while the machine is
	// suspended, if the system has one.
	Clock Clock
	// NewHolder makes the id of a term. Tests may set it. It must never return the same
	// id twice, in any instance: otherwise a take-over whose answer was lost can end
	// another instance's term. Default uuid.New.
	NewHolder func() uuid.UUID
	// Observer is called for events in the relay, for metrics. Default nil: none.
	Observer Observer
	// TracerProvider makes a span for each wave, linked to the spans that inserted its
	// rows. Default nil: no tracing.
	TracerProvider trace.TracerProvider
	// ContinueTraces also makes a span for each attempt to send a record, as a child of the
	// span that inserted its row, if that one was sampled. So the trace of an event shows
	// when it was sent, and whether Kafka acknowledged it. Waves without such a record have
	// no span then. Default false.
	ContinueTraces bool
	// Logger gets the log. Default slog.Default().
	Logger *slog.Logger
}

const (
	maxBufferRows = 500_000
	minTerm       = 500 * time.Millisecond
)

// WithDefaults returns a copy in which every zero field has its default.
func (c Config) WithDefaults() Config {
	c.Name = cmp.Or(c.Name, "event_outbox")
	c.Term = cmp.Or(c.Term, 3*time.Second)
	c.TermMargin = cmp.Or(c.TermMargin, c.Term/6)
	c.RenewEvery = cmp.Or(c.RenewEvery, c.Term*5/12)
	c.ObserveEvery = cmp.Or(c.ObserveEvery, c.Term*7/12)
	c.BufferRows = cmp.Or(c.BufferRows, 20_000)
	c.UnsettledRows = cmp.Or(c.UnsettledRows, 5_000)
	c.BufferBytes = cmp.Or(c.BufferBytes, 64<<20)
	c.PageRows = cmp.Or(c.PageRows, 4_000)
	c.PageBytes = cmp.Or(c.PageBytes, 8<<20)
	c.SettleRows = cmp.Or(c.SettleRows, 5_000)
	c.WaveTimeout = cmp.Or(c.WaveTimeout, 10*time.Second)
	c.StoreTimeout = cmp.Or(c.StoreTimeout, 30*time.Second)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 15*time.Second)
	c.PollMin = cmp.Or(c.PollMin, 10*time.Millisecond)
	c.PollMax = cmp.Or(c.PollMax, 200*time.Millisecond)
	c.DecisionsEvery = cmp.Or(c.DecisionsEvery, time.Minute)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 10)
	c.RetryMin = cmp.Or(c.RetryMin, time.Second)
	c.RetryMax = cmp.Or(c.RetryMax, 5*time.Minute)
	c.PauseMin = cmp.Or(c.PauseMin, 500*time.Millisecond)
	c.PauseMax = cmp.Or(c.PauseMax, 30*time.Second)
	c.OutageMin = cmp.Or(c.OutageMin, 100*time.Millisecond)
	c.OutageMax = cmp.Or(c.OutageMax, 5*time.Second)
	c.TopicsEvery = cmp.Or(c.TopicsEvery, time.Minute)
	c.OnDead = cmp.Or(c.OnDead, Park)
	c.Keep = cmp.Or(c.Keep, 7*24*time.Hour)
	c.SweepEvery = cmp.Or(c.SweepEvery, time.Minute)
	c.SweepRows = cmp.Or(c.SweepRows, 5_000)
	c.StatsEvery = cmp.Or(c.StatsEvery, 15*time.Second)
	c.IdleWait = cmp.Or(c.IdleWait, 30*time.Second)
	c.Clock = cmp.Or(c.Clock, Clock(systemClock{}))
	if c.NewHolder == nil {
		c.NewHolder = uuid.New
	}
	c.Observer = cmp.Or(c.Observer, Observer(NopObserver{}))
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// validate reports every invalid field by its name.
func (c *Config) validate() error {
	var errs []error
	check := func(valid bool, format string, args ...any) {
		if !valid {
			errs = append(errs, fmt.Errorf("relay: config: "+format, args...))
		}
	}
	check(c.Store != nil, "Store is nil: set the outbox to read")
	check(c.Sink != nil, "Sink is nil: set where the records go")
	check(c.Term >= minTerm, "Term is %s: at least %s is needed", c.Term, minTerm)
	check(0 <= c.TermMargin && c.TermMargin*2 <= c.Term, "TermMargin is %s: it must be between 0 and half of Term (%s)", c.TermMargin, c.Term)
	check(0 < c.RenewEvery && c.RenewEvery*2 <= c.Term, "RenewEvery is %s: it must be at most half of Term (%s)", c.RenewEvery, c.Term)
	check(c.RenewEvery+c.TermMargin < c.Term, "RenewEvery is %s and TermMargin %s: together they must be less than Term (%s), otherwise no renewal arrives in time", c.RenewEvery, c.TermMargin, c.Term)
	check(c.BufferRows <= maxBufferRows, "BufferRows is %d: at most %d are possible", c.BufferRows, maxBufferRows)
	for name, n := range map[string]int64{
		"BufferRows": int64(c.BufferRows), "BufferBytes": c.BufferBytes, "PageRows": int64(c.PageRows),
		"PageBytes": c.PageBytes, "UnsettledRows": int64(c.UnsettledRows), "SettleRows": int64(c.SettleRows), "MaxAttempts": int64(c.MaxAttempts),
		"SweepRows": int64(c.SweepRows), "ObserveEvery": int64(c.ObserveEvery), "WaveTimeout": int64(c.WaveTimeout),
		"StoreTimeout": int64(c.StoreTimeout), "DrainTimeout": int64(c.DrainTimeout),
		"DecisionsEvery": int64(c.DecisionsEvery), "TopicsEvery": int64(c.TopicsEvery),
		"SweepEvery": int64(c.SweepEvery), "StatsEvery": int64(c.StatsEvery),
	} {
		check(n >= 0, "%s is negative", name)
	}
	for name, r := range map[string][2]time.Duration{
		"Poll": {c.PollMin, c.PollMax}, "Retry": {c.RetryMin, c.RetryMax},
		"Pause": {c.PauseMin, c.PauseMax}, "Outage": {c.OutageMin, c.OutageMax},
	} {
		check(0 < r[0] && r[0] <= r[1], "%sMin is %s and %sMax is %s: the first must be above zero and not above the second", name, r[0], name, r[1])
	}
	check(c.OnDead.valid(), "OnDead is %q: use %q or %q", c.OnDead, Park, Block)
	for typ, p := range c.OnDeadByType {
		check(p.valid(), "OnDeadByType[%q] is %q: use %q or %q", typ, p, Park, Block)
	}
	return errors.Join(errs...)
}

func (p Policy) valid() bool { return p == Park || p == Block }

// policy returns the policy of an event type.
func (c *Config) policy(eventType string) Policy {
	if p, ok := c.OnDeadByType[eventType]; ok {
		return p
	}
	return c.OnDead
}

// blocking returns the policies in the store's form.
func (c *Config) blocking() Blocking {
	b := Blocking{ByDefault: c.OnDead == Block}
	for typ, p := range c.OnDeadByType {
		if p != c.OnDead {
			b.Except = append(b.Except, typ)
		}
	}
	return b
}
