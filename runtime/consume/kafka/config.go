package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// Action says what to do with a record that cannot be handled, or after records were
// lost.
type Action string

const (
	// Stop makes Run return the error. The record's offset is not committed: the next
	// Run reads the record first.
	Stop Action = "stop"
	// Skip logs the error and continues after the record. This group does not read the
	// record again.
	Skip Action = "skip"
)

// Dispatcher handles messages. *consume.Router implements it. The consumer calls Dispatch
// of a wrapper for each message. The wrapper has to pass the context on to its router,
// which needs it to count skipped messages.
//
// Batch handlers behind a wrapper get batches of one message, unless the wrapper has the
// method Batch of the router too; whole batches then go to their handlers, not through
// Dispatch. A wrapper that embeds a router with batch handlers has that method by
// accident, so New and Run refuse it.
type Dispatcher interface {
	Dispatch(ctx context.Context, m consume.Message) error
}

// DeadLetter stores a record that cannot be handled, for example in a topic or a table.
// When it returns nil, the record counts as handled. After an error or a panic it is
// called again, without limit.
type DeadLetter func(ctx context.Context, m consume.Message, cause error) error

// Config configures New and Run. Brokers, Group, Topics and Router are required; the
// zero value of any other field means its default.
type Config struct {
	// Brokers are the addresses of some brokers, host:port. The client learns the
	// others from them.
	Brokers []string
	// Group is the consumer group. Its members share the partitions.
	Group string
	// Topics are the topics to read.
	Topics []string
	// InstanceID makes this process a static member of the group: after a restart within
	// the session timeout (45s, kgo.SessionTimeout) it gets its partitions back without a
	// rebalance. It does not leave the group when Run ends. Give each process its own id,
	// for example the name of its pod in a StatefulSet. Default "": a dynamic member.
	InstanceID string
	// StartAt says where the group begins to read a partition for which it has no offset.
	// It has no effect where the group has an offset. RetryTopics, and a topic that was
	// deleted and created again, are read from their beginning. With Latest, records of a
	// partition that is added later are skipped until a member finds it. Default Earliest.
	StartAt Start
	// StartTime makes the group begin at the first record whose timestamp is not before
	// this time. Default zero: StartAt.
	StartTime time.Time
	// Router handles the messages.
	Router Dispatcher

	// MaxAttempts is how often a record's handler is called before the record goes to the
	// first of RetryTopics, else to DeadLetterTopic or DeadLetter. The count starts again
	// in each retry topic. A panic counts as a failed attempt. After a batch has failed
	// this often as a whole, its records are handled one by one, with as many attempts for
	// each. Default 0: no limit.
	MaxAttempts int
	// RetryMin and RetryMax limit the pause between two attempts. It doubles from
	// RetryMin to RetryMax. Defaults 100ms and 30s.
	RetryMin, RetryMax time.Duration
	// RetryTopics get records whose handler failed MaxAttempts times. A record goes to the
	// first topic; after its delay and as many attempts to the second one, and so on.
	// This consumer reads these topics; create them, for this group alone. If Topics are
	// patterns, these names are patterns too. Records that do not decode or have no
	// handler skip the retry topics. A record in a retry topic is handled after later
	// records of its key: do not use them if order matters. Default nil: none.
	RetryTopics []RetryTopic
	// DeadLetterTopic gets records that cannot be handled: after MaxAttempts and RetryTopics,
	// or immediately if they do not decode or have no handler. Create the topic, with a
	// larger max.message.bytes than the source topics and a long retention. The offset of a
	// record is committed after the brokers acknowledged the dead letter; until then the
	// record's partition waits. Package consume/kafka/deadletter documents the headers.
	// Default "": see DeadLetter.
	DeadLetterTopic string
	// DeadLetter gets these records instead of a topic: use it to store them in another
	// place. Default nil: see GiveUp.
	DeadLetter DeadLetter
	// GiveUp says what to do with such a record if DeadLetterTopic and DeadLetter are not
	// set. Default Stop.
	GiveUp Action

	// Concurrency is how many records of a partition are handled at the same time. Records
	// of one key are handled in order, one after the other; records without a key have no
	// order. An offset is committed after all records before it are handled, so a record
	// that is retried holds up the commits, and after BufferRecords the partition. A crash
	// repeats the records that were handled meanwhile. Default 1: one after the other.
	Concurrency int
	// TopicConcurrency is the Concurrency of single topics. Default nil: Concurrency applies
	// to all.
	TopicConcurrency map[string]int

	// CommitEvery is how often the offsets of handled records are committed. After a
	// crash, records since the last commit are delivered again. Default 1s, at least
	// 100ms.
	CommitEvery time.Duration
	// BufferRecords is how many records of a partition may wait in memory. The consumer
	// then pauses the partition until half of them are left. BufferBytes limits the
	// memory too. Default 10,000.
	BufferRecords int
	// BufferBytes limits the memory for records that are fetched and not handled: the keys,
	// values and headers of all partitions, and 250 bytes for each record. The consumer
	// requests less from the brokers, pauses partitions that exceed their share and, at
	// three quarters, fetches nothing until handlers have made progress. A broker sends at
	// least one batch, so one batch of each broker may exceed the limit, and a record that
	// is larger than the limit is still read. Garbage that is not collected yet is not
	// included: allow for about twice the limit. With kgo.FetchMaxBytes or
	// kgo.FetchMaxPartitionBytes in Options, the limit does not include what the client has
	// fetched. Default 64 MiB, at least 1 MiB.
	BufferBytes int64
	// DrainTimeout is how long running handlers may take when Run ends or a partition
	// is revoked. After it their context is cancelled. A handler that does not return 5s
	// later is left running, and Run returns an AbandonedError. Default 30s.
	DrainTimeout time.Duration

	// OnLoss says what to do when records were lost before this group read them: the
	// topic's retention removed them, or the brokers lost them. Default Skip: log a
	// warning with topic, partition and offsets, and continue with the oldest record in
	// the log. Stop makes Run return a *LostRecordsError before it handles a record
	// after the gap.
	OnLoss Action
	// StopWhenUnready makes Run return a *NotReadyError when the consumer has not been
	// ready for this long; see Consumer.Ready. Use it for services that a supervisor
	// restarts. Default 0: keep trying, and log warnings.
	StopWhenUnready time.Duration

	// Options are more options for the Kafka client: TLS, SASL, a client id. Do not set
	// options for the group, its topics and its offsets; Run does. By default, a broker
	// has 3s to accept a connection (kgo.DialTimeout) and 5s to answer
	// (kgo.RequestTimeoutOverhead), so that another broker is tried soon. It waits
	// 500ms for records (kgo.FetchMaxWait). Options can change these.
	Options []kgo.Opt
	// TracerProvider makes a span for each attempt, linked to the span that inserted
	// the event. Default nil: no tracing.
	TracerProvider trace.TracerProvider
	// ContinueTraces makes the span that inserted the event the parent of the attempt's
	// span instead: both are in one trace, and each attempt of each group adds to it.
	// The span of a batch is linked in any case, to the spans of all its events. Default
	// false. Handlers of single records get the baggage of the record's header baggage in
	// both cases.
	ContinueTraces bool
	// Observer gets reports for metrics: see package consume/kafka/metrics. Default
	// nil: none.
	Observer Observer
	// Logger gets the log. Default slog.Default().
	Logger *slog.Logger

	timing timing
}

