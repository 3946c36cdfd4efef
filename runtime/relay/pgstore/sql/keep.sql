-- CountRows counts the pending rows up to up_to, and those above top, which are the newest
-- ones. It leaves out those between, because most rows above the low-water mark may be
-- published. Rows that cannot be published now are among the newest.
-- name: CountRows :one
SELECT ((SELECT count(*) FROM (
            SELECT FROM event_outbox AS p WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint LIMIT @cap
        ) AS above)
       + (SELECT count(*) FROM (
            SELECT FROM event_outbox AS n WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > @top::bigint LIMIT @cap
        ) AS newest)
       + (SELECT count(*) FROM (
            SELECT FROM event_outbox AS w
            WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint LIMIT @cap
        ) AS below))::bigint AS pending,
       (SELECT count(*) FROM event_outbox AS h
        WHERE h.next_attempt_at IS NOT NULL AND h.dead_at IS NULL AND h.published_at IS NULL AND h.retry_count > 0) AS held,
       (SELECT count(*) FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL) AS dead,
       coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - least(
            (SELECT w.created_at FROM event_outbox AS w
             WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint
             ORDER BY w.seq LIMIT 1),
            (SELECT p.created_at FROM event_outbox AS p
             WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint
             ORDER BY p.seq LIMIT 1),
            (SELECT n.created_at FROM event_outbox AS n
             WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > @top::bigint
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
