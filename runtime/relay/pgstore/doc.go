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
// A standby has one session (two in its first minute), an idle leader three, a busy one
// four, and each eight further stores add one, up to ten; see [ServerConfig]. If the
// server refuses a further session, the stores continue with those they have (two are
// enough) and ask again after a growing pause, once for all of them.
//
// The lease row names the sessions that may lock it by their backend pids and start
// times. So a successor can end those that are in its way, and never ends a later
// session with the same pid.
//
// Connecting is not limited by the call that needs it, because a call about the lease has
// less time than it can take to get past a host that accepts connections and never
// answers. The attempt continues, and the next call uses its result. Each address can
// stay silent for [DefaultConnectTimeout], unless the configuration says otherwise. An
// address that did not answer lately is tried last. A check too continues without its
// caller.
//
// What a term knows about its progress is a database snapshot. It is valid only for the
// server run that made it: after a crash, a fail-over or a restore, transaction ids and
// even seqs can be assigned a second time. So a lost session is replaced only while the
// session of the leases still answers, on a server with the same start time. Otherwise
// the term ends, and the calls return [relay.ErrLeaseLost]. A new term begins with the
// unsettled rows.
//
// # Waiting
//
// An idle outbox is not polled: one statement on the server checks every 25 ms
// whether the sequence of seq has moved or one of the transactions that had locked
// the table has ended. sql/idle.sql says why that misses nothing.
//
// # Renewing
//
// A renewal costs one commit, so leases that are due together are renewed in one
// transaction. It waits for no lock: a lease row that is locked is left out and tried
// again. The store limits the time of statements about leases; a caller that stops
// waiting does not end them.
//
// A renewal also returns when the next delayed event is due. If another session has
// locked the table of delayed events, the renewal does not read it.
//
// # Delayed events
//
// See sql/delayed.sql: one autocommit statement moves those that are due, like a writer.
//
// # Reading
//
// The statements are in sql/read.sql, with the reasons for their shape. Every plan is
// an index scan whatever the statistics say; settings of the store's own sessions
// ensure that.
//
// Unsettled rows are found above a low-water mark, and below it by an index of the rows
// that wait: sql/low_water.sql has the reasons. An outbox of an earlier version, whose
// lease has no mark, is read by the index of its unsettled rows.
//
// Rows whose transaction id belongs to another cluster (a dump was restored) are
// found at the first snapshot of a term, and their tx is cleared: they are part of
// the backlog.
//
// # Write-ahead log
//
// Postgres shows a commit with synchronous_commit off before it is on disk, but never
// before its record is in the log. So after every snapshot the store reads the
// position at the end of the log: whatever the snapshot shows was committed before
// that position, and one wait for it is enough for all pages that are read under the
// snapshot. (A row without a tx is older than the column, or the store removed its tx
// before the term's first snapshot.) A page has the position of the latest snapshot,
// which is no earlier than that of its own, and [Store.Flushed] returns when the log
// is on disk up to there. Waiting for the WAL writer would take up to three times
// wal_writer_delay (200 ms each). Instead the store commits a transaction with
// nothing but a logical message. That flushes the log up to its own commit record, and
// shares the fsync with other commits at the same moment.
//
// Some managed servers do not report positions of their log (Amazon Aurora, without
// rds.logical_replication). [Store.Check] detects that and warns. Then the store commits,
// for each page, an update of the lease row that changes nothing. What a snapshot shows
// is in the log before that commit. So on every server that writes its log to disk in
// order, it is on disk as soon as the commit is. This costs one commit for each page of
// rows, and nothing while there are none.
//
// # The log
//
// A [LogStore] is the store of an outbox whose rows are only inserted. It reads by snapshots like a
// [Store], and settles by writing a cursor: sql/log.sql has the statements, and DESIGN.md of
// package logcursor the rules. It keeps what it has read past the cursor in memory, about 100
// bytes for each row.
//
// # Settling
//
// See sql/settle.sql: one autocommit statement that locks the lease row first. [Mark]
// keeps the rows for [Store.Sweep], [Delete] removes them immediately.
package pgstore

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
