-- Server describes what the sessions of relays share with others. A limit of -1 is none.
-- name: Server :one
SELECT clock_timestamp()::timestamptz AS now, session_user::text AS login, current_database()::text AS database_name, current_setting('server_version_num')::integer AS version,
       current_setting('max_connections')::integer AS max_connections,
       current_setting('superuser_reserved_connections')::integer + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::integer AS reserved,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.datid IS NOT NULL)::integer AS used,
       coalesce((SELECT r.rolconnlimit FROM pg_catalog.pg_roles AS r WHERE r.rolname = session_user), -1)::integer AS role_limit,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.usename = session_user)::integer AS role_used,
       coalesce((SELECT d.datconnlimit FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()), -1)::integer AS database_limit,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.datname = current_database())::integer AS database_used,
       (current_setting('autovacuum') = 'on')::boolean AS autovacuum,
       pg_has_role('pg_read_all_stats', 'USAGE')::boolean AS sees_others,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datname = current_database() AND a.application_name = 'outboxrelay')::integer AS relay_sessions;

-- HoldingBack lists what keeps vacuum from removing rows: transactions of this database that
-- are open for long, prepared ones, replication slots, and standbys that send feedback
-- without a slot. What vacuum has open does not count, and a transaction of another database
-- holds back only what is shared. Without pg_read_all_stats the times of other roles are
-- unknown (0), and their transaction ids are not. query is the statement that runs, or the
-- last one.
-- name: HoldingBack :many
SELECT h.kind::text AS kind, h.name::text AS name, h.detail::text AS detail, h.transactions::bigint AS transactions, h.seconds::bigint AS seconds,
       h.runs::boolean AS runs, h.query::text AS query
FROM (
    SELECT 'transaction' AS kind, a.pid::text AS name, 
           concat_ws(', ', a.usename, nullif(a.application_name, ''), a.state) AS detail,
           coalesce(a.state = 'active', false) AS runs, coalesce(a.query, '') AS query,
           coalesce(greatest(age(a.backend_xmin), age(a.backend_xid)), 0) AS transactions,
           coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0) AS seconds
    FROM pg_catalog.pg_stat_activity AS a
    WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.pid <> pg_backend_pid()
      AND a.datname = current_database() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum AS v WHERE v.pid = a.pid)
    UNION ALL
    SELECT 'standby', a.pid::text, concat_ws(', ', a.usename, nullif(a.application_name, '')), false, '', age(a.backend_xmin), 0
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.backend_xmin IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_stat_replication AS r WHERE r.pid = a.pid)
    UNION ALL
    SELECT 'slot', s.slot_name, concat_ws(', ', s.slot_type, CASE WHEN s.active THEN 'active' ELSE 'not active' END), false, '',
           coalesce(age(s.xmin), 0), 0
    FROM pg_catalog.pg_replication_slots AS s
    WHERE s.xmin IS NOT NULL
    UNION ALL
    SELECT 'prepared', p.gid, p.owner, false, '', age(p.transaction), extract(epoch FROM clock_timestamp() - p.prepared)
    FROM pg_catalog.pg_prepared_xacts AS p WHERE p.database = current_database()
) AS h
WHERE h.transactions >= @transactions::bigint OR h.seconds >= @seconds::bigint
ORDER BY h.seconds DESC, h.transactions DESC
LIMIT 10;

-- RetainedWAL lists the replication slots for which the server keeps much WAL.
-- name: RetainedWAL :many
SELECT s.slot_name::text AS slot, coalesce(s.active, false)::boolean AS active, kept.bytes::bigint AS bytes
FROM pg_catalog.pg_replication_slots AS s
CROSS JOIN LATERAL (
    SELECT pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, s.restart_lsn) AS bytes
) AS kept
WHERE kept.bytes >= @least::bigint
ORDER BY kept.bytes DESC
LIMIT 10;

-- Connectors lists the logical replication slots whose consumer publishes event_outbox, or may
-- do so. publishes: a publication with the name of the slot has the inserts of the table only, as
-- docs/debezium.md creates it for what outboxgen export debezium configures; a copy of the
-- database needs the updates too, and one FOR ALL TABLES is not for the outbox. Otherwise Debezium
-- reads the slot, and a publication of the same name has the table, or there is none of that name
-- and any has it. A publication may list the partitions of a log instead of it. lost: the server has removed WAL that the consumer has not read.
-- name: Connectors :many
SELECT s.slot_name::text AS slot, coalesce(s.active, false)::boolean AS active, coalesce(s.active_pid, 0)::integer AS pid,
       coalesce(a.application_name, '')::text AS application,
       coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, s.restart_lsn), 0)::bigint AS bytes,
       coalesce(s.wal_status = 'lost', false)::boolean AS lost, read.publishes
