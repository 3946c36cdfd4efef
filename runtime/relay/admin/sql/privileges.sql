-- MayDecide reports whether the role of the session may replay and discard dead rows. Without the
-- tables it says yes: the statement that needs them has the error.
-- name: MayDecide :one
SELECT coalesce(has_any_column_privilege(to_regclass('event_outbox_audit')::oid, 'INSERT')
    AND has_any_column_privilege(to_regclass('event_outbox')::oid, 'UPDATE')
    AND has_table_privilege(to_regclass('event_outbox')::oid, 'DELETE'), true)::boolean AS may;
