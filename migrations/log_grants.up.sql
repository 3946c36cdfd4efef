-- What each role needs of a log (outboxgen migration --store log), and no more. The roles must exist; as groups that
-- login roles belong to:
--
--   CREATE ROLE outbox_relay;
--   CREATE ROLE outbox_service;
--   CREATE ROLE outbox_operator;
--   CREATE ROLE outbox_consumer;
--   GRANT outbox_relay TO <the role that the relay logs in as>;
--
-- The relay (outboxrelay run). If all relays of an outbox log in as one role, they
-- see each other's sessions, and may end those that a former leader left behind.
-- If each has its own role, they need more: GRANT pg_read_all_stats, pg_signal_backend.
-- It changes no row of event_outbox, and deletes rows only from event_outbox_other, its
-- partition for ids that are no UUIDv7. Functions make and drop the other partitions, and give
-- rows other numbers if the sequence was set back. Its
-- web page reads event_outbox_history.
GRANT SELECT,
    INSERT (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition)
    ON event_outbox TO outbox_relay;
GRANT SELECT, DELETE ON event_outbox_other TO outbox_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON event_outbox_cursor TO outbox_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON event_outbox_late TO outbox_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON event_outbox_failed TO outbox_relay;
GRANT SELECT, INSERT, DELETE ON event_outbox_tick TO outbox_relay;
GRANT SELECT, INSERT, UPDATE ON event_outbox_deleted TO outbox_relay;
GRANT SELECT ON event_outbox_history TO outbox_relay;
GRANT EXECUTE ON FUNCTION event_outbox_make_partition(integer) TO outbox_relay;
GRANT EXECUTE ON FUNCTION event_outbox_drop_partition(date, interval) TO outbox_relay;
GRANT EXECUTE ON FUNCTION event_outbox_renumber(text, bigint, uuid, bigint, bigint, bigint[], pg_snapshot) TO outbox_relay;
GRANT SELECT, DELETE, UPDATE (deliver_at) ON event_outbox_delayed TO outbox_relay;
GRANT SELECT, INSERT, UPDATE ON event_outbox_lease TO outbox_relay;
GRANT SELECT, UPDATE (applied_at) ON event_outbox_audit TO outbox_relay;
GRANT SELECT ON SEQUENCE event_outbox_seq_seq TO outbox_relay;

-- The service that inserts events. SELECT (id) is for ON CONFLICT (id). A writer
-- that outboxgen did not generate may name other columns: then INSERT on the table.
GRANT INSERT (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition)
    ON event_outbox TO outbox_service;
GRANT SELECT (id) ON event_outbox TO outbox_service;
GRANT INSERT (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition, deliver_at)
    ON event_outbox_delayed TO outbox_service;
GRANT SELECT (id), DELETE ON event_outbox_delayed TO outbox_service;

-- People and tools that look at an outbox, replay or discard dead letters, cancel delayed
-- events or send them now, and pause topics (outboxrelay status, dead, replay, discard,
-- delayed, cancel, send-now, pause, resume, tail, doctor).
GRANT SELECT ON event_outbox TO outbox_operator;
GRANT SELECT ON event_outbox_cursor TO outbox_operator;
GRANT SELECT, INSERT, UPDATE (published_at, discarded) ON event_outbox_late TO outbox_operator;
GRANT SELECT ON event_outbox_tick TO outbox_operator;
GRANT SELECT ON event_outbox_deleted TO outbox_operator;
GRANT SELECT ON event_outbox_history TO outbox_operator;
GRANT SELECT, DELETE, UPDATE (dead_at, next_attempt_at, retry_count) ON event_outbox_failed TO outbox_operator;
GRANT SELECT, DELETE, UPDATE (deliver_at) ON event_outbox_delayed TO outbox_operator;
GRANT SELECT ON event_outbox_lease TO outbox_operator;
GRANT SELECT ON SEQUENCE event_outbox_seq_seq TO outbox_operator;
GRANT SELECT, INSERT (actor, action, seq, event_id, event_type, topic, event_key, reason, applied_at)
    ON event_outbox_audit TO outbox_operator;

-- The service that handles events once (package inbox).
GRANT SELECT, INSERT, DELETE ON event_inbox TO outbox_consumer;
