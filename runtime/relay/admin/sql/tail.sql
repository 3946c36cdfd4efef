-- The statements of a look are in one transaction with one snapshot. Those that read data
-- stop after the row with which it has max_bytes.
-- name: CurrentSnapshot :one
SELECT pg_current_snapshot()::text AS snapshot;

-- TailLatest reads the rows that were published last, of the latest 10,000 by transaction.
-- name: TailLatest :many
SELECT r.seq, r.id, r.event_type, r.topic::text AS topic, r.event_key, r.created_at, r.published_at, r.data::text AS data
FROM (
    SELECT p.*, sum(octet_length(p.data)) OVER (ORDER BY p.published_at DESC, p.seq DESC) - octet_length(p.data) AS before
    FROM (
        SELECT o.seq, o.id, o.event_type, t.topic AS topic, o.event_key, o.created_at, o.published_at,
               CASE WHEN @with_data::boolean THEN coalesce(o.event_data::text, '') ELSE '' END AS data
        FROM (
            SELECT l.* FROM event_outbox AS l WHERE l.tx IS NOT NULL ORDER BY l.tx DESC LIMIT 10000
        ) AS o
        CROSS JOIN LATERAL (SELECT coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic) AS t
        WHERE o.published_at IS NOT NULL
          AND (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR t.topic = sqlc.narg(topic)::text)
          AND (sqlc.narg(event_key)::text IS NULL OR o.event_key = sqlc.narg(event_key)::text)
        ORDER BY o.published_at DESC, o.seq DESC
        LIMIT @max_rows
    ) AS p
) AS r
WHERE r.before < @max_bytes::bigint
ORDER BY r.published_at DESC, r.seq DESC;

-- CountNew counts the rows that the snapshot upto shows and since does not, published or not,
-- up to a cap, and TailNew reads them, each part up to the same cap. Both read them by
-- transaction, never by seq: hence + 0.
-- name: CountNew :one
SELECT ((SELECT count(*) FROM (
            SELECT FROM event_outbox AS n
            WHERE n.tx >= pg_snapshot_xmax(sqlc.arg(since)::text::pg_snapshot) AND n.tx < pg_snapshot_xmax(sqlc.arg(upto)::text::pg_snapshot)
              AND pg_visible_in_snapshot(n.tx, sqlc.arg(upto)::text::pg_snapshot)
            LIMIT @cap::bigint
        ) AS later)
       + (SELECT count(*) FROM (
            SELECT FROM event_outbox AS n
            WHERE n.tx = ANY(ARRAY(SELECT pg_snapshot_xip(sqlc.arg(since)::text::pg_snapshot)))
              AND pg_visible_in_snapshot(n.tx, sqlc.arg(upto)::text::pg_snapshot)
            LIMIT @cap::bigint
        ) AS earlier))::bigint AS fresh;

-- name: TailNew :many
WITH fresh AS MATERIALIZED (
    (SELECT n.id FROM event_outbox AS n
     WHERE n.tx >= pg_snapshot_xmax(sqlc.arg(since)::text::pg_snapshot) AND n.tx < pg_snapshot_xmax(sqlc.arg(upto)::text::pg_snapshot)
       AND pg_visible_in_snapshot(n.tx, sqlc.arg(upto)::text::pg_snapshot)
     ORDER BY n.tx LIMIT @cap::bigint)
    UNION ALL
    (SELECT n.id FROM event_outbox AS n
     WHERE n.tx = ANY(ARRAY(SELECT pg_snapshot_xip(sqlc.arg(since)::text::pg_snapshot)))
       AND pg_visible_in_snapshot(n.tx, sqlc.arg(upto)::text::pg_snapshot)
     ORDER BY n.tx LIMIT @cap::bigint)
)
SELECT r.seq, r.id, r.event_type, r.topic::text AS topic, r.event_key, r.created_at, r.published_at, r.data::text AS data
FROM (
    SELECT p.*, sum(octet_length(p.data)) OVER (ORDER BY p.seq) - octet_length(p.data) AS before
    FROM (
        SELECT o.seq, o.id, o.event_type, t.topic AS topic, o.event_key, o.created_at, o.published_at,
               CASE WHEN @with_data::boolean THEN coalesce(o.event_data::text, '') ELSE '' END AS data
        FROM fresh JOIN event_outbox AS o ON o.id = fresh.id
        CROSS JOIN LATERAL (SELECT coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic) AS t
        WHERE o.seq + 0 > @after::bigint
          AND (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR t.topic = sqlc.narg(topic)::text)
          AND (sqlc.narg(event_key)::text IS NULL OR o.event_key = sqlc.narg(event_key)::text)
        ORDER BY o.seq
        LIMIT @max_rows
    ) AS p
) AS r
WHERE r.before < @max_bytes::bigint
ORDER BY r.seq;

