-- The statements for an outbox that is a log, where those of the other files do not fit. DESIGN.md of
-- package logcursor says which rows of a log are settled. Those that the cursor has not passed
-- are looked for in two ranges of seq, as in state.sql: the first ones above the floor,
-- and the newest ones. The rows that are settled ahead are in a subquery behind NOT IN, which
-- Postgres reads once into a hash. With <> ALL it may compare each row with each of them, and
-- there are up to 32,768. An entry of event_outbox_late belongs to a row of its id and seq; seq - seq = 0
-- does not offer the index on seq.

-- name: IsLog :one
SELECT coalesce((SELECT c.relkind = 'p' FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass('event_outbox')::oid), false)::boolean AS is_log;

-- Kind is HiddenTables and IsLog in one statement.
-- name: Kind :one
SELECT ARRAY(
           SELECT t.name FROM (
               SELECT unnest(ARRAY['event_outbox', 'event_outbox_delayed', 'event_outbox_lease', 'event_outbox_audit',
                                   'event_outbox_cursor', 'event_outbox_late', 'event_outbox_failed', 'event_outbox_tick',
                                   'event_outbox_deleted']::text[]) AS name
           ) AS t
           WHERE coalesce(row_security_active(to_regclass(t.name)::oid), false)
       )::text[] AS hidden,
       coalesce((SELECT c.relkind = 'p' FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass('event_outbox')::oid), false)::boolean AS is_log;

-- LogCursor reads up to where rows are settled. Without a tick under way shown is base. The
-- history has the time of publication of what noted shows.
-- name: LogCursor :one
SELECT c.floor, c.base::text AS base, coalesce(c.shown, c.base)::text AS shown, CASE WHEN c.shown IS NULL THEN 0 ELSE c.seq END::bigint AS seq, c.ahead,
       coalesce((SELECT t.shown::text FROM event_outbox_tick AS t ORDER BY t.n DESC LIMIT 1), '3:3:')::text AS noted,
       (c.floor + 100000)::bigint AS up_to,
       greatest(c.floor + 100000, (SELECT max(o.seq) FROM event_outbox AS o) - 100000)::bigint AS top
FROM event_outbox_cursor AS c
ORDER BY c.n DESC
LIMIT 1;

-- name: CountLogRows :one
SELECT least(@cap::bigint, (SELECT count(*) FROM (
           SELECT FROM event_outbox AS o
           WHERE o.seq > @floor::bigint AND o.seq <= @up_to::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) LIMIT @cap::bigint
       ) AS first)
       + (SELECT count(*) FROM (
           SELECT FROM event_outbox AS o
           WHERE o.seq > @top::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) LIMIT @cap::bigint
       ) AS newest)
       + (SELECT count(*) FROM (SELECT FROM event_outbox_late AS w WHERE w.published_at IS NULL LIMIT @cap::bigint) AS late)
       + (SELECT count(*) FROM (SELECT FROM event_outbox_failed AS f WHERE f.dead_at IS NULL LIMIT @cap::bigint) AS failed))::bigint AS pending,
       (SELECT count(*) FROM (
           SELECT FROM event_outbox_failed AS h
           WHERE h.next_attempt_at IS NOT NULL AND h.retry_count > 0 AND h.dead_at IS NULL LIMIT @cap::bigint
       ) AS again) AS retrying,
       (SELECT count(*) FROM (SELECT FROM event_outbox_failed AS d WHERE d.dead_at IS NOT NULL LIMIT @cap::bigint) AS over) AS dead;

-- OldestInLog reads the oldest pending row whose topic is not one of without.
-- name: OldestInLog :many
SELECT p.seq, p.id, p.event_type, p.topic::text AS topic, p.event_key, p.retry_count, p.last_error, p.next_attempt_at,
       greatest(0, extract(epoch FROM clock_timestamp() - p.created_at) * 1000)::bigint AS age_ms
