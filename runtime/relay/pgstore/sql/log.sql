-- The statements of a log, an outbox whose rows are only inserted. DESIGN.md of package
-- logcursor has the rules. How pages are read is as in read.sql, without the columns that say
-- what is settled.
--
-- An entry of event_outbox_late or event_outbox_failed belongs to a row of its id, seq and tx: an
-- id can be inserted again when its row is gone, and a number can come again when the sequence was
-- set back. Of unsettled rows and entries, no two have the same number; so such a row or entry is
-- also found by its number alone. Rows are found by id; seq - seq = 0 compares the numbers without
-- offering the index on seq.

-- LogCursor reads the newest cursor, and the database that it is read in. next_tx is the
-- first transaction id that is not used yet, or a lower one.
-- name: LogCursor :one
SELECT c.n, c.base::text AS base, coalesce(c.shown::text, '')::text AS shown, c.seq, c.ahead, c.floor,
       c.system, c.database, c.sequence_file,
       (SELECT system_identifier FROM pg_control_system())::bigint AS system_now,
       (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())::bigint AS database_now,
       coalesce(pg_relation_filenode(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0)::bigint AS sequence_file_now,
       (CASE WHEN set_config('lock_timeout', '50ms', true) IS NOT NULL
             THEN coalesce(pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0) END)::bigint AS standing,
       pg_snapshot_xmax(pg_current_snapshot())::xid8 AS next_tx,
       pg_snapshot_xmax(c.base)::xid8 AS base_tx
FROM event_outbox_cursor AS c
ORDER BY c.n DESC
LIMIT 1;

-- LogLowest is the lowest seq up to the floor of rows that one snapshot shows and that have no entry;
-- 0: there is none. It looks at whole transactions, from from_tx on and below to_tx, until it has
-- looked at max_rows rows of others than the first; next_tx is the one after them. It looks at the
-- transactions in open each time.
-- name: LogLowest :one
WITH bound AS MATERIALIZED (
    SELECT coalesce((SELECT b.tx FROM event_outbox AS b WHERE b.tx > @from_tx::xid8 AND b.tx < @to_tx::xid8
                     ORDER BY b.tx OFFSET @max_rows LIMIT 1), @to_tx::xid8)::xid8 AS tx
)
SELECT coalesce(min(f.seq), 0)::bigint AS seq, (SELECT bound.tx FROM bound)::xid8 AS next_tx
FROM (
    SELECT o.id, o.seq, o.tx FROM event_outbox AS o WHERE o.tx >= @from_tx::xid8 AND o.tx < (SELECT bound.tx FROM bound)
    UNION ALL
    SELECT c.id, c.seq, c.tx FROM event_outbox AS c WHERE c.tx = ANY(@open::xid8[])
) AS f
WHERE f.seq <= @floor::bigint AND pg_visible_in_snapshot(f.tx, @visible_in::pg_snapshot)
  AND NOT EXISTS (SELECT FROM event_outbox_late AS l WHERE l.id = f.id AND l.seq = f.seq AND l.tx = f.tx)
  AND NOT EXISTS (SELECT FROM event_outbox_failed AS e WHERE e.id = f.id AND e.seq = f.seq AND e.tx = f.tx);

-- LogHighest is the highest seq of all rows and of the copies of those that failed, and of entries.
-- name: LogHighest :one
SELECT greatest(n.entry, coalesce((SELECT o.seq FROM event_outbox AS o ORDER BY o.seq DESC LIMIT 1), 0))::bigint AS seq, n.entry::bigint AS entry
FROM (SELECT greatest(coalesce((SELECT l.seq FROM event_outbox_late AS l WHERE l.published_at IS NULL ORDER BY l.seq DESC LIMIT 1), 0),
                      coalesce((SELECT f.seq FROM event_outbox_failed AS f ORDER BY f.seq DESC LIMIT 1), 0)) AS entry) AS n;

-- LogClash reports whether one of some rows has a number that an entry has for another row.
-- name: LogClash :one
SELECT EXISTS (
    SELECT FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@seqs::bigint[]) AS seq) AS k
    JOIN event_outbox AS o ON o.id = k.id AND o.seq - k.seq = 0
    WHERE EXISTS (SELECT FROM event_outbox_late AS l WHERE l.seq = k.seq AND l.published_at IS NULL AND (l.id <> o.id OR l.tx <> o.tx))
       OR EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.seq = k.seq AND (f.id <> o.id OR f.tx <> o.tx))
)::boolean AS clash;

