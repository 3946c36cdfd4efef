-- Brings back the indexes that indexes.up.sql replaced. Relays work with both. event_outbox
-- and event_outbox_lease are locked (ACCESS EXCLUSIVE) until the transaction ends, which
-- takes as long as one look at all rows. After 5 s of waiting for a lock, nothing changes.
DO $$
BEGIN
    SET LOCAL lock_timeout = '5s';

    -- In the order in which a relay's statements lock them.
    LOCK TABLE event_outbox_lease, event_outbox IN ACCESS EXCLUSIVE MODE;

    CREATE INDEX ix_event_outbox_unpublished ON event_outbox (seq) WHERE published_at IS NULL AND dead_at IS NULL;
    CREATE INDEX ix_event_outbox_held ON event_outbox (seq)
        WHERE (next_attempt_at IS NOT NULL OR dead_at IS NOT NULL) AND published_at IS NULL;
    DROP INDEX ix_event_outbox_seq;
    DROP INDEX ix_event_outbox_waiting;
    DROP INDEX ix_event_outbox_retried;
    DROP INDEX ix_event_outbox_dead;
    ALTER TABLE event_outbox RESET (fillfactor);
    ALTER TABLE event_outbox_lease DROP COLUMN low_water, DROP COLUMN low_water_file, DROP COLUMN search_below;
END
$$;
