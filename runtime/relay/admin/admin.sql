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

-- name: Now :one
SELECT clock_timestamp()::timestamptz AS now;

-- CountRows walks the rows above the low-water mark, and the index of those that wait below
-- it, and stops at the cap.
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
       (SELECT count(*) FROM (
           SELECT FROM event_outbox AS h
           WHERE h.next_attempt_at IS NOT NULL AND h.retry_count > 0 AND h.dead_at IS NULL AND h.published_at IS NULL LIMIT @cap::bigint
       ) AS failed) AS held,
       (SELECT count(*) FROM (
           SELECT FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL LIMIT @cap::bigint
       ) AS over) AS dead;

-- OldestPending reads the oldest pending row whose topic is not one of without.
-- name: OldestPending :many
SELECT o.seq, o.id, o.event_type, coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic, o.event_key, o.retry_count,
       o.last_error, o.next_attempt_at,
       greatest(0, extract(epoch FROM clock_timestamp() - o.created_at) * 1000)::bigint AS age_ms
FROM (
    (SELECT w.* FROM event_outbox AS w
     WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint
       AND (cardinality(@without::text[]) = 0 OR coalesce(w.topic, regexp_replace(w.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', w.event_type) <> ALL(@without::text[]))
     ORDER BY w.seq LIMIT 1)
    UNION ALL
    (SELECT p.* FROM event_outbox AS p
     WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint
       AND (cardinality(@without::text[]) = 0 OR coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type) <> ALL(@without::text[]))
     ORDER BY p.seq LIMIT 1)
    UNION ALL
    (SELECT n.* FROM event_outbox AS n
     WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > @top::bigint
       AND (cardinality(@without::text[]) = 0 OR coalesce(n.topic, regexp_replace(n.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', n.event_type) <> ALL(@without::text[]))
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
  AND (sqlc.narg(aggregate_type)::text IS NULL OR aggregate_type = sqlc.narg(aggregate_type))
  AND (sqlc.narg(aggregate_id)::text IS NULL OR aggregate_id = sqlc.narg(aggregate_id))
  AND (sqlc.narg(error)::text IS NULL OR strpos(lower(last_error), lower(sqlc.narg(error))) > 0)
  AND (sqlc.narg(older_ms)::bigint IS NULL OR dead_at <= clock_timestamp() - sqlc.narg(older_ms)::bigint * interval '1 millisecond')
  AND (sqlc.narg(newer_ms)::bigint IS NULL OR dead_at >= clock_timestamp() - sqlc.narg(newer_ms)::bigint * interval '1 millisecond')
ORDER BY seq
LIMIT @max_rows;

-- DeadRowsBefore is DeadRows from the end: the rows before a seq, the last one first.
-- name: DeadRowsBefore :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic,
       event_key, partition, (event_data IS NULL)::boolean AS tombstone, created_at, dead_at, retry_count, last_error
FROM event_outbox
WHERE dead_at IS NOT NULL AND published_at IS NULL AND seq < @before
  AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
  AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
  AND (sqlc.narg(topic)::text IS NULL OR coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type) = sqlc.narg(topic))
  AND (sqlc.narg(event_key)::text IS NULL OR event_key = sqlc.narg(event_key))
  AND (sqlc.narg(aggregate_type)::text IS NULL OR aggregate_type = sqlc.narg(aggregate_type))
  AND (sqlc.narg(aggregate_id)::text IS NULL OR aggregate_id = sqlc.narg(aggregate_id))
  AND (sqlc.narg(error)::text IS NULL OR strpos(lower(last_error), lower(sqlc.narg(error))) > 0)
  AND (sqlc.narg(older_ms)::bigint IS NULL OR dead_at <= clock_timestamp() - sqlc.narg(older_ms)::bigint * interval '1 millisecond')
  AND (sqlc.narg(newer_ms)::bigint IS NULL OR dead_at >= clock_timestamp() - sqlc.narg(newer_ms)::bigint * interval '1 millisecond')
ORDER BY seq DESC
LIMIT @max_rows;

-- DeadEarlier lists the dead rows that come before one of the given dead rows of the same
-- topic and key, and are not given themselves.
-- name: DeadEarlier :many
WITH chosen AS MATERIALIZED (
    SELECT c.seq, c.event_key, coalesce(c.topic, regexp_replace(c.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', c.event_type) AS topic
    FROM event_outbox AS c
    WHERE c.seq = ANY(@seqs::bigint[]) AND c.dead_at IS NOT NULL AND c.published_at IS NULL AND c.event_key <> ''
), latest AS MATERIALIZED (
    SELECT chosen.topic, chosen.event_key, max(chosen.seq) AS seq FROM chosen GROUP BY chosen.topic, chosen.event_key
)
SELECT d.seq, d.id, d.event_type, coalesce(d.topic, regexp_replace(d.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', d.event_type)::text AS topic, d.event_key
FROM event_outbox AS d
JOIN latest ON latest.event_key = d.event_key AND d.seq < latest.seq
    AND latest.topic = coalesce(d.topic, regexp_replace(d.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', d.event_type)
WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL
  AND NOT EXISTS (SELECT FROM chosen WHERE chosen.seq = d.seq)
ORDER BY d.seq
LIMIT @max_rows;

-- IDsOfSeq finds the event of a seq. Each part has the condition of an index that an outbox
-- without a low-water mark has; others have one of all rows.
-- name: IDsOfSeq :many
SELECT p.id FROM event_outbox AS p WHERE p.seq = @seq AND p.published_at IS NULL AND p.dead_at IS NULL
UNION ALL
SELECT d.id FROM event_outbox AS d WHERE d.seq = @seq AND d.published_at IS NULL AND d.dead_at IS NOT NULL;

-- name: WholeRow :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic, event_key, partition,
       coalesce(event_data::text, '')::text AS data, coalesce(headers::text, '')::text AS headers, created_at, published_at, next_attempt_at, dead_at, retry_count, last_error,
       coalesce(tx::text, '')::text AS tx
FROM event_outbox WHERE id = sqlc.arg(id)::text::uuid;

-- RowsBehind lists the pending rows of a key that come after a row, and CountBehind counts
-- them up to a cap. LowWater says where they are looked for.
-- name: RowsBehind :many
SELECT o.seq, o.id, o.event_type, o.created_at, o.retry_count
FROM (
    (SELECT w.seq, w.id, w.event_type, w.created_at, w.retry_count, w.topic, w.event_data, w.event_key FROM event_outbox AS w
     WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL
       AND w.seq > @after::bigint AND w.seq <= @low_water::bigint
     ORDER BY w.seq)
    UNION ALL
    (SELECT p.seq, p.id, p.event_type, p.created_at, p.retry_count, p.topic, p.event_data, p.event_key FROM event_outbox AS p
     WHERE p.published_at IS NULL AND p.dead_at IS NULL
       AND p.seq > greatest(@after::bigint, @low_water::bigint) AND p.seq <= @up_to::bigint
     ORDER BY p.seq)
    UNION ALL
    (SELECT n.seq, n.id, n.event_type, n.created_at, n.retry_count, n.topic, n.event_data, n.event_key FROM event_outbox AS n
     WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > greatest(@after::bigint, @top::bigint)
     ORDER BY n.seq)
) AS o
WHERE o.event_key = @event_key::text
  AND coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) = sqlc.arg(topic)::text
ORDER BY o.seq
LIMIT @max_rows;

-- name: CountBehind :one
SELECT count(*) FROM (
    SELECT
    FROM (
        (SELECT w.seq, w.id, w.event_type, w.created_at, w.retry_count, w.topic, w.event_data, w.event_key FROM event_outbox AS w
         WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL
           AND w.seq > @after::bigint AND w.seq <= @low_water::bigint
         ORDER BY w.seq)
        UNION ALL
        (SELECT p.seq, p.id, p.event_type, p.created_at, p.retry_count, p.topic, p.event_data, p.event_key FROM event_outbox AS p
         WHERE p.published_at IS NULL AND p.dead_at IS NULL
           AND p.seq > greatest(@after::bigint, @low_water::bigint) AND p.seq <= @up_to::bigint
         ORDER BY p.seq)
        UNION ALL
        (SELECT n.seq, n.id, n.event_type, n.created_at, n.retry_count, n.topic, n.event_data, n.event_key FROM event_outbox AS n
         WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > greatest(@after::bigint, @top::bigint)
         ORDER BY n.seq)
    ) AS o
    WHERE o.event_key = @event_key::text
      AND coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) = sqlc.arg(topic)::text
    LIMIT @cap
) AS capped;

-- CountDead counts dead rows by their type, topic or last error, of the first ones up to a cap.
-- name: CountDead :many
SELECT g.value::text AS value, count(*) AS dead, min(g.dead_at)::timestamptz AS first, max(g.dead_at)::timestamptz AS last
FROM (
    SELECT CASE @by::text WHEN 'topic' THEN coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type) WHEN 'error' THEN left(coalesce(last_error, ''), 300) ELSE event_type END AS value, dead_at
    FROM event_outbox
    WHERE dead_at IS NOT NULL AND published_at IS NULL
      AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
      AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
      AND (sqlc.narg(topic)::text IS NULL OR coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type) = sqlc.narg(topic))
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
LIMIT 100;

-- EarlierDeadRows lists the dead rows that come before one of the given rows of the same topic
-- and key, and are not given themselves. The given rows need not be dead any more. It reads
-- the dead rows up to the last given one once, by their index: OFFSET keeps the planner from
-- reading them once for each key.
-- name: EarlierDeadRows :many
WITH latest AS MATERIALIZED (
    SELECT c.event_key, coalesce(c.topic, regexp_replace(c.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', c.event_type) AS topic, max(c.seq) AS seq
    FROM event_outbox AS c
    WHERE c.seq = ANY(@seqs::bigint[]) AND c.published_at IS NULL AND c.event_key <> ''
    GROUP BY 1, 2
)
SELECT d.seq, d.id, d.aggregate_type, d.aggregate_id, d.event_type, d.topic::text AS topic, d.event_key, d.partition, d.tombstone, d.created_at, d.dead_at,
       d.retry_count, d.last_error
FROM (
    SELECT e.seq, e.id, e.aggregate_type, e.aggregate_id, e.event_type, coalesce(e.topic, regexp_replace(e.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', e.event_type) AS topic,
           e.event_key, e.partition, (e.event_data IS NULL)::boolean AS tombstone, e.created_at, e.dead_at, e.retry_count, e.last_error
    FROM event_outbox AS e
    WHERE e.dead_at IS NOT NULL AND e.published_at IS NULL AND e.seq > @after::bigint AND e.seq < (SELECT max(l.seq) FROM latest AS l)
    OFFSET 0
) AS d
JOIN latest ON latest.event_key = d.event_key AND latest.topic = d.topic AND d.seq < latest.seq
WHERE NOT EXISTS (SELECT FROM unnest(@seqs::bigint[]) AS given (seq) WHERE given.seq = d.seq)
ORDER BY d.seq
LIMIT @max_rows;

-- name: AuditOfEvent :many
SELECT at, actor, action, reason, applied_at FROM event_outbox_audit WHERE event_id = sqlc.arg(id)::text::uuid ORDER BY id LIMIT 1000;

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
    SELECT unnest(ARRAY['event_outbox', 'event_outbox_delayed', 'event_outbox_lease', 'event_outbox_audit',
                        'event_outbox_cursor', 'event_outbox_late', 'event_outbox_failed', 'event_outbox_tick']::text[]) AS name
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

-- ReadPauses lists the pauses of topics that no later entry ends, as the relay reads them.
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

-- LockPauses makes decisions about pauses one at a time: each looks at those before it.
-- name: LockPauses :exec
SELECT pg_advisory_xact_lock(hashtextextended('outboxrelay pauses ' || to_regclass('event_outbox_audit')::oid::text, 0));

-- UsesTopic looks for a row of a topic among the first pending, dead and delayed ones, and
-- the latest ones. An older row may have its topic in event_data only.
-- name: UsesTopic :one
SELECT (EXISTS (SELECT FROM (
            (SELECT w.topic, w.event_type FROM event_outbox AS w
             WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint
             ORDER BY w.seq LIMIT 10000)
            UNION ALL
            (SELECT p.topic, p.event_type FROM event_outbox AS p
             WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint
             ORDER BY p.seq LIMIT 10000)
            UNION ALL
            (SELECT d.topic, d.event_type FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL ORDER BY d.seq LIMIT 10000)
            UNION ALL
            (SELECT l.topic, l.event_type FROM event_outbox AS l WHERE l.tx IS NOT NULL ORDER BY l.tx DESC LIMIT 10000)
            UNION ALL
            (SELECT e.topic, e.event_type FROM event_outbox_delayed AS e ORDER BY e.deliver_at LIMIT 10000)
        ) AS r WHERE coalesce(r.topic, r.event_type) = @topic::text))::boolean AS used;

-- AddEntry is for decisions that are not about an event. The leader need not act on them
-- row by row, so they have applied_at.
-- name: AddEntry :exec
INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason, applied_at)
VALUES (@actor, @action, 0, '00000000-0000-0000-0000-000000000000', '', sqlc.narg(topic), sqlc.narg(reason), now());

-- Blockers lists what a statement of this session may have waited for: sessions and prepared
-- transactions that hold locks on the outbox's tables with which others conflict, or wait for
-- an exclusive one, the oldest first. The session's pid is 0 for a prepared transaction.
-- Without pg_read_all_stats the time of other roles is unknown (-1).
-- name: Blockers :many
SELECT b.pid::integer AS pid, b.detail::text AS detail, b.table_name::text AS table_name, b.mode::text AS mode, b.granted::boolean AS granted,
       b.seconds::bigint AS seconds, b.query::text AS query
FROM (
    SELECT DISTINCT ON (coalesce(l.pid, 0), l.virtualtransaction) coalesce(l.pid, 0) AS pid,
           concat_ws(', ', a.usename, nullif(a.application_name, ''), a.state) AS detail,
           c.relname AS table_name, l.mode, l.granted, coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), -1) AS seconds,
           coalesce(left(regexp_replace(regexp_replace(a.query, '''[^'']*(''|$)', '''...''', 'g'), E'\\s+', ' ', 'g'), 200), '') AS query
    FROM pg_catalog.pg_locks AS l
    JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
      AND l.relation IN (to_regclass('event_outbox')::oid, to_regclass('event_outbox_delayed')::oid, to_regclass('event_outbox_audit')::oid, to_regclass('event_outbox_lease')::oid,
                         to_regclass('event_outbox_cursor')::oid, to_regclass('event_outbox_late')::oid, to_regclass('event_outbox_failed')::oid, to_regclass('event_outbox_tick')::oid)
      AND l.pid IS DISTINCT FROM pg_backend_pid()
      AND (l.granted AND l.mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock') OR NOT l.granted AND l.mode = 'AccessExclusiveLock')
    ORDER BY coalesce(l.pid, 0), l.virtualtransaction, (CASE WHEN l.mode = 'AccessExclusiveLock' THEN 0 ELSE 1 END), l.granted DESC
) AS b
WHERE b.seconds < 0 OR b.seconds >= @least_seconds::bigint
ORDER BY (CASE WHEN b.mode = 'AccessExclusiveLock' THEN 0 ELSE 1 END), b.granted DESC, b.seconds DESC
LIMIT 3;

-- Server describes what the sessions of relays share with others. A limit of -1 is none.
-- name: Server :one
SELECT clock_timestamp()::timestamptz AS now, session_user::text AS login, current_setting('server_version_num')::integer AS version,
       current_setting('max_connections')::integer AS max_connections,
       current_setting('superuser_reserved_connections')::integer AS reserved,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.datid IS NOT NULL)::integer AS used,
       coalesce((SELECT r.rolconnlimit FROM pg_catalog.pg_roles AS r WHERE r.rolname = session_user), -1)::integer AS role_limit,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.usename = session_user)::integer AS role_used,
       coalesce((SELECT d.datconnlimit FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()), -1)::integer AS database_limit,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.datname = current_database())::integer AS database_used,
       (current_setting('autovacuum') = 'on')::boolean AS autovacuum,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datname = current_database() AND a.application_name = 'outboxrelay')::integer AS relay_sessions;

-- HoldingBack lists what keeps vacuum from removing rows: transactions of this database that
-- are open for long, prepared ones, replication slots, and standbys that send feedback
-- without a slot. What vacuum has open does not count, and a transaction of another database
-- holds back only what is shared. Without pg_read_all_stats the times of other roles are
-- unknown (0), and their transaction ids are not. Of a statement its text is shown, without the
-- literals.
-- name: HoldingBack :many
SELECT h.kind::text AS kind, h.name::text AS name, h.detail::text AS detail, h.transactions::bigint AS transactions, h.seconds::bigint AS seconds
FROM (
    SELECT 'transaction' AS kind, a.pid::text AS name, 
           concat_ws(', ', a.usename, nullif(a.application_name, ''), a.state,
                     CASE WHEN a.state = 'active' THEN 'it runs: ' ELSE 'its last statement: ' END
                     || nullif(left(regexp_replace(regexp_replace(a.query, '''[^'']*(''|$)', '''...''', 'g'), E'\\s+', ' ', 'g'), 200), '')) AS detail,
           coalesce(greatest(age(a.backend_xmin), age(a.backend_xid)), 0) AS transactions,
           coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0) AS seconds
    FROM pg_catalog.pg_stat_activity AS a
    WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.pid <> pg_backend_pid()
      AND a.datname = current_database() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum AS v WHERE v.pid = a.pid)
    UNION ALL
    SELECT 'standby', a.pid::text, concat_ws(', ', a.usename, nullif(a.application_name, '')), age(a.backend_xmin), 0
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.backend_xmin IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_stat_replication AS r WHERE r.pid = a.pid)
    UNION ALL
    SELECT 'slot', s.slot_name, concat_ws(', ', s.slot_type, CASE WHEN s.active THEN 'active' ELSE 'not active' END),
           coalesce(age(s.xmin), 0), 0
    FROM pg_catalog.pg_replication_slots AS s
    WHERE s.xmin IS NOT NULL
    UNION ALL
    SELECT 'prepared', p.gid, p.owner, age(p.transaction), extract(epoch FROM clock_timestamp() - p.prepared)
    FROM pg_catalog.pg_prepared_xacts AS p WHERE p.database = current_database()
) AS h
WHERE h.transactions >= @transactions::bigint OR h.seconds >= @seconds::bigint
ORDER BY h.seconds DESC, h.transactions DESC
LIMIT 10;

-- RetainedWAL lists the replication slots for which the server keeps much WAL.
-- name: RetainedWAL :many
SELECT s.slot_name::text AS slot, coalesce(s.active, false)::boolean AS active, kept.bytes::bigint AS bytes
FROM pg_catalog.pg_replication_slots AS s
CROSS JOIN LATERAL (
    SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, s.restart_lsn) AS bytes
) AS kept
WHERE kept.bytes >= @least::bigint
ORDER BY kept.bytes DESC
LIMIT 10;

-- name: TableHealth :many
SELECT c.relname::text AS name, pg_total_relation_size(c.oid)::bigint AS bytes,
       coalesce(s.n_live_tup, 0)::bigint AS live, coalesce(s.n_dead_tup, 0)::bigint AS dead,
       coalesce(extract(epoch FROM clock_timestamp() - greatest(s.last_autovacuum, s.last_vacuum)), -1)::bigint AS vacuumed_ago,
       ('autovacuum_enabled=false' = ANY(coalesce(c.reloptions, '{}')) OR 'autovacuum_enabled=off' = ANY(coalesce(c.reloptions, '{}')))::boolean AS never_vacuumed
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.pg_stat_user_tables AS s ON s.relid = c.oid
WHERE c.oid IN (to_regclass('event_outbox')::oid, to_regclass('event_outbox_delayed')::oid, to_regclass('event_outbox_audit')::oid, to_regclass('event_outbox_lease')::oid)
ORDER BY 1;

-- InvalidIndexes lists indexes that no statement can use, such as those that a failed CREATE
-- INDEX CONCURRENTLY left behind, and not those that are being built. Which index another
-- role builds is known only with pg_read_all_stats; otherwise it may be any.
-- name: InvalidIndexes :many
SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS table_name
FROM pg_catalog.pg_index AS i
WHERE NOT i.indisvalid
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS p
                  WHERE p.datname = current_database() AND coalesce(p.index_relid, i.indexrelid) = i.indexrelid)
  AND i.indrelid IN (to_regclass('event_outbox')::oid, to_regclass('event_outbox_delayed')::oid, to_regclass('event_outbox_audit')::oid, to_regclass('event_outbox_lease')::oid,
                      to_regclass('event_outbox_cursor')::oid, to_regclass('event_outbox_late')::oid, to_regclass('event_outbox_failed')::oid, to_regclass('event_outbox_tick')::oid)
ORDER BY 1;

-- TakesPauses reports whether event_outbox_audit accepts pauses, and has the indexes that
-- came with them.
-- name: TakesPauses :one
SELECT (NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c
                    WHERE c.conrelid = to_regclass('event_outbox_audit')::oid AND c.contype = 'c'
                      AND pg_get_constraintdef(c.oid) LIKE '%send-now%' AND pg_get_constraintdef(c.oid) NOT LIKE '%pause%'))::boolean AS takes,
       coalesce((SELECT bool_or(pg_get_expr(i.indpred, i.indrelid) LIKE '%pause%') AND bool_or(pg_get_expr(i.indpred, i.indrelid) = '(applied_at IS NULL)')
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = to_regclass('event_outbox_audit')::oid AND i.indisvalid AND i.indpred IS NOT NULL), false)::boolean AS indexed;

-- UsedTopics lists the topics of the first rows that wait, of the first dead ones and delayed
-- events, and of the latest published rows, with the largest row of each that is not
-- published: about its size in Kafka. Only of the ten rows of a topic that take most space,
-- compressed, are the data read.
-- name: UsedTopics :many
WITH seen AS MATERIALIZED (
    (SELECT coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type) AS topic, p.event_type, p.id, true AS waits, false AS delayed,
            coalesce(pg_column_size(p.event_data), 0) + coalesce(pg_column_size(p.headers), 0) AS stored
     FROM (
        (SELECT w.seq, w.id, w.topic, w.event_type, w.event_data, w.headers FROM event_outbox AS w
         WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint
         ORDER BY w.seq LIMIT @max_rows)
        UNION ALL
        (SELECT a.seq, a.id, a.topic, a.event_type, a.event_data, a.headers FROM event_outbox AS a
         WHERE a.published_at IS NULL AND a.dead_at IS NULL AND a.seq > @low_water::bigint AND a.seq <= @up_to::bigint
         ORDER BY a.seq LIMIT @max_rows)
        UNION ALL
        (SELECT n.seq, n.id, n.topic, n.event_type, n.event_data, n.headers FROM event_outbox AS n
         WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > @top::bigint
         ORDER BY n.seq LIMIT @max_rows)
     ) AS p ORDER BY p.seq LIMIT @max_rows)
    UNION ALL
    (SELECT coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type), p.event_type, p.id, true, false, coalesce(pg_column_size(p.event_data), 0) + coalesce(pg_column_size(p.headers), 0)
     FROM event_outbox AS p WHERE p.published_at IS NULL AND p.dead_at IS NOT NULL ORDER BY p.seq LIMIT @max_rows)
    UNION ALL
    (SELECT d.topic, d.event_type, d.id, true, true, coalesce(pg_column_size(d.event_data), 0) + coalesce(pg_column_size(d.headers), 0)
     FROM event_outbox_delayed AS d ORDER BY d.deliver_at LIMIT @max_rows)
    UNION ALL
    (SELECT r.topic, r.event_type, r.id, false, false, 0 FROM (
        SELECT coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type) AS topic, p.event_type, p.id, p.published_at FROM event_outbox AS p WHERE p.tx IS NOT NULL ORDER BY p.tx DESC LIMIT 1000
     ) AS r WHERE r.published_at IS NOT NULL)
), large AS MATERIALIZED (
    SELECT o.topic, o.id, o.delayed
    FROM (SELECT s.*, row_number() OVER (PARTITION BY s.topic ORDER BY s.stored DESC) AS place FROM seen AS s WHERE s.waits) AS o
    WHERE o.place <= 10
), sizes AS MATERIALIZED (
    SELECT l.topic, l.id, coalesce(octet_length(e.event_data::text), 0) + coalesce(octet_length(e.headers::text), 0) + coalesce(octet_length(e.event_key), 0) + 200 AS bytes
    FROM large AS l
    CROSS JOIN LATERAL (
        SELECT o.event_data, o.headers, o.event_key FROM event_outbox AS o WHERE o.id = l.id AND NOT l.delayed
        UNION ALL
        SELECT d.event_data, d.headers, d.event_key FROM event_outbox_delayed AS d WHERE d.id = l.id AND l.delayed
    ) AS e
)
SELECT u.topic::text AS topic, min(u.event_type)::text AS event_type, count(*) FILTER (WHERE u.waits)::bigint AS waiting,
       coalesce((SELECT max(m.bytes) FROM sizes AS m WHERE m.topic = u.topic), 0)::bigint AS largest,
       coalesce((SELECT m.id::text FROM sizes AS m WHERE m.topic = u.topic ORDER BY m.bytes DESC LIMIT 1), '')::text AS largest_id
FROM seen AS u
GROUP BY u.topic
ORDER BY u.topic
LIMIT 1000;

-- OtherPublishers lists sessions that are not of a relay and whose last statement changes
-- event_outbox as a relay does, or locks rows to do so. The text of other roles' statements
-- needs pg_read_all_stats.
-- name: OtherPublishers :many
SELECT a.pid, coalesce(a.usename::text, '')::text AS role_name, coalesce(a.application_name, '')::text AS application,
       coalesce(host(a.client_addr), 'local')::text AS address,
       left(regexp_replace(a.query, '\s+', ' ', 'g'), 200)::text AS query
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND coalesce(a.application_name, '') NOT LIKE 'outboxrelay%'
  AND (a.query ~* '\m(update|delete\s+from)\s+("?\w+"?\.)?"?event_outbox"?\M' AND a.query ~* '(published_at|retry_count|delete)'
       OR a.query ~* '\mfrom\s+("?\w+"?\.)?"?event_outbox"?\M.*\mpublished_at\s+is\s+null\M.*\mfor\s+(no\s+key\s+)?update\M')
ORDER BY a.pid LIMIT 10;

-- PublishedLately tells how long ago one of the latest rows was marked as published;
-- negative: none of them is.
-- name: PublishedLately :one
SELECT coalesce(extract(epoch FROM clock_timestamp() - max(r.published_at)), -1)::bigint AS seconds
FROM (SELECT p.published_at FROM event_outbox AS p WHERE p.tx IS NOT NULL ORDER BY p.tx DESC LIMIT 1000) AS r;

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
        SELECT o.seq, o.id, o.event_type, coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) AS topic, o.event_key, o.created_at, o.published_at,
               CASE WHEN @with_data::boolean THEN coalesce(o.event_data::text, '') ELSE '' END AS data
        FROM (
            SELECT l.* FROM event_outbox AS l WHERE l.tx IS NOT NULL ORDER BY l.tx DESC LIMIT 10000
        ) AS o
        WHERE o.published_at IS NOT NULL
          AND (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) = sqlc.narg(topic)::text)
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
        SELECT o.seq, o.id, o.event_type, coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) AS topic, o.event_key, o.created_at, o.published_at,
               CASE WHEN @with_data::boolean THEN coalesce(o.event_data::text, '') ELSE '' END AS data
        FROM fresh JOIN event_outbox AS o ON o.id = fresh.id
        WHERE o.seq + 0 > @after::bigint
          AND (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) = sqlc.narg(topic)::text)
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
        SELECT o.seq, o.id, o.event_type, coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) AS topic, o.event_key, o.created_at, o.published_at,
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
        WHERE (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) = sqlc.narg(topic)::text)
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
        SELECT o.seq, o.id, o.event_type, coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) AS topic, o.event_key, o.created_at, o.published_at,
               CASE WHEN @with_data::boolean THEN coalesce(o.event_data::text, '') ELSE '' END AS data
        FROM (
            SELECT d.* FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL
        ) AS o
        WHERE (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) = sqlc.narg(topic)::text)
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

-- Purge deletes published rows of a range of transactions, as the relay's sweep does, but
-- without the lease: an operator may delete them at any time. Rows that another session has
-- locked are left. edge_tx is where the range ends, and edge_old whether rows there may
-- still be old enough. last_tx is the transaction of the last row that it deleted: the next
-- statement begins there, and does not walk over what is deleted.
-- name: Purge :one
WITH edge AS MATERIALIZED (
    SELECT e.tx, e.created_at < @before::timestamptz AS old
    FROM event_outbox AS e
    WHERE e.tx >= @from_tx::xid8
    ORDER BY e.tx
    OFFSET @window_rows LIMIT 1
), doomed AS MATERIALIZED (
    SELECT d.id, d.tx FROM event_outbox AS d
    WHERE d.tx >= @from_tx::xid8
      AND d.tx <= coalesce((SELECT edge.tx FROM edge), '18446744073709551615'::xid8)
      AND d.published_at < @before::timestamptz
    ORDER BY d.tx
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
), purged AS (
    DELETE FROM event_outbox AS o USING doomed WHERE o.id = doomed.id RETURNING o.id
)
SELECT (SELECT count(*) FROM doomed) AS doomed, (SELECT count(*) FROM purged) AS purged,
       coalesce((SELECT doomed.tx FROM doomed ORDER BY doomed.tx DESC LIMIT 1), '0'::xid8)::xid8 AS last_tx,
       coalesce((SELECT edge.tx FROM edge), '0'::xid8)::xid8 AS edge_tx, coalesce((SELECT edge.old FROM edge), false)::boolean AS edge_old;

-- Rows from before an upgrade have no tx.
-- name: PurgeWithoutTx :one
WITH doomed AS MATERIALIZED (
    SELECT d.id FROM event_outbox AS d WHERE d.tx IS NULL AND d.published_at < @before::timestamptz
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
), purged AS (
    DELETE FROM event_outbox AS o USING doomed WHERE o.id = doomed.id RETURNING o.id
)
SELECT (SELECT count(*) FROM doomed) AS doomed, (SELECT count(*) FROM purged) AS purged;

-- Purgeable counts what Purge would delete of a range, and PurgeableWithoutTx the others.
-- name: Purgeable :one
WITH edge AS MATERIALIZED (
    SELECT e.tx, e.created_at < @before::timestamptz AS old
    FROM event_outbox AS e
    WHERE e.tx >= @from_tx::xid8
    ORDER BY e.tx
    OFFSET @window_rows LIMIT 1
)
SELECT (SELECT count(*) FROM event_outbox AS d
        WHERE d.tx >= @from_tx::xid8
          AND d.tx <= coalesce((SELECT edge.tx FROM edge), '18446744073709551615'::xid8)
          AND d.published_at < @before::timestamptz) AS purgeable,
       coalesce((SELECT edge.tx FROM edge), '0'::xid8)::xid8 AS edge_tx, coalesce((SELECT edge.old FROM edge), false)::boolean AS edge_old;

-- name: PurgeableWithoutTx :one
SELECT count(*) FROM event_outbox AS d WHERE d.tx IS NULL AND d.published_at < @before::timestamptz;
