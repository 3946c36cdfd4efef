-- Waits until no autovacuum has the tables, and keeps new ones away. Nobody who reads or writes
-- waits for this lock or behind it. So an attempt can wait until autovacuum is cancelled,
-- after deadlock_timeout (1 s). Writers wait behind the locks of lock.sql.
DO $$
BEGIN
    LOCK TABLE event_outbox_lease, event_outbox IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass('event_outbox_cursor') IS NOT NULL THEN
        LOCK TABLE event_outbox_cursor, event_outbox_late, event_outbox_failed, event_outbox_tick, event_outbox_deleted IN SHARE UPDATE EXCLUSIVE MODE;
    END IF;
    IF to_regclass('event_outbox_audit') IS NOT NULL THEN
        LOCK TABLE event_outbox_audit IN SHARE UPDATE EXCLUSIVE MODE;
    END IF;
END
$$
