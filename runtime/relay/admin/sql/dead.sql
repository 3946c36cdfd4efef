-- name: DeadRows :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, t.topic::text AS topic,
       event_key, partition, (event_data IS NULL)::boolean AS tombstone, created_at, dead_at, retry_count, last_error
FROM event_outbox AS o
CROSS JOIN LATERAL (SELECT coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic) AS t
WHERE dead_at IS NOT NULL AND published_at IS NULL AND seq > @after
  AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
  AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
  AND (sqlc.narg(topic)::text IS NULL OR t.topic = sqlc.narg(topic))
  AND (sqlc.narg(event_key)::text IS NULL OR event_key = sqlc.narg(event_key))
  AND (sqlc.narg(aggregate_type)::text IS NULL OR aggregate_type = sqlc.narg(aggregate_type))
  AND (sqlc.narg(aggregate_id)::text IS NULL OR aggregate_id = sqlc.narg(aggregate_id))
  AND (sqlc.narg(error)::text IS NULL OR strpos(lower(last_error), lower(sqlc.narg(error))) > 0)
  AND (sqlc.narg(older_ms)::bigint IS NULL OR dead_at <= clock_timestamp() - sqlc.narg(older_ms)::bigint * interval '1 millisecond')
  AND (sqlc.narg(newer_ms)::bigint IS NULL OR dead_at >= clock_timestamp() - sqlc.narg(newer_ms)::bigint * interval '1 millisecond')
ORDER BY seq
LIMIT @max_rows;

-- DeadRowsBefore is DeadRows from the end: the rows before a seq, the last one first.
-- name: DeadRowsBefore :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, t.topic::text AS topic,
       event_key, partition, (event_data IS NULL)::boolean AS tombstone, created_at, dead_at, retry_count, last_error
FROM event_outbox AS o
CROSS JOIN LATERAL (SELECT coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic) AS t
WHERE dead_at IS NOT NULL AND published_at IS NULL AND seq < @before
  AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
  AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
  AND (sqlc.narg(topic)::text IS NULL OR t.topic = sqlc.narg(topic))
  AND (sqlc.narg(event_key)::text IS NULL OR event_key = sqlc.narg(event_key))
  AND (sqlc.narg(aggregate_type)::text IS NULL OR aggregate_type = sqlc.narg(aggregate_type))
  AND (sqlc.narg(aggregate_id)::text IS NULL OR aggregate_id = sqlc.narg(aggregate_id))
  AND (sqlc.narg(error)::text IS NULL OR strpos(lower(last_error), lower(sqlc.narg(error))) > 0)
  AND (sqlc.narg(older_ms)::bigint IS NULL OR dead_at <= clock_timestamp() - sqlc.narg(older_ms)::bigint * interval '1 millisecond')
  AND (sqlc.narg(newer_ms)::bigint IS NULL OR dead_at >= clock_timestamp() - sqlc.narg(newer_ms)::bigint * interval '1 millisecond')
ORDER BY seq DESC
LIMIT @max_rows;

-- NextDead is the end of the next dead rows.
-- name: NextDead :one
SELECT coalesce(max(w.seq), 0)::bigint AS last, count(*) AS looked
FROM (
    SELECT seq FROM event_outbox
    WHERE dead_at IS NOT NULL AND published_at IS NULL AND seq > @after::bigint AND seq < @before::bigint
    ORDER BY seq LIMIT @max_rows
) AS w;

-- DeadBetween lists the dead rows between two seqs: those of some keys, or all. The keys are in
-- a subquery behind OR, which Postgres reads once into a hash. As a join, or as a list in a
-- generic plan, it would compare each row with each key.
-- name: DeadBetween :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, t.topic::text AS topic,
       event_key, partition, (event_data IS NULL)::boolean AS tombstone, created_at, dead_at, retry_count, last_error
