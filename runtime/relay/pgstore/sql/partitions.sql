-- The partitions of a log: see log.up.sql of package migrations, which has the functions.

-- MakePartition and DropPartition wait for locks as long as lock_wait says: see attempts in
-- lockwait.go. locked says whether they asked for locks, and nobody else had them, unless the
-- outcome is locked.
-- name: MakePartition :one
SELECT (CASE WHEN set_config('outbox.lock_wait', @lock_wait::text, true) IS NOT NULL
             THEN event_outbox_make_partition(@ahead::integer) END)::text AS outcome,
       (current_setting('outbox.asked', true) IS NOT DISTINCT FROM 'yes')::boolean AS locked,
       to_char((now() AT TIME ZONE 'UTC')::date + @ahead::integer, 'YYYYMMDD')::text AS day;

-- OldPartitions lists the days whose partitions ended longer ago than a time, the oldest first.
-- name: OldPartitions :many
SELECT right(c.relname, 8)::text AS day
FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'event_outbox'::regclass AND c.relname ~ '^event_outbox_d[0-9]{8}$'
  AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' <= now() - make_interval(secs => @keep_seconds::float8)
ORDER BY 1;

-- name: DropPartition :one
SELECT (CASE WHEN set_config('outbox.lock_wait', @lock_wait::text, true) IS NOT NULL
             THEN event_outbox_drop_partition(to_date(@day::text, 'YYYYMMDD'), make_interval(secs => @keep_seconds::float8)) END)::text AS outcome,
       (current_setting('outbox.asked', true) IS NOT DISTINCT FROM 'yes')::boolean AS locked;