-- Renumber gives rows other numbers after the sequence was set back: see log.up.sql of package
-- migrations.
-- name: Renumber :one
SELECT (CASE WHEN set_config('outbox.lock_wait', @lock_wait::text, true) IS NOT NULL
             THEN event_outbox_renumber(@name::text, @epoch::bigint, @holder::uuid, @former::bigint, @next::bigint,
                                        @listed::bigint[], sqlc.narg('seen')::pg_snapshot) END)::text AS outcome;

-- LogUnpassed counts the rows that base does not show, up to a limit.
-- name: LogUnpassed :one
SELECT count(*)::bigint AS rows FROM (
    SELECT FROM event_outbox AS o
    WHERE o.tx >= pg_snapshot_xmin(@base::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @base) LIMIT @max_rows
) AS u;

-- LogPlace reads the place of the sequence of seq. If its file is another one, or it stands
-- lower than before, or below a row, new rows have numbers that old ones had. Each row that the
-- statement sees drew its number before the place is read.
-- name: LogPlace :one
SELECT coalesce(pg_relation_filenode(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0)::bigint AS file,
       (CASE WHEN set_config('lock_timeout', '50ms', true) IS NOT NULL
             THEN coalesce(pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0) END)::bigint AS standing,
       coalesce((SELECT max(o.seq) FROM event_outbox AS o), 0)::bigint AS highest;

-- WriteCursor writes the whole cursor, so it can be repeated after an unknown outcome. Each
-- attempt has a higher n, and deletes the newest row, which only one of two can do. So an
-- attempt that the server carries out late changes nothing after a later one: it would undo
-- that, or note rows as waiting that are published since. Then replaced is 0, and newest is
-- the newest row when the statement began; -1: none. late_ids and late_seqs are the rows that
-- wait and that this cursor passes. settled are published rows that an earlier cursor has passed:
-- they were late or had failed. A row is never in both.
-- history says whether to note the tick.
-- name: WriteCursor :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), replaced AS (
    DELETE FROM event_outbox_cursor AS d USING lease
    WHERE d.n = (SELECT max(c.n) FROM event_outbox_cursor AS c) AND d.n < @n::bigint
    RETURNING d.n
), written AS (
    INSERT INTO event_outbox_cursor (n, base, shown, seq, ahead, floor, system, database, sequence_file)
    SELECT @n::bigint, @base::pg_snapshot, sqlc.narg('shown')::pg_snapshot, @seq::bigint, @ahead::bytea,
           @floor::bigint, @system::bigint, @database::bigint, @sequence_file::bigint
    FROM replaced
), late AS (
    INSERT INTO event_outbox_late (id, tx, seq, topic, event_key)
    SELECT o.id, o.tx, o.seq, o.topic, o.event_key
    FROM replaced CROSS JOIN (SELECT unnest(@late_ids::uuid[]) AS id, unnest(@late_seqs::bigint[]) AS seq) AS w
    JOIN event_outbox AS o ON o.id = w.id AND o.seq = w.seq
    ON CONFLICT (id, seq, tx) DO NOTHING
), published AS (
    UPDATE event_outbox_late AS p SET published_at = now()
    FROM replaced
    WHERE p.seq = ANY(@settled::bigint[]) AND p.published_at IS NULL
), recovered AS (
    DELETE FROM event_outbox_failed AS f USING replaced
    WHERE f.seq = ANY(@settled::bigint[]) AND f.dead_at IS NULL
    RETURNING f.id, f.tx, f.seq, f.topic, f.event_key
), noted AS (
    INSERT INTO event_outbox_late AS n (id, tx, seq, topic, event_key, published_at)
    SELECT r.id, r.tx, r.seq, r.topic, r.event_key, now() FROM recovered AS r
    ON CONFLICT (id, seq, tx) DO UPDATE SET published_at = excluded.published_at
), ticked AS (
    INSERT INTO event_outbox_tick (n, shown, below)
    SELECT @n::bigint, @base::pg_snapshot, pg_snapshot_xmax(@base::pg_snapshot) FROM replaced WHERE @history::boolean
    ON CONFLICT (n) DO NOTHING
)
SELECT (SELECT count(*) FROM lease) AS leases, (SELECT count(*) FROM replaced) AS replaced,
       coalesce((SELECT max(m.n) FROM event_outbox_cursor AS m), -1)::bigint AS newest;

