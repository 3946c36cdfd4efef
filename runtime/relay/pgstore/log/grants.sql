-- What the role of a relay needs of a log, beside what it needs of the tables that a log
-- shares with a table: lease, delayed events, audit. It changes no row of event_outbox.
GRANT SELECT, DELETE,
    INSERT (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition)
    ON event_outbox TO outbox_relay;
GRANT SELECT, DELETE ON event_outbox_other TO outbox_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON event_outbox_cursor, event_outbox_late, event_outbox_failed, event_outbox_tick TO outbox_relay;
GRANT EXECUTE ON FUNCTION event_outbox_make_partitions(integer), event_outbox_drop_partitions(interval) TO outbox_relay;

-- The service inserts events as into a table.
GRANT INSERT (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition)
    ON event_outbox TO outbox_service;
GRANT SELECT (id) ON event_outbox TO outbox_service;

-- People look at the log, and replay, discard and edit rows that failed.
GRANT SELECT ON event_outbox, event_outbox_cursor, event_outbox_late, event_outbox_tick TO outbox_operator;
GRANT SELECT, DELETE,
    UPDATE (topic, event_key, partition, event_type, event_data, headers, dead_at, next_attempt_at, retry_count)
    ON event_outbox_failed TO outbox_operator;
