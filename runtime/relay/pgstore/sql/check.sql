-- Names of relations come as values, so that they can be qualified; what follows
-- goes by oid.

-- name: DescribeServer :one
SELECT current_setting('server_version_num')::integer                        AS version,
       version()::text                                                       AS product,
       pg_is_in_recovery()::boolean                                          AS standby,
       current_setting('search_path')::text                                  AS search_path,
       current_user::text                                                    AS role_name,
       (SELECT s.reset_val FROM pg_catalog.pg_settings AS s WHERE s.name = 'synchronous_commit')::text AS synchronous_commit,
       current_setting('fsync')::text                                        AS fsync;

-- name: DescribeSchema :one
SELECT count(*) > 0 AS there, coalesce(bool_and(has_schema_privilege(n.oid, 'usage')), false)::boolean AS usable
FROM pg_catalog.pg_namespace AS n WHERE n.nspname = @name::text;

-- SchemasWith lists the schemas that have a table of this name, whether or not
-- the role may look into them.
-- name: SchemasWith :many
SELECT n.nspname::text AS name, has_schema_privilege(n.oid, 'usage')::boolean AS usable
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = @relation::text AND c.relkind IN ('r', 'p')
ORDER BY 1 LIMIT 10;

-- name: FindTables :one
SELECT coalesce(to_regclass(@outbox::text)::oid, 0)::oid AS outbox,
       coalesce(to_regclass(@lease::text)::oid, 0)::oid  AS lease,
       coalesce(to_regclass(@audit::text)::oid, 0)::oid  AS audit,
       coalesce(to_regclass(@delayed::text)::oid, 0)::oid AS delayed;

-- name: FindLogTables :one
SELECT coalesce(to_regclass(@other::text)::oid, 0)::oid AS other,
       coalesce(to_regclass(@cursor::text)::oid, 0)::oid AS cursor,
       coalesce(to_regclass(@late::text)::oid, 0)::oid AS late,
       coalesce(to_regclass(@failed::text)::oid, 0)::oid AS failed,
       coalesce(to_regclass(@tick::text)::oid, 0)::oid AS tick,
       coalesce(to_regclass(@deleted::text)::oid, 0)::oid AS deleted,
       coalesce(to_regclass(@history::text)::oid, 0)::oid AS history;

-- UncallableFunctions lists which of the functions are missing, or may not be called.
-- name: UncallableFunctions :many
SELECT f.signature::text AS signature, (to_regprocedure(f.signature) IS NOT NULL)::boolean AS there
FROM (SELECT unnest(@signatures::text[]) AS signature) AS f
WHERE to_regprocedure(f.signature) IS NULL OR NOT has_function_privilege(to_regprocedure(f.signature), 'execute');

-- FunctionsOfAnotherSchema lists the functions that work on the tables of another schema than
-- their own: their text has the name of the schema, which ALTER SCHEMA ... RENAME does not change.
-- The name of the table is in two parts, because the store qualifies each whole one.
-- name: FunctionsOfAnotherSchema :many
SELECT f.signature::text AS signature
FROM (SELECT unnest(@signatures::text[]) AS signature) AS f
JOIN pg_catalog.pg_proc AS p ON p.oid = to_regprocedure(f.signature)::oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE position(quote_literal(quote_ident(n.nspname) || '.event' || '_outbox') IN p.prosrc) = 0;

-- OwnerOfFunction says whether a function that runs with the rights of its owner may call pg_control_system,
-- and the function helper.
-- name: OwnerOfFunction :one
SELECT pg_get_userbyid(p.proowner)::text AS owner, has_function_privilege(p.proowner, 'pg_control_system()', 'execute')::boolean AS may_read_system,
       (to_regprocedure(@helper::text) IS NOT NULL)::boolean AS helper_there,
       coalesce(has_function_privilege(p.proowner, to_regprocedure(@helper::text), 'execute'), false)::boolean AS may_call_helper
FROM pg_catalog.pg_proc AS p WHERE p.oid = to_regprocedure(@signature::text);

-- The functions' arguments differ between versions of Postgres. Only a log needs pg_control_system.
-- name: ForbiddenFunctions :many
SELECT p.oid::regprocedure::text AS signature
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND NOT has_function_privilege(p.oid, 'execute')
  AND (@of_log::boolean AND p.proname = 'pg_control_system' OR p.proname IN (
      'pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn', 'pg_logical_emit_message',
      'pg_current_snapshot', 'pg_visible_in_snapshot', 'pg_snapshot_xmin', 'pg_sequence_last_value',
      'pg_snapshot_xmax', 'pg_xact_status', 'pg_sleep', 'pg_notify', 'pg_terminate_backend', 'pg_postmaster_start_time'))
ORDER BY 1;

-- DescribeTable also lists the rules and the triggers that can keep a change of
-- these kinds from being made. In tgtype, 3 is BEFORE with FOR EACH ROW.
-- name: DescribeTable :one
SELECT c.relkind::text AS kind, c.relpersistence::text AS persistence,
       row_security_active(c.oid)::boolean AS row_security,
       (c.relforcerowsecurity AND pg_has_role(c.relowner, 'usage'))::boolean AS row_security_forced,
       ARRAY(SELECT r.rulename::text FROM pg_catalog.pg_rewrite AS r
             WHERE r.ev_class = c.oid AND r.ev_enabled <> 'D'
               AND r.ev_type IN (
                   CASE WHEN @updates::boolean THEN '2' ELSE '-' END, CASE WHEN @inserts::boolean THEN '3' ELSE '-' END,
                   CASE WHEN @deletes::boolean THEN '4' ELSE '-' END)
             ORDER BY 1)::text[] AS rules,
       ARRAY(SELECT t.tgname::text FROM pg_catalog.pg_trigger AS t
             WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 3 = 3
               AND t.tgtype & (CASE WHEN @updates::boolean THEN 16 ELSE 0 END + CASE WHEN @inserts::boolean THEN 4 ELSE 0 END
                   + CASE WHEN @deletes::boolean THEN 8 ELSE 0 END) <> 0
             ORDER BY 1)::text[] AS triggers