FROM (
    (SELECT o.seq, o.id, o.event_type, o.topic, o.event_key, 0::integer AS retry_count, NULL::text AS last_error, NULL::timestamptz AS next_attempt_at, o.created_at FROM event_outbox AS o
     WHERE o.seq > @floor::bigint AND o.seq <= @up_to::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) AND o.topic <> ALL(@without::text[]) ORDER BY o.seq LIMIT 1)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.topic, o.event_key, 0::integer AS retry_count, NULL::text AS last_error, NULL::timestamptz AS next_attempt_at, o.created_at FROM event_outbox AS o
     WHERE o.seq > @top::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) AND o.topic <> ALL(@without::text[]) ORDER BY o.seq LIMIT 1)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.topic, o.event_key, 0::integer AS retry_count, NULL::text AS last_error, NULL::timestamptz AS next_attempt_at, o.created_at FROM event_outbox_late AS w JOIN event_outbox AS o ON o.id = w.id AND o.seq - w.seq = 0 AND o.tx = w.tx
     WHERE w.published_at IS NULL AND w.topic <> ALL(@without::text[]) ORDER BY w.seq LIMIT 1)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.topic, o.event_key, o.retry_count, o.last_error, o.next_attempt_at, o.created_at FROM event_outbox_failed AS o
     WHERE o.dead_at IS NULL AND o.topic <> ALL(@without::text[]) ORDER BY o.seq LIMIT 1)
) AS p
ORDER BY p.seq
LIMIT 1;

-- name: RetryingInLog :many
SELECT seq, id, event_type, topic::text AS topic, event_key, retry_count, last_error, next_attempt_at
FROM event_outbox_failed
WHERE next_attempt_at IS NOT NULL AND retry_count > 0 AND dead_at IS NULL
ORDER BY seq
LIMIT @max_rows;

-- name: DeadInLog :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, topic::text AS topic,
       event_key, partition, (event_data IS NULL)::boolean AS tombstone, created_at, dead_at, retry_count, last_error
FROM event_outbox_failed
WHERE dead_at IS NOT NULL AND seq > @after
  AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
  AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
  AND (sqlc.narg(topic)::text IS NULL OR topic = sqlc.narg(topic))
  AND (sqlc.narg(event_key)::text IS NULL OR event_key = sqlc.narg(event_key))
  AND (sqlc.narg(aggregate_type)::text IS NULL OR aggregate_type = sqlc.narg(aggregate_type))
  AND (sqlc.narg(aggregate_id)::text IS NULL OR aggregate_id = sqlc.narg(aggregate_id))
  AND (sqlc.narg(error)::text IS NULL OR strpos(lower(last_error), lower(sqlc.narg(error))) > 0)
  AND (sqlc.narg(older_ms)::bigint IS NULL OR dead_at <= clock_timestamp() - sqlc.narg(older_ms)::bigint * interval '1 millisecond')
  AND (sqlc.narg(newer_ms)::bigint IS NULL OR dead_at >= clock_timestamp() - sqlc.narg(newer_ms)::bigint * interval '1 millisecond')
ORDER BY seq
LIMIT @max_rows;

-- DeadInLogBefore is DeadInLog from the end: the rows before a seq, the last one first.
-- name: DeadInLogBefore :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, topic::text AS topic,
       event_key, partition, (event_data IS NULL)::boolean AS tombstone, created_at, dead_at, retry_count, last_error
FROM event_outbox_failed
WHERE dead_at IS NOT NULL AND seq < @before
  AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
  AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
  AND (sqlc.narg(topic)::text IS NULL OR topic = sqlc.narg(topic))
  AND (sqlc.narg(event_key)::text IS NULL OR event_key = sqlc.narg(event_key))
  AND (sqlc.narg(aggregate_type)::text IS NULL OR aggregate_type = sqlc.narg(aggregate_type))
  AND (sqlc.narg(aggregate_id)::text IS NULL OR aggregate_id = sqlc.narg(aggregate_id))
  AND (sqlc.narg(error)::text IS NULL OR strpos(lower(last_error), lower(sqlc.narg(error))) > 0)
  AND (sqlc.narg(older_ms)::bigint IS NULL OR dead_at <= clock_timestamp() - sqlc.narg(older_ms)::bigint * interval '1 millisecond')
  AND (sqlc.narg(newer_ms)::bigint IS NULL OR dead_at >= clock_timestamp() - sqlc.narg(newer_ms)::bigint * interval '1 millisecond')
ORDER BY seq DESC
LIMIT @max_rows;