-- CopyFailed makes copies of rows that failed, or counts one more failure of a copy. A row is
-- left alone while a replay of it waits that the leader has not acted on: see settle.sql. It
-- runs in one transaction with WriteCursor, after it, because that one locks the lease row.
-- Only a row that fails for the first time is copied: a copy that is gone was deleted by an
-- operator. Its row is that of its id in ids, if the leader has read it past the cursor, and else
-- that of its entry in event_outbox_late: a published row may have the same number. If the first
-- failure made the row dead, its outcome may be unknown to the leader, which repeats it after an
-- operator has discarded the row: that stays discarded.
-- name: CopyFailed :exec
WITH failure AS MATERIALIZED (
    SELECT f.seq, f.id, f.error, f.retry_count, f.dead,
           CASE WHEN NOT f.dead THEN now() + make_interval(secs => f.retry_seconds) END AS next_attempt_at
    FROM (SELECT unnest(@failed::bigint[]) AS seq, unnest(@ids::uuid[]) AS id, unnest(@errors::text[]) AS error,
                 unnest(@retry_counts::integer[]) AS retry_count,
                 unnest(@retry_seconds::float8[]) AS retry_seconds, unnest(@dead::boolean[]) AS dead) AS f
    WHERE NOT EXISTS (
        SELECT FROM event_outbox_audit AS a
        WHERE a.seq = f.seq AND a.action = 'replay' AND a.applied_at IS NULL AND a.id <> ALL(@decided::bigint[])
    )
), again AS (
    UPDATE event_outbox_failed AS c
    SET retry_count = f.retry_count, last_error = f.error, next_attempt_at = f.next_attempt_at,
        dead_at = CASE WHEN f.dead THEN now() END
    FROM failure AS f
    WHERE c.seq = f.seq AND c.seq = ANY(@failed::bigint[]) AND c.dead_at IS NULL
), late AS (
    DELETE FROM event_outbox_late AS l USING failure AS f
    WHERE l.seq = f.seq AND l.seq = ANY(@failed::bigint[]) AND l.published_at IS NULL
)
INSERT INTO event_outbox_failed (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic,
                                 headers, partition, retry_count, last_error, next_attempt_at, dead_at)
SELECT o.id, o.aggregate_id, o.aggregate_type, o.event_type, o.event_data, o.event_key, o.created_at, o.tx, o.seq, o.topic,
       o.headers, o.partition, f.retry_count, f.error, f.next_attempt_at, CASE WHEN f.dead THEN now() END
FROM failure AS f
LEFT JOIN event_outbox_late AS w ON w.seq = f.seq AND w.seq = ANY(@failed::bigint[]) AND w.published_at IS NULL
JOIN event_outbox AS o ON o.id = coalesce(nullif(f.id, '00000000-0000-0000-0000-000000000000'), w.id) AND o.seq - f.seq = 0
WHERE f.retry_count = 1
  AND NOT EXISTS (SELECT FROM event_outbox_late AS e WHERE e.id = o.id AND e.seq = o.seq AND e.tx = o.tx AND e.discarded)
ON CONFLICT (id, seq, tx) DO NOTHING;

