// Package storeadmin moves an outbox between its stores, a table and a log, and makes the
// cursor of a log valid again after a restore. `outboxrelay store` calls it.
//
// # Migrate
//
// [Migrate] needs the rights of the tables' owner. In one short transaction it locks
// event_outbox, so that every writer has ended, ends the term of the leader, renames
// event_outbox to event_outbox_before, creates the new event_outbox, copies the rows that are
// not published with their seqs, and lets the sequence of seq continue. Statements that writers
// send meanwhile wait, and then insert into the new event_outbox.
//
// No row is lost: a row of a writer that had committed is in the transaction's snapshot, and is
// copied if it is not published; later ones are in the new event_outbox. None is reordered: the
// copied rows of a key have their former order, and lower seqs than any later row. They are of
// one transaction, which ends before any later row is inserted. So each leader reads them before
// any later row of their key. A leader of before the move settles nothing afterwards, because
// its term is over; what it has sent without recording it is sent again.
//
// Rows up to the low-water mark of a table that somebody unpublished or restored by hand are in no
// index that shows them. Migrate looks for them before its locks, and once more after the move for
// those that were unpublished in between: these get new seqs.
//
// To move a log, Migrate must know which rows are published, so it refuses a cursor that is that
// of another database. It locks the tables in which operators decide, too: an open transaction
// that replays or discards an event ends before the rows are copied, and a later one fails.
//
// Writers wait for at most eight times [Config].LockTimeout while an attempt of Migrate waits for its
// locks, and [Config].MaxLock while it has them. Before, Migrate waits for autovacuum to end, which keeps no
// writer waiting.
//
// Migrate refuses what would make inserts fail afterwards, or what would be missing. It cannot know
// which columns writers name. [PlanMigrate] says what it would do, and what somebody may miss.
//
// Published rows are not copied. They stay in event_outbox_before, which takes no inserts, until the
// operator drops it. So an event whose id was published before the move can be inserted again. Of a log, the
// view event_outbox_before_history says what became of each event until the move. It needs the
// other tables whose names begin with event_outbox_before.
//
// # Adopt
//
// [Adopt] is for a log whose cursor is that of another cluster, or is gone: a dump was restored,
// or the server was upgraded with pg_upgrade or logical replication. The caller says from which
// seq on events are sent again; those before count as published, unless they failed or waited.
// What operators have decided about events stays. It refuses if events would count as published that
// were inserted in this cluster. [PlanAdopt] says from where it would have events sent.
package storeadmin

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
