-- Drops every event with its table, published, delayed or not.
DROP VIEW IF EXISTS event_outbox_history;
DROP TABLE IF EXISTS event_inbox;
DROP TABLE IF EXISTS event_outbox_audit;
DROP TABLE IF EXISTS event_outbox_delayed;
DROP TABLE IF EXISTS event_outbox_lease;
DROP TABLE IF EXISTS event_outbox_deleted;
DROP TABLE IF EXISTS event_outbox_tick;
DROP TABLE IF EXISTS event_outbox_failed;
DROP TABLE IF EXISTS event_outbox_late;
DROP TABLE IF EXISTS event_outbox_cursor;
DROP TABLE IF EXISTS event_outbox;
DROP FUNCTION IF EXISTS event_outbox_renumber(text, bigint, uuid, bigint, bigint, bigint[], pg_snapshot);
DROP FUNCTION IF EXISTS event_outbox_drop_partition(date, interval);
DROP FUNCTION IF EXISTS event_outbox_make_partition(integer);
DROP FUNCTION IF EXISTS event_outbox_await_locks(regclass[], text[], regclass[]);
DROP FUNCTION IF EXISTS event_outbox_id_at(timestamptz);