-- NextDeadInLog is NextDead for a log.
-- name: NextDeadInLog :one
SELECT coalesce(max(w.seq), 0)::bigint AS last, count(*) AS looked
FROM (
    SELECT seq FROM event_outbox_failed
    WHERE dead_at IS NOT NULL AND seq > @after::bigint AND seq < @before::bigint
    ORDER BY seq LIMIT @max_rows
) AS w;

-- DeadInLogBetween is DeadBetween for a log.
-- name: DeadInLogBetween :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, topic::text AS topic,
       event_key, partition, (event_data IS NULL)::boolean AS tombstone, created_at, dead_at, retry_count, last_error
FROM event_outbox_failed
WHERE dead_at IS NOT NULL AND seq > @after::bigint AND seq < @before::bigint
  AND (@any_key::boolean OR event_key IN (SELECT unnest(@event_keys::text[])))
ORDER BY seq;

-- PublishedOfKeysInLog is PublishedOfKeys for a log. A row that the cursor has passed and whose
-- tick is not in the history was published some seconds ago.
-- name: PublishedOfKeysInLog :many
SELECT o.seq, o.id, o.event_type, coalesce(o.published_at, clock_timestamp())::timestamptz AS published_at, o.event_key::text AS event_key, o.topic::text AS topic
FROM event_outbox_history AS o
WHERE o.seq > @after::bigint AND o.seq <= @up_to::bigint
  AND (@after::bigint IS NULL OR o.event_key IN (SELECT unnest(@event_keys::text[])))
  AND (o.published_at IS NOT NULL
       OR o.state = 'waiting'
          AND (pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
               OR o.seq <= @seq::bigint AND pg_visible_in_snapshot(o.tx, @shown::pg_snapshot)
               OR o.seq IN (SELECT unnest(@ahead::bigint[])))
          AND NOT EXISTS (SELECT FROM event_outbox_late AS w WHERE w.id = o.id AND w.seq = o.seq AND w.tx = o.tx AND w.published_at IS NULL))
ORDER BY o.seq;

-- KeptInLogSince reports whether no event is missing that was created at a time or later.
-- name: KeptInLogSince :one
SELECT (NOT EXISTS (SELECT FROM event_outbox_deleted AS d WHERE d.created_at >= @at::timestamptz))::boolean AS kept;

