-- SpoilCursor is the beginning of an adoption: no relay starts with a cursor of another cluster.
-- name: SpoilCursor :exec
UPDATE event_outbox_cursor SET system = @system, database = @database;

-- name: ForgetCursor :exec
DELETE FROM event_outbox_cursor;

-- ForgetTimes removes the times of publication, which are those of other transactions.
-- name: ForgetTimes :exec
DELETE FROM event_outbox_tick;

-- ForgetDoubleLate and ForgetDoubleCopies remove entries that OwnRows would make the same: of those with
-- one id and seq, and transaction ids of another cluster, the one of the row is kept, or else one.
-- name: ForgetDoubleLate :exec
DELETE FROM event_outbox_late AS d
USING (
    SELECT e.id, e.seq, e.tx,
           row_number() OVER (PARTITION BY e.id, e.seq ORDER BY o.id IS NULL, e.published_at IS NOT NULL, e.tx DESC) AS place
    FROM event_outbox_late AS e LEFT JOIN event_outbox AS o ON o.id = e.id AND o.seq = e.seq AND o.tx = e.tx
    WHERE e.tx >= pg_snapshot_xmin(pg_current_snapshot()) AND NOT pg_visible_in_snapshot(e.tx, pg_current_snapshot())
) AS k
WHERE d.id = k.id AND d.seq = k.seq AND d.tx = k.tx AND k.place > 1;

-- name: ForgetDoubleCopies :exec
DELETE FROM event_outbox_failed AS d
USING (
    SELECT e.id, e.seq, e.tx, row_number() OVER (PARTITION BY e.id, e.seq ORDER BY o.id IS NULL, e.tx DESC) AS place
    FROM event_outbox_failed AS e LEFT JOIN event_outbox AS o ON o.id = e.id AND o.seq = e.seq AND o.tx = e.tx
    WHERE e.tx >= pg_snapshot_xmin(pg_current_snapshot()) AND NOT pg_visible_in_snapshot(e.tx, pg_current_snapshot())
) AS k
WHERE d.id = k.id AND d.seq = k.seq AND d.tx = k.tx AND k.place > 1;

-- OwnRows gives rows the id of this transaction if they have that of a transaction that has not
-- ended in this cluster, or not begun. The row is there, so the id is of another cluster. Snapshots
-- would hide the row. Ids of transactions that have ended are visible in each later snapshot. The
-- entries of these rows get it too, in the same statement, so that all go by one snapshot.
-- name: OwnRows :one
WITH at AS MATERIALIZED (
    SELECT pg_current_snapshot() AS now
), entries AS (
    UPDATE event_outbox_late AS l SET tx = pg_current_xact_id() FROM at
    WHERE l.tx >= pg_snapshot_xmin(at.now) AND NOT pg_visible_in_snapshot(l.tx, at.now)
), copies AS (
    UPDATE event_outbox_failed AS f SET tx = pg_current_xact_id() FROM at
    WHERE f.tx >= pg_snapshot_xmin(at.now) AND NOT pg_visible_in_snapshot(f.tx, at.now)
), changed AS (
    UPDATE event_outbox AS o SET tx = pg_current_xact_id() FROM at
    WHERE o.tx >= pg_snapshot_xmin(at.now) AND NOT pg_visible_in_snapshot(o.tx, at.now)
    RETURNING o.id
)
SELECT count(*) FROM changed;

-- ForgetLate removes the entries of rows that are sent again with the log. A discarded event stays
-- discarded.
-- name: ForgetLate :exec
DELETE FROM event_outbox_late AS l WHERE l.seq >= @from_seq::bigint AND NOT l.discarded;

-- ForgetCopies removes copies that wait and whose number another row has too, so that the log has to
-- be read there. All others stay, because an operator may have edited them.
-- name: ForgetCopies :exec
DELETE FROM event_outbox_failed AS f
WHERE f.seq >= @from_seq::bigint AND f.dead_at IS NULL AND EXISTS (SELECT FROM event_outbox AS o WHERE o.id = f.id AND o.seq = f.seq)
  AND EXISTS (SELECT FROM event_outbox AS n WHERE n.seq = f.seq AND n.id <> f.id);

-- Decided lists the numbers of the rows that are not read in the log: those with a copy, and those
-- that were discarded. A number that another row has too is left out: it must not count as settled.
-- name: Decided :many
SELECT e.seq::bigint AS seq
FROM (
    SELECT f.id, f.seq FROM event_outbox_failed AS f WHERE f.seq >= @from_seq::bigint
    UNION
    SELECT l.id, l.seq FROM event_outbox_late AS l WHERE l.seq >= @from_seq::bigint AND l.discarded
) AS e
WHERE NOT EXISTS (SELECT FROM event_outbox AS o WHERE o.seq = e.seq AND o.id <> e.id)
ORDER BY 1;

-- YoungRows lists the first row that cannot count as published, up to floor or below a seq: it was inserted after
-- the last tick, so the cursor cannot have passed it. Without ticks, nothing is known of rows above floor.
-- Up to begun, the numbers may be of a sequence that started over in this cluster: logical replication does
-- not copy sequences. The times say nothing of these rows: the former relay may have written ticks after
-- them, clocks may differ, and a writer may give created_at.
-- name: YoungRows :many
SELECT o.seq FROM event_outbox AS o
WHERE o.seq <= @floor::bigint AND o.created_at > coalesce((SELECT t.published_at FROM event_outbox_tick AS t ORDER BY t.n DESC LIMIT 1), '-infinity')
   OR o.seq < @from_seq::bigint AND o.created_at > (SELECT k.published_at FROM event_outbox_tick AS k ORDER BY k.n DESC LIMIT 1)
   OR o.seq <= @begun::bigint AND (o.seq <= @floor::bigint OR o.seq < @from_seq::bigint)
ORDER BY o.seq
LIMIT 1;

-- UnseenRows lists the first row below a seq that a cursor of this database has not passed. The place of the cursor
-- says nothing of a row up to floor that base does not show: see DESIGN.md of package logcursor.
-- name: UnseenRows :many
SELECT o.seq FROM event_outbox AS o
WHERE o.seq < @from_seq::bigint
  AND (o.tx >= pg_snapshot_xmin(@shown::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot)
       OR o.seq <= @floor::bigint AND o.tx >= pg_snapshot_xmin(@base::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
          AND NOT EXISTS (SELECT FROM event_outbox_late AS l WHERE l.id = o.id AND l.seq = o.seq AND l.tx = o.tx)
          AND NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = o.id AND f.seq = o.seq AND f.tx = o.tx))
ORDER BY o.seq
LIMIT 1;

-- name: Snapshot :one
SELECT pg_current_snapshot()::text AS snapshot;

-- name: CountUpTo :one
SELECT count(*) FROM event_outbox AS o WHERE o.seq <= @seq::bigint;

-- AdoptCursor makes the rows settled that a snapshot shows, up to a seq.
-- name: AdoptCursor :exec
INSERT INTO event_outbox_cursor (n, base, shown, seq, ahead, system, database, sequence_file)
SELECT @n::bigint, '3:3:'::pg_snapshot, @shown::pg_snapshot, @seq::bigint, @ahead::bytea,
       (SELECT c.system_identifier FROM pg_control_system() AS c)::bigint,
       (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())::bigint,
       pg_relation_filenode(pg_get_serial_sequence('event_outbox', 'seq')::regclass)::bigint;
