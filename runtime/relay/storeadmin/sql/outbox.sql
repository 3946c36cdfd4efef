-- DescribeOutbox says what there is. If a move was interrupted before CopyForgotten
-- had looked at all rows of event_outbox_before up to the low-water mark, that is unsearched, and searched is how far it came.
-- name: DescribeOutbox :one
SELECT (c.relkind = 'p')::boolean AS is_log, pg_get_userbyid(c.relowner)::text AS owner, (pg_get_userbyid(c.relowner) <> current_user)::boolean AS owned_by_another,
       (to_regclass('event_outbox_cursor') IS NOT NULL)::boolean AS has_cursor,
       EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
               WHERE a.attrelid = to_regclass('event_outbox_lease')::oid AND a.attname = 'low_water' AND NOT a.attisdropped)::boolean AS marked,
       coalesce(substring(obj_description(to_regclass('event_outbox_before')::oid, 'pg_class') FROM '^not searched after seq ([0-9]+) up to seq [0-9]+$')::bigint, 0)::bigint AS searched,
       coalesce(substring(obj_description(to_regclass('event_outbox_before')::oid, 'pg_class') FROM '^not searched after seq [0-9]+ up to seq ([0-9]+)$')::bigint, 0)::bigint AS unsearched
FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass('event_outbox')::oid;

-- Schema is that of event_outbox, and whether the role may create tables there.
-- name: Schema :one
SELECT quote_ident(n.nspname)::text AS name, has_schema_privilege(current_user, n.oid, 'CREATE')::boolean AS may_create, quote_ident(current_user)::text AS role
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('event_outbox')::oid;

