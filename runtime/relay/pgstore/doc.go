// Package pgstore is the [relay.Store] for Postgres 13 to 18.
//
// # Sessions
//
// A [Store] has one session for watching the lease. Beginning a term opens a
// handful more, and the lease row records their backend pids together with
// their start times, so that a successor can end sessions that stand in its way
// and never hits a later session that was given the same pid.
//
// What a term knows about its progress is a database snapshot, which is worth
// something only on the server run that made it: a crash, a fail-over or a
// restore may hand out transaction ids, and even seqs, a second time. So a
// session that is lost is replaced only while the session of the lease still
// answers, on a server with the same start time; else the term ends, and the
// calls return [relay.ErrLeaseLost]. A new term begins from the unsettled rows.
//
// # Reading
//
// The statements are in sql/read.sql, with the reasons for their shape. Every
// plan is an index scan whatever the statistics say; the settings that see to it
// hold for the store's own sessions.
//
// Rows whose transaction id belongs to another cluster (a dump was restored) are
// found at the first snapshot of a term, and their tx is cleared: they are part of
// the backlog.
//
// # Write-ahead log
//
// Postgres shows a commit with synchronous_commit off before it is on disk, but
// never before its record is in the log. So every snapshot is followed by a look at
// how far the log is filled: whatever the snapshot shows was committed before
// there, and one wait for that position does for all pages that are read under it,
// however late. (A row without a tx is older than the column, or was made one by
// the store itself before the term's first snapshot.) A page carries the position
// of the latest snapshot, which is no earlier than that of its own, and
// [Store.Flushed] returns once the log is on disk up to there. When it is not
// already, waiting for the WAL writer would take up to three times wal_writer_delay
// (200 ms each); instead the store commits a transaction that holds nothing but a
// logical message, which flushes the log up to its own commit record and shares
// the fsync with whoever commits at the same moment.
//
// # Settling
//
// See sql/settle.sql: one autocommit statement that takes the lease row first.
// [Mark] keeps the rows for [Store.Sweep], [Delete] removes them at once.
package pgstore

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
