-- How the low-water mark works
--
-- event_outbox has no index whose condition has published_at: such an index would make
-- each settlement write every index again. So a published row stays in the index on seq
-- until the retention deletes it, and the relay reads that index from a mark on. Up to the
-- mark, every row is settled, or has next_attempt_at or dead_at, each of which has an index.
--
-- The mark may pass a row once it is settled, failed or dead, and it must not pass a place
-- where a row may still appear. A writer locks the table, gets its transaction id, draws
-- its seq and commits, in this order (tx stands before seq in the table). The store reads,
-- one after the other, each in a statement of its own:
--
--   1. where the sequence stands (SequencePlace),
--   2. which transactions hold a lock on the table as writers do, or are prepared (Writers in
--      idle.sql).
--
-- A transaction that drew a seq up to the place of 1 held its lock and its id at 2, or had
-- ended. So once all of 2 have ended, no row can appear any more up to that place, and
-- LookFromMark, whose snapshot is later, sees all that there are.
--
-- Nothing makes a row below the mark unsettled without an index that has it: a replay sets
-- next_attempt_at, and so does the store for rows that lost it (Restore). Somebody can do so
-- by hand, with an UPDATE of published_at or an INSERT with a seq of their own. So the leader
-- also looks at all rows up to the mark, a page every few seconds (SearchBelow).
--
-- A sequence that starts over, or is another one, numbers new rows from below the mark.
-- Then its file is another one, or it stands below the mark, and the mark counts nothing.

-- ReadLowWater tells whether the lease has a mark, whether it is that of the sequence, and
-- where that stands. Reading a sequence waits for a session that alters it, but not for long.
-- to_jsonb, because a lease of an earlier version has no such columns.
-- name: ReadLowWater :one
SELECT (lease.stored ? 'low_water')::boolean AS has_mark,
       coalesce((lease.stored ->> 'low_water')::bigint, 0)::bigint AS low_water,
       coalesce(lease.file, 0)::bigint AS file,
       coalesce((lease.stored ->> 'search_below')::bigint, 0)::bigint AS search_below,
       coalesce((lease.stored ->> 'low_water_file')::bigint = lease.file AND (lease.stored ->> 'low_water')::bigint <= lease.standing, false)::boolean AS valid,
       coalesce(lease.standing, 0)::bigint AS standing
FROM (
    SELECT to_jsonb(l) AS stored, pg_relation_filenode(q.sequence)::bigint AS file, CASE WHEN set_config('lock_timeout', '50ms', true) IS NOT NULL THEN coalesce(pg_sequence_last_value(q.sequence), 0) END AS standing
    FROM event_outbox_lease AS l CROSS JOIN (SELECT pg_get_serial_sequence('event_outbox', 'seq')::regclass AS sequence) AS q
    WHERE l.name = @name
) AS lease;

-- SequencePlace reads the file before and after the value: if it is the same, the value is
-- that of this file.
-- name: SequencePlace :one
SELECT coalesce(pg_relation_filenode((@sequence::oid)::regclass)::bigint, 0)::bigint AS file_before,
       CASE WHEN set_config('lock_timeout', '50ms', true) IS NOT NULL
            THEN coalesce(pg_sequence_last_value((@sequence::oid)::regclass), 0) END::bigint AS standing,
       coalesce(pg_relation_filenode((@sequence::oid)::regclass)::bigint, 0)::bigint AS file;

-- LookFromMark looks at the next rows above the mark. pending are those that keep it from
-- moving, first_pending is the first of them.
-- name: LookFromMark :one
SELECT count(*) AS looked, coalesce(max(looked.seq), 0)::bigint AS last,
       count(*) FILTER (WHERE looked.pending) AS pending,
       coalesce(min(looked.seq) FILTER (WHERE looked.pending), 0)::bigint AS first_pending