-- Obstacles lists what belongs to event_outbox and would not belong to the new one. A publication
-- of all tables, or of the schema, would have the new one, but its subscribers would not: their
-- replication would stop at the first change of it. A function that is not text (BEGIN ATOMIC), or
-- that has rows of event_outbox as parameters, would stay with the former table. Tables of a
-- publication are found by name, because to_regclass fails in a schema that the role may not use.
-- A constraint about columns that only a table has is of no use to a log. One that says what NOT NULL says is not
-- missed, nor the default NULL, which Postgres stores for varchar(n): NULL::character varying.
-- name: Obstacles :many
SELECT o.what::text AS what FROM (
    SELECT 'the trigger ' || t.tgname || CASE WHEN c.relname = 'event_outbox' THEN '' ELSE ' of ' || c.relname END AS what
    FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.oid IN (
        SELECT to_regclass(n.name)::oid FROM unnest(ARRAY['event_outbox', 'event_outbox_cursor', 'event_outbox_late', 'event_outbox_failed',
                                                          'event_outbox_tick', 'event_outbox_deleted']) AS n (name))
    UNION ALL
    SELECT 'the foreign key ' || k.conname FROM pg_catalog.pg_constraint AS k
    WHERE k.contype = 'f' AND (k.confrelid = to_regclass('event_outbox')::oid OR k.conrelid = to_regclass('event_outbox')::oid)
    UNION ALL
    SELECT 'the constraint ' || k.conname FROM pg_catalog.pg_constraint AS k
    WHERE k.contype IN ('c', 'x') AND k.conrelid = to_regclass('event_outbox')::oid AND k.conname !~ '^event_outbox_(tombstone|partition_check[0-9]*)$'
      AND coalesce(pg_get_expr(k.conbin, k.conrelid), '') !~ '^\((aggregate_id|aggregate_type|event_type|created_at|topic) IS NOT NULL\)$'
      AND NOT coalesce(k.conkey <@ ARRAY(SELECT a.attnum FROM pg_catalog.pg_attribute AS a
                                         WHERE a.attrelid = k.conrelid AND a.attname = ANY(ARRAY['published_at', 'retry_count', 'last_error', 'next_attempt_at', 'dead_at'])), false)
    UNION ALL
    SELECT 'the unique index ' || c.relname FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = to_regclass('event_outbox')::oid AND i.indisunique
      AND NOT (i.indnkeyatts = 1 AND i.indpred IS NULL
               AND i.indkey[0] = (SELECT a.attnum FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = i.indrelid AND a.attname = 'id'))
    UNION ALL
    SELECT DISTINCT CASE WHEN v.relkind = 'v' THEN 'the view ' || v.relname
                         WHEN v.relkind = 'm' THEN 'the materialized view ' || v.relname
                         ELSE 'the rule ' || r.rulename || ' of ' || v.relname END
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND v.relname <> 'event_outbox_history' AND v.oid <> d.refobjid
      AND d.refobjid IN (
        SELECT to_regclass(n.name)::oid FROM unnest(ARRAY['event_outbox', 'event_outbox_history', 'event_outbox_cursor', 'event_outbox_late',
                                                          'event_outbox_failed', 'event_outbox_tick', 'event_outbox_deleted']) AS n (name))
    UNION ALL
    SELECT DISTINCT 'the function ' || p.proname
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass('event_outbox')::oid
    WHERE d.classid = 'pg_proc'::regclass
      AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
           OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT t.oid FROM pg_catalog.pg_type AS t WHERE t.oid = c.reltype OR t.typelem = c.reltype))
    UNION ALL
    SELECT DISTINCT 'the policy ' || p.polname
    FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_policy AS p ON p.oid = d.objid
    WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass('event_outbox')::oid
    UNION ALL
    SELECT 'the rule ' || r.rulename FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = to_regclass('event_outbox')::oid
    UNION ALL
    SELECT 'row level security' FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass('event_outbox')::oid AND c.relrowsecurity
    UNION ALL
    SELECT DISTINCT 'the publication ' || p.pubname || CASE WHEN b.puballtables THEN ' of all tables' ELSE '' END
    FROM pg_catalog.pg_publication_tables AS p
    JOIN pg_catalog.pg_publication AS b ON b.pubname = p.pubname
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
    WHERE c.oid IN (
        SELECT to_regclass(n.name)::oid FROM unnest(ARRAY['event_outbox', 'event_outbox_cursor', 'event_outbox_late', 'event_outbox_failed',
                                                          'event_outbox_tick', 'event_outbox_deleted']) AS n (name)
        UNION ALL
        SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = to_regclass('event_outbox')::oid)
    UNION ALL
    SELECT CASE WHEN a.attname = ANY(ARRAY['aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key', 'topic', 'headers', 'partition'])
                THEN 'the default of the column ' ELSE 'the column ' END || a.attname
    FROM pg_catalog.pg_attribute AS a
    LEFT JOIN pg_catalog.pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
    WHERE a.attrelid = to_regclass('event_outbox')::oid AND a.attnum > 0 AND NOT a.attisdropped
      AND (a.attname <> ALL(ARRAY['id', 'aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key', 'created_at', 'published_at',
                                  'retry_count', 'last_error', 'tx', 'seq', 'topic', 'headers', 'next_attempt_at', 'dead_at', 'partition'])
           OR pg_get_expr(e.adbin, e.adrelid) !~ '^NULL(::|$)' AND a.attname = ANY(ARRAY['aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key', 'topic', 'headers', 'partition']))
) AS o
ORDER BY 1;

-- Nullable lists the columns in which the new event_outbox takes no null, and the former one does: an
-- upgraded table allows rows without a topic.
-- name: Nullable :many
SELECT a.attname::text AS name FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass('event_outbox')::oid AND NOT a.attisdropped AND NOT a.attnotnull
  AND a.attname = ANY(ARRAY['aggregate_id', 'aggregate_type', 'event_type', 'created_at', 'topic'])
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
                  WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND pg_get_expr(k.conbin, k.conrelid) = '(' || a.attname || ' IS NOT NULL)')
ORDER BY a.attnum;

-- TextTypes lists the types of the columns of text: those of an upgraded table may be longer than ours.
-- name: TextTypes :many
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod)::text AS type FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass('event_outbox')::oid AND NOT a.attisdropped
  AND a.attname = ANY(ARRAY['aggregate_id', 'aggregate_type', 'event_type', 'event_key', 'topic'])
  AND a.atttypid IN ('pg_catalog.varchar'::regtype, 'pg_catalog.text'::regtype);

-- Kept lists what is left of a former move, each before its partitions.
-- name: Kept :many
SELECT (quote_ident(n.nspname) || '.' || quote_ident(c.relname))::text AS name, (c.relkind = 'v')::boolean AS is_view, c.relispartition AS is_partition
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid IN (
    SELECT to_regclass(f.name)::oid FROM unnest(ARRAY['event_outbox_before', 'event_outbox_before_cursor', 'event_outbox_before_late', 'event_outbox_before_failed',
                                                      'event_outbox_before_tick', 'event_outbox_before_deleted', 'event_outbox_before_history']) AS f (name)
    UNION ALL
    SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = to_regclass('event_outbox_before')::oid)
