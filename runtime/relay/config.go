package relay

import (
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
	// Park sets the dead row aside and releases its key.
	Park Policy = "park"
	// Block keeps the key's later rows waiting until someone replays or discards
	// the dead row.
	Block Policy = "block"
)

// Config is everything that a Relay can be told. Store and Sink are required;
// the zero value of every other field means its default. Package documentation
// gives the reason for each default.
type Config struct {
	// Name names the outbox in logs, metrics and spans. Default "event_outbox".
	Name string
	// Store is the outbox to read. The relay closes it when Run returns.
	Store Store
	// Sink is where the records go.
	Sink Sink
	// Wake shortens the wait when the outbox was idle. Default nil: polling only.
	// The relay closes it when Run returns.
	Wake WakeSource

	// Term is how long a leader that falls silent keeps the lease. A standby
	// takes over after the lease stood still for this long on its own clock.
	// Default 3s; at least 500ms. Every instance of an outbox must use the same.
	Term time.Duration
	// TermMargin is how long before the end of its term a leader that could not
	// renew stops producing and settling. It covers clocks that run at different
	// speeds. Default Term/6 (500ms).
	TermMargin time.Duration
	// RenewEvery is how often the leader renews. Default 5/12 of Term (1.25s).
	RenewEvery time.Duration
	// ObserveEvery is how often a standby looks at the lease. A clean end of a term
	// is noticed at once if the store is a [ReleaseHints], as pgstore is, else within
	// this. Default 7/12 of Term (1.75s).
	ObserveEvery time.Duration

	// BufferRows bounds the rows in memory, queued and being sent. Default 20,000, at
	// most 500,000.
	BufferRows int
	// UnsettledRows bounds the rows that are being sent, or are sent and not yet
	// marked as published: those that come twice when the relay is killed. A wave has
	// at most half of them, so that one is sent while the former is settled. Less
	// costs throughput; see the package documentation. Default 5,000.
	UnsettledRows int
	// BufferBytes bounds the bytes of those rows (data, headers, key). One row
	// larger than that is still read, alone. Default 64 MiB.
	BufferBytes int64
	// PageRows bounds one read. Default 4,000.
	PageRows int
	// PageBytes bounds one read. Default 8 MiB.
	PageBytes int64
	// SettleRows bounds one settling statement. Default 5,000.
	SettleRows int

	// WaveTimeout is how long a wave may take, in which the client itself retries
	// what can be retried. Past it, what is unresolved is set aside or backed off
	// from, and sent again. Default 10s.
	WaveTimeout time.Duration
	// StoreTimeout bounds one call of the store, except the lease's, which end with
	// the term. Default 30s.
	StoreTimeout time.Duration
	// DrainTimeout bounds the clean end: finishing the wave, settling it, ending
	// the term. Past it the lease is not given back and expires. Default 15s.
	DrainTimeout time.Duration

	// PollMin and PollMax bound the pause between two looks at an idle outbox; it
	// doubles from one to the other and starts again when rows were found. A
	// wake-up ends the pause. PollMax is the latency that is promised without wake-ups.
	// Defaults 10ms and 200ms.
	PollMin, PollMax time.Duration
	// IdleWait is how long one call of an [Idler] lasts at most; then the relay looks
	// itself, to be sure. Once the pauses have grown to PollMax, the relay lets the
	// store wait; a row is then found within PollMax too, and an idle outbox costs a
	// statement now and then rather than five a second. Default 30s; -1: no, poll.
	IdleWait time.Duration
	// DecisionsEvery is how often the leader looks for dead rows that an operator
	// replayed or discarded, apart from when a renewal says that there are some.
	// Default 1m.
	DecisionsEvery time.Duration

	// MaxAttempts is the number of attempts before a row is dead-lettered. Outages
	// are not counted. Default 10.
	MaxAttempts int
	// RetryMin and RetryMax bound the pause between two attempts of a row that
	// failed alone; it doubles from one to the other. Defaults 1s and 5m: with
	// 10 attempts a row is dead after about 9 minutes.
	RetryMin, RetryMax time.Duration
	// PauseMin and PauseMax bound the back-off of a paused topic and of a
	// partition that is set aside. Defaults 500ms and 30s.
	PauseMin, PauseMax time.Duration
	// OutageMin and OutageMax bound the back-off while Kafka is unavailable.
	// Defaults 100ms and 5s.
	OutageMin, OutageMax time.Duration
	// TopicsEvery is how often topics in use are looked at again (partitions,
	// max.message.bytes). Default 1m.
	TopicsEvery time.Duration

	// OnDead is the policy for event types that OnDeadByType does not name.
	// Default Park.
	OnDead Policy
	// OnDeadByType is the policy of single event types.
	OnDeadByType map[string]Policy

	// Keep is how long settled rows stay before they are swept; -1 keeps them for
	// ever. Default 168h (7 days). A store that deletes as it settles has
	// nothing to sweep.
	Keep time.Duration
	// SweepEvery is how often a batch is swept, and SweepRows its size: the two
	// bound the load. While a full batch was found, the next follows after a
	// tenth of it. Defaults 1m and 5,000.
	SweepEvery time.Duration
	SweepRows  int
	// StatsEvery is how often the store is asked for its numbers. Default 15s.
	StatsEvery time.Duration

	// Clock tells the time. Default: a clock that counts suspension, where the
	// system has one.
	Clock Clock
	// NewHolder makes the id of a term, for tests that want to know it. It never
	// gives one twice, to no instance: with a repeated one, a take-over whose
	// answer was lost can end another's term. Default uuid.New.
	NewHolder func() uuid.UUID
	// Observer is told what happens, for metrics. Default: nothing.
	Observer Observer
	// TracerProvider makes a span per wave, linked to the spans that inserted its
	// rows. Default nil: no tracing.
	TracerProvider trace.TracerProvider
	// Logger. Default slog.Default().
	Logger *slog.Logger
}

