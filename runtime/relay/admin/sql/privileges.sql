-- MayDecide reports whether the role of the session may replay and discard dead rows. Without the
-- tables it says yes: the statement that needs them has the error. Of a log they change the
-- copies of rows that failed.
-- name: MayDecide :one
SELECT coalesce(has_any_column_privilege(to_regclass('event_outbox_audit')::oid, 'INSERT')
    AND has_any_column_privilege(dead.relation, 'UPDATE')
    AND has_table_privilege(dead.relation, 'DELETE'), true)::boolean AS may
FROM (SELECT (CASE WHEN (SELECT c.relkind = 'p' FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass('event_outbox')::oid)
                   THEN to_regclass('event_outbox_failed') ELSE to_regclass('event_outbox') END)::oid AS relation) AS dead;