-- LogRange reads rows that one snapshot shows over another, in a range of seq. Of what passed_in
-- shows, the rows up to passed_seq are left out: a former term has passed them.
-- name: LogRange :many
SELECT o.seq, o.id, o.aggregate_type, o.aggregate_id, o.event_type, o.topic::text AS topic, o.event_key, o.created_at,
       0::integer AS retry_count, o.event_data::text AS data, o.headers::text AS headers, o.partition
FROM event_outbox AS o
WHERE o.seq > @after::bigint AND o.seq <= @up_to::bigint
  AND pg_visible_in_snapshot(o.tx, @visible_in::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @hidden_in::pg_snapshot)
  AND (o.seq > @passed_seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @passed_in::pg_snapshot))
  AND (sqlc.narg('topic')::text IS NULL OR o.topic = sqlc.narg('topic')::text)
  AND (sqlc.narg('keys')::text[] IS NULL OR o.event_key = ANY(sqlc.narg('keys')::text[]))
ORDER BY o.seq
LIMIT @max_rows;

-- LogTick gives the first page of a tick, by transaction.
-- name: LogTick :many
SELECT picked.seq, picked.id, picked.aggregate_type, picked.aggregate_id, picked.event_type, picked.topic::text AS topic,
       picked.event_key, picked.created_at,
       0::integer AS retry_count, picked.event_data::text AS data, picked.headers::text AS headers, picked.partition
FROM (
    SELECT tick.* FROM (
        SELECT o.seq, o.id, o.aggregate_type, o.aggregate_id, o.event_type, o.topic, o.event_key, o.created_at, o.event_data, o.headers, o.partition
        FROM event_outbox AS o
        WHERE o.tx >= @from_xmax::xid8 AND o.tx < @to_xmax::xid8 AND pg_visible_in_snapshot(o.tx, @visible_in::pg_snapshot)
        UNION ALL
        SELECT c.seq, c.id, c.aggregate_type, c.aggregate_id, c.event_type, c.topic, c.event_key, c.created_at, c.event_data, c.headers, c.partition
        FROM event_outbox AS c
        WHERE c.tx = ANY(@closed::xid8[])
    ) AS tick
    ORDER BY tick.seq
    LIMIT @max_rows
) AS picked
ORDER BY picked.seq;

-- LogWaiting reads the rows that the cursor has passed and that are not settled: those that
-- were set aside, and the copies of those that failed. Some of them may be of a tick that is
-- newer than the snapshot; they are left out, because rows before them may be missing.
-- name: LogWaiting :many
SELECT w.seq, w.id, w.aggregate_type, w.aggregate_id, w.event_type, w.topic::text AS topic, w.event_key, w.created_at,
       w.retry_count, w.event_data::text AS data, w.headers::text AS headers, w.partition
FROM (
    (SELECT l.seq, o.id, o.aggregate_type, o.aggregate_id, o.event_type, o.topic, o.event_key, o.created_at,
            0::integer AS retry_count, o.event_data, o.headers, o.partition
     FROM event_outbox_late AS l JOIN event_outbox AS o ON o.id = l.id AND o.seq - l.seq = 0 AND o.tx = l.tx
     WHERE l.published_at IS NULL AND l.seq > @after::bigint AND l.seq <= @up_to::bigint
       AND pg_visible_in_snapshot(o.tx, @visible_in::pg_snapshot)
       AND (sqlc.narg('topic')::text IS NULL OR l.topic = sqlc.narg('topic')::text)
       AND (sqlc.narg('keys')::text[] IS NULL OR l.event_key = ANY(sqlc.narg('keys')::text[]))
     ORDER BY l.seq
     LIMIT @max_rows)
    UNION ALL
    (SELECT f.seq, f.id, f.aggregate_type, f.aggregate_id, f.event_type, f.topic, f.event_key, f.created_at,
            f.retry_count, f.event_data, f.headers, f.partition
     FROM event_outbox_failed AS f
     WHERE f.dead_at IS NULL AND f.seq > @after::bigint AND f.seq <= @up_to::bigint
       AND pg_visible_in_snapshot(f.tx, @visible_in::pg_snapshot)
       AND (sqlc.narg('topic')::text IS NULL OR f.topic = sqlc.narg('topic')::text)
       AND (sqlc.narg('keys')::text[] IS NULL OR f.event_key = ANY(sqlc.narg('keys')::text[]))
     ORDER BY f.seq
     LIMIT @max_rows)
) AS w
ORDER BY w.seq
LIMIT @max_rows;

