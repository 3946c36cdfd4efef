-- Blockers lists what a statement of this session may have waited for: sessions and prepared
-- transactions that hold locks on the outbox's tables with which reading or changing rows
-- conflicts, or wait for an exclusive one, the oldest first. Sessions that only change rows
-- are left out: which of them holds a row cannot be seen in pg_locks. The session's pid is 0 for a prepared transaction.
-- Without pg_read_all_stats the time of other roles is unknown (-1).
-- name: Blockers :many
SELECT b.pid::integer AS pid, b.detail::text AS detail, b.table_name::text AS table_name, b.mode::text AS mode, b.granted::boolean AS granted,
       b.seconds::bigint AS seconds, b.query::text AS query
FROM (
    SELECT DISTINCT ON (coalesce(l.pid, 0), l.virtualtransaction) coalesce(l.pid, 0) AS pid,
           concat_ws(', ', a.usename, nullif(a.application_name, ''), a.state) AS detail,
           c.relname AS table_name, l.mode, l.granted, coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), -1) AS seconds,
           coalesce(a.query, '') AS query
    FROM pg_catalog.pg_locks AS l
    JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
      AND l.relation IN (to_regclass('event_outbox')::oid, to_regclass('event_outbox_delayed')::oid, to_regclass('event_outbox_audit')::oid, to_regclass('event_outbox_lease')::oid,
                         to_regclass('event_outbox_cursor')::oid, to_regclass('event_outbox_late')::oid, to_regclass('event_outbox_failed')::oid, to_regclass('event_outbox_tick')::oid,
                    to_regclass('event_outbox_deleted')::oid)
      AND l.pid IS DISTINCT FROM pg_backend_pid()
      AND (l.granted AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') OR NOT l.granted AND l.mode = 'AccessExclusiveLock')
    ORDER BY coalesce(l.pid, 0), l.virtualtransaction, (CASE WHEN l.mode = 'AccessExclusiveLock' THEN 0 ELSE 1 END), l.granted DESC
) AS b
WHERE b.seconds < 0 OR b.seconds >= @least_seconds::bigint
ORDER BY (CASE WHEN b.mode = 'AccessExclusiveLock' THEN 0 ELSE 1 END), b.granted DESC, b.seconds DESC
LIMIT 3;
