-- The outbox as a log: rows are only inserted. One row is one event to publish. Defaults
-- are evaluated in the order of the columns. tx is before seq, so that a row's transaction
-- has its id before the row has its number.
--
-- The partitions are ranges of id, because an insert does nothing if its id is there: that
-- needs a unique index on id alone. A UUIDv7 begins with a time in milliseconds, so a range
-- of ids is a range of time. Rows with other ids go to event_outbox_other. The default of
-- id is a UUIDv7.
CREATE TABLE event_outbox (
    id              uuid         NOT NULL DEFAULT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                                     PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                                     FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid,
    aggregate_id    varchar(255) NOT NULL,
    aggregate_type  varchar(100) NOT NULL,
    event_type      varchar(255) NOT NULL,
    event_data      json,
    event_key       varchar(255),
    created_at      timestamptz  NOT NULL DEFAULT now(),
    tx              xid8         NOT NULL DEFAULT pg_current_xact_id(),
    seq             bigint       NOT NULL GENERATED ALWAYS AS IDENTITY,
    topic           varchar(255) NOT NULL,
    headers         json,
    partition       integer      CHECK (partition >= 0),
    PRIMARY KEY (id),
    CONSTRAINT event_outbox_tombstone
        CHECK (event_data IS NOT NULL OR event_key IS NOT NULL AND headers IS NOT NULL)
) PARTITION BY RANGE (id);

CREATE INDEX ix_event_outbox_seq ON event_outbox (seq);
CREATE INDEX ix_event_outbox_tx ON event_outbox (tx);

CREATE TABLE event_outbox_other PARTITION OF event_outbox DEFAULT;
