-- How pages are read
--
-- A page query walks an index and stops at the row limit. The byte limit is kept
-- by the one who reads: adding sizes up here, in a window over the rows, would
-- cost half as much again as all the rest.
--
-- Unsettled rows are found in two places: above the low-water mark, by the index on seq,
-- and up to it, by the index of the rows that wait (low_water.sql says why no others are
-- there). Both are in the order of seq, so a page begins with those that wait. Where the
-- lease has no low_water, the mark is 0, and the table has an index on seq of its unsettled
-- rows, which then finds all of them.
--
-- Every plan is an index scan whatever the statistics say, because few indexes fit a
-- condition. A tx inside a function call cannot use the index on tx.
-- coalesce(published_at, dead_at) IS NULL means the same as two conditions and proves no
-- partial index, which leaves the index on tx.
--
-- Old writers fill no topic column: their topic sits in the event's body. Postgres
-- cannot look into JSON with an escaped NUL or half of a surrogate pair anywhere in
-- it; one such row must not stop the others, so those escapes are blanked first.
--
-- Old writers store an empty string where a row has no key. Whoever reads the
-- column takes it for null: as a key it would send all such rows to one partition.

-- TakeSnapshot also tells how far the write-ahead log is filled, and whether it
-- is on disk up to there. A statement takes its snapshot before it evaluates
-- anything, and a transaction writes its commit record before a snapshot shows it:
-- so the commit of whatever the snapshot shows lies before this point.
-- name: TakeSnapshot :one
WITH log AS MATERIALIZED (SELECT pg_current_wal_insert_lsn() AS filled)
SELECT pg_current_snapshot()::text AS snapshot, log.filled::text AS filled,
       (pg_current_wal_flush_lsn() >= log.filled)::boolean AS flushed
FROM log;

-- TakeSnapshotWithoutLog is TakeSnapshot on a server that does not tell positions
-- of its write-ahead log.
-- name: TakeSnapshotWithoutLog :one
SELECT pg_current_snapshot()::text AS snapshot;

