-- Revokes what the up migration grants.
REVOKE ALL ON event_outbox FROM outbox_relay;
REVOKE ALL ON event_outbox_delayed FROM outbox_relay;
REVOKE ALL ON event_outbox_lease FROM outbox_relay;
REVOKE ALL ON event_outbox_audit FROM outbox_relay;
REVOKE ALL ON SEQUENCE event_outbox_seq_seq FROM outbox_relay;
REVOKE ALL ON event_outbox FROM outbox_service;
REVOKE ALL ON event_outbox_delayed FROM outbox_service;
REVOKE ALL ON event_outbox FROM outbox_operator;
REVOKE ALL ON event_outbox_delayed FROM outbox_operator;
REVOKE ALL ON event_outbox_lease FROM outbox_operator;
REVOKE ALL ON SEQUENCE event_outbox_seq_seq FROM outbox_operator;
REVOKE ALL ON event_outbox_audit FROM outbox_operator;
REVOKE ALL ON event_inbox FROM outbox_consumer;
