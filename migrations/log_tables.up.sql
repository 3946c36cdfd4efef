-- Up to where the rows of the log are settled. The row with the highest n counts: the leader
-- inserts one for each settlement and deletes the one before, because to update a row it
-- would have to step over all its former versions while some session holds an old snapshot.
--
-- base shows no row that is not settled. Of the rows that shown shows, those up to seq are
-- settled. ahead has the numbers of further settled rows. base shows each row with a number up to floor,
-- or will have, unless the row has an entry in event_outbox_late or event_outbox_failed. All that is
-- true in one database of one cluster; seq, ahead and floor are about the
-- numbers of one sequence, whose file is sequence_file.
CREATE TABLE event_outbox_cursor (
    n             bigint      NOT NULL PRIMARY KEY,
    base          pg_snapshot NOT NULL,
    shown         pg_snapshot,
    seq           bigint      NOT NULL DEFAULT 0,
    ahead         bytea       NOT NULL DEFAULT '',
    floor         bigint      NOT NULL DEFAULT 0,
    system        bigint      NOT NULL DEFAULT 0,
    database      bigint      NOT NULL DEFAULT 0,
    sequence_file bigint      NOT NULL DEFAULT 0
);

-- The first cursor: its snapshot shows nothing, so nothing is settled.
INSERT INTO event_outbox_cursor (n, base) VALUES (0, '3:3:');

-- Rows that waited when the cursor passed them, or failed, and when they were published after
-- all, or discarded. An entry belongs to a row with its id, seq and tx: an id can be inserted again
-- when its row is gone, and a number can come again when the sequence was set back. No two rows
-- that wait have the same number.
CREATE TABLE event_outbox_late (
    id           uuid         NOT NULL,
    tx           xid8         NOT NULL,
    seq          bigint       NOT NULL,
    topic        varchar(255) NOT NULL,
    event_key    varchar(255),
    published_at timestamptz,
    discarded    boolean      NOT NULL DEFAULT false,
    PRIMARY KEY (id, seq, tx)
);

CREATE UNIQUE INDEX ix_event_outbox_late_seq ON event_outbox_late (seq) WHERE published_at IS NULL;
CREATE INDEX ix_event_outbox_late_topic ON event_outbox_late (topic, seq) WHERE published_at IS NULL;
CREATE INDEX ix_event_outbox_late_published ON event_outbox_late (published_at) WHERE published_at IS NOT NULL;

-- Copies of the rows that failed: they wait for their next attempt, or are dead letters.
CREATE TABLE event_outbox_failed (
    id              uuid         NOT NULL,
    aggregate_id    varchar(255) NOT NULL,
    aggregate_type  varchar(100) NOT NULL,
    event_type      varchar(255) NOT NULL,
    event_data      json,
    event_key       varchar(255),
    created_at      timestamptz  NOT NULL,
    tx              xid8         NOT NULL,
    seq             bigint       NOT NULL,
    topic           varchar(255) NOT NULL,
    headers         json,
    partition       integer      CHECK (partition >= 0),
    retry_count     integer      NOT NULL DEFAULT 0,
    last_error      text,
    next_attempt_at timestamptz,
    dead_at         timestamptz,
    PRIMARY KEY (id, seq, tx),
    CONSTRAINT event_outbox_failed_tombstone
        CHECK (event_data IS NOT NULL OR event_key IS NOT NULL AND headers IS NOT NULL)
);

CREATE UNIQUE INDEX ix_event_outbox_failed_number ON event_outbox_failed (seq);
CREATE INDEX ix_event_outbox_failed_seq ON event_outbox_failed (seq) WHERE dead_at IS NULL;
CREATE INDEX ix_event_outbox_failed_dead ON event_outbox_failed (seq) WHERE dead_at IS NOT NULL;

-- When ticks were finished, at most one in a second. shown shows no transaction from below on.
CREATE TABLE event_outbox_tick (
    n            bigint      NOT NULL PRIMARY KEY,
    shown        pg_snapshot NOT NULL,
    below        xid8        NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX ix_event_outbox_tick_below ON event_outbox_tick (below);
CREATE INDEX ix_event_outbox_tick_published ON event_outbox_tick (published_at);

-- Up to when events were deleted: no event that was created later is missing. It is written when
-- a partition is dropped, and when rows are deleted from event_outbox_other. Without a row none
-- was deleted.
CREATE TABLE event_outbox_deleted (
    one        boolean     NOT NULL DEFAULT true PRIMARY KEY CHECK (one),
    created_at timestamptz NOT NULL
);

-- The events with what became of them. published_at is the time when the cursor had passed
-- the event's tick, at most about a second after it was published; for an event that waited
-- while the cursor passed it, the time when it was published. While the newest events are
-- published and the cursor does not stand at the end of their tick, they are 'waiting'.
-- An event that an operator discarded has no published_at.
-- An event that failed is shown as the writer inserted it; event_outbox_failed has what an
-- operator changed.
CREATE VIEW event_outbox_history AS
SELECT o.id, o.aggregate_id, o.aggregate_type, o.event_type, o.event_data, o.event_key, o.created_at,
       CASE WHEN f.id IS NOT NULL OR l.discarded THEN NULL WHEN l.id IS NOT NULL THEN l.published_at ELSE t.published_at END AS published_at,
       coalesce(f.retry_count, 0) AS retry_count, f.last_error, o.tx, o.seq, o.topic, o.headers, f.next_attempt_at, f.dead_at, o.partition,
       CASE WHEN f.dead_at IS NOT NULL THEN 'dead'
            WHEN f.id IS NOT NULL THEN 'failed'
            WHEN l.discarded THEN 'discarded'
            WHEN l.id IS NOT NULL AND l.published_at IS NULL OR l.id IS NULL AND t.published_at IS NULL THEN 'waiting'
            ELSE 'published'
       END AS state
FROM event_outbox AS o
LEFT JOIN event_outbox_failed AS f ON f.id = o.id AND f.seq = o.seq AND f.tx = o.tx
LEFT JOIN event_outbox_late AS l ON l.id = o.id AND l.seq = o.seq AND l.tx = o.tx
LEFT JOIN LATERAL (
    SELECT k.published_at FROM event_outbox_tick AS k
    WHERE k.below > o.tx AND pg_visible_in_snapshot(o.tx, k.shown)
    ORDER BY k.below, k.n
    LIMIT 1
) AS t ON true;
