-- What sqlc has to know of outbox.sql beside the table of create.up.sql.
CREATE TABLE event_outbox_other (
    id         uuid        NOT NULL,
    tx         xid8        NOT NULL,
    seq        bigint      NOT NULL,
    created_at timestamptz NOT NULL
);
