-- Leaves what only a log has, under other names: event_outbox_before_history has what became of
-- the events of event_outbox_before.
DO $$
DECLARE
    found record;
BEGIN
    ALTER VIEW event_outbox_history RENAME TO event_outbox_before_history;
    ALTER TABLE event_outbox_cursor RENAME TO event_outbox_before_cursor;
    ALTER TABLE event_outbox_late RENAME TO event_outbox_before_late;
    ALTER TABLE event_outbox_failed RENAME TO event_outbox_before_failed;
    ALTER TABLE event_outbox_tick RENAME TO event_outbox_before_tick;
    ALTER TABLE event_outbox_deleted RENAME TO event_outbox_before_deleted;
    FOR found IN
        SELECT i.indexrelid::regclass AS index, c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE c.relname LIKE '%event_outbox%' AND c.relname NOT LIKE '%event_outbox_before%'
          AND i.indrelid IN ('event_outbox_before_cursor'::regclass, 'event_outbox_before_late'::regclass, 'event_outbox_before_failed'::regclass,
                             'event_outbox_before_tick'::regclass, 'event_outbox_before_deleted'::regclass)
    LOOP
        EXECUTE format('ALTER INDEX %s RENAME TO %I', found.index, left(replace(found.relname, 'event_outbox', 'event_outbox_before'), 63));
    END LOOP;
    DROP FUNCTION event_outbox_renumber(text, bigint, uuid, bigint, bigint, bigint[], pg_snapshot);
    DROP FUNCTION event_outbox_drop_partition(date, interval);
    DROP FUNCTION event_outbox_make_partition(integer);
    DROP FUNCTION event_outbox_await_locks(regclass[], text[], regclass[]);
    DROP FUNCTION event_outbox_id_at(timestamptz);
END
$$