// WithDefaults returns a copy in which every zero field has its default.
func (c Config) WithDefaults() Config {
	c.RetryMin = cmp.Or(c.RetryMin, 100*time.Millisecond)
	c.RetryMax = cmp.Or(c.RetryMax, max(30*time.Second, c.RetryMin))
	c.Concurrency = cmp.Or(c.Concurrency, 1)
	c.StartAt = cmp.Or(c.StartAt, Earliest)
	c.GiveUp = cmp.Or(c.GiveUp, Stop)
	c.CommitEvery = cmp.Or(c.CommitEvery, time.Second)
	c.BufferRecords = cmp.Or(c.BufferRecords, 10_000)
	c.BufferBytes = cmp.Or(c.BufferBytes, 64<<20)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 30*time.Second)
	c.OnLoss = cmp.Or(c.OnLoss, Skip)
	c.timing = c.timing.withDefaults()
	c.TracerProvider = cmp.Or(c.TracerProvider, trace.TracerProvider(noop.NewTracerProvider()))
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// concurrency is how many records of a partition are handled at the same time.
func (c Config) concurrency(topic string) int {
	if n, ok := c.TopicConcurrency[topic]; ok {
		return n
	}
	return c.Concurrency
}

// minCommitEvery is the minimum of franz-go.
const minCommitEvery = 100 * time.Millisecond

