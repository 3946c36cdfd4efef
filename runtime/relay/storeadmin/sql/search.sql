-- SearchBelow looks at the next rows of a table up to the low-water mark, and finds those that are
-- not published and are in no index that says so: somebody has unpublished or restored them. See
-- low_water.sql of pgstore.
-- name: SearchBelow :one
SELECT count(*) AS looked, coalesce(max(w.seq), 0)::bigint AS last, coalesce(array_agg(w.id) FILTER (WHERE w.unsettled), '{}')::uuid[] AS found
FROM (
    SELECT o.id, o.seq, o.published_at IS NULL AND o.next_attempt_at IS NULL AND o.dead_at IS NULL AS unsettled
    FROM event_outbox AS o
    WHERE o.seq > @after::bigint AND o.seq <= @low_water::bigint
    ORDER BY o.seq
    LIMIT @window_rows
) AS w;

-- CopyForgotten does the same after the move, when nobody changes these rows any more, and inserts
-- those that were unpublished after SearchBelow had looked at them. They get new numbers, as restored
-- rows of a log do.
-- name: CopyForgotten :one
WITH looked AS MATERIALIZED (
    SELECT w.id, w.seq, w.published_at IS NULL AND w.next_attempt_at IS NULL AND w.dead_at IS NULL AS unsettled
    FROM event_outbox_before AS w
    WHERE w.seq > @after::bigint AND w.seq <= @low_water::bigint
    ORDER BY w.seq
    LIMIT @window_rows
), copied AS (
    INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, topic, headers, partition)
    SELECT b.id, b.aggregate_id, b.aggregate_type, b.event_type, b.event_data, b.event_key, b.created_at,
           coalesce(b.topic, regexp_replace(b.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', b.event_type), b.headers, b.partition
    FROM looked JOIN event_outbox_before AS b ON b.id = looked.id
    WHERE looked.unsettled
    ORDER BY b.seq
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT (SELECT count(*) FROM looked) AS looked, coalesce((SELECT max(l.seq) FROM looked AS l), 0)::bigint AS last, (SELECT count(*) FROM copied) AS copied;