FROM event_outbox AS o
CROSS JOIN LATERAL (SELECT coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic) AS t
WHERE dead_at IS NOT NULL AND published_at IS NULL AND seq > @after::bigint AND seq < @before::bigint
  AND (@any_key::boolean OR event_key IN (SELECT unnest(@event_keys::text[])))
ORDER BY seq;

-- CountDead counts dead rows by their type, topic or last error, of the first ones up to a cap.
-- name: CountDead :many
SELECT g.value::text AS value, count(*) AS dead, min(g.dead_at)::timestamptz AS first, max(g.dead_at)::timestamptz AS last
FROM (
    SELECT CASE @by::text WHEN 'topic' THEN t.topic WHEN 'error' THEN left(coalesce(last_error, ''), 300) ELSE event_type END AS value, dead_at
    FROM event_outbox AS o
    CROSS JOIN LATERAL (SELECT coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic) AS t
    WHERE dead_at IS NOT NULL AND published_at IS NULL
      AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
      AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
      AND (sqlc.narg(topic)::text IS NULL OR t.topic = sqlc.narg(topic))
      AND (sqlc.narg(event_key)::text IS NULL OR event_key = sqlc.narg(event_key))
      AND (sqlc.narg(aggregate_type)::text IS NULL OR aggregate_type = sqlc.narg(aggregate_type))
      AND (sqlc.narg(aggregate_id)::text IS NULL OR aggregate_id = sqlc.narg(aggregate_id))
      AND (sqlc.narg(error)::text IS NULL OR strpos(lower(last_error), lower(sqlc.narg(error))) > 0)
      AND (sqlc.narg(older_ms)::bigint IS NULL OR dead_at <= clock_timestamp() - sqlc.narg(older_ms)::bigint * interval '1 millisecond')
      AND (sqlc.narg(newer_ms)::bigint IS NULL OR dead_at >= clock_timestamp() - sqlc.narg(newer_ms)::bigint * interval '1 millisecond')
    ORDER BY seq
    LIMIT @cap
) AS g
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT @max_groups;

-- The columns of the audit are short, and those of a hand-written outbox need not be: a topic in
-- event_data can have any length, and such a row must be discarded too.
-- Replay makes dead rows unsettled again and tells the leader, whose ticks would
-- not show them: their transaction is long over. next_attempt_at keeps them in an index: no
-- other has unsettled rows below the low-water mark.
-- name: Replay :one
WITH replayed AS (
    UPDATE event_outbox SET dead_at = NULL, next_attempt_at = now(), retry_count = 0
    WHERE seq = ANY(@seqs::bigint[]) AND dead_at IS NOT NULL AND published_at IS NULL
    RETURNING seq, id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic, event_key
), audited AS (
    INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key, reason)
    SELECT @actor, 'replay', r.seq, r.id, left(r.event_type, 255), left(r.topic, 255), left(r.event_key, 255), @reason FROM replayed AS r ORDER BY r.seq
    RETURNING seq
)
SELECT (SELECT count(*) FROM replayed) AS changed, (SELECT count(*) FROM audited) AS audited;

-- name: Discard :one
WITH discarded AS (
    DELETE FROM event_outbox
    WHERE seq = ANY(@seqs::bigint[]) AND dead_at IS NOT NULL AND published_at IS NULL
    RETURNING seq, id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic, event_key
), audited AS (
    INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key, reason)
    SELECT @actor, 'discard', d.seq, d.id, left(d.event_type, 255), left(d.topic, 255), left(d.event_key, 255), @reason FROM discarded AS d ORDER BY d.seq
    RETURNING seq
)
SELECT (SELECT count(*) FROM discarded) AS changed, (SELECT count(*) FROM audited) AS audited;

-- StillDead counts the rows that a decision should have changed and did not.
-- name: StillDead :one
SELECT count(*) FROM event_outbox WHERE seq = ANY(@seqs::bigint[]) AND dead_at IS NOT NULL AND published_at IS NULL;