-- TailPending reads the first pending rows, and TailDead the first dead ones, because they
-- may be replayed. LowWater says where pending rows are. TailKnown looks at rows again, and
-- returns those that are published, and without a time those that are gone.
-- name: TailPending :many
SELECT r.seq, r.id, r.event_type, r.topic::text AS topic, r.event_key, r.created_at, r.published_at, r.data::text AS data
FROM (
    SELECT p.*, sum(octet_length(p.data)) OVER (ORDER BY p.seq) - octet_length(p.data) AS before
    FROM (
        SELECT o.seq, o.id, o.event_type, t.topic AS topic, o.event_key, o.created_at, o.published_at,
               CASE WHEN @with_data::boolean THEN coalesce(o.event_data::text, '') ELSE '' END AS data
        FROM (
            (SELECT w.seq, w.id, w.event_type, w.topic, w.event_data, w.event_key, w.created_at, w.published_at FROM event_outbox AS w
             WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL
               AND w.seq > @after::bigint AND w.seq <= @low_water::bigint
             ORDER BY w.seq)
            UNION ALL
            (SELECT p.seq, p.id, p.event_type, p.topic, p.event_data, p.event_key, p.created_at, p.published_at FROM event_outbox AS p
             WHERE p.published_at IS NULL AND p.dead_at IS NULL
               AND p.seq > greatest(@after::bigint, @low_water::bigint) AND p.seq <= @up_to::bigint
             ORDER BY p.seq)
            UNION ALL
            (SELECT n.seq, n.id, n.event_type, n.topic, n.event_data, n.event_key, n.created_at, n.published_at FROM event_outbox AS n
             WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > greatest(@after::bigint, @top::bigint)
             ORDER BY n.seq)
        ) AS o
        CROSS JOIN LATERAL (SELECT coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic) AS t
        WHERE (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR t.topic = sqlc.narg(topic)::text)
          AND (sqlc.narg(event_key)::text IS NULL OR o.event_key = sqlc.narg(event_key)::text)
        ORDER BY o.seq
        LIMIT @max_rows
    ) AS p
) AS r
WHERE r.before < @max_bytes::bigint
ORDER BY r.seq;

-- name: TailDead :many
SELECT r.seq, r.id, r.event_type, r.topic::text AS topic, r.event_key, r.created_at, r.published_at, r.data::text AS data
FROM (
    SELECT p.*, sum(octet_length(p.data)) OVER (ORDER BY p.seq) - octet_length(p.data) AS before
    FROM (
        SELECT o.seq, o.id, o.event_type, t.topic AS topic, o.event_key, o.created_at, o.published_at,
               CASE WHEN @with_data::boolean THEN coalesce(o.event_data::text, '') ELSE '' END AS data
        FROM (
            SELECT d.* FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL
        ) AS o
        CROSS JOIN LATERAL (SELECT coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic) AS t
        WHERE (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR t.topic = sqlc.narg(topic)::text)
          AND (sqlc.narg(event_key)::text IS NULL OR o.event_key = sqlc.narg(event_key)::text)
        ORDER BY o.seq
        LIMIT @max_rows
    ) AS p
) AS r
WHERE r.before < @max_bytes::bigint
ORDER BY r.seq;

-- name: TailKnown :many
SELECT k.id::uuid AS id, o.published_at FROM unnest(sqlc.arg(ids)::text[]::uuid[]) AS k (id)
LEFT JOIN event_outbox AS o ON o.id = k.id
WHERE o.id IS NULL OR o.published_at IS NOT NULL;
