// Package migrations holds the SQL of the outbox's tables, and gives it out in
// the form that each migration tool wants.
//
// There are three migrations, each with its way back: [KindCreate] makes the
// tables where there are none, [KindUpgrade] turns an event_outbox of an older
// shape, without seq, into the current one with its rows in it, and [KindGrants]
// gives roles the least privileges that they need. [Files] writes
// them for a migration tool; [Up], [Down], [Upgrade] and [Downgrade] run them
// for tests and small services; [SQL] is what sqlc compiles queries against.
//
// # The tables
//
//   - event_outbox: one row is one event to publish
//   - event_outbox_lease: which relay leads
//   - event_outbox_audit: replays and discards of dead rows
//   - event_inbox: what consumers have handled
//
// Their names are fixed; the Postgres schema that holds them is not
// ([Options].Schema, or the connection's search_path). Postgres 13 or later.
//
// # What differs after an upgrade
//
// Where the older table had no column topic, the new column may be null. A
// writer that has not changed yet leaves it out and names the topic inside
// event_data, and the relay looks there. Rows that were there get their topic
// from event_data, or their event_type where event_data names none. When the
// last such writer is gone, SET NOT NULL closes the column. Columns also stand
// in another order, and indexes that only the older table had stay; each costs
// an insertion whenever a row is settled, so drop those that nobody uses.
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
// KindCreate locks nothing that exists. KindUpgrade holds an ACCESS EXCLUSIVE
// lock on event_outbox while it writes every row once more: 25 to 45 s for a
// million rows of 500 bytes, measured on Postgres 15 and two cores that had other
// work too. Inserts wait that long; delete old published rows beforehand, in
// batches, where it is too long. The way back takes the same lock for one index
// over the unpublished rows: 2 s. Neither waits longer than 5 s for its lock,
// because every insert waits behind it; it gives up, changes nothing, and can be
// run again.
package migrations
