// Package outbox writes events into the table event_outbox, in the transaction of
// the business rows that they are about, and reads them again on the other side
// of Kafka. Code that outboxgen generates from event schemas stands on it; a
// relay (package relay) carries the rows to Kafka.
//
// # Writing
//
// A service has one [Outbox] and runs its transactions with [Outbox.InTx]. The
// function gets a [Tx], which is a pgx.Tx for the service's own statements and
// keeps the events that are inserted on it. They go with COMMIT, in the same
// round trip, so that
//
//   - an event exists if and only if its transaction committed,
//   - an event costs next to nothing beside the transaction,
//   - its seq is drawn last, when the transaction holds all its locks.
//
// The last point is what order rests on: of two transactions that lock the same
// row before they commit, the second one's events have the higher seq, and the
// relay delivers events of one topic and key in the order of seq. The lock has to
// cover the key. The UPDATE of the aggregate's row does so; where a key spans
// several aggregates, take pg_advisory_xact_lock.
//
// Any other pgx.Tx takes events as well. They are then inserted at once, which
// costs a round trip and draws seq early: take the lock first. Nor does anybody
// wake the relay then, or log the event; see [Outbox.Wake]. A pool or a
// connection takes none: that does not compile.
//
// # How a transaction ends
//
//   - The function returns nil: COMMIT. InTx returns nil only if the server said
//     COMMIT and the connection is idle.
//   - It returns an error, panics, or its context ends: rolled back.
//   - A statement failed and the function returned nil all the same: the server
//     answers ROLLBACK; [RolledBackError].
//   - The database refuses an event: rolled back; [InsertError] names it.
//   - The connection breaks, or CommitTimeout passes, once COMMIT is on its way:
//     [CommitUnknownError]. Only the database knows; InTx does not try again.
//   - The function commits or rolls back by itself: [ErrTransactionControl].
//
// So nothing is committed when InTx returns an error for which [IsCommitUnknown]
// does not hold. Once COMMIT is sent the caller's context cannot cancel it. A
// function runs again, with no events, only if Options.MaxRetries allows that.
//
// # Savepoints
//
// Begin on a Tx opens a nested one. Its events are merged into those around it by
// its Commit and dropped by its Rollback. An event belongs to the innermost open
// savepoint, whichever Tx it is inserted on, as any row does. A SAVEPOINT written
// as SQL is seen too: events before it are inserted before it runs, and all later
// ones at once. Only what runs on Tx.Conn goes unseen.
//
// # Waking the relay
//
// After a commit that inserted events the relay is woken by Options.Waker, from a
// goroutine of the Outbox, so that InTx never waits for it. Commits during one
// wake-up share the next. A wake-up that fails is a warning and costs latency: the
// relay polls. [Outbox.Close] waits for the last one.
//
// # Event ids
//
// An event's id is a UUIDv7 unless [WithID] gives one. With an id that follows
// from business data ([DeterministicID]) a repeated insert is a no-op, which is
// logged and told by [WithOutcome].
//
// # The wire
//
// A row's data is the record's value, byte for byte: by default an envelope with
// event_id, event_type, event_timestamp, source_service, schema_version,
// correlation_id, data_schema_uri, data, metadata in this order; a CloudEvent
// 1.0 in structured mode; or the bare data. Times are UTC and carry
// microseconds. A CloudEvent's subject is the aggregate id; its attribute
// correlationid is the correlation id, and its attribute metadata is the metadata
// as JSON text, for attributes cannot be objects.
//
// The row's headers are trace_id (the correlation id), causation_id when there is
// a cause, source_service, schema_version, occurred_at, content_type, traceparent
// and tracestate when the context carries an OpenTelemetry span, and the caller's
// own. The relay adds event_id and event_type.
//
// The correlation id comes from the option, else the context, else the data, else
// it is the event id.
//
// # Limits
//
// Nothing is truncated. An aggregate id or key of more than 255 characters, an
// empty one, one with a NUL character, or a topic that Kafka would not take is an
// [InsertError] before anything is sent. So is a header that this package sets
// itself. (An event without order has key: null in its schema; an empty key would
// put all of them on one partition.)
//
// # Concurrency
//
// An Outbox is safe for concurrent use, a Tx is not. Nothing here is global.
package outbox