ORDER BY c.relispartition, c.relkind = 'v', c.relname;

-- Lost lists what of event_outbox the new one does without, and no insert fails for it. The roles with
-- the given names get what they need.
-- name: Lost :many
SELECT o.what::text AS what FROM (
    SELECT 'the index ' || c.relname AS what FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = to_regclass('event_outbox')::oid AND NOT i.indisunique
      AND c.relname <> ALL(ARRAY['ix_event_outbox_seq', 'ix_event_outbox_aggregate', 'ix_event_outbox_tx', 'ix_event_outbox_waiting', 'ix_event_outbox_retried', 'ix_event_outbox_dead'])
    UNION ALL
    SELECT 'the storage parameter ' || p.parameter FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL unnest(c.reloptions) AS p (parameter)
    WHERE c.oid = to_regclass('event_outbox')::oid
      AND p.parameter <> ALL(ARRAY['autovacuum_vacuum_scale_factor=0.01', 'autovacuum_vacuum_threshold=1000', 'fillfactor=50'])
    UNION ALL
    SELECT 'the tablespace ' || s.spcname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_tablespace AS s ON s.oid = c.reltablespace
    WHERE c.oid = to_regclass('event_outbox')::oid
    UNION ALL
    SELECT 'the privileges ' || string_agg(DISTINCT g.privilege_type, ', ') || ' of ' || CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END
    FROM (
        SELECT a.grantee, a.privilege_type, c.relowner FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a WHERE c.oid = to_regclass('event_outbox')::oid
        UNION ALL
        SELECT a.grantee, a.privilege_type, c.relowner
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS t ON t.attrelid = c.oid CROSS JOIN LATERAL aclexplode(t.attacl) AS a
        WHERE c.oid = to_regclass('event_outbox')::oid AND NOT t.attisdropped
    ) AS g
    WHERE g.grantee <> g.relowner AND g.privilege_type NOT IN ('SELECT', 'INSERT') AND pg_get_userbyid(g.grantee)::text <> ALL(@roles::text[])
    GROUP BY g.grantee
) AS o
ORDER BY 1;

-- Holders lists the sessions and prepared transactions that hold locks on the tables that Migrate
-- locks: prepared transactions before sessions, and the oldest first. The pid of a prepared transaction is 0. Without pg_read_all_stats little
-- is known of other roles: the time is -1.
-- name: Holders :many
SELECT coalesce(l.pid, 0)::integer AS pid,
       coalesce(p.gid, '')::text AS gid,
       concat_ws(', ', a.usename, coalesce(nullif(a.application_name, ''), nullif(a.backend_type, 'client backend')), a.state)::text AS detail,
       string_agg(DISTINCT l.mode || ' on ' || c.relname, ', ')::text AS locks,
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(p.prepared, a.xact_start)), -1)::bigint AS seconds
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN (
    SELECT x.virtualtransaction, q.gid, q.prepared FROM pg_catalog.pg_locks AS x JOIN pg_catalog.pg_prepared_xacts AS q ON q.transaction = x.transactionid
    WHERE x.locktype = 'transactionid' AND x.pid IS NULL
) AS p ON l.pid IS NULL AND p.virtualtransaction = l.virtualtransaction
WHERE l.locktype = 'relation' AND l.granted AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
  AND l.relation IN (
      SELECT to_regclass(n.name)::oid FROM unnest(ARRAY['event_outbox', 'event_outbox_lease', 'event_outbox_audit', 'event_outbox_cursor', 'event_outbox_late',
                                                        'event_outbox_failed', 'event_outbox_tick', 'event_outbox_deleted']) AS n (name)
      UNION ALL
      SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = to_regclass('event_outbox')::oid)
  AND l.pid IS DISTINCT FROM pg_backend_pid()
GROUP BY l.pid, l.virtualtransaction, a.usename, a.application_name, a.backend_type, a.state, a.xact_start, p.gid, p.prepared
ORDER BY l.pid IS NOT NULL, coalesce(p.prepared, a.xact_start) NULLS LAST, l.pid
LIMIT 5;
