-- How published rows are read again
--
-- Each statement looks at a limited number of rows, in seq order over an index on seq,
-- whatever it selects: first HistoryWindow finds where so many rows end, and the others
-- filter what is up to there. No statement needs an index on a time. None locks a row.

-- HistoryTable describes event_outbox for someone who reads history. indexed means that
-- an index has all rows in the order of seq.
-- name: HistoryTable :one
SELECT (t.oid IS NOT NULL)::boolean AS found,
       coalesce((SELECT c.relkind = 'p' FROM pg_catalog.pg_class AS c WHERE c.oid = t.oid), false)::boolean AS is_log,
       coalesce(row_security_active(t.oid), false)::boolean AS hidden,
       coalesce(pg_relation_size(t.oid), 0)::bigint AS bytes,
       EXISTS (
           SELECT FROM pg_catalog.pg_index AS i
           JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           WHERE i.indrelid = t.oid AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'seq'
       ) AS indexed
FROM (SELECT to_regclass('event_outbox')::oid AS oid) AS t;

-- HistoryOldestDay is the oldest day of which a log has the partition, or the epoch. Earlier ones
-- may have been dropped by hand.
-- name: HistoryOldestDay :one
SELECT coalesce(min(to_date(right(c.relname, 8), 'YYYYMMDD'))::timestamp AT TIME ZONE 'UTC', 'epoch')::timestamptz AS day
FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass('event_outbox')::oid AND c.relname ~ '^event_outbox_d[0-9]{8}$';

-- HistoryDeleted is up to when events of a log were deleted, or the epoch.
-- name: HistoryDeleted :one
SELECT coalesce((SELECT d.created_at FROM event_outbox_deleted AS d), 'epoch')::timestamptz AS created_at;

-- HistoryReach says how far back the history reaches. A published row that is left tells
-- it: every deleted one is of a transaction that had begun when that row was published,
-- because the sweep deletes, in the order of tx, what was published before a cutoff. A row
-- that was published late tells little, so the first rows are asked. Only if none of them is
-- published, HistoryPublished looks further.
-- place is when the row at a place was created, or the last row before it that is left. Rows
-- after the place were inserted later.
-- name: HistoryReach :one
SELECT coalesce(known.back, now())::timestamptz AS back, (known.back IS NULL)::boolean AS unknown,
       coalesce((SELECT o.created_at FROM event_outbox AS o
                 WHERE o.seq <= @after::bigint AND isfinite(o.created_at)
                 ORDER BY o.seq DESC
                 LIMIT 1), 'epoch')::timestamptz AS place
FROM (
    SELECT min(p.published_at) AS back
    FROM (
        SELECT o.published_at, o.dead_at FROM event_outbox AS o
        ORDER BY o.seq
        LIMIT @probe_rows
    ) AS p
    WHERE p.published_at IS NOT NULL AND p.dead_at IS NULL
) AS known;

-- HistoryWhole reports whether no row was deleted that was created before a time: the rows
-- begin at seq 1, and have no gap up to one that was created later, or up to the last seq
-- that was given. A transaction that was rolled back leaves a gap too: then it is not known.
-- name: HistoryWhole :one
SELECT (coalesce(min(n.seq) = 1 AND count(*) = max(n.seq), false)
        AND (coalesce(max(n.created_at) > @back::timestamptz, false) OR max(n.seq) = max(n.given)))::boolean AS whole
FROM (
    SELECT w.seq, w.created_at,
           CASE WHEN has_sequence_privilege(pg_get_serial_sequence('event_outbox', 'seq'), 'USAGE, SELECT')
                THEN pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass) END AS given
    FROM (SELECT o.seq, o.created_at FROM event_outbox AS o ORDER BY o.seq LIMIT @window_rows) AS w
) AS n;

-- HistoryPublished tells the same of the next rows. last is 0 behind the last row.
-- name: HistoryPublished :one
SELECT coalesce(max(w.seq), 0)::bigint AS last,
       (count(*) FILTER (WHERE w.published_at IS NOT NULL AND w.dead_at IS NULL) > 0)::boolean AS found,
       coalesce(min(w.published_at) FILTER (WHERE w.dead_at IS NULL), now())::timestamptz AS back
FROM (
    SELECT o.seq, o.published_at, o.dead_at FROM event_outbox AS o
    WHERE o.seq > @after::bigint
    ORDER BY o.seq
    LIMIT @window_rows
) AS w;

