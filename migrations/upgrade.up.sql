-- Changes an older event_outbox into the current one, in place.
--
-- Stop the old relay first; it and the new one must never run together. Writers
-- may continue: their inserts wait while this runs, and need no change after it.
-- Old rows that were never published will be published, also those that the old
-- relay had stopped retrying. Delete the rows that must not be sent.
--
-- The table is locked (ACCESS EXCLUSIVE) until the transaction ends. Adding the
-- columns takes no time, but every row is written again to number it: expect half
-- a minute for a million rows, and space for a second copy of them. If that is too
-- long, delete old published rows beforehand, in batches.
--
-- Your own unique index over unpublished rows, such as UNIQUE (aggregate_id,
-- event_type) WHERE published_at IS NULL, is kept, with a warning. With it the
-- insert of a second event fails (23505), and so does its business transaction;
-- after a dead row, every later insert fails. Drop such an index. To insert an
-- event at most once, give it a deterministic id: the insert of an existing id does
-- nothing. A column of your own that must not be null and has no default gives a
-- warning too.
--
-- Writers would have to wait behind a statement that waits for the lock. So this
-- stops after 5 s, changes nothing, and can be run again.
SET LOCAL lock_timeout = '5s';

LOCK TABLE event_outbox IN ACCESS EXCLUSIVE MODE;

-- The columns of the older shape. A column of text may be varchar or text.
DO $$
DECLARE
    mismatches text;
BEGIN
    mismatches := (
        SELECT string_agg(
            older.name || CASE WHEN a.attname IS NULL THEN ' is missing' ELSE ' is ' || a.atttypid::regtype::text END
            || ' (' || older.type::text || ')', ', ' ORDER BY older.name)
        FROM unnest(
            ARRAY['id', 'aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key',
                  'created_at', 'published_at', 'retry_count', 'last_error'],
            ARRAY['pg_catalog.uuid', 'pg_catalog.varchar', 'pg_catalog.varchar', 'pg_catalog.varchar', 'pg_catalog.json',
                  'pg_catalog.varchar', 'pg_catalog.timestamptz', 'pg_catalog.timestamptz', 'pg_catalog.int4',
                  'pg_catalog.text']::regtype[]) AS older (name, type)
        LEFT JOIN pg_attribute AS a
            ON a.attrelid = 'event_outbox'::regclass AND a.attname = older.name AND NOT a.attisdropped
        WHERE a.attname IS NULL
           OR a.atttypid <> older.type
              AND NOT (older.type = 'pg_catalog.varchar'::regtype AND a.atttypid = 'pg_catalog.text'::regtype));
    IF mismatches IS NOT NULL THEN
        RAISE EXCEPTION 'event_outbox does not have the columns of the older shape: %', mismatches
            USING HINT = 'First rename, add or convert these columns; the type in brackets is the right one. '
                         'For jsonb: ALTER COLUMN event_data TYPE json.';
    END IF;
END
$$;

-- What would refuse every insert.
DO $$
DECLARE
    generated text;
    deferrable_key text;
BEGIN
    generated := (
        SELECT string_agg(a.attname, ', ' ORDER BY a.attnum)
        FROM pg_attribute AS a
        WHERE a.attrelid = 'event_outbox'::regclass AND NOT a.attisdropped AND a.attgenerated <> ''
          AND a.attname IN ('id', 'aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key', 'topic'));
    IF generated IS NOT NULL THEN
        RAISE EXCEPTION 'Postgres generates columns of event_outbox that an insert has to fill: %', generated
            USING HINT = 'First make them plain columns: ALTER COLUMN ... DROP EXPRESSION. '
                         'If one is VIRTUAL, drop the column and add it again instead.';
    END IF;
    -- ON CONFLICT (id) uses all keys of id, so it fails also if there is another one.
    deferrable_key := (
        SELECT min(c.relname) FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = 'event_outbox'::regclass AND i.indisunique AND i.indisvalid AND NOT i.indimmediate
          AND i.indnkeyatts = 1 AND a.attname = 'id');
    IF deferrable_key IS NOT NULL THEN
        RAISE EXCEPTION 'the constraint % of event_outbox is deferrable, and an insert cannot use such a key of the column id', deferrable_key
            USING HINT = format('First replace it: ALTER TABLE event_outbox DROP CONSTRAINT %I, ADD UNIQUE (id).', deferrable_key);
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = 'event_outbox'::regclass AND i.indisunique AND i.indisvalid AND i.indimmediate
          AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'id'
    ) THEN
        RAISE EXCEPTION 'event_outbox has no primary key or unique index of the column id alone, and an insert needs it'
            USING HINT = 'First run CREATE UNIQUE INDEX ON event_outbox (id). '
                         'A table partitioned by another column cannot have it; keep that table beside a new one.';
    END IF;
END
$$;