-- LogRows reads rows that were read before, by their ids.
-- name: LogRows :many
SELECT o.seq, o.id, o.aggregate_type, o.aggregate_id, o.event_type, o.topic::text AS topic, o.event_key, o.created_at,
       0::integer AS retry_count, o.event_data::text AS data, o.headers::text AS headers, o.partition
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@seqs::bigint[]) AS seq) AS w JOIN event_outbox AS o ON o.id = w.id AND o.seq = w.seq
WHERE pg_visible_in_snapshot(o.tx, @visible_in::pg_snapshot)
  AND (sqlc.narg('keys')::text[] IS NULL OR o.event_key = ANY(sqlc.narg('keys')::text[]))
ORDER BY o.seq
LIMIT @max_rows;

-- LogEdited reads copies that were made or changed by transactions that edited_in shows.
-- name: LogEdited :many
SELECT f.seq, f.id, f.aggregate_type, f.aggregate_id, f.event_type, f.topic::text AS topic, f.event_key, f.created_at,
       f.retry_count, f.event_data::text AS data, f.headers::text AS headers, f.partition
FROM event_outbox_failed AS f
WHERE f.dead_at IS NULL AND f.seq > @after::bigint AND f.seq <= @up_to::bigint
  AND pg_visible_in_snapshot(f.tx, @visible_in::pg_snapshot)
  AND pg_visible_in_snapshot(
      (SELECT following.xid - mod(following.xid - f.xmin::text::bigint, 4294967296)
       FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid) AS following)::text::xid8, @edited_in::pg_snapshot)
ORDER BY f.seq
LIMIT @max_rows;

-- name: LogHeld :many
WITH held AS (
    SELECT f.seq, f.topic, f.event_key, f.event_type, f.retry_count, f.next_attempt_at, false AS dead
    FROM event_outbox_failed AS f
    WHERE f.dead_at IS NULL AND f.next_attempt_at IS NOT NULL AND f.retry_count > 0
    UNION ALL
    SELECT d.seq, d.topic, d.event_key, d.event_type, d.retry_count, d.next_attempt_at, true AS dead
    FROM event_outbox_failed AS d
    WHERE d.dead_at IS NOT NULL
      AND (d.event_type = ANY(@excepted::text[])) <> @by_default::boolean AND d.event_key <> ''
), placed AS (
    SELECT seq, topic, event_key, event_type, retry_count, next_attempt_at, dead,
           row_number() OVER (PARTITION BY dead, topic, event_key ORDER BY seq) AS place,
           count(*) OVER (PARTITION BY dead, topic, event_key) AS together
    FROM held
)
SELECT seq, topic::text AS topic, event_key, event_type, retry_count, next_attempt_at, dead, (dead AND together > 1)::boolean AS others,
       greatest(0, extract(epoch FROM next_attempt_at - clock_timestamp()) * 1000000)::bigint AS retry_in_us
FROM placed
WHERE NOT dead OR place = 1
ORDER BY seq;

-- LogUnread looks for rows that this statement sees and an earlier snapshot did not.
-- name: LogUnread :one
SELECT pg_current_snapshot()::text AS snapshot,
       (EXISTS (SELECT FROM event_outbox AS o WHERE o.tx >= @read_xmax::xid8)
        OR EXISTS (SELECT FROM event_outbox AS o WHERE o.tx = ANY(@read_open::xid8[])))::boolean AS unread;

