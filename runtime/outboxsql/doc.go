// Package outboxsql inserts and handles events in services that use database/sql, or a
// library that is built on it. It imports no driver. Its tests run with the
// database/sql driver of pgx and with lib/pq.
//
// # A transaction of your own
//
// [On] makes a transaction of database/sql one for the insert functions:
//
//	tx, err := db.BeginTx(ctx, nil)
//	...
//	err = events.InsertOrderPlacedV1(ctx, outboxsql.On(tx), order)
//	...
//	err = tx.Commit()
//
// On also accepts the transactions of sqlx, bun and ent, and [OnConnPool] accepts that of
// GORM; see [Transaction]. inbox.Claim and outboxtest.RequireInserted accept the result
// too. [DB] does the same for a pool, for functions that only read, and for inbox.Forget.
//
// Each insert is its own statement and assigns the event's seq: take the lock that covers
// the event's key first. The relay is not woken, and the event is not logged. Call
// [Outbox.Wake] after the commit.
//
// # A transaction of an Outbox
//
// [Outbox.InTx] begins a transaction, commits it and rolls it back, as outbox.Outbox does
// with pgx. It reports how the commit ended, logs the events, wakes the relay, and runs
// the function again if Options.MaxRetries allows it. The function gets a [Tx], which
// fits both the insert functions and the code that sqlc generates for database/sql.
//
// # Where it is weaker than pgx
//
//   - An event is inserted immediately, not together with COMMIT. So it costs one more round
//     trip, and its seq is assigned earlier.
//   - database/sql does not show the server's answer to COMMIT. If the driver returns an
//     error, InTx asks whether the connection still works. If it does, the server or the
//     driver has answered, and nothing is committed. Otherwise the outcome is an
//     outbox.CommitUnknownError. So it can be unknown more often than with pgx.
//   - The Tx does not see statements that run on [Tx.SQL]. If a savepoint is rolled back
//     there, the log still says that its events were committed. With pgx's driver, a
//     COMMIT that is written there as SQL is not noticed; lib/pq notices it.
//   - A connection to a server that accepts no writes (outbox.IsReadOnly) is closed only
//     if a statement of the Tx, or the function, returned that error.
package outboxsql