-- HistoryBounds reads from both ends: min and max of the view of a log would read all of it.
-- name: HistoryBounds :one
SELECT coalesce((SELECT f.seq FROM event_outbox AS f ORDER BY f.seq LIMIT 1), 0)::bigint AS first,
       coalesce((SELECT l.seq FROM event_outbox AS l ORDER BY l.seq DESC LIMIT 1), 0)::bigint AS last;

-- HistoryProbe returns the last of a few rows that was published before a time; 0: none.
-- A row is inserted before it is published, and after the beginning of its transaction.
-- So all rows with a lower seq were created before that time too.
-- name: HistoryProbe :one
SELECT coalesce(max(p.seq) FILTER (WHERE p.published_at < @before::timestamptz), 0)::bigint AS seq
FROM (
    SELECT o.seq, o.published_at FROM event_outbox AS o
    WHERE o.seq >= @at::bigint
    ORDER BY o.seq
    LIMIT @probe_rows
) AS p;

-- HistoryWindow is the end of the next rows, and whether all of them were created at or
-- after a time.
-- name: HistoryWindow :one
SELECT coalesce(max(w.seq), 0)::bigint AS last, coalesce(bool_and(w.created_at >= @beyond::timestamptz), true)::boolean AS beyond
FROM (
    SELECT o.seq, o.created_at FROM event_outbox AS o
    WHERE o.seq > @after::bigint
    ORDER BY o.seq
    LIMIT @window_rows
) AS w;

-- HistorySizes lists the selected rows with their sizes, so that their data is read in
-- parts that fit into memory.
-- name: HistorySizes :many
SELECT o.seq, (coalesce(octet_length(o.event_data::text), 0) + coalesce(octet_length(o.headers::text), 0))::bigint AS bytes
FROM event_outbox AS o
WHERE o.seq > @after::bigint AND o.seq <= @up_to::bigint
  AND o.published_at IS NOT NULL AND o.dead_at IS NULL
  AND o.created_at >= @from_time::timestamptz AND o.created_at < @to_time::timestamptz
  AND (sqlc.narg('event_types')::text[] IS NULL OR o.event_type LIKE ANY(sqlc.narg('event_types')::text[]))
  AND (sqlc.narg('topics')::text[] IS NULL
       OR coalesce(o.topic, regexp_replace(o.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', o.event_type) LIKE ANY(sqlc.narg('topics')::text[]))
  AND (sqlc.narg('event_key')::text IS NULL OR o.event_key = sqlc.narg('event_key')::text)
  AND (sqlc.narg('aggregate_type')::text IS NULL OR o.aggregate_type = sqlc.narg('aggregate_type')::text)
  AND (sqlc.narg('aggregate_id')::text IS NULL OR o.aggregate_id = sqlc.narg('aggregate_id')::text)
ORDER BY o.seq
LIMIT @max_rows;

-- name: HistoryRows :many
SELECT o.seq, o.id, o.aggregate_type, o.aggregate_id, o.event_type,
       coalesce(o.topic, regexp_replace(o.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic,
       o.event_key, o.created_at, o.retry_count, o.event_data::text AS data, o.headers::text AS headers, o.partition
FROM event_outbox AS o
WHERE o.seq = ANY(@seqs::bigint[]) AND o.published_at IS NOT NULL AND o.dead_at IS NULL
ORDER BY o.seq;

-- HistoryCounts counts what HistorySizes would list.
-- name: HistoryCounts :many
SELECT o.event_type,
       coalesce(o.topic, regexp_replace(o.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic,
       count(*) AS events, min(o.created_at)::timestamptz AS first, max(o.created_at)::timestamptz AS last
FROM event_outbox AS o
WHERE o.seq > @after::bigint AND o.seq <= @up_to::bigint
  AND o.published_at IS NOT NULL AND o.dead_at IS NULL
  AND o.created_at >= @from_time::timestamptz AND o.created_at < @to_time::timestamptz
  AND (sqlc.narg('event_types')::text[] IS NULL OR o.event_type LIKE ANY(sqlc.narg('event_types')::text[]))
  AND (sqlc.narg('topics')::text[] IS NULL
       OR coalesce(o.topic, regexp_replace(o.event_data::text, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\u0020', 'g')::json ->> 'topic', o.event_type) LIKE ANY(sqlc.narg('topics')::text[]))
  AND (sqlc.narg('event_key')::text IS NULL OR o.event_key = sqlc.narg('event_key')::text)
  AND (sqlc.narg('aggregate_type')::text IS NULL OR o.aggregate_type = sqlc.narg('aggregate_type')::text)
  AND (sqlc.narg('aggregate_id')::text IS NULL OR o.aggregate_id = sqlc.narg('aggregate_id')::text)
GROUP BY 1, 2;
