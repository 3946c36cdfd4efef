package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// Action says what happens to a record that is given up.
type Action string

const (
	// Stop makes Run return the error. The record's offset is not committed: it is
	// the first to be read again.
	Stop Action = "stop"
	// Skip logs the error and goes on behind the record, which this group will not
	// see again.
	Skip Action = "skip"
)

// Dispatcher handles messages; *consume.Router is one.
type Dispatcher interface {
	Dispatch(ctx context.Context, m consume.Message) error
}

// DeadLetter takes over a record that is given up: it writes it to a topic or a
// table for people to look at. Once it returns nil, the record counts as handled;
// an error is answered like one of a handler, by trying again without limit.
type DeadLetter func(ctx context.Context, m consume.Message, cause error) error

// Config is what Run needs to know. Brokers, Group, Topics and Router are
// required; the zero value of every other field means its default.
type Config struct {
	// Brokers are the addresses to begin with, host:port.
	Brokers []string
	// Group is the consumer group. Members of one group share the partitions.
	Group string
	// Topics are the topics to read.
	Topics []string
	// Router handles the messages.
	Router Dispatcher

	// MaxAttempts is how often a record's handler is tried before the record is
	// given up. Default 0: without limit.
	MaxAttempts int
	// RetryMin and RetryMax bound the pause between two attempts, which doubles
	// from one to the other. Defaults 100ms and 30s.
	RetryMin, RetryMax time.Duration
	// DeadLetter takes records that are given up: after MaxAttempts, and at once
	// when they cannot be decoded or nobody handles their type. Default nil: see
	// GiveUp.
	DeadLetter DeadLetter
	// GiveUp is what happens to such a record without a DeadLetter. Default Stop.
	GiveUp Action

	// CommitEvery is how often marked offsets are committed; it bounds how much is
	// delivered again after a crash. Default 1s, at least 100ms.
	CommitEvery time.Duration
	// BufferRecords is how many records of a partition may wait in memory before
	// fetching it pauses. Default 500.
	BufferRecords int
	// DrainTimeout is how long running handlers are waited for when Run ends or a
	// partition is revoked; past it their context is cancelled. Default 30s.
	DrainTimeout time.Duration

	// Options are further options for the client: TLS, SASL, a client id. Those
	// that concern the group, its topics and offsets belong to Run.
	Options []kgo.Opt
	// TracerProvider makes a span per attempt, linked to the span that inserted the
	// event. Default nil: no tracing.
	TracerProvider trace.TracerProvider
	// Logger. Default slog.Default().
	Logger *slog.Logger
}

// WithDefaults returns a copy in which every field that was left zero has its
// default.
func (c Config) WithDefaults() Config {
	c.RetryMin = cmp.Or(c.RetryMin, 100*time.Millisecond)
	c.RetryMax = cmp.Or(c.RetryMax, max(30*time.Second, c.RetryMin))
	c.GiveUp = cmp.Or(c.GiveUp, Stop)
	c.CommitEvery = cmp.Or(c.CommitEvery, time.Second)
	c.BufferRecords = cmp.Or(c.BufferRecords, 500)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 30*time.Second)
	if c.TracerProvider == nil {
		c.TracerProvider = noop.NewTracerProvider()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// minCommitEvery is franz-go's.
const minCommitEvery = 100 * time.Millisecond

func (c Config) validate() error {
	bad := func(format string, args ...any) error { return fmt.Errorf("consume/kafka: Config."+format, args...) }
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, bad("Brokers is empty: name at least one host:port"))
	}
	if c.Group == "" {
		errs = append(errs, bad("Group is empty: name the consumer group, for instance after the service"))
	}
	if len(c.Topics) == 0 {
		errs = append(errs, bad("Topics is empty: name the topics to read"))
	}
	if c.Router == nil {
		errs = append(errs, bad("Router is nil: give it a consume.Router"))
	}
	if c.MaxAttempts < 0 {
		errs = append(errs, bad("MaxAttempts is %d: use 0 for no limit", c.MaxAttempts))
	}
	if c.RetryMin < 0 || c.RetryMax < c.RetryMin {
		errs = append(errs, bad("RetryMin and RetryMax are %v and %v: the pause must not be negative, nor shrink", c.RetryMin, c.RetryMax))
	}
	if c.GiveUp != Stop && c.GiveUp != Skip {
		errs = append(errs, bad("GiveUp is %q: use %q or %q", c.GiveUp, Stop, Skip))
	}
	if c.CommitEvery < minCommitEvery {
		errs = append(errs, bad("CommitEvery is %v: the client commits every %v at most", c.CommitEvery, minCommitEvery))
	}
	if c.BufferRecords < 0 || c.DrainTimeout < 0 {
		errs = append(errs, bad("BufferRecords and DrainTimeout must not be negative"))
	}
	return errors.Join(errs...)
}
