-- How waiting for inserts works
--
-- A writer T locks the table, gets its transaction id, draws its seq and commits, in
-- this order (tx stands before seq in the table). The store reads, one after the
-- other, each in a statement of its own:
--
--   1. where the sequence stands (SequenceStanding),
--   2. which transactions hold a lock on the table as writers do, or are prepared (Writers),
--   3. a snapshot, and whether it shows rows that the relay has not read (Unread).
--
-- If it shows none, a row that comes later belongs to a T that is still to commit
-- after 3. Either T drew its seq after 1: then the sequence stands elsewhere. Or it
-- drew it before 1: then it held its lock and its id at 2, and is one of those. So
-- nothing is to be read as long as the sequence stands where it stood and those of 2
-- that had not ended in 3 go on. Neither the sequence nor the state of a transaction
-- depends on a statement's own snapshot, so one statement can look again and again
-- (WaitForInserts).
--
-- The snapshot alone does not tell which transactions are open: one that began after
-- every transaction that has ended is not in it.

-- DescribeSequence also tells whether tx stands before seq in the table, and from how many milliseconds on the server logs a
-- statement as slow; 0: it does not.
-- name: DescribeSequence :one
SELECT pg_get_serial_sequence('event_outbox', 'seq')::regclass::oid AS sequence,
       to_regclass('event_outbox')::oid AS outbox,
       coalesce((SELECT t.attnum < s.attnum
                 FROM pg_catalog.pg_attribute AS t JOIN pg_catalog.pg_attribute AS s ON s.attrelid = t.attrelid
                 WHERE t.attrelid = to_regclass('event_outbox')::oid AND t.attname = 'tx' AND s.attname = 'seq'), false)::boolean AS tx_first,
       coalesce((SELECT min(s.setting::bigint) FROM pg_catalog.pg_settings AS s
                 WHERE s.name IN ('log_min_duration_statement', 'log_min_duration_sample', 'auto_explain.log_min_duration')
                   AND s.setting::bigint > 0), 0)::bigint AS slow_ms;

-- Reading a sequence locks it until the statement ends. So a look waits at most 50 ms
-- for the lock, and ends when another session waits for a lock on a sequence, for
-- example TRUNCATE … RESTART IDENTITY, with all inserts behind it.
-- name: SequenceStanding :one
SELECT CASE WHEN set_config('lock_timeout', '50ms', true) IS NOT NULL
            THEN coalesce(pg_sequence_last_value((@sequence::oid)::regclass), 0) END::bigint AS standing;

-- BlockedSequences are those that a session has locked or waits to lock, so that
-- they cannot be read.
-- name: BlockedSequences :many
SELECT DISTINCT l.relation::oid AS sequence
FROM pg_catalog.pg_locks AS l
WHERE l.locktype = 'relation' AND l.relation = ANY(@sequences::oid[])
  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database());

-- Writers are transaction ids without their epoch. PREPARE TRANSACTION passes the locks of
-- a transaction on one by one, so in between they have two owners, and are not found
-- together. It lists the transaction in pg_prepared_xacts before that. So prepared
-- transactions are all listed here, and read after the locks: UNION ALL runs its parts in
-- their order.
-- name: Writers :many
WITH held AS MATERIALIZED (
    SELECT l.locktype, l.mode, l.transactionid, l.virtualtransaction
    FROM pg_catalog.pg_locks AS l
    WHERE l.granted AND (l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock'
                         OR l.locktype = 'relation' AND l.relation = @outbox::oid AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
                            AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
)
SELECT DISTINCT (t.transactionid::text)::bigint AS id
FROM held AS t JOIN held AS r ON r.virtualtransaction = t.virtualtransaction
WHERE t.locktype = 'transactionid' AND r.locktype = 'relation'
UNION ALL
SELECT (p.transaction::text)::bigint FROM pg_catalog.pg_prepared_xacts AS p WHERE p.database = current_database();

-- Unread looks for rows that this statement sees and an earlier snapshot did not.
-- name: Unread :one
SELECT pg_current_snapshot()::text AS snapshot,
       (EXISTS (SELECT FROM event_outbox AS o WHERE o.tx >= @read_xmax::xid8 AND coalesce(o.published_at, o.dead_at) IS NULL)
        OR EXISTS (SELECT FROM event_outbox AS o WHERE o.tx = ANY(@read_open::xid8[]) AND coalesce(o.published_at, o.dead_at) IS NULL))::boolean AS unread;

-- WaitForInserts looks until one of the sequences has moved or one of the transactions
-- has ended. It pauses for step_seconds before each look, and begins none after
-- window_seconds by the clock, however long a look takes; if that clock is set back, it
-- ends after as many pauses as fill window_seconds. It answers with the
-- sequences' values and the transactions that have ended. A sequence that is gone
-- stands at -1.
-- name: WaitForInserts :one
WITH RECURSIVE there AS MATERIALIZED (
    SELECT s.id, s.value
    FROM (SELECT unnest(@sequences::oid[]) AS id, unnest(@known::bigint[]) AS value) AS s
    WHERE EXISTS (SELECT FROM pg_catalog.pg_sequence AS q WHERE q.seqrelid = s.id)
), look AS (
    SELECT 0 AS n, set_config('lock_timeout', '50ms', true) IS NULL
                   OR (SELECT count(*) FROM there) <> cardinality(@sequences::oid[]) AS moved
    UNION ALL
    SELECT look.n + 1,
           EXISTS (SELECT FROM there AS s
                   WHERE look.n >= 0 AND coalesce(pg_sequence_last_value(s.id::regclass), 0) <> s.value)
           OR EXISTS (SELECT FROM (SELECT unnest(@open_then::xid8[]) AS id) AS t
                      WHERE look.n >= 0 AND pg_xact_status(t.id) IS DISTINCT FROM 'in progress')
           OR look.n % 8 = 7 AND EXISTS (SELECT FROM pg_catalog.pg_locks AS l
                                         WHERE look.n >= 0 AND NOT l.granted AND l.relation = ANY(@sequences::oid[]))
    FROM look CROSS JOIN LATERAL (SELECT pg_sleep(CASE WHEN look.n >= 0 THEN @step_seconds::float8 END)) AS paused
    WHERE NOT look.moved AND look.n * @step_seconds::float8 < @window_seconds::float8
          AND clock_timestamp() < statement_timestamp() + make_interval(secs => @window_seconds::float8)
), looked AS MATERIALIZED (
    SELECT max(look.n) AS n, bool_or(look.moved) AS moved FROM look
)
SELECT looked.moved::boolean AS moved,
       ARRAY(SELECT CASE WHEN EXISTS (SELECT FROM there WHERE there.id = s.id) THEN coalesce(pg_sequence_last_value(s.id::regclass), 0) ELSE -1 END
             FROM unnest(@sequences::oid[]) WITH ORDINALITY AS s(id, place)
             WHERE looked.n >= 0 ORDER BY s.place)::bigint[] AS standing,
       ARRAY(SELECT t.id FROM (SELECT unnest(@open_then::xid8[]) AS id) AS t
             WHERE looked.n >= 0 AND pg_xact_status(t.id) IS DISTINCT FROM 'in progress')::xid8[] AS ended
FROM looked;
