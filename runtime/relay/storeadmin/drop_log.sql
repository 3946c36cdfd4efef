-- Drops what only a log has. Its events stay in event_outbox_before.
DROP VIEW event_outbox_history;
DROP TABLE event_outbox_deleted, event_outbox_tick, event_outbox_failed, event_outbox_late, event_outbox_cursor;
DROP FUNCTION event_outbox_drop_partition(date, interval);
DROP FUNCTION event_outbox_make_partition(integer);
DROP FUNCTION event_outbox_id_at(timestamptz)
