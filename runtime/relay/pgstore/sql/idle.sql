-- How waiting for inserts works
--
-- A row that a snapshot does not show was inserted by a transaction that was open
-- in it, or by one that drew its seq later. So nothing is to be read as long as
-- those transactions are open and the sequence stands where it stood before the
-- snapshot was taken: a transaction has its id before it draws a seq (tx stands
-- before seq in the table), so whoever drew one before the snapshot is in it.
-- Neither the sequence nor the state of a transaction depends on the statement's
-- own snapshot, so one statement can look again and again.

-- DescribeSequence also tells from how many milliseconds on the server logs a
-- statement as slow; 0: it does not.
-- name: DescribeSequence :one
SELECT pg_get_serial_sequence('event_outbox', 'seq')::regclass::oid AS sequence,
       to_regclass('event_outbox')::oid AS outbox,
       coalesce((SELECT min(s.setting::bigint) FROM pg_catalog.pg_settings AS s
                 WHERE s.name IN ('log_min_duration_statement', 'log_min_duration_sample', 'auto_explain.log_min_duration')
                   AND s.setting::bigint > 0), 0)::bigint AS slow_ms;

-- OpenWriters leaves, of the transactions that were open in a snapshot, those that
-- may insert or have inserted rows: they hold a lock on the table, or have ended
-- meanwhile. One that takes its lock later draws its seq later, too. Locks come
-- first: a transaction gives them up only after it has ended.
-- name: OpenWriters :many
WITH held AS MATERIALIZED (
    SELECT l.locktype, l.relation, l.transactionid, l.virtualtransaction
    FROM pg_catalog.pg_locks AS l
    WHERE l.granted AND (l.locktype = 'transactionid' OR l.locktype = 'relation' AND l.relation = @outbox::oid
                         AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
), writing AS MATERIALIZED (
    SELECT DISTINCT t.transactionid
    FROM held AS t JOIN held AS r ON r.virtualtransaction = t.virtualtransaction
    WHERE t.locktype = 'transactionid' AND r.locktype = 'relation'
), opened AS (
    SELECT unnest(@open_then::xid8[]) AS id
)
SELECT opened.id::xid8 AS id FROM opened
WHERE CASE WHEN EXISTS (SELECT FROM writing WHERE writing.transactionid = opened.id::xid) THEN true
           ELSE pg_xact_status(opened.id) IS DISTINCT FROM 'in progress' END;

-- WaitForInserts looks every step_seconds, at most looks times, until one of the
-- sequences has moved or one of the transactions has ended. It answers with the
-- sequences' values and the transactions that have ended.
-- name: WaitForInserts :one
WITH RECURSIVE look AS (
    SELECT 0 AS n, false AS moved
    UNION ALL
    SELECT look.n + 1,
           EXISTS (SELECT FROM (SELECT unnest(@sequences::oid[]) AS id, unnest(@known::bigint[]) AS value) AS s
                   WHERE look.n >= 0 AND coalesce(pg_sequence_last_value(s.id::regclass), 0) <> s.value)
           OR EXISTS (SELECT FROM (SELECT unnest(@open_then::xid8[]) AS id) AS t
                      WHERE look.n >= 0 AND pg_xact_status(t.id) IS DISTINCT FROM 'in progress')
    FROM look CROSS JOIN LATERAL (SELECT pg_sleep(CASE WHEN look.n >= 0 THEN @step_seconds::float8 END)) AS paused
    WHERE NOT look.moved AND look.n < @looks::integer
), looked AS MATERIALIZED (
    SELECT max(look.n) AS n, bool_or(look.moved) AS moved FROM look
)
SELECT looked.moved::boolean AS moved,
       ARRAY(SELECT coalesce(pg_sequence_last_value(s.id::regclass), 0)
             FROM unnest(@sequences::oid[]) WITH ORDINALITY AS s(id, place)
             WHERE looked.n >= 0 ORDER BY s.place)::bigint[] AS standing,
       ARRAY(SELECT t.id FROM (SELECT unnest(@open_then::xid8[]) AS id) AS t
             WHERE looked.n >= 0 AND pg_xact_status(t.id) IS DISTINCT FROM 'in progress')::xid8[] AS ended
FROM looked;