-- An insert does not fill these columns. Tables of Django and SQLAlchemy often have no
-- default for them, because the service fills them.
DO $$
BEGIN
    IF NOT (SELECT atthasdef FROM pg_attribute WHERE attrelid = 'event_outbox'::regclass AND attname = 'created_at') THEN
        ALTER TABLE event_outbox ALTER COLUMN created_at SET DEFAULT now();
    END IF;
    IF NOT (SELECT atthasdef FROM pg_attribute WHERE attrelid = 'event_outbox'::regclass AND attname = 'retry_count') THEN
        ALTER TABLE event_outbox ALTER COLUMN retry_count SET DEFAULT 0;
    END IF;
END
$$;

-- Without a default at first: a volatile one would rewrite the table and set tx in
-- the old rows. Their tx stays null; the relay recognises them by that. tx is
-- before seq because defaults are evaluated in the order of the columns.
ALTER TABLE event_outbox ADD COLUMN tx xid8;
ALTER TABLE event_outbox ALTER COLUMN tx SET DEFAULT pg_current_xact_id();
ALTER TABLE event_outbox ADD COLUMN seq bigint;

-- If the topic was inside event_data, the column may be null: old writers do not
-- set it, and then the relay reads event_data. After the last of them has changed:
-- ALTER TABLE event_outbox ALTER COLUMN topic SET NOT NULL.
ALTER TABLE event_outbox ADD COLUMN IF NOT EXISTS topic varchar(255);
ALTER TABLE event_outbox ADD COLUMN headers json;
ALTER TABLE event_outbox ADD COLUMN next_attempt_at timestamptz;
ALTER TABLE event_outbox ADD COLUMN dead_at timestamptz;
ALTER TABLE event_outbox ADD COLUMN partition integer CHECK (partition >= 0);

-- A row without event_data is a tombstone. The columns that old writers fill do not
-- make one, so a writer that forgets event_data is still refused.
ALTER TABLE event_outbox ALTER COLUMN event_data DROP NOT NULL;
ALTER TABLE event_outbox ADD CONSTRAINT event_outbox_tombstone
    CHECK (event_data IS NOT NULL OR event_key IS NOT NULL AND headers IS NOT NULL);

DROP INDEX IF EXISTS ix_event_outbox_unpublished;

-- json can contain \u0000, but ->> cannot read such a value. A value that is not a
-- valid topic name is something else with the name topic.
UPDATE event_outbox AS o
SET seq   = numbered.seq,
    topic = coalesce(
        o.topic,
        substring(replace(o.event_data::text, '\u0000', '\u0001')::json ->> 'topic' FROM '^[a-zA-Z0-9._-]+$'),
        o.event_type)
FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS seq FROM event_outbox) AS numbered
WHERE o.id = numbered.id;

ALTER TABLE event_outbox ALTER COLUMN seq SET NOT NULL;
ALTER TABLE event_outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(pg_get_serial_sequence('event_outbox', 'seq'), max(seq)) FROM event_outbox;

CREATE INDEX ix_event_outbox_seq ON event_outbox (seq);
CREATE INDEX IF NOT EXISTS ix_event_outbox_aggregate ON event_outbox (aggregate_type, aggregate_id);
CREATE INDEX ix_event_outbox_tx ON event_outbox (tx);
CREATE INDEX ix_event_outbox_waiting ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX ix_event_outbox_retried ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL AND retry_count > 0;
CREATE INDEX ix_event_outbox_dead ON event_outbox (seq) WHERE dead_at IS NOT NULL;
ALTER TABLE event_outbox SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, fillfactor = 50);
ANALYZE event_outbox;

DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT i.indexrelid::regclass AS name, pg_get_indexdef(i.indexrelid) AS definition, c.conname AS constraint_name
        FROM pg_index AS i
        LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('u', 'x')
        WHERE i.indrelid = 'event_outbox'::regclass AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
          AND NOT EXISTS (
              SELECT FROM pg_attribute AS a
              WHERE a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts AND a.attname IN ('id', 'seq'))
        ORDER BY 1
    LOOP
        RAISE WARNING 'the unique index % of event_outbox refuses events: %', found.name, found.definition
            USING DETAIL = 'The insert fails with 23505 while an equal row is there, and with it the business transaction; '
                           'behind a dead row that lasts until it is replayed or discarded.',
                  HINT = CASE WHEN found.constraint_name IS NULL THEN format('DROP INDEX %s', found.name)
                              ELSE format('ALTER TABLE event_outbox DROP CONSTRAINT %I', found.constraint_name) END;
    END LOOP;
    FOR found IN
        SELECT a.attname AS name
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = 'event_outbox'::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND t.typdefault IS NULL
          AND a.attname NOT IN ('id', 'aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key', 'topic')
        ORDER BY a.attnum
    LOOP
        RAISE WARNING 'every insert into event_outbox fails because of column %: it must not be null and has no default', found.name
            USING DETAIL = 'The insert fails with 23502, unless a trigger fills the column.',
                  HINT = 'Give the column a default, or drop its NOT NULL.';
    END LOOP;
END
$$;
