// Package consume hands event records to the handlers of a service.
//
// A [Router] knows one handler per event type. The generated package of an
// event's owner registers typed handlers with it (its On… functions call [On]);
// [Router.Handle] takes a handler for raw messages. Whatever reads the records
// calls [Router.Dispatch] for each of them: the loop in package
// consume/kafka does, and a test can do so by hand, since nothing in here knows
// about Kafka.
//
// # What a handler may rely on
//
// Records are delivered at least once. A repeat has the same event id and the
// same bytes, so a handler is either idempotent or wrapped by package inbox,
// which remembers the ids. Records of one topic and key arrive in the order of
// their commits when the reader keeps the order within a partition, as
// consume/kafka does.
//
// # Errors
//
// Dispatch tells three kinds of failure apart, since they want different
// answers. A [DecodeError] and an [UnknownTypeError] come back the same however
// often the record is tried ([Permanent] reports so); a [HandlerError] wraps
// what the service's own handler returned, and trying again may help. Each names the
// record: topic, partition, offset, event id and event type.
//
// A panic is an error like any other: Dispatch recovers it and returns it, with
// its stack, as a [PanicError] inside of a HandlerError, or inside of a
// DecodeError when it was the decoder that panicked.
//
// # Tombstones
//
// A record whose value is null is a tombstone: what was published under its key
// is deleted. It carries no event, whatever its headers say. A handler is
// registered with [OnTombstone], for a topic; without one the tombstone is
// skipped and counted ([Router.Counts]), under [Fail] too.
package consume
