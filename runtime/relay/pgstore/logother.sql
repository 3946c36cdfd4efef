-- What sqlc has to know for log.sql: the partition for ids that are no UUIDv7, which log.up.sql creates.
CREATE TABLE event_outbox_other (
    id         uuid        NOT NULL,
    tx         xid8        NOT NULL,
    seq        bigint      NOT NULL,
    created_at timestamptz NOT NULL
);
