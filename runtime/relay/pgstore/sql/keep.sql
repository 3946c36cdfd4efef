-- CountRows counts the pending rows up to up_to, and those above top, which are the newest
-- ones. It leaves out those between, because most rows above the low-water mark may be
-- published. Rows that cannot be published now are among the newest. The age is that of the
-- oldest row whose topic no operator has paused, of the first ones up to the cap.
-- name: CountRows :one
WITH newest AS MATERIALIZED (
    -- The newest rows that are there: with settle: delete the sequence may be far ahead of them.
    SELECT greatest(@up_to::bigint, CASE WHEN @up_to::bigint < 9223372036854775807 THEN
        (SELECT o.seq FROM event_outbox AS o ORDER BY o.seq DESC LIMIT 1) - @look_seqs::bigint END)::bigint AS top
), pauses AS MATERIALIZED (
    SELECT l.topic
    FROM (
        SELECT DISTINCT ON (p.topic) p.id, p.topic, p.action
        FROM event_outbox_audit AS p
        WHERE p.action IN ('pause', 'resume')
        ORDER BY p.topic, p.id DESC
    ) AS l
    WHERE l.action = 'pause'
      AND l.id > coalesce((SELECT max(r.id) FROM event_outbox_audit AS r WHERE r.action IN ('pause', 'resume') AND r.action = 'resume' AND r.topic IS NULL), 0)
), stopped AS MATERIALIZED (
    SELECT coalesce(bool_or(pauses.topic IS NULL), false) AS all_topics,
           coalesce(array_agg(pauses.topic::text) FILTER (WHERE pauses.topic IS NOT NULL), '{}') AS topics
    FROM pauses
)
SELECT ((SELECT count(*) FROM (
            SELECT FROM event_outbox AS p WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint LIMIT @cap
        ) AS above)
       + (SELECT count(*) FROM (
            SELECT FROM event_outbox AS n WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > (SELECT newest.top FROM newest) LIMIT @cap
        ) AS later)
       + (SELECT count(*) FROM (
            SELECT FROM event_outbox AS w
            WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint LIMIT @cap
        ) AS below))::bigint AS pending,
       (SELECT count(*) FROM (
            SELECT FROM event_outbox AS h
            WHERE h.next_attempt_at IS NOT NULL AND h.dead_at IS NULL AND h.published_at IS NULL AND h.retry_count > 0 LIMIT @cap
        ) AS failed) AS held,
       (SELECT count(*) FROM (
            SELECT FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL LIMIT @cap
        ) AS over) AS dead,
       coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - least(
            (SELECT w.created_at FROM (
                SELECT * FROM event_outbox AS ew WHERE ew.next_attempt_at IS NOT NULL AND ew.dead_at IS NULL AND ew.published_at IS NULL AND ew.seq <= @low_water::bigint
                ORDER BY ew.seq LIMIT @cap
             ) AS w
             WHERE NOT (SELECT stopped.all_topics FROM stopped) AND coalesce(w.topic, regexp_replace(w.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', w.event_type) <> ALL((SELECT stopped.topics FROM stopped)::text[])
             ORDER BY w.seq LIMIT 1),
            (SELECT p.created_at FROM (
                SELECT * FROM event_outbox AS ep WHERE ep.published_at IS NULL AND ep.dead_at IS NULL AND ep.seq > @low_water::bigint AND ep.seq <= @up_to::bigint
                ORDER BY ep.seq LIMIT @cap
             ) AS p
             WHERE NOT (SELECT stopped.all_topics FROM stopped) AND coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type) <> ALL((SELECT stopped.topics FROM stopped)::text[])
             ORDER BY p.seq LIMIT 1),
            (SELECT n.created_at FROM (
                SELECT * FROM event_outbox AS en WHERE en.published_at IS NULL AND en.dead_at IS NULL AND en.seq > (SELECT newest.top FROM newest)
                ORDER BY en.seq LIMIT @cap
             ) AS n
             WHERE NOT (SELECT stopped.all_topics FROM stopped) AND coalesce(n.topic, regexp_replace(n.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', n.event_type) <> ALL((SELECT stopped.topics FROM stopped)::text[])
             ORDER BY n.seq LIMIT 1))) * 1000000)), 0)::bigint AS age_us,
       (CASE WHEN set_config('lock_timeout', '50ms', true) IS NOT NULL
             THEN coalesce(pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0) END)::bigint AS last_seq,
       (SELECT count(*) FROM (SELECT FROM event_outbox_delayed LIMIT @cap) AS waiting) AS delayed,
       coalesce((SELECT extract(epoch FROM d.deliver_at - clock_timestamp()) * 1000000
                 FROM event_outbox_delayed AS d
                 ORDER BY d.deliver_at
                 LIMIT 1), 0)::bigint AS delayed_in_us;

-- Sweep looks at one window of rows in the order of the index on tx, which is
-- nearly the order of age, and deletes those that were published before the
-- cutoff. edge is the first row behind the window; when that row is younger than
-- the cutoff, so is what follows, and the caller stops. Time chooses nothing to
-- scan: it only says which rows of the window go and when to stop. last_tx is the transaction
-- of the last row that it deleted, where the next statement begins if there are more.
-- name: Sweep :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), edge AS MATERIALIZED (
    SELECT e.tx, e.created_at < now() - make_interval(secs => @keep_seconds::float8) AS old
    FROM event_outbox AS e
    WHERE e.tx >= @from_tx::xid8
    ORDER BY e.tx
    OFFSET @window_rows LIMIT 1
), doomed AS MATERIALIZED (
    SELECT d.id, d.tx FROM event_outbox AS d
    WHERE d.tx >= @from_tx::xid8
      AND d.tx <= coalesce((SELECT edge.tx FROM edge), '18446744073709551615'::xid8)
      AND d.published_at < now() - make_interval(secs => @keep_seconds::float8)
    ORDER BY d.tx
    LIMIT @max_rows
), swept AS (
    DELETE FROM event_outbox AS o USING lease, doomed WHERE o.id = doomed.id RETURNING o.id
)
SELECT (SELECT count(*) FROM lease) AS leases,
       (SELECT count(*) FROM swept) AS swept,
       coalesce((SELECT doomed.tx FROM doomed ORDER BY doomed.tx DESC LIMIT 1), '0'::xid8)::xid8 AS last_tx,
       coalesce((SELECT edge.tx FROM edge), '0'::xid8)::xid8 AS edge_tx,
       coalesce((SELECT edge.old FROM edge), false)::boolean AS edge_old;

-- Rows from before an upgrade have no tx.
-- name: SweepWithoutTx :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), doomed AS MATERIALIZED (
    SELECT d.id FROM event_outbox AS d
    WHERE d.tx IS NULL AND d.published_at < now() - make_interval(secs => @keep_seconds::float8)
    LIMIT @max_rows
), swept AS (
    DELETE FROM event_outbox AS o USING lease, doomed WHERE o.id = doomed.id RETURNING o.id
)
SELECT (SELECT count(*) FROM lease) AS leases, (SELECT count(*) FROM swept) AS swept;
