-- Changes the current event_outbox back into the older table. Stop the relay and
-- the writers that fill the topic column first.
--
-- The older table has no dead rows: replay or discard them beforehand, or the old
-- relay will publish them. It has no delayed events and no tombstones either: while
-- any waits, this stops and changes nothing; let the relay publish them first. It also stops
-- while topics are paused by operators: the old relay would publish their rows.
-- Published tombstones are deleted, and unpublished rows lose the partition that was
-- chosen for them. event_inbox, with the events that consumers have handled, is
-- dropped. The table is locked (ACCESS EXCLUSIVE) until the transaction
-- ends, which takes as long as one index over the unpublished rows.
SET LOCAL lock_timeout = '5s';

LOCK TABLE event_outbox IN ACCESS EXCLUSIVE MODE;
LOCK TABLE event_outbox_delayed IN ACCESS EXCLUSIVE MODE;
LOCK TABLE event_outbox_audit IN ACCESS EXCLUSIVE MODE;

DO $$
BEGIN
    IF EXISTS (SELECT FROM event_outbox_delayed) THEN
        RAISE EXCEPTION 'event_outbox_delayed has events that wait for their time, and the older shape cannot hold them'
            USING HINT = 'Let the relay publish them first: outboxrelay send-now --all. Or cancel them: outboxrelay cancel --all';
    END IF;
END
$$;

DO $$
BEGIN
    IF EXISTS (
        SELECT FROM event_outbox_audit AS p
        WHERE p.action = 'pause'
          AND NOT EXISTS (SELECT FROM event_outbox_audit AS r
                          WHERE r.action = 'resume' AND r.id > p.id AND (r.topic IS NULL OR r.topic = p.topic))
    ) THEN
        RAISE EXCEPTION 'topics are paused by operators, and the older relay would publish their rows'
            USING HINT = 'Resume them first: outboxrelay resume --all';
    END IF;
END
$$;

-- A tombstone has no event_data, which the older shape requires.
DO $$
BEGIN
    IF EXISTS (SELECT FROM event_outbox WHERE event_data IS NULL AND published_at IS NULL) THEN
        RAISE EXCEPTION 'event_outbox has tombstones that are not published, and the older shape cannot hold them'
            USING HINT = 'Let the relay publish them first, or delete them: DELETE FROM event_outbox WHERE event_data IS NULL';
    END IF;
END
$$;
DELETE FROM event_outbox WHERE event_data IS NULL;
ALTER TABLE event_outbox DROP CONSTRAINT event_outbox_tombstone;
ALTER TABLE event_outbox ALTER COLUMN event_data SET NOT NULL;

DROP TABLE event_inbox;
DROP TABLE event_outbox_audit;
DROP TABLE event_outbox_delayed;
DROP TABLE event_outbox_lease;
DROP INDEX IF EXISTS ix_event_outbox_unpublished;
DROP INDEX IF EXISTS ix_event_outbox_held;
DROP INDEX IF EXISTS ix_event_outbox_seq;
DROP INDEX IF EXISTS ix_event_outbox_tx;
DROP INDEX IF EXISTS ix_event_outbox_waiting;
DROP INDEX IF EXISTS ix_event_outbox_retried;
DROP INDEX IF EXISTS ix_event_outbox_dead;

-- A topic column after seq was added by the upgrade, and is dropped. In unpublished
-- rows whose event_data does not have the topic, the topic becomes the first member
-- of event_data; nothing else of it changes.
DO $$
BEGIN
    IF (SELECT topic.attnum > seq.attnum
        FROM pg_attribute AS topic JOIN pg_attribute AS seq ON seq.attrelid = topic.attrelid
        WHERE topic.attrelid = 'event_outbox'::regclass AND topic.attname = 'topic' AND seq.attname = 'seq') THEN
        UPDATE event_outbox
        SET event_data = (
            '{"topic":' || to_json(topic)
            || CASE WHEN event_data::text ~ '^\s*\{\s*\}' THEN '' ELSE ',' END
            || regexp_replace(event_data::text, '^\s*\{', ''))::json
        WHERE published_at IS NULL
          AND topic IS NOT NULL
          AND json_typeof(event_data) = 'object'
          AND replace(event_data::text, '\u0000', '\u0001')::json ->> 'topic' IS NULL;
        ALTER TABLE event_outbox DROP COLUMN topic;
    END IF;
END
$$;

ALTER TABLE event_outbox DROP COLUMN tx, DROP COLUMN seq, DROP COLUMN headers, DROP COLUMN next_attempt_at, DROP COLUMN dead_at,
    DROP COLUMN partition;
ALTER TABLE event_outbox RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
CREATE INDEX ix_event_outbox_unpublished ON event_outbox (published_at, created_at) WHERE published_at IS NULL;
