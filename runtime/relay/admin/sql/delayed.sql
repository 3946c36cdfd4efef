-- name: CountDelayed :one
SELECT count(*) FROM (SELECT FROM event_outbox_delayed LIMIT @cap) AS capped;

-- DelayedEvents lists delayed events in the order in which they will be sent, after the
-- one with this time and seq. deliver_at_us is the time in microseconds since 2000: as
-- text, drivers do not read years of five digits; since 1970, the last ones do not fit, and
-- extract rounds them. An infinite time, which a table without its CHECK may have, is shown
-- as the last or first one that Postgres has.
-- name: DelayedEvents :many
SELECT d.seq, d.id, d.aggregate_type, d.aggregate_id, d.event_type, d.topic, d.event_key, d.partition,
       (d.event_data IS NULL)::boolean AS tombstone, d.created_at,
       ((finite.at::date - date '2000-01-01') * 86400000000 + extract(epoch FROM finite.at::time) * 1000000)::bigint AS deliver_at_us,
       (extract(epoch FROM finite.at - clock_timestamp() AT TIME ZONE 'UTC') * 1000)::bigint AS due_in_ms
FROM event_outbox_delayed AS d
CROSS JOIN LATERAL (
    SELECT greatest(least(d.deliver_at, '294276-12-31 23:59:59.999999Z'), '4713-01-01 00:00:00Z BC') AT TIME ZONE 'UTC' AS at
) AS finite
WHERE (d.deliver_at, d.seq) > (sqlc.arg(after_time)::text::timestamptz, @after_seq::bigint)
  AND (sqlc.narg(ids)::text[] IS NULL OR d.id = ANY(sqlc.narg(ids)::text[]::uuid[]))
  AND (sqlc.narg(event_type)::text IS NULL OR d.event_type = sqlc.narg(event_type))
  AND (sqlc.narg(topic)::text IS NULL OR d.topic = sqlc.narg(topic))
  AND (sqlc.narg(event_key)::text IS NULL OR d.event_key = sqlc.narg(event_key))
  AND (sqlc.narg(aggregate_type)::text IS NULL OR d.aggregate_type = sqlc.narg(aggregate_type))
  AND (sqlc.narg(aggregate_id)::text IS NULL OR d.aggregate_id = sqlc.narg(aggregate_id))
ORDER BY d.deliver_at, d.seq
LIMIT @max_rows;

-- The audit of a delayed event has applied_at, because the leader need not act on it, and
-- seq 0, because the event has none yet.
-- name: CancelDelayed :one
WITH cancelled AS (
    DELETE FROM event_outbox_delayed WHERE id = ANY(sqlc.arg(ids)::text[]::uuid[])
    RETURNING id, event_type, topic, event_key
), audited AS (
    INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key, reason, applied_at)
    SELECT @actor, 'cancel', 0, c.id, c.event_type, c.topic, c.event_key, @reason, now() FROM cancelled AS c ORDER BY c.id
    RETURNING seq
)
SELECT (SELECT count(*) FROM cancelled) AS changed, (SELECT count(*) FROM audited) AS audited;

-- SendNow makes delayed events due. Their times become different ones, a microsecond
-- apart, so that they keep their order.
-- name: SendNow :one
WITH early AS MATERIALIZED (
    SELECT e.id, row_number() OVER (ORDER BY e.deliver_at DESC, e.seq DESC) AS place
    FROM event_outbox_delayed AS e
    WHERE e.id = ANY(sqlc.arg(ids)::text[]::uuid[]) AND e.deliver_at > now()
), sent AS (
    UPDATE event_outbox_delayed AS d SET deliver_at = now() - early.place * interval '1 microsecond'
    FROM early
    WHERE d.id = early.id
    RETURNING d.id, d.event_type, d.topic, d.event_key
), audited AS (
    INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key, reason, applied_at)
    SELECT @actor, 'send-now', 0, s.id, s.event_type, s.topic, s.event_key, @reason, now() FROM sent AS s ORDER BY s.id
    RETURNING seq
)
SELECT (SELECT count(*) FROM sent) AS changed, (SELECT count(*) FROM audited) AS audited;

-- StillDelayed counts the events that a decision should have changed and did not.
-- name: StillDelayed :one
SELECT count(*) FROM event_outbox_delayed
WHERE id = ANY(sqlc.arg(ids)::text[]::uuid[]) AND (@due_too::boolean OR deliver_at > now());
