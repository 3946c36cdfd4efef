// Package pgstore is the [relay.Store] for Postgres 13 to 18.
//
// # Sessions
//
// A [Server] holds the sessions in one database, for one store or for many. They are
// opened when they are needed and closed after a minute without use.
//
//	session  when it is open              why it is one of its own
//	-------  ---------------------------  ---------------------------------------------------
//	leases   always, also on a standby    a renewal must not wait for anything slow; it also
//	                                      listens for wake-ups and for leases given back
//	waiting  while an outbox is idle      one statement waits for inserts into all of them
//	reading  while rows are read          a page may take long
//	settling while outcomes are recorded  it must not wait for a slow read: what was sent and
//	                                      is not settled comes twice if the relay dies
//
// A standby has one session (two in its first minute), an idle leader three, a busy
// one four, and each eight further stores add one, up to ten; see [ServerConfig]. When the server refuses a
// further session, the store goes on with those it has (two are enough) and asks
// again after a growing pause, once for all its stores.
//
// The lease row names the sessions that may lock it by their backend pids and start
// times, so that a successor can end those that stand in its way and never hits a
// later session that was given the same pid.
//
// Connecting is not bounded by the call that needs it: a call about the lease has
// less time than it may take to get past a host that accepts connections and never
// answers. It goes on, and the next call finds the connection made. Each address may keep
// silent for [DefaultConnectTimeout], unless the configuration says otherwise, and one
// that lately did not answer is tried last. A check goes on without its caller too.
//
// What a term knows about its progress is a database snapshot, which is worth
// something only on the server run that made it: a crash, a fail-over or a
// restore may hand out transaction ids, and even seqs, a second time. So a
// session that is lost is replaced only while the session of the leases still
// answers, on a server with the same start time; else the term ends, and the
// calls return [relay.ErrLeaseLost]. A new term begins from the unsettled rows.
//
// # Waiting
//
// An idle outbox costs no polling: one statement looks on the server, every 25 ms,
// whether the sequence of seq has moved or one of the transactions that had locked
// the table has ended. sql/idle.sql says why that misses nothing.
//
// # Renewing
//
// What a renewal costs is its commit, so leases that are due together are renewed in
// one transaction. It waits for no lock: a lease row that somebody else has locked is
// left out, and tried again. Statements about leases have a time limit of the store's
// own; a caller that gives up does not end them.
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
// Some managed servers refuse to tell positions of their log (Amazon Aurora, without
// rds.logical_replication). [Store.Check] finds that out and warns; then, for each
// page, the store commits an update of the lease row that changes nothing. What a
// snapshot shows is in the log before that commit, so it is on disk once the
// commit is, on every server whose log reaches the disk in its order. It costs one
// commit for each page of rows, and nothing while there are none.
//
// # Settling
//
// See sql/settle.sql: one autocommit statement that takes the lease row first.
// [Mark] keeps the rows for [Store.Sweep], [Delete] removes them at once.
package pgstore

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
