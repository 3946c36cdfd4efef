// Package kafka reads event records from Kafka as a member of a consumer group
// and hands them to a consume.Router.
//
// # Order and offsets
//
// The records of a partition are handled one after the other. With Config.Concurrency,
// several are handled at the same time, and those of one key one after the other, so
// records of one key are handled in order. An offset is committed only after the handlers
// of its record and of all records before it returned without an error. The consumer
// commits in the background, when a partition is revoked, and at the end. After a crash
// the group gets the records again that were handled and not yet committed; none is
// skipped. Package inbox makes such a repeat harmless.
//
// # Batches
//
// A batch handler (consume.OnBatch) gets several records of one partition and event type.
// Its batches end at a record of another type that has a handler, and each lane of
// Config.Concurrency has its own. All records of a batch are committed together, after it
// is handled. If it fails as a whole Config.MaxAttempts times, its records are handled one
// by one.
//
// # Failures
//
// If a handler returns an error or panics, the record is tried again after a pause,
// without limit or up to Config.MaxAttempts. Only the record's partition waits; the
// others continue. The consumer stops fetching the partition when enough records wait,
// and stays a member of the group however long it takes. A record that cannot be decoded
// is not tried again. A handler that ends its goroutine (runtime.Goexit) has failed with
// ErrHandlerExited. Each line in the log names the record, and has the stack of a panic.
//
// After the last attempt the record goes to Config.RetryTopics, from which it is retried
// after a delay, and then to Config.DeadLetterTopic or Config.DeadLetter. Without these,
// Config.GiveUp says whether to stop or to skip the record. The offset of a record is
// committed after the brokers acknowledged it in the other topic, so none is lost; after
// a crash it can be there twice. Later records of its key do not wait for it. Package
// consume/kafka/deadletter has the headers of such a record, and sends dead letters back.
//
// # What stops it from reading
//
// Examples are a topic that does not exist or cannot be read, a group that cannot be
// joined, a member whose kgo.InstanceID another process took over, and brokers that do
// not answer. The consumer warns once, then after one, two, four and at most 15 minutes
// with a count, and logs when the problem is over. Meanwhile it tries again with growing
// pauses. If the fetches of a partition fail, only that partition is paused.
// [Consumer.Ready] returns the reasons, for a readiness probe, and Config.StopWhenUnready
// makes Run end if they last.
//
// A topic that was deleted and created again is read from its beginning, after the
// records of the former topic that are in memory are handled. Each commit has the
// topic's id in its metadata, and an offset of a former topic of the same name is not
// used. An offset without an id, which another client set, is used unless the consumer has
// seen the topic being recreated and has not committed to the new one yet.
//
// Records that the topic's retention or a delete removed before the group read them
// are reported with their offsets; see Config.OnLoss.
//
// # Continuing at another offset
//
// [Consumer.Seek] and [Consumer.SeekToTime] let a running consumer continue at another
// offset, which they commit.
//
// # Memory
//
// Config.BufferBytes limits the records that are fetched and not handled, over all
// partitions.
//
// # Rebalances
//
// When a partition is revoked, the running handler can finish within
// Config.DrainTimeout, and its offset is committed before another member gets the
// partition. If the partition is lost already (the member was removed from the
// group), the handler's context is cancelled.
//
// A handler that has not returned 5s after that is left running. Its record is not
// committed, and another member handles it, perhaps at the same time.
package kafka
