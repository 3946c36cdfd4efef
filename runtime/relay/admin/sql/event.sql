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

-- name: AuditOfEvent :many
SELECT at, actor, action, reason, applied_at FROM event_outbox_audit WHERE event_id = sqlc.arg(id)::text::uuid ORDER BY id LIMIT 1000;

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

-- LookFacts says whether an index has all rows in the order of seq, and which seq was given
-- last; -1 if this role may not read that.
-- name: LookFacts :one
SELECT EXISTS (
           SELECT FROM pg_catalog.pg_index AS i
           JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           WHERE i.indrelid = to_regclass('event_outbox')::oid AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'seq'
       ) AS indexed,
       coalesce(CASE WHEN has_sequence_privilege(pg_get_serial_sequence('event_outbox', 'seq'), 'USAGE, SELECT')
                     THEN pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass) END, -1)::bigint AS given;

-- LimitStatements ends statements of this transaction that take longer, unless they are already
-- limited to less. It also says whether the outbox is a log.
-- name: LimitStatements :one
SELECT (CASE WHEN set_config('statement_timeout', least(nullif(s.setting::bigint, 0), @most_ms::bigint)::text, true) IS NOT NULL
             THEN coalesce((SELECT c.relkind = 'p' FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass('event_outbox')::oid), false)
        END)::boolean AS is_log
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'statement_timeout';

-- NextSeqs is the end of the next rows. up_to counts those up to a seq.
-- name: NextSeqs :one
SELECT coalesce(max(w.seq), 0)::bigint AS last, count(*) AS looked, count(*) FILTER (WHERE w.seq <= @given::bigint) AS up_to
FROM (SELECT o.seq FROM event_outbox AS o WHERE o.seq > @after::bigint ORDER BY o.seq LIMIT @max_rows) AS w;

-- KeptSince reports whether published rows after a seq are kept, by two that are left: one that
-- was published before the time, and one after the seq. For the first one, the first rows are
-- asked, and those before the seq: every row that the retention has deleted is of a transaction
-- that had begun when that row was published (see HistoryReach of pgstore). The second one,
-- because with settle: delete rows from before that setting may be left; it is not needed if
-- the leader marks rows, as after an outage in which nothing was published.
-- name: KeptSince :one
SELECT (coalesce(min(p.published_at) < @at::timestamptz, false)
        AND (@marks::boolean OR EXISTS (SELECT FROM (SELECT a.seq FROM event_outbox AS a WHERE a.seq > @place::bigint AND a.published_at IS NOT NULL ORDER BY a.seq LIMIT 1) AS n)))::boolean AS kept
FROM (
    (SELECT f.published_at, f.dead_at FROM event_outbox AS f ORDER BY f.seq LIMIT 100)
    UNION ALL
    (SELECT b.published_at, b.dead_at FROM event_outbox AS b WHERE b.seq < @place::bigint ORDER BY b.seq DESC LIMIT @max_rows)
) AS p
WHERE p.published_at IS NOT NULL AND p.dead_at IS NULL;

-- PublishedOfKeys lists the published rows of some keys in a range. The keys are in a subquery
-- behind OR, which Postgres reads once into a hash. As a list in a prepared statement, each row
-- would be compared with each key: over a minute for 20,000 rows and 30,000 keys.
-- name: PublishedOfKeys :many
SELECT o.seq, o.id, o.event_type, o.published_at::timestamptz AS published_at, o.event_key::text AS event_key,
       coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic
FROM event_outbox AS o
WHERE o.seq > @after::bigint AND o.seq <= @up_to::bigint AND o.published_at IS NOT NULL AND (@after::bigint IS NULL OR o.event_key IN (SELECT unnest(@event_keys::text[])))
ORDER BY o.seq;

-- DiscardOf says who deleted a row or a delayed event, by its seq or its event id. By seq it
-- reads the whole audit, which has no index for it: people ask by seq, and pages do not.
-- name: DiscardOf :many
SELECT d.at, d.actor, d.action, coalesce(d.reason, '')::text AS reason, d.seq, d.event_id
FROM (
    SELECT i.* FROM event_outbox_audit AS i WHERE i.event_id = sqlc.narg(id)::text::uuid
    UNION ALL
    SELECT s.* FROM event_outbox_audit AS s WHERE sqlc.narg(seq)::bigint IS NOT NULL AND s.seq = sqlc.narg(seq)::bigint
) AS d
WHERE d.action IN ('discard', 'cancel')
ORDER BY d.id DESC
LIMIT 1;
