-- Replaces the indexes of an event_outbox whose conditions have published_at, so that
-- marking a row as published changes no index.
--
-- First upgrade the relays: they work with the indexes that are there and with the new
-- ones. Older relays refuse to start after this. Writers need no change.
--
-- event_outbox and event_outbox_lease are locked (ACCESS EXCLUSIVE) until the transaction
-- ends, which takes as long as an index over all rows: about a second for a million. A relay
-- that leads cannot renew its lease meanwhile; after 3 s it loses it, and a relay takes over
-- when this has ended. To lock the tables for a moment only, create the new indexes
-- beforehand, outside of a transaction, with the statements below and CONCURRENTLY after
-- INDEX. Indexes that are there are kept, if they are valid.
--
-- It is one statement, so that it holds the locks from its beginning to its end also where
-- each statement has its own transaction.
DO $$
DECLARE
    found text;
BEGIN
    -- Writers would have to wait behind a statement that waits for a lock. So this stops
    -- after 5 s of waiting for one, changes nothing, and can be run again.
    SET LOCAL lock_timeout = '5s';

    -- In the order in which a relay's statements lock them. In the other one this and a
    -- relay would wait for each other.
    LOCK TABLE event_outbox_lease, event_outbox IN ACCESS EXCLUSIVE MODE;

    ALTER TABLE event_outbox_lease
        ADD COLUMN low_water bigint NOT NULL DEFAULT 0,
        ADD COLUMN low_water_file bigint NOT NULL DEFAULT 0,
        ADD COLUMN search_below bigint NOT NULL DEFAULT 0;

    -- The first low-water mark: before the first row that is neither published, dead, nor in
    -- ix_event_outbox_waiting. The former index finds it; without that index, this would look
    -- at every row. The lock has let every transaction end that inserted a row.
    -- Under READ COMMITTED each statement sees what was committed before it began. Under
    -- another isolation level it may not see rows that were committed while this waited for
    -- the lock. Then the mark stays 0, and the relay moves it.
    IF current_setting('transaction_isolation') = 'read committed' THEN
        UPDATE event_outbox_lease
        SET low_water      = coalesce((SELECT min(seq) - 1 FROM event_outbox
                                       WHERE published_at IS NULL AND dead_at IS NULL AND next_attempt_at IS NULL),
                                      pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0),
            low_water_file = pg_relation_filenode(pg_get_serial_sequence('event_outbox', 'seq')::regclass)::bigint;
    END IF;

    -- CREATE INDEX CONCURRENTLY that failed leaves an index that cannot be used.
    FOR found IN
        SELECT i.indexrelid::regclass FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'event_outbox'::regclass AND NOT i.indisvalid
          AND c.relname IN ('ix_event_outbox_seq', 'ix_event_outbox_waiting', 'ix_event_outbox_retried', 'ix_event_outbox_dead')
    LOOP
        EXECUTE 'DROP INDEX ' || found;
    END LOOP;

    CREATE INDEX IF NOT EXISTS ix_event_outbox_seq ON event_outbox (seq);
    CREATE INDEX IF NOT EXISTS ix_event_outbox_waiting ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL;
    CREATE INDEX IF NOT EXISTS ix_event_outbox_retried ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL AND retry_count > 0;
    CREATE INDEX IF NOT EXISTS ix_event_outbox_dead ON event_outbox (seq) WHERE dead_at IS NOT NULL;
    DROP INDEX IF EXISTS ix_event_outbox_unpublished;
    DROP INDEX IF EXISTS ix_event_outbox_held;

    -- Pages that are full already keep their rows; they leave the table with the retention.
    ALTER TABLE event_outbox SET (fillfactor = 50);
END
$$;
