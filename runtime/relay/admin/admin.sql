-- name: ReadLease :one
SELECT epoch, beat, holder, unclean_ends, suspect_seq, state,
       greatest(0, extract(epoch FROM clock_timestamp() - updated_at) * 1000)::bigint AS silent_ms
FROM event_outbox_lease WHERE name = @name;

-- LowWater is the low-water mark of the lease; 0 if it has none, or if it does not belong to
-- the numbers of the sequence. pgstore's low_water.sql says what it is. to_jsonb, because the
-- lease of an earlier version has no such columns. A role that may not read the sequence
-- does not notice that it was set back. With a mark, rows are looked at only up to up_to, and
-- above top, where the newest ones are: most of those above the mark may be published.
-- name: LowWater :one
SELECT coalesce(max(mark.seq), 0)::bigint AS low_water,
       (CASE WHEN count(*) > 0 THEN coalesce(max(mark.seq), 0) + 100000 ELSE 9223372036854775807 END)::bigint AS up_to,
       (CASE WHEN count(*) > 0 THEN greatest(coalesce(max(mark.seq), 0) + 100000, (SELECT max(o.seq) FROM event_outbox AS o) - 100000)
             ELSE 9223372036854775807 END)::bigint AS top
FROM (
    SELECT CASE WHEN (lease.stored ->> 'low_water_file')::bigint = pg_relation_filenode(lease.sequence)::bigint
                 AND CASE WHEN has_sequence_privilege(lease.sequence, 'SELECT')
                          THEN (lease.stored ->> 'low_water')::bigint <= coalesce(pg_sequence_last_value(lease.sequence), 0) ELSE true END
                THEN (lease.stored ->> 'low_water')::bigint END AS seq
    FROM (
        SELECT to_jsonb(l) AS stored, pg_get_serial_sequence('event_outbox', 'seq')::regclass AS sequence
        FROM event_outbox_lease AS l WHERE l.name = @name
    ) AS lease
    WHERE lease.stored ? 'low_water'
) AS mark;

-- CountRows walks the indexes of unsettled rows, above the low-water mark and below it, and
-- stops at the cap.
-- name: CountRows :one
SELECT least(@cap::bigint, (SELECT count(*) FROM (
           SELECT FROM event_outbox AS p WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint LIMIT @cap::bigint
       ) AS above)
       + (SELECT count(*) FROM (
           SELECT FROM event_outbox AS n WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > @top::bigint LIMIT @cap::bigint
       ) AS newest)
       + (SELECT count(*) FROM (
           SELECT FROM event_outbox AS w
           WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint LIMIT @cap::bigint
       ) AS below))::bigint AS pending,
       (SELECT count(*) FROM event_outbox
        WHERE next_attempt_at IS NOT NULL AND retry_count > 0 AND dead_at IS NULL AND published_at IS NULL) AS held,
       (SELECT count(*) FROM event_outbox WHERE dead_at IS NOT NULL AND published_at IS NULL) AS dead;

-- name: OldestPending :many
SELECT o.seq, o.id, o.event_type, coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic, o.event_key, o.retry_count,
       o.last_error, o.next_attempt_at,
       greatest(0, extract(epoch FROM clock_timestamp() - o.created_at) * 1000)::bigint AS age_ms
FROM (
    (SELECT w.* FROM event_outbox AS w
     WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint
     ORDER BY w.seq LIMIT 1)
    UNION ALL
    (SELECT p.* FROM event_outbox AS p
     WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint
     ORDER BY p.seq LIMIT 1)
    UNION ALL
    (SELECT n.* FROM event_outbox AS n
     WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > @top::bigint
     ORDER BY n.seq LIMIT 1)
) AS o
ORDER BY o.seq
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
       event_key, partition, (event_data IS NULL)::boolean AS tombstone, created_at, dead_at, retry_count, last_error
FROM event_outbox
WHERE dead_at IS NOT NULL AND published_at IS NULL AND seq > @after
  AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
  AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
  AND (sqlc.narg(topic)::text IS NULL OR coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type) = sqlc.narg(topic))
  AND (sqlc.narg(event_key)::text IS NULL OR event_key = sqlc.narg(event_key))
ORDER BY seq
LIMIT @max_rows;

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
    SELECT unnest(ARRAY['event_outbox', 'event_outbox_delayed', 'event_outbox_lease', 'event_outbox_audit']::text[]) AS name
) AS t
WHERE coalesce(row_security_active(to_regclass(t.name)::oid), false);

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