FROM pg_catalog.pg_replication_slots AS s
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = s.active_pid
CROSS JOIN LATERAL (
    SELECT count(*) AS publications, coalesce(bool_or(p.pubname = s.slot_name AND NOT p.pubupdate AND NOT p.puballtables), false)::boolean AS publishes
    FROM pg_catalog.pg_publication AS p
    JOIN pg_catalog.pg_publication_tables AS t ON t.pubname = p.pubname
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schemaname
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.tablename
    WHERE p.pubinsert
      AND (c.oid = to_regclass('event_outbox')::oid
           OR EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid AND i.inhparent = to_regclass('event_outbox')::oid))
      AND (p.pubname = s.slot_name AND NOT p.pubupdate AND NOT p.puballtables
           OR a.application_name ILIKE 'debezium%'
              AND (p.pubname = s.slot_name OR NOT EXISTS (SELECT FROM pg_catalog.pg_publication AS named WHERE named.pubname = s.slot_name)))
) AS read
WHERE read.publications > 0 AND s.slot_type = 'logical' AND s.database = current_database() AND NOT s.temporary
ORDER BY s.slot_name
LIMIT 10;

-- LeafPublications lists the publications that send the changes of a log under the names of its
-- partitions. They list the partitions instead of the log, also if they are for all tables or
-- for a schema.
-- name: LeafPublications :many
SELECT DISTINCT p.pubname::text AS name
FROM pg_catalog.pg_publication AS p
JOIN pg_catalog.pg_publication_tables AS t ON t.pubname = p.pubname
JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schemaname
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.tablename
JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid
WHERE i.inhparent = to_regclass('event_outbox')::oid AND NOT p.pubviaroot
ORDER BY 1;

-- name: TableHealth :many
SELECT c.relname::text AS name, pg_total_relation_size(c.oid)::bigint AS bytes,
       coalesce(s.n_live_tup, 0)::bigint AS live, coalesce(s.n_dead_tup, 0)::bigint AS dead,
       coalesce(extract(epoch FROM clock_timestamp() - greatest(s.last_autovacuum, s.last_vacuum)), -1)::bigint AS vacuumed_ago,
       ('autovacuum_enabled=false' = ANY(coalesce(c.reloptions, '{}')) OR 'autovacuum_enabled=off' = ANY(coalesce(c.reloptions, '{}')))::boolean AS never_vacuumed
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.pg_stat_user_tables AS s ON s.relid = c.oid
WHERE c.oid IN (to_regclass('event_outbox')::oid, to_regclass('event_outbox_delayed')::oid, to_regclass('event_outbox_audit')::oid, to_regclass('event_outbox_lease')::oid)
ORDER BY 1;

-- InvalidIndexes lists indexes that no statement can use, such as those that a failed CREATE
-- INDEX CONCURRENTLY left behind, and not those that are being built. Which index another
-- role builds is known only with pg_read_all_stats; otherwise it may be any.
-- name: InvalidIndexes :many
SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS table_name
FROM pg_catalog.pg_index AS i
WHERE NOT i.indisvalid
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS p
                  WHERE p.datname = current_database() AND coalesce(p.index_relid, i.indexrelid) = i.indexrelid)
  AND i.indrelid IN (to_regclass('event_outbox')::oid, to_regclass('event_outbox_delayed')::oid, to_regclass('event_outbox_audit')::oid, to_regclass('event_outbox_lease')::oid,
                      to_regclass('event_outbox_cursor')::oid, to_regclass('event_outbox_late')::oid, to_regclass('event_outbox_failed')::oid, to_regclass('event_outbox_tick')::oid,
                    to_regclass('event_outbox_deleted')::oid)
ORDER BY 1;

-- TakesPauses reports whether event_outbox_audit accepts pauses, and has the indexes that
-- came with them.
-- name: TakesPauses :one
SELECT (NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c
                    WHERE c.conrelid = to_regclass('event_outbox_audit')::oid AND c.contype = 'c'
                      AND pg_get_constraintdef(c.oid) LIKE '%send-now%' AND pg_get_constraintdef(c.oid) NOT LIKE '%pause%'))::boolean AS takes,
       coalesce((SELECT bool_or(pg_get_expr(i.indpred, i.indrelid) LIKE '%pause%') AND bool_or(pg_get_expr(i.indpred, i.indrelid) = '(applied_at IS NULL)')
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = to_regclass('event_outbox_audit')::oid AND i.indisvalid AND i.indpred IS NOT NULL), false)::boolean AS indexed;