-- LogCounts counts the rows that are not settled. Those that the cursor has not passed are
-- looked for in two ranges of seq, the first ones above the floor and the newest ones: what lies
-- between may be published, if a transaction keeps the floor from moving. The age is that of the
-- oldest row whose topic no operator has paused; if all rows up to the cap are of paused topics,
-- that of the next row: see CountRows in keep.sql.
-- ahead is a subquery, because only that is hashed on each version, whatever the plan.
-- name: LogCounts :one
WITH ahead AS MATERIALIZED (
    SELECT unnest(@ahead::bigint[])::bigint AS seq
), pauses AS MATERIALIZED (
    SELECT l.topic
    FROM (
        SELECT DISTINCT ON (p.topic) p.id, p.topic, p.action
        FROM event_outbox_audit AS p
        WHERE p.action IN ('pause', 'resume')
        ORDER BY p.topic, p.id DESC
    ) AS l
    WHERE l.action = 'pause'
      AND l.id > coalesce((SELECT max(r.id) FROM event_outbox_audit AS r WHERE r.action IN ('pause', 'resume') AND r.action = 'resume' AND r.topic IS NULL), 0)
), stopped AS MATERIALIZED (
    SELECT coalesce(bool_or(pauses.topic IS NULL), false) AS all_topics,
           coalesce(array_agg(pauses.topic::text) FILTER (WHERE pauses.topic IS NOT NULL), '{}') AS topics
    FROM pauses
)
SELECT ((SELECT count(*) FROM (
            SELECT FROM event_outbox AS o
            WHERE o.seq > @after::bigint AND o.seq <= @up_to::bigint
              AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
              AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
              AND o.seq NOT IN (SELECT a.seq FROM ahead AS a)
            LIMIT @cap
        ) AS unpassed)
        + (SELECT count(*) FROM (
            SELECT FROM event_outbox AS n
            WHERE n.seq > @top::bigint
              AND NOT pg_visible_in_snapshot(n.tx, @base::pg_snapshot)
              AND (n.seq > @seq::bigint OR NOT pg_visible_in_snapshot(n.tx, @shown::pg_snapshot))
              AND n.seq NOT IN (SELECT a.seq FROM ahead AS a)
            LIMIT @cap
        ) AS newest))::bigint AS unpassed,
       (SELECT count(*) FROM (SELECT FROM event_outbox_late AS l WHERE l.published_at IS NULL LIMIT @cap) AS late)::bigint AS late,
       (SELECT count(*) FROM (SELECT FROM event_outbox_failed AS f WHERE f.dead_at IS NULL LIMIT @cap) AS failed)::bigint AS failed,
       (SELECT count(*) FROM (
            SELECT FROM event_outbox_failed AS h WHERE h.dead_at IS NULL AND h.next_attempt_at IS NOT NULL AND h.retry_count > 0 LIMIT @cap
        ) AS again)::bigint AS held,
       (SELECT count(*) FROM (SELECT FROM event_outbox_failed AS d WHERE d.dead_at IS NOT NULL LIMIT @cap) AS over)::bigint AS dead,
       coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - least(
            coalesce((SELECT o.created_at FROM (
                SELECT w.id, w.seq, w.tx, w.topic FROM event_outbox_late AS w WHERE w.published_at IS NULL ORDER BY w.seq LIMIT @cap
             ) AS l JOIN event_outbox AS o ON o.id = l.id AND o.seq - l.seq = 0 AND o.tx = l.tx
             WHERE NOT (SELECT stopped.all_topics FROM stopped) AND l.topic <> ALL((SELECT stopped.topics FROM stopped)::text[])
             ORDER BY l.seq LIMIT 1),
             (SELECT bo.created_at FROM (
                SELECT bw.id, bw.seq, bw.tx FROM event_outbox_late AS bw WHERE bw.published_at IS NULL AND NOT (SELECT stopped.all_topics FROM stopped)
                ORDER BY bw.seq OFFSET @cap LIMIT 1
             ) AS bl JOIN event_outbox AS bo ON bo.id = bl.id AND bo.seq - bl.seq = 0 AND bo.tx = bl.tx)),
            coalesce((SELECT f.created_at FROM (
                SELECT c.seq, c.topic, c.created_at FROM event_outbox_failed AS c WHERE c.dead_at IS NULL ORDER BY c.seq LIMIT @cap
             ) AS f
             WHERE NOT (SELECT stopped.all_topics FROM stopped) AND f.topic <> ALL((SELECT stopped.topics FROM stopped)::text[])
             ORDER BY f.seq LIMIT 1),
             (SELECT bf.created_at FROM event_outbox_failed AS bf WHERE bf.dead_at IS NULL AND NOT (SELECT stopped.all_topics FROM stopped)
              ORDER BY bf.seq OFFSET @cap LIMIT 1)),
            coalesce((SELECT u.created_at FROM (
                SELECT o.seq, o.topic, o.created_at FROM event_outbox AS o
                WHERE o.seq > @after::bigint AND o.seq <= @up_to::bigint
                  AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
                  AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
                  AND o.seq NOT IN (SELECT a.seq FROM ahead AS a)
                ORDER BY o.seq LIMIT @cap
             ) AS u
             WHERE NOT (SELECT stopped.all_topics FROM stopped) AND u.topic <> ALL((SELECT stopped.topics FROM stopped)::text[])
             ORDER BY u.seq LIMIT 1),
             (SELECT bu.created_at FROM event_outbox AS bu
              WHERE bu.seq > @after::bigint AND bu.seq <= @up_to::bigint AND NOT (SELECT stopped.all_topics FROM stopped)
                  AND NOT pg_visible_in_snapshot(bu.tx, @base::pg_snapshot)
                  AND (bu.seq > @seq::bigint OR NOT pg_visible_in_snapshot(bu.tx, @shown::pg_snapshot))
                  AND bu.seq NOT IN (SELECT a.seq FROM ahead AS a)
              ORDER BY bu.seq OFFSET @cap LIMIT 1)),
            coalesce((SELECT v.created_at FROM (
                SELECT n.seq, n.topic, n.created_at FROM event_outbox AS n
                WHERE n.seq > @top::bigint
                  AND NOT pg_visible_in_snapshot(n.tx, @base::pg_snapshot)
                  AND (n.seq > @seq::bigint OR NOT pg_visible_in_snapshot(n.tx, @shown::pg_snapshot))
                  AND n.seq NOT IN (SELECT a.seq FROM ahead AS a)
                ORDER BY n.seq LIMIT @cap
             ) AS v
             WHERE NOT (SELECT stopped.all_topics FROM stopped) AND v.topic <> ALL((SELECT stopped.topics FROM stopped)::text[])
             ORDER BY v.seq LIMIT 1),
             (SELECT bv.created_at FROM event_outbox AS bv
              WHERE bv.seq > @top::bigint AND NOT (SELECT stopped.all_topics FROM stopped)
                  AND NOT pg_visible_in_snapshot(bv.tx, @base::pg_snapshot)
                  AND (bv.seq > @seq::bigint OR NOT pg_visible_in_snapshot(bv.tx, @shown::pg_snapshot))
                  AND bv.seq NOT IN (SELECT a.seq FROM ahead AS a)
              ORDER BY bv.seq OFFSET @cap LIMIT 1)))) * 1000000)), 0)::bigint AS age_us,
       (CASE WHEN set_config('lock_timeout', '50ms', true) IS NOT NULL
             THEN coalesce(pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0) END)::bigint AS last_seq,
       (SELECT count(*) FROM (SELECT FROM event_outbox_delayed LIMIT @cap) AS waiting) AS delayed,
       coalesce((SELECT extract(epoch FROM d.deliver_at - clock_timestamp()) * 1000000
                 FROM event_outbox_delayed AS d
                 ORDER BY d.deliver_at
                 LIMIT 1), 0)::bigint AS delayed_in_us;

