-- name: DescribeServer :one
SELECT current_setting('server_version_num')::integer                        AS version,
       pg_is_in_recovery()::boolean                                          AS standby,
       coalesce(current_schema(), '')::text                                  AS schema_name,
       current_setting('search_path')::text                                  AS search_path,
       session_user::text                                                    AS role_name,
       coalesce(to_regclass('event_outbox')::oid, 0)::oid                 AS outbox,
       coalesce(to_regclass('event_outbox_lease')::oid, 0)::oid           AS lease,
       coalesce(to_regclass('event_outbox_audit')::oid, 0)::oid           AS audit,
       (SELECT s.reset_val FROM pg_catalog.pg_settings AS s WHERE s.name = 'synchronous_commit')::text AS synchronous_commit,
       current_setting('fsync')::text                                        AS fsync;

-- The functions' arguments differ between versions of Postgres.
-- name: ForbiddenFunctions :many
SELECT p.oid::regprocedure::text AS signature
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND NOT has_function_privilege(p.oid, 'execute')
  AND p.proname IN ('pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn', 'pg_logical_emit_message')
ORDER BY 1;

-- name: DescribeTable :one
SELECT c.relkind::text AS kind, c.relpersistence::text AS persistence, row_security_active(c.oid)::boolean AS row_security
FROM pg_catalog.pg_class AS c WHERE c.oid = @relation::oid;

-- name: MissingPrivileges :many
SELECT wanted.relation::text AS relation, wanted.privilege::text AS privilege
FROM (
    SELECT unnest(@relations::text[]) AS relation, unnest(@privileges::text[]) AS privilege
) AS wanted
WHERE NOT has_table_privilege(wanted.relation, wanted.privilege);

-- name: DescribeColumns :many
SELECT a.attname::text AS name, format_type(a.atttypid, NULL)::text AS type, a.attidentity::text AS identity,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '')::text AS default_expression
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = @relation::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: DescribeIndexes :many
SELECT c.relname::text AS name, a.attname::text AS leading_column, i.indisvalid::boolean AS valid,
       coalesce(pg_get_expr(i.indpred, i.indrelid), '')::text AS predicate
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indexrelid AND a.attnum = 1
WHERE i.indrelid = @relation::oid
ORDER BY c.relname;

-- name: DescribeIdentity :one
SELECT s.seqrelid::regclass::text AS sequence_name, s.seqcache AS cache, s.seqcycle AS cycles, s.seqincrement AS increment,
       has_sequence_privilege(s.seqrelid, 'select,usage')::boolean AS may_see,
       CASE WHEN has_sequence_privilege(s.seqrelid, 'select,usage')
            THEN coalesce(pg_sequence_last_value(s.seqrelid), 0) ELSE 0 END::bigint AS last_value
FROM pg_catalog.pg_sequence AS s
WHERE s.seqrelid = pg_get_serial_sequence('event_outbox', 'seq')::regclass;

-- HighestSeq looks where an index leads: among the rows that are not settled, the
-- dead ones, and the latest transactions. An index over every seq would cost
-- each insert and settle more than this check is worth.
-- name: HighestSeq :one
SELECT coalesce(greatest(
    (SELECT o.seq FROM event_outbox AS o WHERE o.published_at IS NULL AND o.dead_at IS NULL ORDER BY o.seq DESC LIMIT 1),
    (SELECT o.seq FROM event_outbox AS o
     WHERE (o.next_attempt_at IS NOT NULL OR o.dead_at IS NOT NULL) AND o.published_at IS NULL
     ORDER BY o.seq DESC LIMIT 1),
    (SELECT max(recent.seq) FROM (
        SELECT o.seq FROM event_outbox AS o WHERE o.tx IS NOT NULL ORDER BY o.tx DESC LIMIT 1000) AS recent)
), 0)::bigint AS highest;
