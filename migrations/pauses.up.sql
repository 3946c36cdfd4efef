-- Lets operators pause topics and purge published rows: event_outbox_audit accepts these
-- actions, and gets indexes of the pauses and of the decisions that the relay has not acted
-- on, which each renewal of the lease reads, and one that finds the decisions about an event.
-- Relays and writers need no change and may run.
-- Only a relay that knows pauses obeys them, so upgrade all relays before you pause a topic.
--
-- event_outbox_audit is locked (ACCESS EXCLUSIVE) while its rows are looked at and indexed:
-- about a second for a million. To lock it for a moment only, create the indexes beforehand,
-- outside of a transaction, with the statements below and CONCURRENTLY after INDEX.
-- Inserts of events do not wait for that, and a relay that leads continues. After 5 s of
-- waiting for the lock, nothing changes.
--
-- It is one statement, so that it holds the lock from its beginning to its end also where
-- each statement has its own transaction.
DO $$
DECLARE
    found text;
BEGIN
    SET LOCAL lock_timeout = '5s';
    ALTER TABLE event_outbox_audit DROP CONSTRAINT IF EXISTS event_outbox_audit_action_check;
    ALTER TABLE event_outbox_audit ADD CONSTRAINT event_outbox_audit_action_check
        CHECK (action IN ('replay', 'discard', 'cancel', 'send-now', 'pause', 'resume', 'purge'));
    -- CREATE INDEX CONCURRENTLY that failed leaves an index that cannot be used.
    FOR found IN
        SELECT i.indexrelid::regclass FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'event_outbox_audit'::regclass AND NOT i.indisvalid
          AND c.relname IN ('ix_event_outbox_audit_open', 'ix_event_outbox_audit_pauses', 'ix_event_outbox_audit_event')
    LOOP
        EXECUTE 'DROP INDEX ' || found;
    END LOOP;
    CREATE INDEX IF NOT EXISTS ix_event_outbox_audit_event ON event_outbox_audit (event_id);
    CREATE INDEX IF NOT EXISTS ix_event_outbox_audit_open ON event_outbox_audit (id) WHERE applied_at IS NULL;
    CREATE INDEX IF NOT EXISTS ix_event_outbox_audit_pauses ON event_outbox_audit (id) WHERE action IN ('pause', 'resume');
END
$$;
