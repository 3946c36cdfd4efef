-- CountOfTable counts the rows of a table that CopyRows would copy.
-- name: CountOfTable :one
SELECT count(*) FROM (
    (SELECT a.id FROM event_outbox AS a WHERE a.seq > @low_water::bigint AND a.published_at IS NULL LIMIT @max_rows::integer)
    UNION
    (SELECT w.id FROM event_outbox AS w WHERE w.next_attempt_at IS NOT NULL AND w.published_at IS NULL LIMIT @max_rows::integer)
    UNION
    (SELECT d.id FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL LIMIT @max_rows::integer)
) AS n;

-- CopyRows copies the rows of a table that are not published into a log, dead ones too, so
-- that inserting their ids again does nothing. found are further rows up to the low-water mark.
-- name: CopyRows :one
WITH copied AS (
    INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, seq, topic, headers, partition)
    OVERRIDING SYSTEM VALUE
    SELECT b.id, b.aggregate_id, b.aggregate_type, b.event_type, b.event_data, b.event_key, b.created_at, b.seq,
           coalesce(b.topic, regexp_replace(b.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', b.event_type), b.headers, b.partition
    FROM (
        SELECT a.id FROM event_outbox_before AS a WHERE a.seq > @low_water::bigint AND a.published_at IS NULL
        UNION
        SELECT w.id FROM event_outbox_before AS w WHERE w.next_attempt_at IS NOT NULL AND w.published_at IS NULL
        UNION
        SELECT d.id FROM event_outbox_before AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL
        UNION
        SELECT f.id FROM event_outbox_before AS f WHERE f.id = ANY(@found::uuid[]) AND f.published_at IS NULL
    ) AS unsettled
    JOIN event_outbox_before AS b ON b.id = unsettled.id
    ORDER BY b.seq
    LIMIT @max_rows
    RETURNING seq
)
SELECT count(*) AS copied, coalesce(min(seq), 0)::bigint AS first FROM copied;

-- CopyFailures makes copies of the rows that failed.
-- name: CopyFailures :many
INSERT INTO event_outbox_failed (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic, headers, partition,
                                 retry_count, last_error, next_attempt_at, dead_at)
SELECT o.id, o.aggregate_id, o.aggregate_type, o.event_type, o.event_data, o.event_key, o.created_at, o.tx, o.seq, o.topic, o.headers, o.partition,
       b.retry_count, b.last_error, CASE WHEN b.dead_at IS NULL THEN b.next_attempt_at END, b.dead_at
FROM event_outbox AS o JOIN event_outbox_before AS b ON b.id = o.id
WHERE b.dead_at IS NOT NULL OR b.next_attempt_at IS NOT NULL AND b.retry_count > 0
RETURNING seq;

-- MarkCopied marks rows up to the low-water mark that were copied as rows that wait, so that CopyForgotten
-- does not copy them again: when it is called, they may have been published and deleted.
-- name: MarkCopied :exec
UPDATE event_outbox_before AS b SET next_attempt_at = now()
WHERE b.id = ANY(@found::uuid[]) AND b.published_at IS NULL AND b.next_attempt_at IS NULL AND b.dead_at IS NULL;

-- SetFirstCursor makes the copies settled as far as the log is concerned.
-- name: SetFirstCursor :execrows
UPDATE event_outbox_cursor
SET ahead = @ahead, floor = @floor, system = @system, database = @database, sequence_file = @sequence_file;

-- NoteDeleted says that the log begins now: published events are not copied.
-- name: NoteDeleted :exec
INSERT INTO event_outbox_deleted (created_at) VALUES (clock_timestamp());
