-- In the order in which a relay's statements lock them. When the locks are there, every
-- transaction has ended that has inserted an event, written a cursor, or decided about an event
-- that failed, and none of them can begin. It is one statement, so that statement_timeout limits
-- the wait for all locks: a log has many partitions.
DO $$
BEGIN
    LOCK TABLE event_outbox_lease, event_outbox IN ACCESS EXCLUSIVE MODE;
    IF to_regclass('event_outbox_cursor') IS NOT NULL THEN
        LOCK TABLE event_outbox_cursor, event_outbox_late, event_outbox_failed, event_outbox_tick, event_outbox_deleted IN ACCESS EXCLUSIVE MODE;
    END IF;
    IF to_regclass('event_outbox_audit') IS NOT NULL THEN
        LOCK TABLE event_outbox_audit IN SHARE ROW EXCLUSIVE MODE;
    END IF;
END
$$