-- ReadRange walks the unsettled rows in seq order. hidden_in, topic and keys
-- narrow the choice when they are not null; hidden_in leaves out what the earlier
-- snapshot showed already.
-- name: ReadRange :many
SELECT picked.seq, picked.id, picked.aggregate_type, picked.aggregate_id, picked.event_type,
       coalesce(picked.topic, regexp_replace(picked.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', picked.event_type)::text AS topic,
       picked.event_key, picked.created_at, picked.retry_count,
       picked.event_data::text AS data, picked.headers::text AS headers, picked.partition
FROM (
    SELECT o.* FROM (
        (SELECT w.* FROM event_outbox AS w
         WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL
           AND w.seq > @after::bigint AND w.seq <= least(@low_water::bigint, @up_to::bigint)
         ORDER BY w.seq)
        UNION ALL
        (SELECT p.* FROM event_outbox AS p
         WHERE p.published_at IS NULL AND p.dead_at IS NULL
           AND p.seq > greatest(@after::bigint, @low_water::bigint) AND p.seq <= @up_to::bigint
         ORDER BY p.seq)
    ) AS o
    WHERE (o.tx IS NULL OR pg_visible_in_snapshot(o.tx, @visible_in::pg_snapshot))
      AND (sqlc.narg('hidden_in')::pg_snapshot IS NULL
           OR NOT pg_visible_in_snapshot(o.tx, sqlc.narg('hidden_in')::pg_snapshot))
      AND (sqlc.narg('topic')::text IS NULL
           OR coalesce(o.topic, regexp_replace(o.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', o.event_type) = sqlc.narg('topic')::text)
      AND (sqlc.narg('keys')::text[] IS NULL OR o.event_key = ANY(sqlc.narg('keys')::text[]))
    ORDER BY o.seq
    LIMIT @max_rows
) AS picked
ORDER BY picked.seq;

-- ReadEdited is ReadRange for rows that were changed after they were inserted, by
-- transactions that edited_in shows: their xmin is not the transaction that tx
-- names. Rows inserted under a savepoint, and rows that the relay itself updated,
-- are among them. A row's xmin has 32 bits; the rest is that of the next
-- transaction id, or one less.
-- name: ReadEdited :many
SELECT picked.seq, picked.id, picked.aggregate_type, picked.aggregate_id, picked.event_type,
       coalesce(picked.topic, regexp_replace(picked.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', picked.event_type)::text AS topic,
       picked.event_key, picked.created_at, picked.retry_count,
       picked.event_data::text AS data, picked.headers::text AS headers, picked.partition
FROM (
    SELECT o.* FROM (
        (SELECT w.* FROM event_outbox AS w
         WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL
           AND w.seq > @after::bigint AND w.seq <= least(@low_water::bigint, @up_to::bigint)
           AND (w.tx IS NULL OR w.xmin <> w.tx::xid)
           AND pg_visible_in_snapshot(
               (SELECT following.xid - mod(following.xid - w.xmin::text::bigint, 4294967296)
                FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid) AS following)::text::xid8, @edited_in::pg_snapshot)
         ORDER BY w.seq)
        UNION ALL
        (SELECT p.* FROM event_outbox AS p
         WHERE p.published_at IS NULL AND p.dead_at IS NULL
           AND p.seq > greatest(@after::bigint, @low_water::bigint) AND p.seq <= @up_to::bigint
           AND (p.tx IS NULL OR p.xmin <> p.tx::xid)
           AND pg_visible_in_snapshot(
               (SELECT following.xid - mod(following.xid - p.xmin::text::bigint, 4294967296)
                FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid) AS following)::text::xid8, @edited_in::pg_snapshot)
         ORDER BY p.seq)
    ) AS o
    WHERE (o.tx IS NULL OR pg_visible_in_snapshot(o.tx, @visible_in::pg_snapshot))
    ORDER BY o.seq
    LIMIT @max_rows
) AS picked
ORDER BY picked.seq;

-- EndOfRange is the seq of the last unsettled row of a range of so many.
-- name: EndOfRange :one
SELECT coalesce(max(ranged.seq), 0)::bigint AS seq
FROM (
    SELECT o.seq FROM (
        (SELECT w.seq FROM event_outbox AS w
         WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL
           AND w.seq > @after::bigint AND w.seq <= least(@low_water::bigint, @up_to::bigint)
         ORDER BY w.seq)
        UNION ALL
        (SELECT p.seq FROM event_outbox AS p
         WHERE p.published_at IS NULL AND p.dead_at IS NULL
           AND p.seq > greatest(@after::bigint, @low_water::bigint) AND p.seq <= @up_to::bigint
         ORDER BY p.seq)
    ) AS o
    ORDER BY o.seq
    LIMIT @range_rows
) AS ranged;

-- NextSeq is the lowest seq above another one; 0: there is none.
-- name: NextSeq :one
SELECT coalesce(min(o.seq), 0)::bigint AS seq FROM event_outbox AS o WHERE o.seq > @after::bigint;

-- EndOfTick is the highest seq of a tick. OFFSET keeps it from looking for the maximum
-- in the index on seq.
-- name: EndOfTick :one
SELECT coalesce(greatest(
    (SELECT max(begun.seq) FROM (
        SELECT o.seq FROM event_outbox AS o
        WHERE o.tx >= @from_xmax::xid8 AND o.tx < @to_xmax::xid8 AND pg_visible_in_snapshot(o.tx, @visible_in::pg_snapshot)
        OFFSET 0) AS begun),
    (SELECT max(ended.seq) FROM (
        SELECT c.seq FROM event_outbox AS c WHERE c.tx = ANY(@closed::xid8[]) OFFSET 0) AS ended)
), 0)::bigint AS seq;

-- ReadTick gives the first page of a tick. It finds the rows by transaction, so a
-- small tick costs the same beside a million rows that wait; the pages after the
-- first come from ReadRange, which need not sort the whole tick again. A condition on seq
-- would let the planner take the index on seq.
-- name: ReadTick :many
SELECT picked.seq, picked.id, picked.aggregate_type, picked.aggregate_id, picked.event_type,
       coalesce(picked.topic, regexp_replace(picked.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', picked.event_type)::text AS topic,
       picked.event_key, picked.created_at, picked.retry_count,
       picked.event_data::text AS data, picked.headers::text AS headers, picked.partition
FROM (
    SELECT tick.* FROM (
        SELECT o.* FROM event_outbox AS o
        WHERE o.tx >= @from_xmax::xid8 AND o.tx < @to_xmax::xid8
          AND pg_visible_in_snapshot(o.tx, @visible_in::pg_snapshot)
          AND coalesce(o.published_at, o.dead_at) IS NULL
        UNION ALL
        SELECT o.* FROM event_outbox AS o
        WHERE o.tx = ANY(@closed::xid8[])
          AND coalesce(o.published_at, o.dead_at) IS NULL
    ) AS tick
    ORDER BY tick.seq
    LIMIT @max_rows
) AS picked
ORDER BY picked.seq;

-- name: ForgetDecisions :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), done AS (
    UPDATE event_outbox_audit AS a SET applied_at = now()
    FROM lease
    WHERE a.id = ANY(@ids::bigint[]) AND a.applied_at IS NULL
)
SELECT count(*) AS leases FROM lease;

-- The audit cuts topics and keys that are longer than 255 characters. Those of a replayed row
-- come from the row then: the relay has to find its key.
-- name: ReadDecisions :many
SELECT a.id, a.seq,
       coalesce(o.topic, regexp_replace(o.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', o.event_type, a.topic, a.event_type)::text AS topic,
       coalesce(o.event_key, a.event_key) AS event_key,
       (a.action = 'discard')::boolean AS discarded
FROM event_outbox_audit AS a
LEFT JOIN event_outbox AS o
       ON a.action = 'replay' AND (length(a.topic) = 255 OR length(a.event_key) = 255) AND o.seq = a.seq AND o.id = a.event_id
WHERE a.applied_at IS NULL
ORDER BY a.id
LIMIT 1000;

-- PausesVersion is what RenewLease returns.
-- name: PausesVersion :one
SELECT (count(*) || ' to ' || coalesce(max(p.id), 0))::text AS version FROM event_outbox_audit AS p WHERE p.action IN ('pause', 'resume');

-- ReadPauses lists the pauses of topics that no later entry ends. One without a topic
-- pauses all topics; a resumption without a topic ends all pauses before it.
-- name: ReadPauses :many
SELECT coalesce(l.topic, '')::text AS topic, l.actor, coalesce(l.reason, '')::text AS reason, l.at
FROM (
    SELECT DISTINCT ON (p.topic) p.id, p.topic, p.actor, p.reason, p.at, p.action
    FROM event_outbox_audit AS p
    WHERE p.action IN ('pause', 'resume')
    ORDER BY p.topic, p.id DESC
) AS l
WHERE l.action = 'pause'
  AND l.id > coalesce((SELECT max(r.id) FROM event_outbox_audit AS r WHERE r.action IN ('pause', 'resume') AND r.action = 'resume' AND r.topic IS NULL), 0)
ORDER BY l.id;

-- AdoptForeign finds rows that are visible although, by their tx, they cannot be: they
-- were written under another cluster's transaction ids (a dump was restored). It
-- clears their tx, so that they belong to the backlog. One statement has one
-- snapshot, so it never finds rows of this cluster.
-- name: AdoptForeign :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), foreigner AS MATERIALIZED (
    SELECT f.id FROM event_outbox AS f
    WHERE f.tx >= pg_snapshot_xmin(pg_current_snapshot()) AND f.published_at IS NULL
      AND NOT pg_visible_in_snapshot(f.tx, pg_current_snapshot())
    LIMIT @max_rows
), adopted AS (
    UPDATE event_outbox AS o SET tx = NULL
    FROM lease, foreigner
    WHERE o.id = foreigner.id
    RETURNING o.id
)
SELECT (SELECT count(*) FROM lease) AS leases, (SELECT count(*) FROM adopted) AS adopted;

-- ReadHeld leaves out rows that never failed: a next_attempt_at that a writer sets has
-- no effect, for a running leader and a new one. ix_event_outbox_retried has no such rows,
-- because very many may have been set aside. Of the dead rows of a key it lists the
-- first, because there may be very many.
-- name: ReadHeld :many
WITH held AS (
    SELECT w.seq, coalesce(w.topic, regexp_replace(w.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', w.event_type)::text AS topic, w.event_key, w.event_type, w.retry_count,
           w.next_attempt_at, false AS dead
    FROM event_outbox AS w
    WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.retry_count > 0
    UNION ALL
    SELECT d.seq, coalesce(d.topic, regexp_replace(d.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', d.event_type)::text AS topic, d.event_key, d.event_type, d.retry_count,
           d.next_attempt_at, true AS dead
    FROM event_outbox AS d
    WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL
      AND (d.event_type = ANY(@excepted::text[])) <> @by_default::boolean AND d.event_key <> ''
), placed AS (
    SELECT seq, topic, event_key, event_type, retry_count, next_attempt_at, dead,
           row_number() OVER (PARTITION BY dead, topic, event_key ORDER BY seq) AS place,
           count(*) OVER (PARTITION BY dead, topic, event_key) AS together
    FROM held
)
SELECT seq, topic, event_key, event_type, retry_count, next_attempt_at, dead, (dead AND together > 1)::boolean AS others,
       greatest(0, extract(epoch FROM next_attempt_at - clock_timestamp()) * 1000000)::bigint AS retry_in_us
FROM placed
WHERE NOT dead OR place = 1
ORDER BY seq;

-- name: IsFlushed :one
SELECT (pg_current_wal_flush_lsn() >= @lsn::pg_lsn)::boolean AS flushed;

-- ForceFlush is a transaction of its own whose commit, under synchronous_commit,
-- puts everything before it in the write-ahead log on disk too.
-- name: ForceFlush :exec
SELECT pg_logical_emit_message(true, 'outboxgen', '');

-- CommitForFlush is ForceFlush on a server without positions of the log: a commit
-- of the smallest change. It changes nothing in the row, and no row means that the
-- term has ended.
-- name: CommitForFlush :execrows
UPDATE event_outbox_lease SET suspect_seq = suspect_seq
WHERE name = @name AND epoch = @epoch AND holder = @holder::uuid;
