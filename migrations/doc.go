// Package migrations has the SQL of the outbox's tables, in the format of each
// migration tool.
//
// There are six migrations, each with its way back: [KindCreate] creates the tables,
// [KindUpgrade] changes an event_outbox of an older shape, without seq, into the
// current one and keeps its rows, [KindIndexes] replaces the indexes of one whose lease has
// no low_water, [KindPauses] lets operators pause topics in an outbox from before that,
// [KindGrants] grants roles the least privileges that they need, and [KindMoved] gives new
// databases the other store after a move. [StoreLog] selects a log instead of a table, see
// below. [Files] returns them for a migration tool; [Up], [Down], [Upgrade], [Downgrade] and [AllowPauses] run them for tests
// and small services; sqlc compiles queries against
// [SQL].
//
// # The tables
//
//   - event_outbox: one row is one event to publish, or one tombstone (event_data is
//     NULL)
//   - event_outbox_delayed: events that are not published before a time
//   - event_outbox_lease: which relay leads
//   - event_outbox_audit: replays and discards of dead rows, decisions about delayed
//     events, pauses of topics, and purges
//   - event_inbox: what consumers have handled
//
// An outbox that is a log has further tables: event_outbox is partitioned by id, so by day,
// and rows are only inserted into it. Rows must be inserted into event_outbox, not into a
// partition: the relay sees by the locks on event_outbox which transactions are still to
// commit rows, and may miss others. Rows with an id that is no UUIDv7 are in
// event_outbox_other. event_outbox_cursor says up to where rows are published,
// event_outbox_late has those that waited when the cursor passed them, event_outbox_failed
// has copies of rows that failed, dead ones among them, event_outbox_tick has when rows were
// published, and event_outbox_deleted up to when events were deleted. The view
// event_outbox_history shows each event with its published_at. [UpLog] creates them.
//
// Their names are fixed; the Postgres schema that holds them is not
// ([Options].Schema, or the connection's search_path). Postgres 13 or later.
//
// # What differs after an upgrade
//
// If the older table had no column topic, the new column can be null. An old writer
// leaves it out and names the topic inside event_data, and the relay looks there.
// Existing rows get their topic from event_data, or their event_type if event_data
// names none. After the last such writer is gone, SET NOT NULL closes the column. The
// columns are in another order. Indexes that only the older table had stay; drop the unused
// ones. As long as an index has published_at in its key or its condition, marking a row as
// published writes an entry into every index.
//
// Rows that were there have no tx; the relay reads them first, in the order of
// seq, which was filled by (created_at, id).
//
// Unique indexes of your own stay too, and KindUpgrade warns of each: an index such
// as UNIQUE (aggregate_id, event_type) WHERE published_at IS NULL makes an insert
// fail while an equal row waits, and behind a dead row for good.
//
// # Locks
//
// KindCreate locks no existing table. KindPauses locks event_outbox_audit for a moment.
// KindUpgrade holds an ACCESS EXCLUSIVE lock on event_outbox while it writes every row once
// more: 25 to 45 s for a million rows of 500 bytes, measured on Postgres 15 and two cores that
// had other work too. Inserts wait that long. If that is too long, delete old published rows
// before, in batches.
// The way back takes the same lock for one index over the unpublished rows: 2 s.
// KindIndexes and its way back take it for an index over all rows, about a second for a
// million, or for a moment if the indexes were created CONCURRENTLY before; first they lock
// event_outbox_lease in the same way, because relays lock the tables in this order. It is
// one statement, so it needs no transaction around it. All of them wait at most 5 s for a
// lock, because every insert waits behind them. If they do not get it, they change nothing
// and can be run again.
package migrations
