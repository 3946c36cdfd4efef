-- The outbox: one row is one event to publish. Defaults are evaluated in the
-- order of the columns. tx is before seq, so that a row's transaction has its id
-- before the row has its number.
--
-- No index has published_at in its key or its condition. So marking a row as published
-- changes no index (a HOT update), if there is room on the row's page: fillfactor leaves
-- half of each page free, because each row is written twice. A relay that deletes what it
-- published needs no room; there 100 is better. Autovacuum starts at a share of the table.
-- The share is lower here, because a week of published rows makes the table large.
CREATE TABLE event_outbox (
    id              uuid         NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
    aggregate_id    varchar(255) NOT NULL,
    aggregate_type  varchar(100) NOT NULL,
    event_type      varchar(255) NOT NULL,
    event_data      json,
    event_key       varchar(255),
    created_at      timestamptz  NOT NULL DEFAULT now(),
    published_at    timestamptz,
    retry_count     integer      NOT NULL DEFAULT 0,
    last_error      text,
    tx              xid8         DEFAULT pg_current_xact_id(),
    seq             bigint       NOT NULL GENERATED ALWAYS AS IDENTITY,
    topic           varchar(255) NOT NULL,
    headers         json,
    next_attempt_at timestamptz,
    dead_at         timestamptz,
    partition       integer      CHECK (partition >= 0),
    CONSTRAINT event_outbox_tombstone
        CHECK (event_data IS NOT NULL OR event_key IS NOT NULL AND headers IS NOT NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, fillfactor = 50);

CREATE INDEX ix_event_outbox_seq ON event_outbox (seq);
CREATE INDEX ix_event_outbox_aggregate ON event_outbox (aggregate_type, aggregate_id);
CREATE INDEX ix_event_outbox_tx ON event_outbox (tx);
CREATE INDEX ix_event_outbox_waiting ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX ix_event_outbox_retried ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL AND retry_count > 0;
CREATE INDEX ix_event_outbox_dead ON event_outbox (seq) WHERE dead_at IS NOT NULL;

-- Who leads: one row for each outbox. Up to low_water, every row of event_outbox is
-- published, or is in ix_event_outbox_waiting or ix_event_outbox_dead. That is true for
-- the numbers of one sequence only: low_water_file is the file of that sequence.
-- A search for other unsettled rows continues below search_below; 0: it begins at low_water.
CREATE TABLE event_outbox_lease (
    name           varchar(63) NOT NULL DEFAULT 'event_outbox' PRIMARY KEY,
    epoch          bigint      NOT NULL DEFAULT 0,
    beat           bigint      NOT NULL DEFAULT 0,
    holder         uuid,
    backends       jsonb       NOT NULL DEFAULT '[]',
    suspect_seq    bigint,
    unclean_ends   integer     NOT NULL DEFAULT 0,
    state          json,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    low_water      bigint      NOT NULL DEFAULT 0,
    low_water_file bigint      NOT NULL DEFAULT 0,
    search_below   bigint      NOT NULL DEFAULT 0
);

-- Delayed events wait here until deliver_at. Then the leading relay moves them into
-- event_outbox, by deliver_at and seq. A table of their own, so that nothing that
-- reads event_outbox finds an event before its time. deliver_at is finite, because
-- the relay computes how long to wait.
CREATE TABLE event_outbox_delayed (
    id             uuid         NOT NULL PRIMARY KEY,
    aggregate_id   varchar(255) NOT NULL,
    aggregate_type varchar(100) NOT NULL,
    event_type     varchar(255) NOT NULL,
    event_data     json,
    event_key      varchar(255),
    topic          varchar(255) NOT NULL,
    headers        json,
    partition      integer      CHECK (partition >= 0),
    created_at     timestamptz  NOT NULL DEFAULT now(),
    deliver_at     timestamptz  NOT NULL CHECK (isfinite(deliver_at)),
    seq            bigint       NOT NULL GENERATED ALWAYS AS IDENTITY,
    CONSTRAINT event_outbox_delayed_tombstone
        CHECK (event_data IS NOT NULL OR event_key IS NOT NULL AND headers IS NOT NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

CREATE INDEX ix_event_outbox_delayed_due ON event_outbox_delayed (deliver_at, seq);

-- What operators did to dead letters, delayed events, topics and published rows.
-- applied_at of a replay or discard is null until the relay has acted on it. seq of a
-- delayed event is 0. A pause is in force until a later entry resumes its topic, so
-- deleting the entry would resume it: keep the latest entries of pause and resume. Without
-- a topic they are about all topics. A pause, a resumption and a purge have no event.
CREATE TABLE event_outbox_audit (
    id         bigint       NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz  NOT NULL DEFAULT now(),
    actor      varchar(255) NOT NULL,
    action     varchar(20)  NOT NULL CHECK (action IN ('replay', 'discard', 'cancel', 'send-now', 'pause', 'resume', 'purge')),
    seq        bigint       NOT NULL,
    event_id   uuid         NOT NULL,
    event_type varchar(255) NOT NULL,
    topic      varchar(255),
    event_key  varchar(255),
    reason     text,
    applied_at timestamptz
);

CREATE INDEX ix_event_outbox_audit_event ON event_outbox_audit (event_id);
CREATE INDEX ix_event_outbox_audit_pending ON event_outbox_audit (seq) WHERE action = 'replay' AND applied_at IS NULL;
CREATE INDEX ix_event_outbox_audit_open ON event_outbox_audit (id) WHERE applied_at IS NULL;
CREATE INDEX ix_event_outbox_audit_pauses ON event_outbox_audit (id) WHERE action IN ('pause', 'resume');

-- The events that consumers have handled. The index on handled_at is for deleting
-- old ones.
CREATE TABLE event_inbox (
    consumer   varchar(255) NOT NULL,
    event_id   uuid         NOT NULL,
    handled_at timestamptz  NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);

CREATE INDEX ix_event_inbox_handled_at ON event_inbox (handled_at);
