-- name: CountRows :one
SELECT (SELECT count(*) FROM (
            SELECT FROM event_outbox AS p WHERE p.published_at IS NULL AND p.dead_at IS NULL LIMIT @cap
        ) AS capped) AS pending,
       held.held, held.dead,
       coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - o.created_at) * 1000000)
                 FROM event_outbox AS o
                 WHERE o.published_at IS NULL AND o.dead_at IS NULL
                 ORDER BY o.seq
                 LIMIT 1), 0)::bigint AS age_us,
       coalesce(pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0)::bigint AS last_seq,
       (SELECT count(*) FROM (SELECT FROM event_outbox_delayed LIMIT @cap) AS waiting) AS delayed,
       coalesce((SELECT extract(epoch FROM d.deliver_at - clock_timestamp()) * 1000000
                 FROM event_outbox_delayed AS d
                 ORDER BY d.deliver_at
                 LIMIT 1), 0)::bigint AS delayed_in_us
FROM (
    SELECT count(*) FILTER (WHERE h.dead_at IS NULL AND h.retry_count > 0) AS held, count(*) FILTER (WHERE h.dead_at IS NOT NULL) AS dead
    FROM event_outbox AS h
    WHERE (h.next_attempt_at IS NOT NULL OR h.dead_at IS NOT NULL) AND h.published_at IS NULL
) AS held;

-- Sweep looks at one window of rows in the order of the index on tx, which is
-- nearly the order of age, and deletes those that were published before the
-- cutoff. edge is the first row behind the window; when that row is younger than
-- the cutoff, so is what follows, and the caller stops. Time chooses nothing to
-- scan: it only says which rows of the window go and when to stop.
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
    SELECT d.id FROM event_outbox AS d
    WHERE d.tx >= @from_tx::xid8
      AND d.tx <= coalesce((SELECT edge.tx FROM edge), '18446744073709551615'::xid8)
      AND d.published_at < now() - make_interval(secs => @keep_seconds::float8)
    LIMIT @max_rows
), swept AS (
    DELETE FROM event_outbox AS o USING lease, doomed WHERE o.id = doomed.id RETURNING o.id
)
SELECT (SELECT count(*) FROM lease) AS leases,
       (SELECT count(*) FROM swept) AS swept,
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