-- CountDeadInLog is CountDead for a log.
-- name: CountDeadInLog :many
SELECT g.value::text AS value, count(*) AS dead, min(g.dead_at)::timestamptz AS first, max(g.dead_at)::timestamptz AS last
FROM (
    SELECT CASE @by::text WHEN 'topic' THEN topic WHEN 'error' THEN left(coalesce(last_error, ''), 300) ELSE event_type END AS value, dead_at
    FROM event_outbox_failed
    WHERE dead_at IS NOT NULL
      AND (sqlc.narg(ids)::text[] IS NULL OR id = ANY(sqlc.narg(ids)::text[]::uuid[]))
      AND (sqlc.narg(event_type)::text IS NULL OR event_type = sqlc.narg(event_type))
      AND (sqlc.narg(topic)::text IS NULL OR topic = sqlc.narg(topic))
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

-- name: IDsOfSeqInLog :many
SELECT f.id FROM event_outbox_failed AS f WHERE f.seq = @seq
UNION
SELECT o.id FROM event_outbox AS o WHERE o.seq = @seq;

-- WholeInLog reads the copy of an event that failed, else the event. If its id was inserted again
-- after its row was gone, there may be more copies: the first dead one comes first.
-- name: WholeInLog :many
(SELECT f.seq, f.id, f.aggregate_type, f.aggregate_id, f.event_type, f.topic::text AS topic, f.event_key, f.partition,
       coalesce(f.event_data::text, '')::text AS data, coalesce(f.headers::text, '')::text AS headers, f.created_at, NULL::timestamptz AS published_at,
       f.next_attempt_at, f.dead_at, f.retry_count, f.last_error, f.tx::text AS tx
FROM event_outbox_failed AS f WHERE f.id = sqlc.arg(id)::text::uuid
ORDER BY f.dead_at IS NULL, f.seq LIMIT 1)
UNION ALL
SELECT o.seq, o.id, o.aggregate_type, o.aggregate_id, o.event_type, o.topic::text AS topic, o.event_key, o.partition,
       coalesce(o.event_data::text, '')::text AS data, coalesce(o.headers::text, '')::text AS headers, o.created_at, o.published_at,
       o.next_attempt_at, o.dead_at, o.retry_count, o.last_error, o.tx::text AS tx
FROM event_outbox_history AS o
WHERE o.id = sqlc.arg(id)::text::uuid AND NOT EXISTS (SELECT FROM event_outbox_failed AS c WHERE c.id = o.id);

-- BeginningInLog is WholeInLog with the beginning of its documents: see RowBeginning.
-- name: BeginningInLog :many
(SELECT f.seq, f.id, f.aggregate_type, f.aggregate_id, f.event_type, f.topic::text AS topic, f.event_key, f.partition,
       (CASE WHEN @most::integer > 0 THEN coalesce(left(f.event_data::text, @most), '') ELSE '' END)::text AS data,
       (CASE WHEN @most > 0 THEN coalesce(left(f.headers::text, @most), '') ELSE '' END)::text AS headers,
       f.created_at, NULL::timestamptz AS published_at, f.next_attempt_at, f.dead_at, f.retry_count, f.last_error, f.tx::text AS tx
FROM event_outbox_failed AS f WHERE f.id = sqlc.arg(id)::text::uuid
ORDER BY f.dead_at IS NULL, f.seq LIMIT 1)
UNION ALL
SELECT o.seq, o.id, o.aggregate_type, o.aggregate_id, o.event_type, o.topic::text AS topic, o.event_key, o.partition,
       (CASE WHEN @most > 0 THEN coalesce(left(o.event_data::text, @most), '') ELSE '' END)::text AS data,
       (CASE WHEN @most > 0 THEN coalesce(left(o.headers::text, @most), '') ELSE '' END)::text AS headers,
       o.created_at, o.published_at, o.next_attempt_at, o.dead_at, o.retry_count, o.last_error, o.tx::text AS tx
FROM event_outbox_history AS o
WHERE o.id = sqlc.arg(id)::text::uuid AND NOT EXISTS (SELECT FROM event_outbox_failed AS c WHERE c.id = o.id);

-- name: BehindInLog :many
SELECT p.seq, p.id, p.event_type, p.created_at, p.retry_count
FROM (
    (SELECT o.seq, o.id, o.event_type, o.created_at, 0::integer AS retry_count FROM event_outbox AS o
     WHERE o.seq > @floor::bigint AND o.seq <= @up_to::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) AND o.seq > @after::bigint AND o.event_key = @event_key::text AND o.topic = sqlc.arg(topic)::text ORDER BY o.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.created_at, 0::integer AS retry_count FROM event_outbox AS o
     WHERE o.seq > @top::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) AND o.seq > @after::bigint AND o.event_key = @event_key::text AND o.topic = sqlc.arg(topic)::text ORDER BY o.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.created_at, 0::integer AS retry_count FROM event_outbox_late AS w JOIN event_outbox AS o ON o.id = w.id AND o.seq - w.seq = 0 AND o.tx = w.tx
     WHERE w.published_at IS NULL AND o.seq > @after::bigint AND o.event_key = @event_key::text AND o.topic = sqlc.arg(topic)::text ORDER BY w.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.created_at, o.retry_count FROM event_outbox_failed AS o
     WHERE o.dead_at IS NULL AND o.seq > @after::bigint AND o.event_key = @event_key::text AND o.topic = sqlc.arg(topic)::text ORDER BY o.seq LIMIT @max_rows)
) AS p
ORDER BY p.seq
LIMIT @max_rows;

