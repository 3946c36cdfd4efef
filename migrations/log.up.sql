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

-- The relay makes and drops partitions, and repairs numbers, with these functions. They run with the rights of
-- the owner of the tables, because only the owner of a table can do that. The role of the
-- relay may call them and has no other right to change tables.
--
-- Their text has the name of the schema. After ALTER SCHEMA ... RENAME, run this statement again.
--
-- Writers wait behind a session that waits for a lock. So a function asks for it only when the
-- transactions that have locks have ended, and waits 100 ms, or as long as the setting
-- outbox.lock_wait says: see event_outbox_await_locks. Each call is about one day, so that no
-- lock is held for long, and says what it did.
DO $$
DECLARE
    place text := (SELECT quote_ident(n.nspname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE c.oid = 'event_outbox'::regclass);
    parent text := (SELECT place || '.' || c.relname FROM pg_class AS c WHERE c.oid = 'event_outbox'::regclass);
BEGIN
    -- The lowest UUIDv7 of a time.
    EXECUTE format($outer$
        CREATE OR REPLACE FUNCTION %1$s.event_outbox_id_at(at timestamptz) RETURNS uuid
        LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS
        $f$ SELECT (lpad(to_hex((extract(epoch FROM $1) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid $f$
    $outer$, place);

    -- Prepares a transaction for locks on tables. First it waits until the transactions have ended
    -- that had locks on asked when it began, but for locks in the modes of spared: nobody waits
    -- behind that. Then it waits until vacuum has left the tables in vacuumed, and keeps it away. The
    -- log is the first of them, because others lock it before its partitions too.
    -- It returns how long to wait for the locks, which is the lock_timeout from then on; null:
    -- transactions go on, so it would be in vain to ask.
    --
    -- The setting outbox.lock_wait says how long, at most 2 s; without it, lock_timeout does. If
    -- writers overlap all the time, there is no moment without one. But if none has its lock for longer
    -- than that, all that are open when it asks end in time, and the others wait behind it. So
    -- the relay raises the setting with each attempt that failed.
    --
    -- Autovacuum gives a table up for a session that has waited for deadlock_timeout. SHARE UPDATE
    -- EXCLUSIVE is the weakest lock for which it does, and no writer and no reader waits behind that.
    EXECUTE format($outer$
        CREATE OR REPLACE FUNCTION %1$s.event_outbox_await_locks(asked regclass[], spared text[], vacuumed regclass[]) RETURNS interval
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
        $f$
        DECLARE
            given CONSTANT text := nullif(current_setting('outbox.lock_wait', true), '');
            wait interval := current_setting('lock_timeout');
            holders text[];
            vacuum regclass;
        BEGIN
            IF given IS NOT NULL THEN
                wait := least(greatest(given::interval, interval '1 ms'), interval '2 s');
            END IF;
            FOR look IN 0 .. 10 LOOP
                holders := ARRAY(SELECT l.virtualtransaction FROM pg_locks AS l
                                 WHERE l.locktype = 'relation' AND l.relation = ANY(asked) AND l.granted
                                   AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                                   AND l.mode <> ALL(spared) AND l.pid IS DISTINCT FROM pg_backend_pid()
                                   AND (look = 0 OR l.virtualtransaction = ANY(holders)));
                EXIT WHEN holders = '{}';
                IF look = 10 THEN
                    RETURN NULL;
                END IF;
                PERFORM pg_sleep(extract(epoch FROM wait) / 10);
            END LOOP;
            FOREACH vacuum IN ARRAY vacuumed LOOP
                -- Not so long that the statement is canceled. Autovacuum does not work on the log itself, so
                -- it is not waited for long: whoever waited as long as that for this one would be the victim
                -- of a deadlock.
                PERFORM set_config('lock_timeout', greatest(1, extract(epoch FROM CASE
                    WHEN (SELECT c.relkind = 'p' FROM pg_class AS c WHERE c.oid = vacuum)
                        THEN least(wait, current_setting('deadlock_timeout')::interval / 2)
                    ELSE least(current_setting('deadlock_timeout')::interval + interval '1 s',
                               nullif(current_setting('statement_timeout')::interval, interval '0') / 8) END) * 1000)::integer || 'ms', true);
                EXECUTE format('LOCK TABLE ONLY %%s IN SHARE UPDATE EXCLUSIVE MODE', vacuum);
            END LOOP;
            PERFORM set_config('lock_timeout', (extract(epoch FROM wait) * 1000)::integer || 'ms', true);
            PERFORM set_config('outbox.asked', 'yes', true); -- for the relay: it resets the wait
            RETURN wait;
        END
        $f$
    $outer$, place);

    -- Makes the partition of a day, so many days after today. It returns
    --   there     if there is one,
    --   made      if it made it,
    --   again     if it did one step, and has to be called again,
    --   rows      if event_outbox_other has rows of the day, so there can be no partition,
    --   near      if event_outbox_other is large, and the day is too near for the steps,
    --   locked    if another session has a lock, and
    --   stranger  if a table has the partition's name and is none.
    --
    -- ATTACH looks at all rows of event_outbox_other while nobody can insert into it, unless a
    -- constraint says that there are none of the day. So if it is large, a constraint is added
    -- without looking, then validated, which keeps nobody waiting, and dropped when the partition
    -- is there. Meanwhile it refuses rows of the day. So that is done two days before at the
    -- latest, and a constraint that is left over from a relay that was killed is dropped by then.
    EXECUTE format($outer$
        CREATE OR REPLACE FUNCTION %1$s.event_outbox_make_partition(ahead integer) RETURNS text
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET timezone = 'UTC' AS %2$L
    $outer$, place, format($body$
        DECLARE
            parent CONSTANT text := %2$L;
            other CONSTANT text := parent || '_other';
            day CONSTANT date := current_date + ahead;
            part CONSTANT text := parent || '_d' || to_char(day, 'YYYYMMDD');
            low CONSTANT uuid := %1$s.event_outbox_id_at(day::timestamptz);
            high CONSTANT uuid := %1$s.event_outbox_id_at((day + 1)::timestamptz);
            none CONSTANT name := 'none_of_' || to_char(day, 'YYYYMMDD');
            valid CONSTANT boolean := (SELECT c.convalidated FROM pg_constraint AS c WHERE c.conrelid = other::regclass AND c.conname = none);
            large CONSTANT boolean := pg_relation_size(other::regclass) > 8 * 1024 * 1024;
            doomed name[];
            outcome text;
            former name;
        BEGIN
            IF ahead IS NULL OR ahead NOT BETWEEN 0 AND 100 THEN
                RAISE EXCEPTION 'ahead is %%: it must be from 0 to 100', ahead USING ERRCODE = 'invalid_parameter_value';
            END IF;
            outcome := CASE
                WHEN to_regclass(part) IS NOT NULL
                    THEN CASE WHEN EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = to_regclass(part) AND i.inhparent = parent::regclass)
                              THEN 'there' ELSE 'stranger' END
                WHEN valid THEN 'made'
                WHEN valid IS NOT NULL THEN CASE WHEN ahead >= 2 THEN 'again' ELSE 'near' END
                WHEN EXISTS (SELECT FROM ONLY %2$s_other AS o WHERE o.id >= low AND o.id < high) THEN 'rows'
                WHEN large THEN CASE WHEN ahead >= 2 THEN 'again' ELSE 'near' END
                ELSE 'made'
            END;
            doomed := ARRAY(SELECT c.conname FROM pg_constraint AS c
                            WHERE c.conrelid = other::regclass AND c.conname ~ '^none_of_[0-9]{8}$'
                              AND CASE WHEN c.conname = none THEN outcome IN ('there', 'near')
                                       ELSE c.conname < 'none_of_' || to_char(current_date + 2, 'YYYYMMDD') END);
            IF doomed = '{}' AND outcome NOT IN ('made', 'again') THEN
                RETURN outcome;
            END IF;
            -- ATTACH locks the log too.
            IF %1$s.event_outbox_await_locks(ARRAY[other::regclass], '{ShareUpdateExclusiveLock}',
                                              (CASE WHEN outcome = 'made' THEN ARRAY[parent, other] ELSE ARRAY[other] END)::regclass[]) IS NULL THEN
                RETURN 'locked';
            END IF;
            FOREACH former IN ARRAY doomed LOOP
                EXECUTE format('ALTER TABLE %%s DROP CONSTRAINT %%I', other, former);
            END LOOP;
            IF outcome = 'again' AND valid IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %%s VALIDATE CONSTRAINT %%I', other, none);
            ELSIF outcome = 'again' THEN
                EXECUTE format('ALTER TABLE %%s ADD CONSTRAINT %%I CHECK (id < %%L OR id >= %%L) NOT VALID', other, none, low, high);
            ELSIF outcome = 'made' THEN
                EXECUTE format('CREATE TABLE %%s (LIKE %%s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE%%s)%%s', part, parent,
                               CASE WHEN current_setting('server_version_num')::integer >= 140000 THEN ' INCLUDING COMPRESSION' ELSE '' END,
                               (SELECT ' TABLESPACE ' || quote_ident(s.spcname) FROM pg_class AS c JOIN pg_tablespace AS s ON s.oid = c.reltablespace
                                WHERE c.oid = parent::regclass));
                EXECUTE format('ALTER TABLE %%s ATTACH PARTITION %%s FOR VALUES FROM (%%L) TO (%%L)', parent, part, low, high);
                IF valid THEN
                    EXECUTE format('ALTER TABLE %%s DROP CONSTRAINT %%I', other, none);
                END IF;
            END IF;
            RETURN outcome;
        EXCEPTION
            WHEN check_violation THEN
                BEGIN
                    IF valid IS NULL THEN
                        RETURN 'rows';
                    END IF;
                    IF %1$s.event_outbox_await_locks(ARRAY[other::regclass], '{ShareUpdateExclusiveLock}', ARRAY[other::regclass]) IS NULL THEN
                        RETURN 'locked';
                    END IF;
                    EXECUTE format('ALTER TABLE %%s DROP CONSTRAINT IF EXISTS %%I', other, none);
                    RETURN 'rows';
                EXCEPTION
                    WHEN lock_not_available OR deadlock_detected THEN
                        RETURN 'locked';
                END;
            WHEN lock_not_available OR deadlock_detected THEN
                RETURN 'locked';
        END
    $body$, place, parent));

    -- Drops the partition of a day that ended longer ago than keep, if every row is behind the
    -- cursor, was published longer ago than keep, and none waits. It returns
    --   dropped    if it did,
    --   young      if the day has not ended so long ago, or a row was published later,
    --   absent     if there is no such partition,
    --   unsettled  if the cursor is not past every row,
    --   waiting    if a row waits that the cursor has passed, and
    --   locked     if another session has a lock.
    --
    -- It looks twice: before it asks for the locks, because writers wait behind that, and with
    -- the locks. Then no transaction is open that has inserted a row, and no cursor is written
    -- that sets a row of the partition aside. It reads the cursor before it looks for rows that
    -- wait: a row that this cursor has passed, and that is neither there nor in
    -- event_outbox_failed, is published. For that each statement must see what was committed
    -- before it, as under READ COMMITTED.
    EXECUTE format($outer$
        CREATE OR REPLACE FUNCTION %1$s.event_outbox_drop_partition(day date, keep interval) RETURNS text
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET timezone = 'UTC'
        SET enable_seqscan = off AS %2$L
    $outer$, place, format($body$
        DECLARE
            parent CONSTANT text := %2$L;
            other CONSTANT text := parent || '_other';
            part CONSTANT text := parent || '_d' || to_char(day, 'YYYYMMDD');
            low CONSTANT uuid := %1$s.event_outbox_id_at(day::timestamptz);
            high CONSTANT uuid := %1$s.event_outbox_id_at((day + 1)::timestamptz);
            wait interval;
            asked timestamptz;
            base pg_snapshot;
            unsettled boolean;
            newest xid8;
            shown pg_snapshot;
            held xid8[];
            published timestamptz;
        BEGIN
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                RAISE EXCEPTION 'this works only under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
            END IF;
            IF NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = to_regclass(part) AND i.inhparent = parent::regclass) THEN
                RETURN 'absent';
            END IF;
            IF (day + 1)::timestamptz > now() - greatest(keep, interval '0') THEN
                RETURN 'young';
            END IF;
            FOR look IN 1 .. 2 LOOP
                IF look = 2 THEN
                    wait := %1$s.event_outbox_await_locks(ARRAY[parent, part, other]::regclass[], '{ShareUpdateExclusiveLock}',
                                                           ARRAY[parent, other, part]::regclass[]);
                    IF wait IS NULL THEN
                        RETURN 'locked';
                    END IF;
                    -- DROP TABLE locks the TOAST table, which vacuum works on apart and nobody else can lock.
                    IF EXISTS (SELECT FROM pg_locks AS l
                               WHERE l.relation = (SELECT c.reltoastrelid FROM pg_class AS c WHERE c.oid = part::regclass) AND l.granted
                                 AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                                 AND l.mode = 'ShareUpdateExclusiveLock') THEN
                        RETURN 'locked';
                    END IF;
                    asked := clock_timestamp();
                    EXECUTE format('LOCK TABLE ONLY %%s IN ACCESS EXCLUSIVE MODE', parent);
                    -- What is left of the wait is for the others. DROP TABLE locks the default partition too.
                    PERFORM set_config('lock_timeout', greatest(1, extract(epoch FROM asked + wait - clock_timestamp()) * 1000)::integer || 'ms', true);
                    EXECUTE format('LOCK TABLE ONLY %%s IN ACCESS EXCLUSIVE MODE', part);
                    EXECUTE format('LOCK TABLE ONLY %%s IN ACCESS EXCLUSIVE MODE', other);
                END IF;
                base := (SELECT c.base FROM %2$s_cursor AS c ORDER BY c.n DESC LIMIT 1);
                EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %%s AS o WHERE o.tx >= pg_snapshot_xmin($1) AND NOT pg_visible_in_snapshot(o.tx, $1))', part)
                INTO unsettled USING base;
                IF base IS NULL OR unsettled THEN
                    RETURN 'unsettled';
                END IF;
                IF EXISTS (SELECT FROM %2$s_late AS l WHERE l.published_at IS NULL AND l.id >= low AND l.id < high) THEN
                    RETURN 'waiting';
                END IF;
                -- The first tick that shows all transactions with rows here shows all rows that did not
                -- wait. One that was open for long may have a low id and end after that with the highest
                -- one. So those with rows here that were still open are looked for. Without such a tick,
                -- the rows were published just now.
                EXECUTE format('SELECT o.tx FROM ONLY %%s AS o ORDER BY o.tx DESC LIMIT 1', part) INTO newest;
                shown := (SELECT k.shown FROM %2$s_tick AS k WHERE k.below > newest ORDER BY k.below, k.n LIMIT 1);
                EXECUTE format('SELECT array_agg(x) FROM pg_snapshot_xip($1) AS x WHERE EXISTS (SELECT FROM ONLY %%s AS o WHERE o.tx = x OFFSET 0)', part)
                INTO held USING shown;
                published := coalesce((SELECT k.published_at FROM %2$s_tick AS k
                                       WHERE k.below > newest
                                         AND NOT EXISTS (SELECT FROM unnest(held) AS x WHERE NOT pg_visible_in_snapshot(x, k.shown))
                                       ORDER BY k.below, k.n LIMIT 1), now());
                IF newest IS NOT NULL AND published > now() - greatest(keep, interval '0')
                   OR EXISTS (SELECT FROM %2$s_late AS l WHERE l.published_at > now() - greatest(keep, interval '0') AND l.id >= low AND l.id < high) THEN
                    RETURN 'young';
                END IF;
            END LOOP;
            -- Each row was created before that tick.
            IF newest IS NOT NULL THEN
                INSERT INTO %2$s_deleted AS d (created_at) VALUES (published)
                ON CONFLICT (one) DO UPDATE SET created_at = greatest(d.created_at, excluded.created_at);
            END IF;
            EXECUTE format('DROP TABLE %%s', part);
            RETURN 'dropped';
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                RETURN 'locked';
        END
    $body$, place, parent));

    -- Repairs numbers, after the sequence of seq was replaced or set back. Then
    --   no two rows that are not settled have the same number,
    --   no such row has a number that the cursor, event_outbox_late or event_outbox_failed has for
    --   another row, and
    --   the sequence stands at the highest number.
    -- former is the number of the newest cursor row, next that of the row that replaces it, listed
    -- the numbers in its ahead, and seen a snapshot that was taken before the sequence was found
    -- where it belongs; null: that of the cursor. It does nothing unless the lease is the given one.
    -- It returns
    --   lost     if it is not,
    --   changed  if former is not the newest cursor row,
    --   locked   if other sessions have locks, and else
    --   how many rows have another number.
    --
    -- Writers wait behind a lock. So it does not ask for one while a transaction goes on that was
    -- writing when it began. All that it does is rolled back with its transaction, also what it
    -- does to the sequence. It joins with hash tables, which the sessions of a relay do not
    -- allow: nested loops compare each row with each other one. Each statement looks only at
    -- transactions from the xmin of base on, by the index on tx, also if nothing is known about a
    -- partition yet. So rows that base shows are read if a transaction was open when base was taken,
    -- and only those that were inserted since it began. event_outbox_late is read through its
    -- primary key, all of it.
    --
    -- With the lock no transaction is open that has inserted a row, so every number that was given
    -- is visible or will never be. Rows are decided if an entry or the cursor says what becomes of
    -- them: entries belong to id, seq and tx, and a number in ahead to the only row with it that seen
    -- shows, or if seen is null, to the only row with it. The cursor's place says nothing about a row up
    -- to floor that base does not show: nobody has read it.
    --
    -- Nothing shows that the sequence was set back, if it stands at the highest number and no row has a
    -- number that an older row, an entry or floor has. Then all rows keep their numbers. Otherwise rows that
    -- are not decided have three ages:
    --   Earlier rows are known to be from before that: seen shows them, or the sequence has not reached
    --   their numbers again, or a younger row has their number and no older row, no entry and no floor
    --   has it, or their transaction is not younger than that of a row with such a number.
    --   Later rows are of the oldest transaction with a row whose number an older row, an entry or floor
    --   has, or of a younger one. If there is none, these are all that are not earlier.
    --   About the others nothing is known; they are between the two.
    -- Earlier rows keep their numbers if those are theirs alone. Otherwise all of them get new ones, and the rest
    -- does in any case: earlier rows first, later ones last, each in the order of the former numbers.
    EXECUTE format($outer$
        CREATE OR REPLACE FUNCTION %1$s.event_outbox_renumber(lease text, lease_epoch bigint, lease_holder uuid, former bigint, next bigint,
                                                   listed bigint[], seen pg_snapshot) RETURNS text
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
        SET enable_hashjoin = on SET enable_seqscan = off SET enable_nestloop = off SET jit = off AS %2$L
    $outer$, place, format($body$
        DECLARE
            parent CONSTANT text := %2$L;
            sequence CONSTANT regclass := pg_get_serial_sequence(parent, 'seq');
            c record;
            standing bigint;
            highest bigint;
            known pg_snapshot;
            early xid8;
            again xid8;
            given CONSTANT boolean := seen IS NOT NULL;
            lowest bigint;
            all_new boolean;
            place bigint;
            floor bigint;
            entries bytea[] := '{}';
            ahead bytea;
            entry bytea;
            last bigint := 0;
            distance bigint;
            chunk bigint;
            bits bigint;
            renumbered bigint := 0;
            -- The rows that base ($1) does not show. $2 and $3 are the cursor's place, $4 and $5 are
            -- listed and seen, $6 is the floor, and $7 says whether seen was given: then it shows each row
            -- that is settled ahead, so one that it does not show is none of them. A number is taken if an older
            -- row, an entry of another row or the floor has it.
            unpassed CONSTANT text := $q$
                WITH noted AS MATERIALIZED (
                    SELECT o.id, o.seq, o.tx,
                           pg_visible_in_snapshot(o.tx, $2) AND o.seq <= $3 AND o.seq > $6
                           OR e.id IS NOT NULL OR (f.id = o.id AND f.tx = o.tx) IS TRUE AS entered,
                           pg_visible_in_snapshot(o.tx, $5) AND k.seq IS NOT NULL AS listed,
                           (l.id <> o.id OR l.tx <> o.tx) IS TRUE OR (f.id <> o.id OR f.tx <> o.tx) IS TRUE AS entry,
                           count(*) FILTER (WHERE NOT $7 OR pg_visible_in_snapshot(o.tx, $5)) OVER (PARTITION BY o.seq) = 1 AS alone,
                           lag(o.id) OVER same IS NOT NULL AS second,
                           lead(o.id) OVER same IS NOT NULL AS first
                    FROM %2$s AS o
                    LEFT JOIN %2$s_late AS e ON e.id = o.id AND e.seq = o.seq AND e.tx = o.tx
                    LEFT JOIN %2$s_late AS l ON l.seq = o.seq AND l.published_at IS NULL
                    LEFT JOIN %2$s_failed AS f ON f.seq = o.seq
                    LEFT JOIN unnest($4) AS k (seq) ON k.seq = o.seq
                    WHERE o.tx >= pg_snapshot_xmin($1) AND NOT pg_visible_in_snapshot(o.tx, $1)
                    WINDOW same AS (PARTITION BY o.seq ORDER BY o.tx, o.id)
                ), unpassed AS (
                    SELECT n.id, n.seq, n.tx, d.decided, n.entry, n.first, n.second OR n.entry OR NOT d.decided AND n.seq <= $6 AS taken
                    FROM noted AS n CROSS JOIN LATERAL (SELECT n.entered OR n.listed AND n.alone AS decided) AS d
                )
            $q$;
            -- $8 is seen, if it counts, $9 is the youngest transaction that is known to be from before the
            -- sequence was set back, and $10 the oldest one that is known to be from after it. age is 0 for
            -- earlier rows, 2 for later ones, and 1 if nothing tells.
            split CONSTANT text := unpassed || $q$
                , split AS MATERIALIZED (
                    SELECT u.*, CASE WHEN u.decided OR pg_visible_in_snapshot(u.tx, $8) IS TRUE OR (u.tx <= $9) IS TRUE THEN 0
                                     WHEN (u.tx < $10) IS TRUE THEN 1 ELSE 2 END AS age
                    FROM unpassed AS u
                )
            $q$;
        BEGIN
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                RAISE EXCEPTION 'this works only under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
            END IF;
            PERFORM FROM %2$s_lease AS l
            WHERE l.name = lease AND l.epoch = lease_epoch AND l.holder IS NOT DISTINCT FROM lease_holder
            FOR KEY SHARE;
            IF NOT FOUND THEN
                RETURN 'lost';
            END IF;
            IF %1$s.event_outbox_await_locks(ARRAY[parent::regclass], '{AccessShareLock,RowShareLock}', '{}') IS NULL THEN
                RETURN 'locked';
            END IF;
            EXECUTE format('LOCK TABLE ONLY %%s IN SHARE ROW EXCLUSIVE MODE', parent);
            SELECT n.* INTO c FROM %2$s_cursor AS n ORDER BY n.n DESC LIMIT 1 FOR UPDATE;
            IF c.n IS DISTINCT FROM former THEN
                RETURN 'changed';
            END IF;
            IF c.shown IS NULL THEN
                c.shown := c.base;
                c.seq := 0;
            END IF;
            seen := coalesce(seen, c.shown);

            standing := coalesce(pg_sequence_last_value(sequence), 0);
            highest := greatest(standing, (SELECT max(o.seq) FROM %2$s AS o), (SELECT max(f.seq) FROM %2$s_failed AS f),
                                (SELECT max(l.seq) FROM %2$s_late AS l WHERE l.published_at IS NULL));
            IF highest > standing THEN
                PERFORM set_config('lock_timeout', '500ms', true); -- a relay that waits for inserts looks every 200 ms who waits
                EXECUTE format('ALTER SEQUENCE %%s RESTART WITH %%s', sequence, highest);
                PERFORM nextval(sequence);
            END IF;
            -- If seen shows a row whose number came again, the sequence was set back before it, and it does not count.
            EXECUTE unpassed || $q$
                SELECT CASE WHEN NOT EXISTS (SELECT FROM unpassed AS u WHERE u.taken AND pg_visible_in_snapshot(u.tx, $5)) THEN $5 END,
                       (SELECT u.tx FROM unpassed AS u WHERE u.seq > $8 OR u.first AND NOT u.taken ORDER BY u.tx DESC LIMIT 1),
                       (SELECT u.tx FROM unpassed AS u WHERE u.taken ORDER BY u.tx LIMIT 1)
            $q$ INTO known, early, again
            USING c.base, c.shown, c.seq, listed, seen, c.floor, given, standing;
            IF again IS NULL AND standing >= highest THEN
                early := '18446744073709551615'; -- nothing shows that the sequence was set back: all rows are earlier
            END IF;

            EXECUTE split || $q$
                , former AS MATERIALIZED (
                    SELECT s.seq, s.decided, s.entry OR count(*) OVER (PARTITION BY s.seq) > 1 AS shared
                    FROM split AS s WHERE s.age = 0
                ), bounds AS MATERIALIZED (
                    SELECT min(f.seq) FILTER (WHERE NOT f.decided) AS lowest FROM former AS f
                )
                SELECT b.lowest, EXISTS (SELECT FROM former AS f WHERE f.shared AND f.seq >= b.lowest) FROM bounds AS b
            $q$ INTO lowest, all_new
            USING c.base, c.shown, c.seq, listed, seen, c.floor, given, known, early, again;
            -- The number before the first row that keeps its number and is not settled.
            place := CASE WHEN lowest IS NULL OR all_new THEN highest ELSE lowest - 1 END;

            -- The decided rows that are not behind the place of the new cursor, as Encode of package
            -- logcursor writes them.
            FOR chunk, bits IN EXECUTE unpassed || $q$
                SELECT u.seq >> 6, bit_or(1::bigint << (u.seq & 63)::integer)
                FROM unpassed AS u WHERE u.decided AND u.seq > $8
                GROUP BY 1 ORDER BY 1
            $q$ USING c.base, c.shown, c.seq, listed, seen, c.floor, given, place LOOP
                distance := chunk - last;
                last := chunk;
                entry := '';
                WHILE distance > 127 LOOP
                    entry := entry || set_byte('\x00'::bytea, 0, (distance & 127)::integer | 128);
                    distance := distance >> 7;
                END LOOP;
                entry := entry || set_byte('\x00'::bytea, 0, distance::integer);
                FOR i IN REVERSE 8 .. 1 LOOP
                    entry := entry || substring(int8send(bits) FROM i FOR 1);
                END LOOP;
                entries := array_append(entries, entry);
            END LOOP;
            ahead := coalesce((SELECT string_agg(e, '' ORDER BY n) FROM unnest(entries) WITH ORDINALITY AS u (e, n)), '');

            -- UPDATE … FROM draws numbers in the order of its plan. INSERT draws them in that of its rows,
            -- and inserts none, because each id is there.
            EXECUTE split || $q$
                INSERT INTO %2$s AS t (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic, headers, partition)
                OVERRIDING SYSTEM VALUE
                SELECT o.id, o.aggregate_id, o.aggregate_type, o.event_type, o.event_data, o.event_key, o.created_at, o.tx, o.seq, o.topic, o.headers, o.partition
                FROM split AS s JOIN %2$s AS o ON o.id = s.id AND o.tx >= pg_snapshot_xmin($1)
                WHERE NOT s.decided AND (s.age > 0 OR $11)
                ORDER BY s.age, s.seq, s.tx, s.id
                ON CONFLICT (id) DO UPDATE SET seq = DEFAULT
            $q$ USING c.base, c.shown, c.seq, listed, seen, c.floor, given, known, early, again, all_new;
            GET DIAGNOSTICS renumbered = ROW_COUNT;

            EXECUTE $q$
                SELECT min(o.seq) - 1 FROM (
                    SELECT n.seq FROM %2$s AS n WHERE n.tx >= pg_snapshot_xmin($1) AND NOT pg_visible_in_snapshot(n.tx, $1) OFFSET 0
                ) AS o
            $q$ INTO floor USING c.base;
            floor := least(place, floor);
            DELETE FROM %2$s_cursor AS d WHERE d.n = former;
            INSERT INTO %2$s_cursor (n, base, shown, seq, ahead, floor, system, database, sequence_file)
            SELECT next, c.base, pg_current_snapshot(), place, ahead, floor, s.system_identifier, d.oid::bigint, pg_relation_filenode(sequence)::bigint
            FROM pg_control_system() AS s, pg_database AS d WHERE d.datname = current_database();
            RETURN renumbered::text;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                RETURN 'locked';
        END
    $body$, place, parent));

    EXECUTE format('REVOKE ALL ON FUNCTION %1$s.event_outbox_await_locks(regclass[], text[], regclass[]), '
                   '%1$s.event_outbox_make_partition(integer), %1$s.event_outbox_drop_partition(date, interval), '
                   '%1$s.event_outbox_renumber(text, bigint, uuid, bigint, bigint, bigint[], pg_snapshot) FROM PUBLIC', place);
END
$$;

SELECT event_outbox_make_partition(d) FROM generate_series(0, 7) AS d;
