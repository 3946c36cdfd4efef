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

-- The relay makes and drops partitions with these functions. They run with the rights of
-- the owner of the tables, because only the owner of a table can do that. The role of the
-- relay may call them and has no other right to change tables.
--
-- They wait for a lock at most 100 ms, because writers wait behind them, and try again
-- when they are called the next time.
DO $$
DECLARE
    place text := (SELECT quote_ident(n.nspname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE c.oid = 'event_outbox'::regclass);
BEGIN
    -- The lowest UUIDv7 of a time.
    EXECUTE format($outer$
        CREATE FUNCTION %1$s.event_outbox_id_at(at timestamptz) RETURNS uuid
        LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS
        $f$ SELECT (lpad(to_hex((extract(epoch FROM $1) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid $f$
    $outer$, place);

    -- Makes the partitions of today and of the next days. It returns how many it made. A day of
    -- which event_outbox_other has rows gets none: they would have to be moved.
    EXECUTE format($outer$
        CREATE FUNCTION %1$s.event_outbox_make_partitions(days integer) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET timezone = 'UTC' AS
        $f$
        DECLARE
            day date;
            part text;
            low uuid;
            high uuid;
            made integer := 0;
        BEGIN
            FOR i IN 0 .. least(days, 100) LOOP
                day := current_date + i;
                part := 'event_outbox_d' || to_char(day, 'YYYYMMDD');
                CONTINUE WHEN to_regclass('%1$s.' || part) IS NOT NULL;
                low := %1$s.event_outbox_id_at(day::timestamptz);
                high := %1$s.event_outbox_id_at((day + 1)::timestamptz);
                BEGIN
                    EXECUTE 'CREATE TABLE %1$s.' || part || ' (LIKE %1$s.event_outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS)';
                    EXECUTE format('ALTER TABLE %1$s.event_outbox ATTACH PARTITION %1$s.' || part || ' FOR VALUES FROM (%%L) TO (%%L)', low, high);
                    made := made + 1;
                EXCEPTION
                    WHEN check_violation THEN NULL;
                    WHEN lock_not_available OR deadlock_detected THEN RETURN made;
                END;
            END LOOP;
            RETURN made;
        END
        $f$
    $outer$, place);

    -- Drops the partitions of days that ended longer ago than keep, if every row is behind the
    -- cursor and none waits. With the lock on the table no transaction is open that has inserted
    -- a row. It returns how many it dropped.
    EXECUTE format($outer$
        CREATE FUNCTION %1$s.event_outbox_drop_partitions(keep interval) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET timezone = 'UTC' AS
        $f$
        DECLARE
            part record;
            day date;
            shown pg_snapshot;
            unsettled boolean;
            dropped integer := 0;
        BEGIN
            FOR part IN
                SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
                WHERE i.inhparent = '%1$s.event_outbox'::regclass AND c.relname ~ '^event_outbox_d[0-9]{8}$'
                ORDER BY c.relname
            LOOP
                day := to_date(right(part.relname, 8), 'YYYYMMDD');
                EXIT WHEN (day + 1)::timestamptz > now() - greatest(keep, interval '0');
                CONTINUE WHEN EXISTS (
                    SELECT FROM %1$s.event_outbox_late AS l
                    WHERE l.published_at IS NULL
                      AND l.id >= %1$s.event_outbox_id_at(day::timestamptz) AND l.id < %1$s.event_outbox_id_at((day + 1)::timestamptz));
                BEGIN
                    LOCK TABLE ONLY %1$s.event_outbox IN ACCESS EXCLUSIVE MODE;
                    EXECUTE format('LOCK TABLE ONLY %1$s.%%I IN ACCESS EXCLUSIVE MODE', part.relname);
                    shown := (SELECT c.base FROM %1$s.event_outbox_cursor AS c ORDER BY c.n DESC LIMIT 1);
                    EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %1$s.%%I AS o WHERE o.tx >= pg_snapshot_xmin($1) AND NOT pg_visible_in_snapshot(o.tx, $1))',
                                   part.relname)
                    INTO unsettled USING shown;
                    IF shown IS NOT NULL AND NOT unsettled THEN
                        EXECUTE format('DROP TABLE %1$s.%%I', part.relname);
                        dropped := dropped + 1;
                    END IF;
                EXCEPTION
                    WHEN lock_not_available OR deadlock_detected THEN RETURN dropped;
                END;
            END LOOP;
            RETURN dropped;
        END
        $f$
    $outer$, place);

    EXECUTE format('REVOKE ALL ON FUNCTION %1$s.event_outbox_make_partitions(integer), %1$s.event_outbox_drop_partitions(interval) FROM PUBLIC', place);
END
$$;

SELECT event_outbox_make_partitions(3);
