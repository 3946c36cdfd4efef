package relay

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Sink is where records go: Kafka (package kafkasink), standard output (NewStdoutSink),
// or a broker in memory in tests. A panic of a sink does not end the process. A panic
// in Send ends the term as if the relay had died, so a row that causes it is found in
// the end and counted. Elsewhere a panic is treated as an error.
type Sink interface {
	// Open starts a producer for one term. The relay has one producer open at a time,
	// and retries after an error.
	Open(ctx context.Context) (Producer, error)
	// Partition returns the partition of a non-nil key in a topic of n partitions. It
	// must depend only on its arguments.
	Partition(key []byte, n int) int32
}

// Producer sends the waves of one term. The relay calls Topics from one goroutine at a
// time and Send from one goroutine at a time. Both may run at the same time.
type Producer interface {
	// Topics describes topics, in the given order. It returns an error only if it
	// learned nothing about any of them.
	Topics(ctx context.Context, names []string) ([]TopicInfo, error)
	// Send writes the records of a wave and fills in results, one for each record in order,
	// before it returns. Records of one partition go out in order as one batch. When ctx
	// ends, the unresolved records fail with the context's error; they may still be written
	// later. The producer can then send the next wave and never sends a record of the old
	// one again. A producer that waits before it sends checks ctx.Err() after that: it is
	// not nil if the relay may no longer lead, even if ctx.Done() is still open.
	Send(ctx context.Context, wave []Record, results []Result)
	// Close drops what is unresolved and frees the producer.
	Close()
}

// Record is the record of one row.
type Record struct {
	Topic     string
	Partition int32
	Chosen    bool      // the row names the partition
	Key       []byte    // nil: a null key
	Value     []byte    // nil: a null value, of a tombstone
	Headers   []Header  // event_id and event_type first, then the row's headers
	EventID   uuid.UUID // as in the headers
	EventType string    // as in the headers
	Seq       int64
	// CreatedAt is when the row was inserted, for sinks that show it. The record's
	// timestamp is the time of sending, so that no broker or client expires a row
	// because it waited.
	CreatedAt time.Time
}

// Header is a record header.
type Header struct {
	Key   string
	Value []byte
}

// TopicInfo describes a topic.
type TopicInfo struct {
	Name string
	// Partitions is the number of partitions.
	Partitions int
	// Unavailable lists the partitions that cannot be written now (no leader).
	Unavailable []int32
	// UnderReplicated lists the partitions that have a leader and fewer replicas in sync than
	// min.insync.replicas: a sink that waits for all of them cannot write there. The relay does
	// not use it.
	UnderReplicated []int32
	// Unchecked is true if the topic accepts records of any partition, even beyond
	// Partitions. Otherwise a row that names such a partition fails.
	Unchecked bool
	// MaxBatchBytes is the largest batch that the topic accepts (max.message.bytes); 0:
	// no limit.
	MaxBatchBytes int
	// Compacted is true if the topic keeps only the last record of each key
	// (cleanup.policy). The relay does not use it.
	Compacted bool
	// Unread is set if the sink could not read the topic's settings, so that the topic
	// may be compacted and MaxBatchBytes is an assumption. Class ClassTopic means that
	// asking again is of no use, for example if the sink lacks the privilege. The relay
	// does not use it.
	Unread Result
	// Problem is set if the topic cannot be written: a Result of class ClassTopic or
	// ClassRelay.
	Problem Result
}

// Result is the result of sending one record. The zero value is success.
type Result struct {
	Class Class
	Err   error // nil if and only if Class is ClassOK
}

// Class says what a failure affects, which decides what the relay does next.
type Class int

const (
	// ClassOK is success: the record is written and replicated.
	ClassOK Class = iota
	// ClassRelay affects the whole relay (connections, authentication, unknown errors).
	// The relay backs off and sends the rows again. No attempts are counted.
	ClassRelay
	// ClassLeadership means that another producer fenced this one. The term ends.
	ClassLeadership
	// ClassPartition affects one partition (no leader, too few replicas). It is set
	// aside with back-off. No attempts are counted.
	ClassPartition
	// ClassTopic affects one topic (missing, not authorised). The topic pauses with
	// back-off and its rows wait. No attempts are counted.
	ClassTopic
	// ClassRecord affects the records of the batch. The relay halves the batch until
	// one row fails alone, and counts a failed attempt of that row.
	ClassRecord
)

// String returns the class's name in logs and metrics.
func (c Class) String() string {
	switch c {
	case ClassOK:
		return "ok"
	case ClassRelay:
		return "relay"
	case ClassLeadership:
		return "leadership"
	case ClassPartition:
		return "partition"
	case ClassTopic:
		return "topic"
	case ClassRecord:
		return "record"
	}
	return "unknown"
}

// WakeSource tells a leader that rows may be waiting. The relay also polls, so lost
// wake-ups cost only latency.
type WakeSource interface {
	// Wait returns nil when woken, and an error when it fails or ctx ends. It must
	// consume the wake-up before it returns, so that one that arrives while the relay
	// reads is not lost.
	Wait(ctx context.Context) error
	// Close frees the source. Relay.Run calls it before it returns.
	Close()
}
