-- Makes event_outbox_audit refuse pauses and purges again, and deletes their entries. While
-- a topic is paused, this stops and changes nothing: older relays do not know pauses, and
-- would publish its rows. event_outbox_audit is locked (ACCESS EXCLUSIVE) meanwhile. After
-- 5 s of waiting for the lock, nothing changes.
DO $$
BEGIN
    SET LOCAL lock_timeout = '5s';
    LOCK TABLE event_outbox_audit IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (
        SELECT FROM event_outbox_audit AS p
        WHERE p.action = 'pause'
          AND NOT EXISTS (SELECT FROM event_outbox_audit AS r
                          WHERE r.action = 'resume' AND r.id > p.id AND (r.topic IS NULL OR r.topic = p.topic))
    ) THEN
        RAISE EXCEPTION 'topics are paused by operators, and without this migration they would be published'
            USING HINT = 'Resume them first: outboxrelay resume --all';
    END IF;
    DELETE FROM event_outbox_audit WHERE action IN ('pause', 'resume', 'purge');
    DROP INDEX IF EXISTS ix_event_outbox_audit_event;
    DROP INDEX IF EXISTS ix_event_outbox_audit_open;
    DROP INDEX IF EXISTS ix_event_outbox_audit_pauses;
    ALTER TABLE event_outbox_audit DROP CONSTRAINT event_outbox_audit_action_check;
    ALTER TABLE event_outbox_audit ADD CONSTRAINT event_outbox_audit_action_check
        CHECK (action IN ('replay', 'discard', 'cancel', 'send-now'));
END
$$;