func (c Config) validate() error {
	var errs []error
	check := func(valid bool, format string, args ...any) {
		if !valid {
			errs = append(errs, fmt.Errorf("consume/kafka: Config."+format, args...))
		}
	}
	check(len(c.Brokers) > 0, "Brokers is empty: name at least one host:port")
	for i, broker := range c.Brokers {
		switch {
		case strings.TrimSpace(broker) == "":
			check(false, "Brokers[%d] is empty: name a host:port", i)
		case strings.ContainsAny(broker, ", \t\r\n"):
			check(false, "Brokers[%d] has a comma or a space: give one host:port to each element", i)
		case strings.Contains(broker, "://"):
			check(false, "Brokers[%d] is a URL: write host:port, without a scheme", i)
		}
	}
	check(c.Group != "", "Group is empty: name the consumer group, for instance after the service")
	check(strings.TrimSpace(c.Group) == c.Group, "Group is %q: remove the space around the name", c.Group)
	check(len(c.Topics) > 0, "Topics is empty: name the topics to read")
	for i, topic := range c.Topics {
		check(topic != "" && !strings.ContainsAny(topic, ", \t\r\n"), "Topics[%d] is %q: give one name to each element", i, topic)
	}
	c.validateTopics(check)
	check(c.StartAt == Earliest || c.StartAt == Latest, "StartAt is %q: use %q or %q", c.StartAt, Earliest, Latest)
	check(c.StartTime.IsZero() || c.StartAt != Latest, "StartTime is set and StartAt is %q: use one of them", Latest)
	check(c.Router != nil, "Router is nil: give it a consume.Router")
	errs = append(errs, checkWrapper(c.Router))
	check(c.MaxAttempts >= 0, "MaxAttempts is %d: use 0 for no limit", c.MaxAttempts)
	check(0 <= c.RetryMin && c.RetryMin <= c.RetryMax, "RetryMin and RetryMax are %v and %v: use 0 <= RetryMin <= RetryMax", c.RetryMin, c.RetryMax)
	check(c.GiveUp == Stop || c.GiveUp == Skip, "GiveUp is %q: use %q or %q", c.GiveUp, Stop, Skip)
	check(c.OnLoss == Stop || c.OnLoss == Skip, "OnLoss is %q: use %q or %q", c.OnLoss, Stop, Skip)
	check(c.StopWhenUnready >= 0, "StopWhenUnready is %v: use 0 for never", c.StopWhenUnready)
	check(c.Concurrency >= 1, "Concurrency is %d: use 1 or more", c.Concurrency)
	for _, topic := range slices.Sorted(maps.Keys(c.TopicConcurrency)) {
		n := c.TopicConcurrency[topic]
		check(n >= 1, "TopicConcurrency[%q] is %d: use 1 or more", topic, n)
	}
	check(c.BufferBytes >= minBuffer, "BufferBytes is %d: use %d (1 MiB) or more", c.BufferBytes, minBuffer)
	check(c.CommitEvery >= minCommitEvery, "CommitEvery is %v: use %v or more", c.CommitEvery, minCommitEvery)
	check(c.BufferRecords >= 0 && c.DrainTimeout >= 0, "BufferRecords and DrainTimeout must not be negative")
	return errors.Join(errs...)
}
