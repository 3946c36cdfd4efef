package kafka

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrHandlerExited is the error of a record whose handler ended its goroutine with
// runtime.Goexit instead of returning, as t.FailNow does. A *consume.HandlerError wraps
// it.
var ErrHandlerExited = errors.New("the handler ended its goroutine instead of returning (runtime.Goexit, as t.FailNow does)")

// ErrNotRunning is returned by [Consumer.Seek] and [Consumer.SeekToTime] if Run is not
// running, or if it ends before the partitions are moved.
var ErrNotRunning = errors.New("consume/kafka: the consumer is not running: call Seek during Run, or reset the group's offsets with kafka-consumer-groups.sh")

// NotReadyError is returned by [Consumer.Ready] while the consumer cannot read all of
// its topics, and by Run when that lasted for Config.StopWhenUnready.
type NotReadyError struct {
	Group   string
	Reasons []string      // each says what is wrong and what to do; never empty
	For     time.Duration // how long it has lasted; 0 while Run is not running
}

func (e *NotReadyError) Error() string {
	lasting := ""
	if e.For > 0 {
		lasting = fmt.Sprintf(" for %v", e.For.Round(time.Second))
	}
	return fmt.Sprintf("consume/kafka: group %s is not ready%s: %s", e.Group, lasting, strings.Join(e.Reasons, "; "))
}

// LostRecordsError is returned by Run when records were lost before this group
// read them and Config.OnLoss is [Stop].
type LostRecordsError struct {
	Group     string
	Topic     string
	Partition int32
	// From is the first lost offset. To is the first offset after the gap that is in
	// the log.
	From, To int64
	// Truncated is true if the brokers lost records that this consumer had read (an
	// unclean leader election). Otherwise the retention of the topic, or a delete,
	// removed records that it had not read.
	Truncated bool
}

func (e *LostRecordsError) Error() string {
	if e.Truncated {
		return fmt.Sprintf("consume/kafka: group %s: partition %s/%d was truncated from offset %d to %d: the brokers lost records that were handled; "+
			"offsets from %d on are used again", e.Group, e.Topic, e.Partition, e.To, e.From, e.From)
	}
	return fmt.Sprintf("consume/kafka: group %s: records %d to %d of partition %s/%d were removed (retention or a delete) before the group read them; "+
		"to continue without them, set Config.OnLoss to %q or move the group's offset to %d",
		e.Group, e.From, e.To-1, e.Topic, e.Partition, Skip, e.To)
}

// NotAssignedError is returned by [Consumer.Seek] and [Consumer.SeekToTime] if partitions
// are not this member's. Nothing was moved.
type NotAssignedError struct {
	Group      string
	Topic      string  // empty: this member has no partitions of Config.Topics at all
	Partitions []int32 // those that are not this member's
}

func (e *NotAssignedError) Error() string {
	if e.Topic == "" {
		return fmt.Sprintf("consume/kafka: group %s: no partition is assigned to this member", e.Group)
	}
	ids := make([]string, len(e.Partitions))
	for i, id := range e.Partitions {
		ids[i] = fmt.Sprint(id)
	}
	return fmt.Sprintf("consume/kafka: group %s: partition %s of topic %s is not assigned to this member: call the member that has it", e.Group, strings.Join(ids, ", "), e.Topic)
}
