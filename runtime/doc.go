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
//   - A statement failed and the function still returned nil: the server
//     answers ROLLBACK; [RolledBackError].
//   - The database refuses an event: rolled back; [InsertError] names it.
//   - The connection breaks, or CommitTimeout passes, once COMMIT is on its way:
//     [CommitUnknownError]. Only the database knows; InTx does not try again.
//   - The function commits or rolls back by itself: [ErrTransactionControl].
//   - It panics or calls runtime.Goexit: rolled back, and the panic goes on with its
//     value. A panic of the waker or of the log's handler, which run after COMMIT, is
//     recovered and logged: the transaction is committed, and InTx says so.
//   - The server takes no writes, as a demoted primary: rolled back; [IsReadOnly]
//     holds, and the connection is closed instead of going back to the pool.
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
// # Tenants, roles and settings
//
// An event that waits for COMMIT is inserted as if that had happened where the
// function inserted it: before a statement after which the insert may mean
// something else, the events that wait are inserted, in one round trip. Such
// statements are
//
//   - SET, SET LOCAL, RESET and DISCARD of search_path, of the role, of the session
//     authorization and of any other setting, for policies, defaults and triggers may
//     read it; set_config, wherever it stands; an UPDATE of pg_settings; SET
//     TRANSACTION READ ONLY,
//   - DDL and GRANT, except of temporary tables with other names,
//   - what writes to event_outbox or locks it, COPY included,
//   - DO, CALL, EXECUTE, also behind EXPLAIN or CREATE TABLE AS, FETCH and MOVE,
//   - a call of query_to_xml, cursor_to_xml, ts_stat, ts_rewrite or crosstab, which
//     run a query that they get as text, and names in Unicode escapes (U&"…").
//
// It does not matter whether they come alone, among several statements, in a batch,
// or under the name of a prepared statement. (A name that begins with an SQL command
// and a blank, as "select tenant", is seen only if it was prepared on the Tx.) Timeouts, memory, the planner, what is
// logged, synchronous_commit, the isolation level and SET CONSTRAINTS change no
// insert, and have no event inserted early.
//
// A function, a view, a trigger and an operator are not seen through: call [Tx.Flush]
// before a statement that uses one which switches the tenant. The same holds for what
// runs on Tx.Conn. From Postgres 18 on the server reports the search_path, and events
// are inserted under the right one even then; roles and other settings are not
// reported. An event that is inserted early draws its seq early: take the lock that
// covers its key before you switch.
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
// # Privileges
//
// The role that inserts needs USAGE on the schema, and on event_outbox INSERT and
// SELECT of the column id, because of the insert's ON CONFLICT (id). INSERT may be
// limited to the columns id, aggregate_type, aggregate_id, event_type, topic,
// event_key, event_data and headers. No sequence is used by name. An [InsertError]
// says what is missing.
//
// # Limits
//
// Options.MaxRecordBytes refuses a record that the topic would refuse.
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
