-- name: ReadLease :one
SELECT epoch, beat, holder, unclean_ends, suspect_seq, state,
       greatest(0, extract(epoch FROM clock_timestamp() - updated_at) * 1000)::bigint AS silent_ms
FROM event_outbox_lease WHERE name = @name;

-- CountRows walks the index of unsettled rows and stops at the cap.
-- name: CountRows :one
SELECT (SELECT count(*) FROM (
           SELECT FROM event_outbox WHERE published_at IS NULL AND dead_at IS NULL LIMIT @cap
       ) AS capped) AS pending,
       (SELECT count(*) FROM event_outbox
        WHERE next_attempt_at IS NOT NULL AND retry_count > 0 AND dead_at IS NULL AND published_at IS NULL) AS held,
       (SELECT count(*) FROM event_outbox WHERE dead_at IS NOT NULL AND published_at IS NULL) AS dead;

-- name: OldestPending :many
SELECT seq, id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic, event_key, retry_count,
       last_error, next_attempt_at,
       greatest(0, extract(epoch FROM clock_timestamp() - created_at) * 1000)::bigint AS age_ms
FROM event_outbox
WHERE published_at IS NULL AND dead_at IS NULL
ORDER BY seq
LIMIT 1;

-- name: HeldRows :many
SELECT seq, id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic, event_key, retry_count,
       last_error, next_attempt_at
FROM event_outbox
WHERE next_attempt_at IS NOT NULL AND retry_count > 0 AND dead_at IS NULL AND published_at IS NULL
ORDER BY seq
LIMIT @max_rows;

-- name: DeadRows :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic,
       event_key, created_at, dead_at, retry_count, last_error
FROM event_outbox
WHERE dead_at IS NOT NULL AND published_at IS NULL AND seq > @after
  AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
  AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
  AND (sqlc.narg(topic)::text IS NULL OR coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type) = sqlc.narg(topic))
  AND (sqlc.narg(event_key)::text IS NULL OR event_key = sqlc.narg(event_key))
ORDER BY seq
LIMIT @max_rows;

-- Replay makes dead rows unsettled again and tells the leader, whose ticks would
-- not show them: their transaction is long over.
-- name: Replay :one
WITH replayed AS (
    UPDATE event_outbox SET dead_at = NULL, next_attempt_at = NULL, retry_count = 0
    WHERE seq = ANY(@seqs::bigint[]) AND dead_at IS NOT NULL AND published_at IS NULL
    RETURNING seq, id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic, event_key
), audited AS (
    INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key, reason)
    SELECT @actor, 'replay', r.seq, r.id, r.event_type, r.topic, r.event_key, @reason FROM replayed AS r ORDER BY r.seq
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
    SELECT @actor, 'discard', d.seq, d.id, d.event_type, d.topic, d.event_key, @reason FROM discarded AS d ORDER BY d.seq
    RETURNING seq
)
SELECT (SELECT count(*) FROM discarded) AS changed, (SELECT count(*) FROM audited) AS audited;

-- StillDead counts the rows that a decision should have changed and did not.
-- name: StillDead :one
SELECT count(*) FROM event_outbox WHERE seq = ANY(@seqs::bigint[]) AND dead_at IS NOT NULL AND published_at IS NULL;

-- HiddenTables lists the tables of which row security hides rows from the role.
-- name: HiddenTables :many
SELECT t.name::text AS name FROM (
    SELECT unnest(ARRAY['event_outbox', 'event_outbox_lease', 'event_outbox_audit']::text[]) AS name
) AS t
WHERE coalesce(row_security_active(to_regclass(t.name)::oid), false);
