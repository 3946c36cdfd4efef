-- name: ReadLease :one
SELECT epoch, beat, holder, unclean_ends, suspect_seq, state,
       greatest(0, extract(epoch FROM clock_timestamp() - updated_at) * 1000)::bigint AS silent_ms
FROM event_outbox_lease WHERE name = @name;

-- LowWater is the low-water mark of the lease; 0 if it has none, or if it does not belong to
-- the numbers of the sequence. pgstore's low_water.sql says what it is. to_jsonb, because the
-- lease of an earlier version has no such columns. A role that may not read the sequence
-- does not notice that it was set back. With a mark, rows are looked at only up to up_to, and
-- above top, where the newest ones are: most of those above the mark may be published. The
-- newest one is looked for among the last numbers of the sequence: deleted rows before the end
-- cost time until a vacuum.
-- name: LowWater :one
SELECT coalesce(max(mark.seq), 0)::bigint AS low_water,
       (CASE WHEN count(*) > 0 THEN coalesce(max(mark.seq), 0) + 100000 ELSE 9223372036854775807 END)::bigint AS up_to,
       (CASE WHEN count(*) > 0 THEN greatest(coalesce(max(mark.seq), 0) + 100000, max(mark.newest) - 100000)
             ELSE 9223372036854775807 END)::bigint AS top
FROM (
    SELECT CASE WHEN (lease.stored ->> 'low_water_file')::bigint = pg_relation_filenode(lease.sequence)::bigint
                 AND (lease.stored ->> 'low_water')::bigint <= coalesce(lease.last, 9223372036854775807)
                THEN (lease.stored ->> 'low_water')::bigint END AS seq,
           coalesce((SELECT o.seq FROM event_outbox AS o WHERE o.seq > coalesce(lease.last - 1000000, 0) ORDER BY o.seq DESC LIMIT 1), lease.last - 1000000) AS newest
    FROM (
        SELECT stored.row AS stored, stored.sequence,
               CASE WHEN has_sequence_privilege(stored.sequence, 'SELECT') THEN coalesce(pg_sequence_last_value(stored.sequence), 0) END AS last
        FROM (SELECT to_jsonb(l) AS row, pg_get_serial_sequence('event_outbox', 'seq')::regclass AS sequence FROM event_outbox_lease AS l WHERE l.name = @name) AS stored
        OFFSET 0
    ) AS lease
    WHERE lease.stored ? 'low_water'
) AS mark;

-- name: Now :one
SELECT clock_timestamp()::timestamptz AS now;

-- HiddenTables lists the tables of which row security hides rows from the role.
-- name: HiddenTables :many
SELECT t.name::text AS name FROM (
    SELECT unnest(ARRAY['event_outbox', 'event_outbox_delayed', 'event_outbox_lease', 'event_outbox_audit',
                        'event_outbox_cursor', 'event_outbox_late', 'event_outbox_failed', 'event_outbox_tick',
                        'event_outbox_deleted']::text[]) AS name
) AS t
WHERE coalesce(row_security_active(to_regclass(t.name)::oid), false);

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
       ) AS failed) AS retrying,
       (SELECT count(*) FROM (
           SELECT FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL LIMIT @cap::bigint
       ) AS over) AS dead;

-- OldestPending reads the oldest pending row whose topic is not one of without, among
-- the first rows up to the cap: beyond them, all may be of such topics.
-- name: OldestPending :many
SELECT o.seq, o.id, o.event_type, coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic, o.event_key, o.retry_count,
       o.last_error, o.next_attempt_at,
       greatest(0, extract(epoch FROM clock_timestamp() - o.created_at) * 1000)::bigint AS age_ms
FROM (
    (SELECT w.* FROM (
        SELECT ew.* FROM event_outbox AS ew WHERE ew.next_attempt_at IS NOT NULL AND ew.dead_at IS NULL AND ew.published_at IS NULL AND ew.seq <= @low_water::bigint
        ORDER BY ew.seq LIMIT @cap::bigint
     ) AS w
     WHERE cardinality(@without::text[]) = 0 OR coalesce(w.topic, regexp_replace(w.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', w.event_type) <> ALL(@without::text[])
     ORDER BY w.seq LIMIT 1)
    UNION ALL
    (SELECT p.* FROM (
        SELECT ep.* FROM event_outbox AS ep WHERE ep.published_at IS NULL AND ep.dead_at IS NULL AND ep.seq > @low_water::bigint AND ep.seq <= @up_to::bigint
        ORDER BY ep.seq LIMIT @cap::bigint
     ) AS p
     WHERE cardinality(@without::text[]) = 0 OR coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type) <> ALL(@without::text[])
     ORDER BY p.seq LIMIT 1)
    UNION ALL
    (SELECT n.* FROM (
        SELECT en.* FROM event_outbox AS en WHERE en.published_at IS NULL AND en.dead_at IS NULL AND en.seq > @top::bigint
        ORDER BY en.seq LIMIT @cap::bigint
     ) AS n
     WHERE cardinality(@without::text[]) = 0 OR coalesce(n.topic, regexp_replace(n.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', n.event_type) <> ALL(@without::text[])
     ORDER BY n.seq LIMIT 1)
) AS o
ORDER BY o.seq
LIMIT 1;

-- LatePending is OldestPending from the end: of the last rows up to the cap, the oldest one
-- whose topic is not one of without. Above a low-water mark, OldestPending looks at the newest
-- rows itself.
-- name: LatePending :many
SELECT o.seq, o.id, o.event_type, coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type)::text AS topic, o.event_key, o.retry_count,
       o.last_error, o.next_attempt_at,
       greatest(0, extract(epoch FROM clock_timestamp() - o.created_at) * 1000)::bigint AS age_ms
FROM (
    (SELECT w.* FROM event_outbox AS w WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint
     ORDER BY w.seq DESC LIMIT @cap::bigint)
    UNION ALL
    (SELECT p.* FROM event_outbox AS p WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint
     ORDER BY p.seq DESC LIMIT @cap::bigint)
) AS o
WHERE coalesce(o.topic, regexp_replace(o.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', o.event_type) <> ALL(@without::text[])
ORDER BY o.seq
LIMIT 1;

-- name: RetryingRows :many
SELECT seq, id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic, event_key, retry_count,
       last_error, next_attempt_at
FROM event_outbox
WHERE next_attempt_at IS NOT NULL AND retry_count > 0 AND dead_at IS NULL AND published_at IS NULL
ORDER BY seq
LIMIT @max_rows;