const (
	maxBufferRows = 500_000
	minTerm       = 500 * time.Millisecond
)

// WithDefaults returns a copy in which every field that was left zero has its
// default.
func (c Config) WithDefaults() Config {
	def(&c.Name, "event_outbox")
	def(&c.Term, 3*time.Second)
	def(&c.TermMargin, c.Term/6)
	def(&c.RenewEvery, c.Term*5/12)
	def(&c.ObserveEvery, c.Term*7/12)
	def(&c.BufferRows, 20_000)
	def(&c.UnsettledRows, 5_000)
	def(&c.BufferBytes, 64<<20)
	def(&c.PageRows, 4_000)
	def(&c.PageBytes, 8<<20)
	def(&c.SettleRows, 5_000)
	def(&c.WaveTimeout, 10*time.Second)
	def(&c.StoreTimeout, 30*time.Second)
	def(&c.DrainTimeout, 15*time.Second)
	def(&c.PollMin, 10*time.Millisecond)
	def(&c.PollMax, 200*time.Millisecond)
	def(&c.DecisionsEvery, time.Minute)
	def(&c.MaxAttempts, 10)
	def(&c.RetryMin, time.Second)
	def(&c.RetryMax, 5*time.Minute)
	def(&c.PauseMin, 500*time.Millisecond)
	def(&c.PauseMax, 30*time.Second)
	def(&c.OutageMin, 100*time.Millisecond)
	def(&c.OutageMax, 5*time.Second)
	def(&c.TopicsEvery, time.Minute)
	def(&c.OnDead, Park)
	def(&c.Keep, 7*24*time.Hour)
	def(&c.SweepEvery, time.Minute)
	def(&c.SweepRows, 5_000)
	def(&c.StatsEvery, 15*time.Second)
	def(&c.IdleWait, 30*time.Second)
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.NewHolder == nil {
		c.NewHolder = uuid.New
	}
	if c.Observer == nil {
		c.Observer = NopObserver{}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate reports every field that cannot be used, by its name.
func (c *Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("relay: config: "+format, args...))
	}
	if c.Store == nil {
		bad("Store is nil: the outbox to read is required")
	}
	if c.Sink == nil {
		bad("Sink is nil: where records go is required")
	}
	if c.Term < minTerm {
		bad("Term is %s: at least %s is needed", c.Term, minTerm)
	}
	if c.TermMargin < 0 || c.TermMargin*2 > c.Term {
		bad("TermMargin is %s: it must be between 0 and half of Term (%s)", c.TermMargin, c.Term)
	}
	if c.RenewEvery <= 0 || c.RenewEvery*2 > c.Term {
		bad("RenewEvery is %s: it must be at most half of Term (%s)", c.RenewEvery, c.Term)
	}
	if c.RenewEvery+c.TermMargin >= c.Term {
		bad("RenewEvery is %s and TermMargin %s: together they must be less than Term (%s), or no renewal comes in time", c.RenewEvery, c.TermMargin, c.Term)
	}
	if c.BufferRows > maxBufferRows {
		bad("BufferRows is %d: at most %d are possible", c.BufferRows, maxBufferRows)
	}
	for name, n := range map[string]int64{
		"BufferRows": int64(c.BufferRows), "BufferBytes": c.BufferBytes, "PageRows": int64(c.PageRows),
		"PageBytes": c.PageBytes, "UnsettledRows": int64(c.UnsettledRows), "SettleRows": int64(c.SettleRows), "MaxAttempts": int64(c.MaxAttempts),
		"SweepRows": int64(c.SweepRows), "ObserveEvery": int64(c.ObserveEvery), "WaveTimeout": int64(c.WaveTimeout),
		"StoreTimeout": int64(c.StoreTimeout), "DrainTimeout": int64(c.DrainTimeout),
		"DecisionsEvery": int64(c.DecisionsEvery), "TopicsEvery": int64(c.TopicsEvery),
		"SweepEvery": int64(c.SweepEvery), "StatsEvery": int64(c.StatsEvery),
	} {
		if n < 0 {
			bad("%s is negative", name)
		}
	}
	for name, r := range map[string][2]time.Duration{
		"Poll": {c.PollMin, c.PollMax}, "Retry": {c.RetryMin, c.RetryMax},
		"Pause": {c.PauseMin, c.PauseMax}, "Outage": {c.OutageMin, c.OutageMax},
	} {
		if r[0] <= 0 || r[1] < r[0] {
			bad("%sMin is %s and %sMax is %s: the first must be above zero and not above the second", name, r[0], name, r[1])
		}
	}
	if !c.OnDead.valid() {
		bad("OnDead is %q: use %q or %q", c.OnDead, Park, Block)
	}
	for typ, p := range c.OnDeadByType {
		if !p.valid() {
			bad("OnDeadByType[%q] is %q: use %q or %q", typ, p, Park, Block)
		}
	}
	return errors.Join(errs...)
}

func (p Policy) valid() bool { return p == Park || p == Block }

// policy is the policy of an event type.
func (c *Config) policy(eventType string) Policy {
	if p, ok := c.OnDeadByType[eventType]; ok {
		return p
	}
	return c.OnDead
}

// blocking is the policy in the form that the store asks for.
func (c *Config) blocking() Blocking {
	b := Blocking{ByDefault: c.OnDead == Block}
	for typ, p := range c.OnDeadByType {
		if p != c.OnDead {
			b.Except = append(b.Except, typ)
		}
	}
	return b
}