-- UsedTopics lists the topics of the first rows that wait, of the first dead ones and delayed
-- events, and of the latest published rows, with the largest row of each that is not
-- published: about its size in Kafka. Only of the ten rows of a topic that take most space,
-- compressed, are the data read.
-- name: UsedTopics :many
WITH seen AS MATERIALIZED (
    (SELECT coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type) AS topic, p.event_type, p.id, true AS waits, false AS delayed,
            coalesce(pg_column_size(p.event_data), 0) + coalesce(pg_column_size(p.headers), 0) AS stored
     FROM (
        (SELECT w.seq, w.id, w.topic, w.event_type, w.event_data, w.headers FROM event_outbox AS w
         WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint
         ORDER BY w.seq LIMIT @max_rows)
        UNION ALL
        (SELECT a.seq, a.id, a.topic, a.event_type, a.event_data, a.headers FROM event_outbox AS a
         WHERE a.published_at IS NULL AND a.dead_at IS NULL AND a.seq > @low_water::bigint AND a.seq <= @up_to::bigint
         ORDER BY a.seq LIMIT @max_rows)
        UNION ALL
        (SELECT n.seq, n.id, n.topic, n.event_type, n.event_data, n.headers FROM event_outbox AS n
         WHERE n.published_at IS NULL AND n.dead_at IS NULL AND n.seq > @top::bigint
         ORDER BY n.seq LIMIT @max_rows)
     ) AS p ORDER BY p.seq LIMIT @max_rows)
    UNION ALL
    (SELECT coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type), p.event_type, p.id, true, false, coalesce(pg_column_size(p.event_data), 0) + coalesce(pg_column_size(p.headers), 0)
     FROM event_outbox AS p WHERE p.published_at IS NULL AND p.dead_at IS NOT NULL ORDER BY p.seq LIMIT @max_rows)
    UNION ALL
    (SELECT d.topic, d.event_type, d.id, true, true, coalesce(pg_column_size(d.event_data), 0) + coalesce(pg_column_size(d.headers), 0)
     FROM event_outbox_delayed AS d ORDER BY d.deliver_at LIMIT @max_rows)
    UNION ALL
    (SELECT r.topic, r.event_type, r.id, false, false, 0 FROM (
        SELECT coalesce(p.topic, regexp_replace(p.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', p.event_type) AS topic, p.event_type, p.id, p.published_at FROM event_outbox AS p WHERE p.tx IS NOT NULL ORDER BY p.tx DESC LIMIT 1000
     ) AS r WHERE r.published_at IS NOT NULL)
), large AS MATERIALIZED (
    SELECT o.topic, o.id, o.delayed
    FROM (SELECT s.*, row_number() OVER (PARTITION BY s.topic ORDER BY s.stored DESC) AS place FROM seen AS s WHERE s.waits) AS o
    WHERE o.place <= 10
), sizes AS MATERIALIZED (
    SELECT l.topic, l.id, coalesce(octet_length(e.event_data::text), 0) + coalesce(octet_length(e.headers::text), 0) + coalesce(octet_length(e.event_key), 0) + 200 AS bytes
    FROM large AS l
    CROSS JOIN LATERAL (
        SELECT o.event_data, o.headers, o.event_key FROM event_outbox AS o WHERE o.id = l.id AND NOT l.delayed
        UNION ALL
        SELECT d.event_data, d.headers, d.event_key FROM event_outbox_delayed AS d WHERE d.id = l.id AND l.delayed
    ) AS e
)
SELECT u.topic::text AS topic, min(u.event_type)::text AS event_type, count(*) FILTER (WHERE u.waits)::bigint AS waiting,
       coalesce((SELECT max(m.bytes) FROM sizes AS m WHERE m.topic = u.topic), 0)::bigint AS largest,
       coalesce((SELECT m.id::text FROM sizes AS m WHERE m.topic = u.topic ORDER BY m.bytes DESC LIMIT 1), '')::text AS largest_id
FROM seen AS u
GROUP BY u.topic
ORDER BY u.topic
LIMIT 1000;

-- OtherPublishers lists sessions that are not of a relay and whose last statement changes
-- event_outbox as a relay does, or locks rows to do so. A statement that names another schema is
-- about another outbox. The text of other roles' statements
-- needs pg_read_all_stats.
-- name: OtherPublishers :many
SELECT a.pid, coalesce(a.usename::text, '')::text AS role_name, coalesce(a.application_name, '')::text AS application,
       coalesce(host(a.client_addr), 'local')::text AS address,
       a.query::text AS query
FROM pg_catalog.pg_stat_activity AS a
CROSS JOIN (SELECT coalesce((SELECT n.nspname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                             WHERE c.oid = to_regclass('event_outbox')::oid), '')::text AS schema) AS own
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND coalesce(a.application_name, '') NOT LIKE 'outboxrelay%'
  AND (a.query ~* '\m(update|delete\s+from)\s+(only\s+)?("[^"]+"\.|\w+\.)?"?event_outbox"?\M' AND a.query ~* '(published_at|retry_count|delete)'
       OR a.query ~* '\mfrom\s+(only\s+)?("[^"]+"\.|\w+\.)?"?event_outbox"?\M.*\mpublished_at\s+is\s+null\M.*\mfor\s+(no\s+key\s+)?update\M')
  AND coalesce(lower(trim(BOTH '"' FROM substring(a.query FROM '("[^"]+"|\w+)\."?[eE][vV][eE][nN][tT]_[oO][uU][tT][bB][oO][xX]\M'))), lower(own.schema)) = lower(own.schema)
ORDER BY a.pid LIMIT 10;

-- PublishedLately tells how long ago one of the latest rows was marked as published;
-- negative: none of them is.
-- name: PublishedLately :one
SELECT coalesce(extract(epoch FROM clock_timestamp() - max(r.published_at)), -1)::bigint AS seconds
FROM (SELECT p.published_at FROM event_outbox AS p WHERE p.tx IS NOT NULL ORDER BY p.tx DESC LIMIT 1000) AS r;
