// Package outbox inserts events into the table event_outbox, in the transaction that
// changes the business rows, and decodes them in consumers. Services use it with the
// package that outboxgen generates from their event schemas. A relay (package relay) sends
// the rows to Kafka. Packages gen and wire are for generated code only.
//
// In this module, a Config has required fields. Options have none: their zero value works.
//
// # Writing
//
// A service has one [Outbox] and runs its transactions with [Outbox.InTx]. The
// function gets a [Tx], which is a pgx.Tx for the service's own statements. The Tx
// keeps the events that are inserted on it, and sends them with COMMIT, in the same
// round trip. It sends BEGIN with the first statement. So
//
//   - an event exists if and only if its transaction committed,
//   - an event costs little more than the transaction,
//   - its seq is assigned last, when the transaction holds all its locks.
//
// The order of events depends on the last point. If two transactions lock the same row,
// the one that gets the lock second has events with a higher seq. The relay delivers
// events of one topic and key in the order of seq. The lock must cover the key. The UPDATE
// of the aggregate's row takes such a lock. If a key spans several aggregates, call
// pg_advisory_xact_lock.
//
// The insert functions accept any other pgx.Tx too. Then each insert is its own
// statement, which costs a round trip and assigns seq early: take the lock first. Such a
// commit does not wake the relay (see [Outbox.Wake]), and the event is not logged. The
// insert functions accept neither a pool nor a connection: such code does not compile.
//
// Services that use database/sql, GORM, sqlx, bun or ent need package outboxsql too; see
// [Transaction].
//
// [WithDeliverAt] delays an event. It waits in its own table, and the relay moves it into
// event_outbox when it is due.
//
// # How a transaction ends
//
//   - The function returns nil: COMMIT. InTx returns nil only if the server said
//     COMMIT and the connection is idle.
//   - It returns an error, panics, or its context ends: rolled back.
//   - A statement failed and the function still returned nil: the server
//     answers ROLLBACK; [RolledBackError].
//   - The database refuses an event: rolled back; [InsertError] names it.
//   - The connection breaks, or CommitTimeout passes, after COMMIT was sent:
//     [CommitUnknownError]. Only the database knows the outcome; InTx does not retry.
//   - The function itself commits or rolls back: [ErrTransactionControl].
//   - It panics or calls runtime.Goexit: rolled back, and the panic continues with its
//     value. The waker and the log handler run after COMMIT. A panic there is recovered
//     and logged, and InTx returns nil: the transaction is committed.
//   - The server accepts no writes, as a demoted primary does: rolled back;
//     [IsReadOnly] is true, and the connection is closed instead of returned to the
//     pool.
//
// So if InTx returns an error and [IsCommitUnknown] is false for it, nothing is committed.
// After COMMIT was sent, the caller's context cannot cancel it. InTx runs the function
// again only if Options.MaxRetries allows it, and then without the events of the first
// run.
//
// # Savepoints
//
// Begin on a Tx opens a savepoint, a nested Tx. Its Commit keeps its events, its Rollback
// drops them. An event belongs to the innermost open savepoint, whichever Tx it is
// inserted on, as any row does. A SAVEPOINT written as SQL works too: earlier events are
// inserted before it runs, and later ones immediately. The Tx cannot see statements that
// run on Tx.Conn.
//
// # Tenants, roles and settings
//
// A statement can change what a later insert does, for example by switching the role. So
// before such a statement, the Tx inserts the events that wait for COMMIT, in one round
// trip. These are such statements:
//
//   - SET, SET LOCAL, RESET and DISCARD of search_path, the role, the session
//     authorization or another setting (policies, defaults and triggers may read
//     it); set_config anywhere; an UPDATE of pg_settings; SET TRANSACTION READ ONLY,
//   - DDL and GRANT, except of temporary tables with other names,
//   - statements that write to event_outbox or lock it, COPY included,
//   - DO, CALL, EXECUTE, also in EXPLAIN or CREATE TABLE AS, FETCH and MOVE,
//   - calls of query_to_xml, cursor_to_xml, ts_stat, ts_rewrite or crosstab, which
//     run a query that they get as text, and names in Unicode escapes (U&"…").
//
// The Tx recognises them alone, among several statements, in a batch, and by the name of a
// prepared statement. (If a name begins with an SQL command and a space, such as "select
// tenant", the statement must have been prepared on the Tx.) Timeouts, memory, planner and
// log settings, synchronous_commit, the isolation level and SET CONSTRAINTS do not change
// an insert: events stay buffered.
//
// The Tx cannot see what a function, a view, a trigger or an operator does. If one of them
// switches the tenant, call [Tx.Flush] before the statement that uses it. Do the same
// before you switch on Tx.Conn. From Postgres 18 on the server reports the search_path, so
// events are inserted under the right one even then; it does not report roles and other
// settings. An event that is inserted early gets its seq early: take the lock that covers
// its key before you switch.
//
// # Waking the relay
//
// After a commit that inserted events, Options.Waker wakes the relay. It runs in a
// goroutine of the Outbox, so InTx never waits for it. Commits during one wake-up
// share the next. A wake-up that fails is a warning in the log and costs latency,
// because the relay then finds the rows by polling. [Outbox.Close] waits for the last
// one.
//
// # Event ids
//
// An event's id is a UUIDv7 unless [WithID] sets one. With an id that is made from
// business data ([DeterministicID]), a repeated insert does nothing; [WithOutcome]
// and the log say so.
//
// # The wire
//
// A row's data is the record's value, byte for byte: by default an envelope with
// event_id, event_type, event_timestamp, source_service, schema_version,
// correlation_id, data_schema_uri, data, metadata in this order; a CloudEvent
// 1.0 in structured mode; or the bare data. Times are UTC, with microseconds. A
// CloudEvent's subject is the aggregate id; its attribute correlationid is the
// correlation id, and its attribute metadata is the metadata as JSON text, because
// attributes cannot be objects.
//
// The row's headers are trace_id (the correlation id), causation_id if there is a
// cause, source_service, schema_version, occurred_at, content_type, traceparent
// and tracestate if the context has an OpenTelemetry span, baggage if it has
// OpenTelemetry baggage (at most 64 members and 8192 bytes, else none), and the caller's
// own. The relay adds event_id and event_type.
//
// The correlation id is the first of these that is set: the one of the option, of the
// context, of the data, the event id.
//
// A tombstone is a row without data, which the functions for tombstones of a generated
// package insert. Its record has a null value, the key, and the same headers except
// content_type.
//
// # Privileges
//
// The role that inserts needs USAGE on the schema, and on event_outbox INSERT, and for
// events with [WithID] SELECT of the column id, because of their ON CONFLICT (id).
// INSERT may be limited to the columns id, aggregate_type, aggregate_id, event_type,
// topic, event_key, event_data, headers and partition. No sequence is used by name. An
// [InsertError] says what is missing.
//
// # Limits
//
// With Options.MaxRecordBytes, an insert refuses a record that the topic would refuse.
//
// Nothing is truncated. These are an [InsertError] before anything is sent: an aggregate
// id or key that has more than 255 characters, is empty, or has a NUL character; a topic
// name that Kafka does not allow; a header that this package sets itself. (For an event
// without order, write key: null in its schema. An empty key would send all such events to
// one partition.)
//
// # Concurrency
//
// An Outbox is safe for concurrent use, a Tx is not. Nothing here is global.
package outbox
