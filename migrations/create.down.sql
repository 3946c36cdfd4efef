DROP TABLE event_inbox;
DROP TABLE event_outbox_audit;
DROP TABLE event_outbox_lease;
DROP TABLE event_outbox;