-- name: CountBehindInLog :one
SELECT count(*) FROM (
    (SELECT o.seq FROM event_outbox AS o
     WHERE o.seq > @floor::bigint AND o.seq <= @up_to::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) AND o.seq > @after::bigint AND o.event_key = @event_key::text AND o.topic = sqlc.arg(topic)::text ORDER BY o.seq LIMIT @cap)
    UNION ALL
    (SELECT o.seq FROM event_outbox AS o
     WHERE o.seq > @top::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) AND o.seq > @after::bigint AND o.event_key = @event_key::text AND o.topic = sqlc.arg(topic)::text ORDER BY o.seq LIMIT @cap)
    UNION ALL
    (SELECT o.seq FROM event_outbox_late AS w JOIN event_outbox AS o ON o.id = w.id AND o.seq - w.seq = 0 AND o.tx = w.tx
     WHERE w.published_at IS NULL AND o.seq > @after::bigint AND o.event_key = @event_key::text AND o.topic = sqlc.arg(topic)::text ORDER BY w.seq LIMIT @cap)
    UNION ALL
    (SELECT o.seq FROM event_outbox_failed AS o
     WHERE o.dead_at IS NULL AND o.seq > @after::bigint AND o.event_key = @event_key::text AND o.topic = sqlc.arg(topic)::text ORDER BY o.seq LIMIT @cap)
    LIMIT @cap
) AS capped;

-- name: ReplayInLog :one
WITH replayed AS (
    UPDATE event_outbox_failed SET dead_at = NULL, next_attempt_at = now(), retry_count = 0
    WHERE seq = ANY(@seqs::bigint[]) AND dead_at IS NOT NULL
    RETURNING seq, id, event_type, topic, event_key
), audited AS (
    INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key, reason)
    SELECT @actor, 'replay', r.seq, r.id, r.event_type, r.topic, r.event_key, @reason FROM replayed AS r ORDER BY r.seq
    RETURNING seq
)
SELECT (SELECT count(*) FROM replayed) AS changed, (SELECT count(*) FROM audited) AS audited;

-- DiscardInLog deletes the copy. The event stays in the log until its partition is dropped, and
-- event_outbox_late says that it was discarded.
-- name: DiscardInLog :one
WITH discarded AS (
    DELETE FROM event_outbox_failed
    WHERE seq = ANY(@seqs::bigint[]) AND dead_at IS NOT NULL
    RETURNING seq, id, tx, event_type, topic, event_key
), noted AS (
    INSERT INTO event_outbox_late AS n (id, tx, seq, topic, event_key, published_at, discarded)
    SELECT d.id, d.tx, d.seq, d.topic, d.event_key, now(), true FROM discarded AS d
    ON CONFLICT (id, seq, tx) DO UPDATE SET published_at = excluded.published_at, discarded = true
), audited AS (
    INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key, reason)
    SELECT @actor, 'discard', d.seq, d.id, d.event_type, d.topic, d.event_key, @reason FROM discarded AS d ORDER BY d.seq
    RETURNING seq
)
SELECT (SELECT count(*) FROM discarded) AS changed, (SELECT count(*) FROM audited) AS audited;

-- name: StillDeadInLog :one
SELECT count(*) FROM event_outbox_failed WHERE seq = ANY(@seqs::bigint[]) AND dead_at IS NOT NULL;

-- LogUsesTopic looks among the rows that wait, failed, dead and delayed ones, and the latest.
-- name: LogUsesTopic :one
SELECT (EXISTS (SELECT FROM event_outbox_late AS w WHERE w.published_at IS NULL AND w.topic = @topic::text)
        OR EXISTS (SELECT FROM (
            (SELECT f.topic FROM event_outbox_failed AS f ORDER BY f.seq LIMIT 10000)
            UNION ALL
            (SELECT l.topic FROM event_outbox AS l ORDER BY l.tx DESC LIMIT 10000)
            UNION ALL
            (SELECT o.topic FROM event_outbox AS o WHERE o.seq > @floor::bigint ORDER BY o.seq LIMIT 10000)
            UNION ALL
            (SELECT e.topic FROM event_outbox_delayed AS e ORDER BY e.deliver_at LIMIT 10000)
        ) AS r WHERE r.topic = @topic::text))::boolean AS used;

