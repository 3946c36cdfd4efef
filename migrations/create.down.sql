-- Drops every event with its table, published, delayed or not.
DROP TABLE IF EXISTS event_inbox;
DROP TABLE IF EXISTS event_outbox_audit;
DROP TABLE IF EXISTS event_outbox_delayed;
DROP TABLE IF EXISTS event_outbox_lease;
DROP TABLE IF EXISTS event_outbox;