FROM (
    SELECT o.seq, (o.published_at IS NULL AND o.dead_at IS NULL AND o.next_attempt_at IS NULL) AS pending
    FROM event_outbox AS o
    WHERE o.seq > @low_water::bigint AND o.seq <= @up_to::bigint
    ORDER BY o.seq
    LIMIT @max_rows
) AS looked;

-- SetAside sets next_attempt_at in rows that wait, so that the mark can pass them. With a
-- retry_count of 0, which a row has that never failed, that has no other effect. A row that
-- failed has no next_attempt_at only if somebody took it away, so that it does not hold its
-- key; it must not hold it again. A row that another session has locked is left for the next
-- time.
-- name: SetAside :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), waiting AS MATERIALIZED (
    SELECT w.seq FROM event_outbox AS w
    WHERE w.seq > @low_water::bigint AND w.seq <= @up_to::bigint
      AND w.published_at IS NULL AND w.dead_at IS NULL AND w.next_attempt_at IS NULL
    ORDER BY w.seq
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
), aside AS (
    UPDATE event_outbox AS o SET next_attempt_at = now(), retry_count = 0
    FROM lease, waiting
    WHERE o.seq = waiting.seq
)
SELECT count(*) AS leases FROM lease;

-- MoveLowWater writes the mark. It locks the lease row as a renewal does, so it is run
-- between renewals, by the session that makes them.
-- name: MoveLowWater :execrows
UPDATE event_outbox_lease SET low_water = @low_water, low_water_file = @file
WHERE name = @name AND epoch = @epoch AND holder = @holder::uuid;

-- Restore sets next_attempt_at in unsettled rows that have lost it: an operator set it to
-- NULL, so that a row is tried again immediately, or an earlier version replayed a dead row.
-- With a retry_count of 0 the row does not hold its key again before it was tried. It locks
-- the lease row: the leader has to read what is restored, and a former leader could not tell it.
-- Rows that another session has locked are left, and returned.
-- name: Restore :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), lost AS MATERIALIZED (
    SELECT w.seq FROM event_outbox AS w
    WHERE w.seq = ANY(@seqs::bigint[]) AND w.published_at IS NULL AND w.dead_at IS NULL AND w.next_attempt_at IS NULL
    FOR UPDATE SKIP LOCKED
), restored AS (
    UPDATE event_outbox AS o SET next_attempt_at = now(), retry_count = 0
    FROM lease, lost
    WHERE o.seq = lost.seq
)
SELECT (SELECT count(*) FROM lease) AS leases,
       ARRAY(SELECT w.seq FROM event_outbox AS w
             WHERE w.seq = ANY(@seqs::bigint[]) AND w.published_at IS NULL AND w.dead_at IS NULL AND w.next_attempt_at IS NULL
               AND w.seq NOT IN (SELECT lost.seq FROM lost))::bigint[] AS locked;

-- SearchBelow looks at the next rows below a seq, the highest first: so a round ends,
-- however fast the mark moves on. It returns the last one that is not settled, and those
-- that no index of unsettled rows has. The mark passed none of these: somebody made them
-- unpublished, or restored them, by hand.
-- name: SearchBelow :one
SELECT count(*) AS looked, coalesce(min(looked.seq), 0)::bigint AS first,
       coalesce(max(looked.seq) FILTER (WHERE looked.unsettled), 0)::bigint AS unsettled,
       coalesce(array_agg(looked.seq ORDER BY looked.seq) FILTER (WHERE looked.unsettled AND NOT looked.waits), '{}')::bigint[] AS lost
FROM (
    SELECT o.seq, (o.published_at IS NULL AND o.dead_at IS NULL) AS unsettled, (o.next_attempt_at IS NOT NULL) AS waits
    FROM event_outbox AS o
    WHERE o.seq < @below::bigint
    ORDER BY o.seq DESC
    LIMIT @max_rows
) AS looked;

-- MoveSearch writes where the search continues. It runs as MoveLowWater does.
-- name: MoveSearch :execrows
UPDATE event_outbox_lease SET search_below = @search_below
WHERE name = @name AND epoch = @epoch AND holder = @holder::uuid;