-- TopicsInLog is UsedTopics for a log.
-- name: TopicsInLog :many
WITH seen AS MATERIALIZED (
    (SELECT p.topic::text AS topic, p.event_type, p.id, true AS waits, p.stored FROM (
    (SELECT o.seq, o.topic, o.event_type, o.id, coalesce(pg_column_size(o.event_data), 0) + coalesce(pg_column_size(o.headers), 0) AS stored FROM event_outbox AS o
     WHERE o.seq > @floor::bigint AND o.seq <= @up_to::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) ORDER BY o.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.topic, o.event_type, o.id, coalesce(pg_column_size(o.event_data), 0) + coalesce(pg_column_size(o.headers), 0) AS stored FROM event_outbox AS o
     WHERE o.seq > @top::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) ORDER BY o.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.topic, o.event_type, o.id, coalesce(pg_column_size(o.event_data), 0) + coalesce(pg_column_size(o.headers), 0) AS stored FROM event_outbox_late AS w JOIN event_outbox AS o ON o.id = w.id AND o.seq - w.seq = 0 AND o.tx = w.tx
     WHERE w.published_at IS NULL ORDER BY w.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.topic, o.event_type, o.id, coalesce(pg_column_size(o.event_data), 0) + coalesce(pg_column_size(o.headers), 0) AS stored FROM event_outbox_failed AS o
     WHERE o.dead_at IS NULL ORDER BY o.seq LIMIT @max_rows)
     ) AS p ORDER BY p.seq LIMIT @max_rows)
    UNION ALL
    (SELECT d.topic::text, d.event_type, d.id, true, coalesce(pg_column_size(d.event_data), 0) + coalesce(pg_column_size(d.headers), 0)
     FROM event_outbox_failed AS d WHERE d.dead_at IS NOT NULL ORDER BY d.seq LIMIT @max_rows)
    UNION ALL
    (SELECT e.topic::text, e.event_type, e.id, true, coalesce(pg_column_size(e.event_data), 0) + coalesce(pg_column_size(e.headers), 0)
     FROM event_outbox_delayed AS e ORDER BY e.deliver_at LIMIT @max_rows)
    UNION ALL
    (SELECT r.topic::text, r.event_type, r.id, false, 0 FROM event_outbox AS r ORDER BY r.tx DESC LIMIT 1000)
), large AS MATERIALIZED (
    SELECT k.topic, k.id
    FROM (SELECT s.*, row_number() OVER (PARTITION BY s.topic ORDER BY s.stored DESC) AS place FROM seen AS s WHERE s.waits) AS k
    WHERE k.place <= 10
), sizes AS MATERIALIZED (
    SELECT l.topic, l.id, coalesce(octet_length(e.event_data::text), 0) + coalesce(octet_length(e.headers::text), 0) + coalesce(octet_length(e.event_key), 0) + 200 AS bytes
    FROM large AS l
    CROSS JOIN LATERAL (
        SELECT o.event_data, o.headers, o.event_key FROM event_outbox AS o WHERE o.id = l.id
        UNION ALL
        SELECT f.event_data, f.headers, f.event_key FROM event_outbox_failed AS f WHERE f.id = l.id
        UNION ALL
        SELECT d.event_data, d.headers, d.event_key FROM event_outbox_delayed AS d WHERE d.id = l.id
        LIMIT 1
    ) AS e
)
SELECT u.topic::text AS topic, min(u.event_type)::text AS event_type, count(*) FILTER (WHERE u.waits)::bigint AS waiting,
       coalesce((SELECT max(m.bytes) FROM sizes AS m WHERE m.topic = u.topic), 0)::bigint AS largest,
       coalesce((SELECT m.id::text FROM sizes AS m WHERE m.topic = u.topic ORDER BY m.bytes DESC LIMIT 1), '')::text AS largest_id
FROM seen AS u
GROUP BY u.topic
ORDER BY u.topic
LIMIT 1000;

-- LogPublishedLately tells how long ago the cursor passed a tick; negative: never.
-- name: LogPublishedLately :one
SELECT coalesce(extract(epoch FROM clock_timestamp() - (SELECT t.published_at FROM event_outbox_tick AS t ORDER BY t.n DESC LIMIT 1)), -1)::bigint AS seconds;

-- TableHealthOfLog is TableHealth for a log: event_outbox is the sum of its partitions.
-- name: TableHealthOfLog :many
SELECT health.name::text AS name, sum(health.bytes)::bigint AS bytes, sum(health.live)::bigint AS live, sum(health.dead)::bigint AS dead,
       max(health.vacuumed_ago)::bigint AS vacuumed_ago, bool_or(health.never_vacuumed)::boolean AS never_vacuumed
