-- Makes room for the new event_outbox.
DO $$
DECLARE
    found record;
BEGIN
    ALTER TABLE event_outbox RENAME TO event_outbox_before;
    FOR found IN
        SELECT i.indexrelid::regclass AS index, c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'event_outbox_before'::regclass AND c.relname LIKE '%event_outbox%'
    LOOP
        EXECUTE format('ALTER INDEX %s RENAME TO %I', found.index, left(replace(found.relname, 'event_outbox', 'event_outbox_before'), 63));
    END LOOP;
    EXECUTE format('ALTER SEQUENCE %s RENAME TO event_outbox_before_seq_seq', pg_get_serial_sequence('event_outbox_before', 'seq'));
END
$$
