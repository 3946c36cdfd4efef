-- What sqlc has to know of the outbox that a migration leaves behind. A former log has the
-- columns of a log only.
CREATE TABLE event_outbox_before (
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
    CONSTRAINT event_outbox_before_tombstone
        CHECK (event_data IS NOT NULL OR event_key IS NOT NULL AND headers IS NOT NULL)
);