-- LogSweep deletes rows that are in no partition of a day and were published long ago, the oldest
-- first, and what is known about old rows. What is known of a row that waited or was discarded
-- is kept as long as the row is, and ticks as long as the oldest partition: without them, the
-- history has its rows with later times. past is the last tick that is old enough; it stays, so that
-- there is always one. A row stays as long as its copy: then its id is known.
-- name: LogSweep :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), past AS MATERIALIZED (
    SELECT p.n, pg_snapshot_xmin(p.shown)::xid8 AS below
    FROM event_outbox_tick AS p
    WHERE p.published_at < now() - make_interval(secs => @keep_seconds::float8)
    ORDER BY p.published_at DESC
    LIMIT 1
), doomed AS MATERIALIZED (
    SELECT d.id FROM event_outbox_other AS d
    WHERE d.tx < least(pg_snapshot_xmin(@base::pg_snapshot), (SELECT past.below FROM past))
      AND EXISTS (SELECT FROM past)
      AND NOT EXISTS (SELECT FROM event_outbox_late AS w
                      WHERE w.id = d.id AND w.seq = d.seq AND w.tx = d.tx
                        AND (w.published_at IS NULL OR w.published_at >= now() - make_interval(secs => @keep_seconds::float8)))
      AND NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = d.id AND f.seq = d.seq AND f.tx = d.tx)
    ORDER BY d.tx
    LIMIT @max_rows
), swept AS (
    DELETE FROM event_outbox_other AS o USING lease, doomed WHERE o.id = doomed.id RETURNING o.id, o.created_at
), noted AS (
    INSERT INTO event_outbox_deleted AS n (created_at)
    SELECT max(s.created_at) FROM swept AS s WHERE isfinite(s.created_at) HAVING max(s.created_at) IS NOT NULL
    ON CONFLICT (one) DO UPDATE SET created_at = excluded.created_at
    WHERE n.created_at < excluded.created_at
), ticks AS (
    DELETE FROM event_outbox_tick AS t USING lease
    WHERE t.n IN (SELECT k.n FROM event_outbox_tick AS k ORDER BY k.n LIMIT @max_rows)
      AND t.n < (SELECT past.n FROM past) -- so the last one stays, for which an adoption asks
      AND t.published_at < least(now() - make_interval(secs => @keep_seconds::float8), (
          SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD'))::timestamp AT TIME ZONE 'UTC'
          FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
          WHERE i.inhparent = to_regclass('event_outbox')::oid AND c.relname ~ '^event_outbox_d[0-9]{8}$'))
), late AS (
    DELETE FROM event_outbox_late AS e USING lease
    WHERE (e.id, e.seq, e.tx) IN (SELECT p.id, p.seq, p.tx FROM event_outbox_late AS p
                   WHERE p.published_at < now() - make_interval(secs => @keep_seconds::float8)
                     AND NOT EXISTS (SELECT FROM event_outbox AS o WHERE o.id = p.id AND o.seq = p.seq AND o.tx = p.tx)
                   LIMIT @max_rows)
)
SELECT (SELECT count(*) FROM lease) AS leases, (SELECT count(*) FROM swept) AS swept;

-- LogForgetGone looks at the next entries of rows that wait, and deletes those of rows that
-- somebody has deleted.
-- name: LogForgetGone :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), looked AS MATERIALIZED (
    SELECT w.id, w.seq, w.tx FROM event_outbox_late AS w
    WHERE w.published_at IS NULL AND w.seq > @after::bigint
    ORDER BY w.seq
    LIMIT @max_rows
), gone AS (
    DELETE FROM event_outbox_late AS g USING lease, looked
    WHERE g.id = looked.id AND g.seq = looked.seq AND g.tx = looked.tx
      AND NOT EXISTS (SELECT FROM event_outbox AS o WHERE o.id = looked.id AND o.seq = looked.seq AND o.tx = looked.tx)
    RETURNING g.id
)
SELECT (SELECT count(*) FROM lease) AS leases, (SELECT count(*) FROM looked) AS looked, (SELECT count(*) FROM gone) AS gone,
       coalesce((SELECT max(l.seq) FROM looked AS l), 0)::bigint AS last;
