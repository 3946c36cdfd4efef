package relay

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Sink is where records go: Kafka (package kafkasink), standard output
// (NewStdoutSink), or a broker in memory in tests. A sink that panics does not take
// the process with it: a panic in Send ends the term as if the relay had died, so a
// row that brings it about is found in the end and counted; elsewhere it is an error.
type Sink interface {
	// Open starts a producer for one term. The relay has one producer open at a
	// time and retries after an error.
	Open(ctx context.Context) (Producer, error)
	// Partition is the partition of a non-null key in a topic of n partitions;
	// it must be a pure function of its arguments.
	Partition(key []byte, n int) int32
}

// Producer sends the waves of one term. The relay calls Topics from one
// goroutine at a time and Send from one goroutine at a time, the two possibly at
// once.
type Producer interface {
	// Topics describes topics, in the order asked for. An error means that
	// nothing could be learned about any of them.
	Topics(ctx context.Context, names []string) ([]TopicInfo, error)
	// Send writes the records of a wave and fills in results, one for each record
	// in order, before it returns. Records of one partition go out in order as
	// one batch. When ctx ends, whatever is unresolved fails with the context's
	// error (it may be written nevertheless, later), and the producer is ready
	// for the next wave: nothing of the old one goes out again.
	Send(ctx context.Context, wave []Record, results []Result)
	// Close gives up what is unresolved and frees the producer.
	Close()
}

// Record is what the sink writes for one row.
type Record struct {
	Topic     string
	Partition int32
	Key       []byte // nil: null
	Value     []byte
	Headers   []Header // event_id and event_type first, then the row's own
	EventID   uuid.UUID
	EventType string
	Seq       int64
	// CreatedAt is the row's, for sinks that show it; the record's own timestamp
	// is the time of sending, so that no broker or client expires a row because
	// it waited.
	CreatedAt time.Time
}

// Header is a record header.
type Header struct {
	Key   string
	Value []byte
}

// TopicInfo is what a sink knows about a topic.
type TopicInfo struct {
	Name string
	// Partitions is how many there are.
	Partitions int
	// Unavailable lists partitions that cannot be written now (no leader).
	Unavailable []int32
	// MaxBatchBytes is the largest batch that the topic takes
	// (max.message.bytes); 0: the sink has no limit.
	MaxBatchBytes int
	// Problem is set when the topic cannot be written at all; a Result of class
	// ClassTopic or ClassRelay.
	Problem Result
}

// Result is what became of one record. The zero value is success.
type Result struct {
	Class Class
	Err   error // nil exactly when Class is ClassOK
}

// Class says whom a failure concerns, which decides what the relay does next.
type Class int

const (
	// ClassOK is success: the record is written and replicated.
	ClassOK Class = iota
	// ClassRelay concerns the relay as a whole (connections, authentication,
	// anything unknown): it backs off and sends the rows again; nothing is
	// counted against any row.
	ClassRelay
	// ClassLeadership says that another producer has fenced this one off: the
	// term ends.
	ClassLeadership
	// ClassPartition concerns one partition (no leader, too few replicas): it is
	// set aside with back-off; nothing is counted.
	ClassPartition
	// ClassTopic concerns one topic (missing, not authorised): it pauses with
	// back-off, and its rows wait; no attempts are counted.
	ClassTopic
	// ClassRecord concerns the batch's records themselves: the batch is halved
	// until one row fails alone, and the failure counts against that row.
	ClassRecord
)

// String is the class's name in logs and metrics.
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

// WakeSource tells a leader that rows may be waiting. It is a hint: the relay
// polls as well, and is correct without one.
type WakeSource interface {
	// Wait returns nil when woken, or an error when it cannot tell or ctx ends. A
	// wake-up must be consumed before Wait returns, so that one that comes while
	// the relay reads is not lost.
	Wait(ctx context.Context) error
	// Close frees the source; Relay.Run calls it before it returns.
	Close()
}