FROM (
    SELECT CASE WHEN i.inhparent IS NULL THEN c.relname ELSE 'event_outbox' END AS name, pg_total_relation_size(c.oid) AS bytes,
           coalesce(s.n_live_tup, 0) AS live, coalesce(s.n_dead_tup, 0) AS dead,
           coalesce(extract(epoch FROM clock_timestamp() - greatest(s.last_autovacuum, s.last_vacuum)), -1) AS vacuumed_ago,
           ('autovacuum_enabled=false' = ANY(coalesce(c.reloptions, '{}')) OR 'autovacuum_enabled=off' = ANY(coalesce(c.reloptions, '{}'))) AS never_vacuumed
    FROM pg_catalog.pg_class AS c
    LEFT JOIN pg_catalog.pg_stat_user_tables AS s ON s.relid = c.oid
    LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid AND i.inhparent = to_regclass('event_outbox')::oid
    WHERE i.inhparent IS NOT NULL
       OR c.oid IN (to_regclass('event_outbox_delayed')::oid, to_regclass('event_outbox_audit')::oid, to_regclass('event_outbox_lease')::oid,
                    to_regclass('event_outbox_cursor')::oid, to_regclass('event_outbox_late')::oid, to_regclass('event_outbox_failed')::oid,
                    to_regclass('event_outbox_tick')::oid,
                    to_regclass('event_outbox_deleted')::oid)
) AS health
GROUP BY health.name
ORDER BY 1;

-- TailPendingInLog is TailPending for a log.
-- name: TailPendingInLog :many
SELECT r.seq, r.id, r.event_type, r.topic::text AS topic, r.event_key, r.created_at, NULL::timestamptz AS published_at, r.data::text AS data
FROM (
    SELECT p.*, sum(octet_length(p.data)) OVER (ORDER BY p.seq) - octet_length(p.data) AS before
    FROM (
        SELECT q.seq, q.id, q.event_type, q.topic, q.event_key, q.created_at,
               CASE WHEN @with_data::boolean THEN coalesce(q.event_data::text, '') ELSE '' END AS data
        FROM (
    (SELECT o.seq, o.id, o.event_type, o.topic, o.event_key, o.created_at, o.event_data FROM event_outbox AS o
     WHERE o.seq > @floor::bigint AND o.seq <= @up_to::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) AND o.seq > @after::bigint AND (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text) AND (sqlc.narg(topic)::text IS NULL OR o.topic = sqlc.narg(topic)::text) AND (sqlc.narg(event_key)::text IS NULL OR o.event_key = sqlc.narg(event_key)::text) ORDER BY o.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.topic, o.event_key, o.created_at, o.event_data FROM event_outbox AS o
     WHERE o.seq > @top::bigint
       AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND o.seq NOT IN (SELECT unnest(@ahead::bigint[])) AND o.seq > @after::bigint AND (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text) AND (sqlc.narg(topic)::text IS NULL OR o.topic = sqlc.narg(topic)::text) AND (sqlc.narg(event_key)::text IS NULL OR o.event_key = sqlc.narg(event_key)::text) ORDER BY o.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.topic, o.event_key, o.created_at, o.event_data FROM event_outbox_late AS w JOIN event_outbox AS o ON o.id = w.id AND o.seq - w.seq = 0 AND o.tx = w.tx
     WHERE w.published_at IS NULL AND o.seq > @after::bigint AND (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text) AND (sqlc.narg(topic)::text IS NULL OR o.topic = sqlc.narg(topic)::text) AND (sqlc.narg(event_key)::text IS NULL OR o.event_key = sqlc.narg(event_key)::text) ORDER BY w.seq LIMIT @max_rows)
    UNION ALL
    (SELECT o.seq, o.id, o.event_type, o.topic, o.event_key, o.created_at, o.event_data FROM event_outbox_failed AS o
     WHERE o.dead_at IS NULL AND o.seq > @after::bigint AND (sqlc.narg(event_type)::text IS NULL OR o.event_type = sqlc.narg(event_type)::text) AND (sqlc.narg(topic)::text IS NULL OR o.topic = sqlc.narg(topic)::text) AND (sqlc.narg(event_key)::text IS NULL OR o.event_key = sqlc.narg(event_key)::text) ORDER BY o.seq LIMIT @max_rows)
        ) AS q
        ORDER BY q.seq
        LIMIT @max_rows
    ) AS p
) AS r
WHERE r.before < @max_bytes::bigint
ORDER BY r.seq;