FROM pg_catalog.pg_class AS c WHERE c.oid = @relation::oid;

-- An empty column means the table as a whole.
-- name: MissingPrivileges :many
SELECT wanted.relation::oid AS relation, wanted.column_name::text AS column_name, wanted.privilege::text AS privilege
FROM (
    SELECT unnest(@relations::oid[]) AS relation, unnest(@columns::text[]) AS column_name, unnest(@privileges::text[]) AS privilege
) AS wanted
WHERE NOT CASE WHEN wanted.column_name = '' THEN has_table_privilege(wanted.relation, wanted.privilege)
               ELSE has_column_privilege(wanted.relation, wanted.column_name, wanted.privilege) END;

-- name: DescribeColumns :many
SELECT a.attname::text AS name, format_type(a.atttypid, NULL)::text AS type, a.attidentity::text AS identity,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '')::text AS default_expression
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = @relation::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: DescribeIndexes :many
SELECT c.relname::text AS name, a.attname::text AS leading_column, i.indisvalid::boolean AS valid,
       coalesce(pg_get_expr(i.indpred, i.indrelid), '')::text AS predicate,
       i.indisprimary::boolean AS is_primary, (i.indisunique OR i.indisexclusion)::boolean AS is_unique,
       ARRAY(SELECT k.attname::text FROM pg_catalog.pg_attribute AS k
             WHERE k.attrelid = i.indexrelid AND k.attnum <= i.indnkeyatts ORDER BY k.attnum)::text[] AS key_columns,
       coalesce((SELECT con.conname FROM pg_catalog.pg_constraint AS con
                 WHERE con.conindid = i.indexrelid AND con.conrelid = i.indrelid AND con.contype IN ('u', 'x')), '')::text AS constraint_name,
       pg_get_indexdef(i.indexrelid)::text AS definition
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indexrelid AND a.attnum = 1
WHERE i.indrelid = @relation::oid
ORDER BY c.relname;

-- name: DescribeIdentity :one
SELECT (SELECT c.relname FROM pg_catalog.pg_class AS c WHERE c.oid = s.seqrelid)::text AS sequence_name, s.seqcache AS cache, s.seqcycle AS cycles, s.seqincrement AS increment,
       has_sequence_privilege(s.seqrelid, 'select,usage')::boolean AS may_see,
       CASE WHEN has_sequence_privilege(s.seqrelid, 'select,usage')
            THEN coalesce(pg_sequence_last_value(s.seqrelid), 0) ELSE 0 END::bigint AS last_value
FROM pg_catalog.pg_sequence AS s
JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.refobjid = @relation::oid AND a.attname = 'seq';

-- HighestSeq is for a table with an index on seq.
-- name: HighestSeq :one
SELECT coalesce(max(o.seq), 0)::bigint AS highest FROM event_outbox AS o;

-- HighestSeqByTx is for a table whose indexes on seq do not have every row. It looks only
-- where an index helps: at unsettled rows, dead rows, and the latest transactions.
-- name: HighestSeqByTx :one
SELECT coalesce(greatest(
    (SELECT o.seq FROM event_outbox AS o WHERE o.published_at IS NULL AND o.dead_at IS NULL ORDER BY o.seq DESC LIMIT 1),
    (SELECT o.seq FROM event_outbox AS o
     WHERE (o.next_attempt_at IS NOT NULL OR o.dead_at IS NOT NULL) AND o.published_at IS NULL
     ORDER BY o.seq DESC LIMIT 1),
    (SELECT max(recent.seq) FROM (
        SELECT o.seq FROM event_outbox AS o WHERE o.tx IS NOT NULL ORDER BY o.tx DESC LIMIT 1000) AS recent)
), 0)::bigint AS highest;

-- TryLease inserts and updates a lease row with an unused name, in a transaction
-- that is rolled back.
-- name: TryLeaseInsert :execrows
INSERT INTO event_outbox_lease (name) VALUES (@name) ON CONFLICT (name) DO NOTHING;

-- name: TryLeaseUpdate :execrows
UPDATE event_outbox_lease SET beat = beat + 1 WHERE name = @name;

-- name: OutboxSchemas :many
SELECT n.nspname::text AS schema_name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = 'event_' || 'outbox' AND c.relkind IN ('r', 'p') AND n.nspname LIKE @pattern::text
  AND has_schema_privilege(n.oid, 'usage')
ORDER BY n.nspname;

-- TryFunctions calls the functions that read transactions. (3 is the first id of all,
-- and has long ended.)
-- name: TryFunctions :one
SELECT pg_visible_in_snapshot('3'::xid8, pg_current_snapshot())::boolean AS visible,
       pg_snapshot_xmin(pg_current_snapshot())::xid8 AS xmin, pg_snapshot_xmax(pg_current_snapshot())::xid8 AS xmax,
       coalesce(pg_xact_status('3'::xid8), '')::text AS status, (pg_sleep(0) IS NULL)::boolean AS slept;
