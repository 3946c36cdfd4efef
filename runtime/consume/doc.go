// Package consume hands event records to the handlers of a service.
//
// A [Router] has one handler for each event type. The generated package registers
// typed handlers (its On… functions call [Router.HandleEvent]); [Router.Handle]
// registers a handler for raw messages. The code that reads records calls
// [Router.Dispatch] for each of them: the loop in package consume/kafka does, and so
// can a test, because this package does not depend on Kafka.
//
// # What a handler can rely on
//
// Records are delivered at least once. A repeat has the same event id and the same
// bytes. So make a handler idempotent, or wrap it with package inbox, which
// remembers the ids. Records of one topic and key arrive in commit order if the
// reader keeps the order within a partition, as consume/kafka does.
//
// # Other producers
//
// The type and the id of an event are in its envelope, and in the headers event_type and
// event_id. A producer that does not use outboxgen writes neither. [ForTopic] says where
// the records of its topic have them.
//
// # Errors
//
// Dispatch returns three kinds of error. A [DecodeError] and an [UnknownTypeError]
// stay the same however often the record is tried ([Permanent] is true for them). A
// [HandlerError] wraps the error of the service's handler; trying again may help.
// Each names the record: topic, partition, offset, event id and event type.
//
// Dispatch recovers a panic and returns it, with its stack, as a [PanicError] inside
// a HandlerError, or inside a DecodeError if the decoder panicked.
//
// # Batches
//
// [Router.HandleBatch] registers a handler that gets several messages of one event type
// and partition at once, in the order of their offsets; [OnBatch] does so for typed
// events. [BatchOptions] has the limits. A [BatchError] says which message failed. After
// the last attempt of a batch that failed as a whole, its messages are handed over one by
// one, so that only those that cannot be handled are dead-lettered. Package inbox has
// TxBatch for batch handlers.
//
// # Tombstones
//
// A record whose value is null is a tombstone: what was published under its key is
// deleted. It has no event. The On…Tombstone functions of generated packages register a
// typed handler for an event type, [OnTombstone] registers one for a topic. Without a
// handler the tombstone is skipped and counted ([Router.Counts]), under [Fail] too.
package consume