-- TailDeadInLog is TailDead for a log: the rows of dead events may be gone.
-- name: TailDeadInLog :many
SELECT r.seq, r.id, r.event_type, r.topic::text AS topic, r.event_key, r.created_at, NULL::timestamptz AS published_at, r.data::text AS data
FROM (
    SELECT p.*, sum(octet_length(p.data)) OVER (ORDER BY p.seq) - octet_length(p.data) AS before
    FROM (
        SELECT d.seq, d.id, d.event_type, d.topic, d.event_key, d.created_at,
               CASE WHEN @with_data::boolean THEN coalesce(d.event_data::text, '') ELSE '' END AS data
        FROM event_outbox_failed AS d
        WHERE d.dead_at IS NOT NULL
          AND (sqlc.narg(event_type)::text IS NULL OR d.event_type = sqlc.narg(event_type)::text)
          AND (sqlc.narg(topic)::text IS NULL OR d.topic = sqlc.narg(topic)::text)
          AND (sqlc.narg(event_key)::text IS NULL OR d.event_key = sqlc.narg(event_key)::text)
        ORDER BY d.seq
        LIMIT @max_rows
    ) AS p
) AS r
WHERE r.before < @max_bytes::bigint
ORDER BY r.seq;

-- TailKnownInLog is TailKnown for a log. A row whose copy is there waits, also when its partition was
-- dropped. An entry of event_outbox_late says what became of a row, the history what became of those
-- without one. An entry with another tx is about an earlier row. gone are those that were discarded, too.
-- name: TailKnownInLog :many
SELECT k.id::uuid AS id, coalesce(l.discarded, h.id IS NULL)::boolean AS gone,
       coalesce(l.published_at, h.published_at, now())::timestamptz AS published_at
FROM (SELECT unnest(sqlc.arg(ids)::text[]::uuid[]) AS id, unnest(@seqs::bigint[]) AS seq) AS k
LEFT JOIN event_outbox_history AS h ON h.id = k.id AND h.seq - k.seq = 0
LEFT JOIN event_outbox_late AS l ON l.id = k.id AND l.seq = k.seq AND l.tx = coalesce(h.tx, l.tx)
WHERE NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = k.id AND f.seq = k.seq AND f.tx = coalesce(h.tx, f.tx))
  AND CASE WHEN l.id IS NULL THEN h.id IS NULL OR h.published_at IS NOT NULL ELSE l.discarded OR l.published_at IS NOT NULL END;

-- PassedInLog says whether the cursor has passed a row, whether the row still waits, and
-- whether it was discarded. A row that is gone was passed: a partition is dropped after that. Its
-- copy may wait. An entry with another tx is about an earlier row.
-- name: PassedInLog :one
WITH o AS (SELECT r.seq, r.tx FROM event_outbox AS r WHERE r.id = sqlc.arg(id)::text::uuid AND r.seq = @row_seq::bigint),
     l AS (SELECT e.published_at, e.discarded FROM event_outbox_late AS e
           WHERE e.id = sqlc.arg(id)::text::uuid AND e.seq = @row_seq::bigint AND e.tx = coalesce((SELECT o.tx FROM o), e.tx)),
     f AS (SELECT e.id FROM event_outbox_failed AS e
           WHERE e.id = sqlc.arg(id)::text::uuid AND e.seq = @row_seq::bigint AND e.tx = coalesce((SELECT o.tx FROM o), e.tx))
SELECT coalesce((SELECT pg_visible_in_snapshot(o.tx, @base::pg_snapshot) OR o.seq <= @seq::bigint AND pg_visible_in_snapshot(o.tx, @shown::pg_snapshot)
                 FROM o), true)::boolean AS passed,
       (EXISTS (SELECT FROM l WHERE l.published_at IS NULL) OR EXISTS (SELECT FROM f))::boolean AS waits,
       (EXISTS (SELECT FROM l WHERE l.discarded))::boolean AS discarded;
