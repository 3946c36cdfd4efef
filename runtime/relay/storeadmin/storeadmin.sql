-- DescribeOutbox says what there is. If a move was interrupted before CopyForgotten
-- had looked at all rows of event_outbox_before up to the low-water mark, that is unsearched, and searched is how far it came.
-- name: DescribeOutbox :one
SELECT (c.relkind = 'p')::boolean AS is_log, pg_get_userbyid(c.relowner)::text AS owner, (pg_get_userbyid(c.relowner) <> current_user)::boolean AS owned_by_another,
       (to_regclass('event_outbox_cursor') IS NOT NULL)::boolean AS has_cursor,
       EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
               WHERE a.attrelid = to_regclass('event_outbox_lease')::oid AND a.attname = 'low_water' AND NOT a.attisdropped)::boolean AS marked,
       coalesce(substring(obj_description(to_regclass('event_outbox_before')::oid, 'pg_class') FROM '^not searched after seq ([0-9]+) up to seq [0-9]+$')::bigint, 0)::bigint AS searched,
       coalesce(substring(obj_description(to_regclass('event_outbox_before')::oid, 'pg_class') FROM '^not searched after seq [0-9]+ up to seq ([0-9]+)$')::bigint, 0)::bigint AS unsearched
FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass('event_outbox')::oid;

-- Obstacles lists what belongs to event_outbox and would not belong to the new one. A publication
-- of all tables, or of the schema, would have the new one, but its subscribers would not: their
-- replication would stop at the first change of it. A function that is not text (BEGIN ATOMIC), or
-- that has rows of event_outbox as parameters, would stay with the former table. Tables of a
-- publication are found by name, because to_regclass fails in a schema that the role may not use.
-- A constraint about columns that only a table has is of no use to a log. One that says what NOT NULL says is not
-- missed, nor the default NULL, which Postgres stores for varchar(n): NULL::character varying.
-- name: Obstacles :many
SELECT o.what::text AS what FROM (
    SELECT 'the trigger ' || t.tgname || CASE WHEN c.relname = 'event_outbox' THEN '' ELSE ' of ' || c.relname END AS what
    FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.oid IN (
        SELECT to_regclass(n.name)::oid FROM unnest(ARRAY['event_outbox', 'event_outbox_cursor', 'event_outbox_late', 'event_outbox_failed',
                                                          'event_outbox_tick', 'event_outbox_deleted']) AS n (name))
    UNION ALL
    SELECT 'the foreign key ' || k.conname FROM pg_catalog.pg_constraint AS k
    WHERE k.contype = 'f' AND (k.confrelid = to_regclass('event_outbox')::oid OR k.conrelid = to_regclass('event_outbox')::oid)
    UNION ALL
    SELECT 'the constraint ' || k.conname FROM pg_catalog.pg_constraint AS k
    WHERE k.contype IN ('c', 'x') AND k.conrelid = to_regclass('event_outbox')::oid AND k.conname !~ '^event_outbox_(tombstone|partition_check[0-9]*)$'
      AND coalesce(pg_get_expr(k.conbin, k.conrelid), '') !~ '^\((aggregate_id|aggregate_type|event_type|created_at|topic) IS NOT NULL\)$'
      AND NOT coalesce(k.conkey <@ ARRAY(SELECT a.attnum FROM pg_catalog.pg_attribute AS a
                                         WHERE a.attrelid = k.conrelid AND a.attname = ANY(ARRAY['published_at', 'retry_count', 'last_error', 'next_attempt_at', 'dead_at'])), false)
    UNION ALL
    SELECT 'the unique index ' || c.relname FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = to_regclass('event_outbox')::oid AND i.indisunique
      AND NOT (i.indnkeyatts = 1 AND i.indpred IS NULL
               AND i.indkey[0] = (SELECT a.attnum FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = i.indrelid AND a.attname = 'id'))
    UNION ALL
    SELECT DISTINCT CASE WHEN v.relkind = 'v' THEN 'the view ' || v.relname
                         WHEN v.relkind = 'm' THEN 'the materialized view ' || v.relname
                         ELSE 'the rule ' || r.rulename || ' of ' || v.relname END
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND v.relname <> 'event_outbox_history' AND v.oid <> d.refobjid
      AND d.refobjid IN (
        SELECT to_regclass(n.name)::oid FROM unnest(ARRAY['event_outbox', 'event_outbox_history', 'event_outbox_cursor', 'event_outbox_late',
                                                          'event_outbox_failed', 'event_outbox_tick', 'event_outbox_deleted']) AS n (name))
    UNION ALL
    SELECT DISTINCT 'the function ' || p.proname
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_proc AS p ON p.oid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass('event_outbox')::oid
    WHERE d.classid = 'pg_proc'::regclass
      AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
           OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT t.oid FROM pg_catalog.pg_type AS t WHERE t.oid = c.reltype OR t.typelem = c.reltype))
    UNION ALL
    SELECT DISTINCT 'the policy ' || p.polname
    FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_policy AS p ON p.oid = d.objid
    WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass('event_outbox')::oid
    UNION ALL
    SELECT 'the rule ' || r.rulename FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = to_regclass('event_outbox')::oid
    UNION ALL
    SELECT 'row level security' FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass('event_outbox')::oid AND c.relrowsecurity
    UNION ALL
    SELECT DISTINCT 'the publication ' || p.pubname || CASE WHEN b.puballtables THEN ' of all tables' ELSE '' END
    FROM pg_catalog.pg_publication_tables AS p
    JOIN pg_catalog.pg_publication AS b ON b.pubname = p.pubname
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
    WHERE c.oid IN (
        SELECT to_regclass(n.name)::oid FROM unnest(ARRAY['event_outbox', 'event_outbox_cursor', 'event_outbox_late', 'event_outbox_failed',
                                                          'event_outbox_tick', 'event_outbox_deleted']) AS n (name)
        UNION ALL
        SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = to_regclass('event_outbox')::oid)
    UNION ALL
    SELECT CASE WHEN a.attname = ANY(ARRAY['aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key', 'topic', 'headers', 'partition'])
                THEN 'the default of the column ' ELSE 'the column ' END || a.attname
    FROM pg_catalog.pg_attribute AS a
    LEFT JOIN pg_catalog.pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
    WHERE a.attrelid = to_regclass('event_outbox')::oid AND a.attnum > 0 AND NOT a.attisdropped
      AND (a.attname <> ALL(ARRAY['id', 'aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key', 'created_at', 'published_at',
                                  'retry_count', 'last_error', 'tx', 'seq', 'topic', 'headers', 'next_attempt_at', 'dead_at', 'partition'])
           OR pg_get_expr(e.adbin, e.adrelid) !~ '^NULL(::|$)' AND a.attname = ANY(ARRAY['aggregate_id', 'aggregate_type', 'event_type', 'event_data', 'event_key', 'topic', 'headers', 'partition']))
) AS o
ORDER BY 1;

-- Schema is that of event_outbox, and whether the role may create tables there.
-- name: Schema :one
SELECT quote_ident(n.nspname)::text AS name, has_schema_privilege(current_user, n.oid, 'CREATE')::boolean AS may_create, quote_ident(current_user)::text AS role
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('event_outbox')::oid;

-- Nullable lists the columns in which the new event_outbox takes no null, and the former one does: an
-- upgraded table allows rows without a topic.
-- name: Nullable :many
SELECT a.attname::text AS name FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass('event_outbox')::oid AND NOT a.attisdropped AND NOT a.attnotnull
  AND a.attname = ANY(ARRAY['aggregate_id', 'aggregate_type', 'event_type', 'created_at', 'topic'])
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
                  WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND pg_get_expr(k.conbin, k.conrelid) = '(' || a.attname || ' IS NOT NULL)')
ORDER BY a.attnum;

-- TextTypes lists the types of the columns of text: those of an upgraded table may be longer than ours.
-- name: TextTypes :many
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod)::text AS type FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass('event_outbox')::oid AND NOT a.attisdropped
  AND a.attname = ANY(ARRAY['aggregate_id', 'aggregate_type', 'event_type', 'event_key', 'topic'])
  AND a.atttypid IN ('pg_catalog.varchar'::regtype, 'pg_catalog.text'::regtype);

-- Sequence is the place of the sequence of seq, and the low-water mark: see low_water.sql of
-- pgstore. A mark that does not belong to this sequence is 0.
-- name: Sequence :one
SELECT coalesce(pg_sequence_last_value(s.oid), 0)::bigint AS standing,
       coalesce((SELECT max(o.seq) FROM event_outbox AS o), 0)::bigint AS highest,
       coalesce((SELECT min(CASE WHEN l.low_water_file = pg_relation_filenode(s.oid)::bigint AND l.low_water <= coalesce(pg_sequence_last_value(s.oid), 0)
                                 THEN l.low_water ELSE 0 END)
                 FROM event_outbox_lease AS l), 0)::bigint AS low_water
FROM (SELECT pg_get_serial_sequence('event_outbox', 'seq')::regclass AS oid) AS s;

-- Place is what a cursor has to belong to, and the next transaction id or a lower one.
-- name: Place :one
SELECT (SELECT system_identifier FROM pg_control_system())::bigint AS system,
       (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())::bigint AS database,
       coalesce(pg_relation_filenode(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0)::bigint AS sequence_file,
       coalesce(pg_sequence_last_value(pg_get_serial_sequence('event_outbox', 'seq')::regclass), 0)::bigint AS standing,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_tx;

-- HasNumberAgain reports whether the sequence was set back, and has passed its former place: a row that is
-- not settled and has no entry has a number that is not above the floor, or that another row that the
-- cursor has not passed, or the entry of another row, has too.
-- name: HasNumberAgain :one
SELECT EXISTS (
    SELECT FROM (
        SELECT o.id, o.seq, o.tx, count(*) OVER (PARTITION BY o.seq) AS together FROM event_outbox AS o
        WHERE o.tx >= pg_snapshot_xmin(@base::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
        OFFSET 0
    ) AS n
    WHERE (n.seq <= @floor::bigint
           OR (n.together > 1
               OR EXISTS (SELECT FROM event_outbox_late AS w WHERE w.seq = n.seq AND w.published_at IS NULL)
               OR EXISTS (SELECT FROM event_outbox_failed AS c WHERE c.seq = n.seq))
           AND NOT (n.seq <= @seq::bigint AND pg_visible_in_snapshot(n.tx, @shown::pg_snapshot)))
      AND NOT EXISTS (SELECT FROM event_outbox_late AS l WHERE l.id = n.id AND l.seq = n.seq AND l.tx = n.tx)
      AND NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = n.id AND f.seq = n.seq AND f.tx = n.tx)
)::boolean AS again;

-- Renumber gives rows other numbers after the sequence was set back: see log.up.sql of package
-- migrations. A log without a lease was never read.
-- name: Renumber :one
SELECT event_outbox_renumber(l.name, l.epoch, l.holder, @former::bigint, @following::bigint, @listed::bigint[], NULL)::text AS outcome
FROM event_outbox_lease AS l ORDER BY l.name LIMIT 1;

-- ContinueSequence lets seq continue after the last one.
-- name: ContinueSequence :one
SELECT setval(pg_get_serial_sequence('event_outbox', 'seq')::regclass, greatest(@last::bigint, 1), @last::bigint > 0)::bigint AS at;

-- EndTerms ends the term of each leader. FOR UPDATE waits for statements that settle.
-- name: EndTerms :exec
WITH locked AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l ORDER BY l.name FOR UPDATE
)
UPDATE event_outbox_lease AS e
SET epoch = e.epoch + 1, holder = NULL, backends = '[]', suspect_seq = NULL, unclean_ends = 0, state = NULL, low_water = 0, low_water_file = 0,
    search_below = 0
FROM locked WHERE e.name = locked.name;

-- SearchBelow looks at the next rows of a table up to the low-water mark, and finds those that are
-- not published and are in no index that says so: somebody has unpublished or restored them. See
-- low_water.sql of pgstore.
-- name: SearchBelow :one
SELECT count(*) AS looked, coalesce(max(w.seq), 0)::bigint AS last, coalesce(array_agg(w.id) FILTER (WHERE w.unsettled), '{}')::uuid[] AS found
FROM (
    SELECT o.id, o.seq, o.published_at IS NULL AND o.next_attempt_at IS NULL AND o.dead_at IS NULL AS unsettled
    FROM event_outbox AS o
    WHERE o.seq > @after::bigint AND o.seq <= @low_water::bigint
    ORDER BY o.seq
    LIMIT @window_rows
) AS w;

-- CopyForgotten does the same after the move, when nobody changes these rows any more, and inserts
-- those that were unpublished after SearchBelow had looked at them. They get new numbers, as restored
-- rows of a log do.
-- name: CopyForgotten :one
WITH looked AS MATERIALIZED (
    SELECT w.id, w.seq, w.published_at IS NULL AND w.next_attempt_at IS NULL AND w.dead_at IS NULL AS unsettled
    FROM event_outbox_before AS w
    WHERE w.seq > @after::bigint AND w.seq <= @low_water::bigint
    ORDER BY w.seq
    LIMIT @window_rows
), copied AS (
    INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, topic, headers, partition)
    SELECT b.id, b.aggregate_id, b.aggregate_type, b.event_type, b.event_data, b.event_key, b.created_at,
           coalesce(b.topic, regexp_replace(b.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', b.event_type), b.headers, b.partition
    FROM looked JOIN event_outbox_before AS b ON b.id = looked.id
    WHERE looked.unsettled
    ORDER BY b.seq
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT (SELECT count(*) FROM looked) AS looked, coalesce((SELECT max(l.seq) FROM looked AS l), 0)::bigint AS last, (SELECT count(*) FROM copied) AS copied;

-- CopyRows copies the rows of a table that are not published into a log, dead ones too, so
-- that inserting their ids again does nothing. found are further rows up to the low-water mark.
-- name: CopyRows :one
WITH copied AS (
    INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, seq, topic, headers, partition)
    OVERRIDING SYSTEM VALUE
    SELECT b.id, b.aggregate_id, b.aggregate_type, b.event_type, b.event_data, b.event_key, b.created_at, b.seq,
           coalesce(b.topic, regexp_replace(b.event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', b.event_type), b.headers, b.partition
    FROM (
        SELECT a.id FROM event_outbox_before AS a WHERE a.seq > @low_water::bigint AND a.published_at IS NULL
        UNION
        SELECT w.id FROM event_outbox_before AS w WHERE w.next_attempt_at IS NOT NULL AND w.published_at IS NULL
        UNION
        SELECT d.id FROM event_outbox_before AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL
        UNION
        SELECT f.id FROM event_outbox_before AS f WHERE f.id = ANY(@found::uuid[]) AND f.published_at IS NULL
    ) AS unsettled
    JOIN event_outbox_before AS b ON b.id = unsettled.id
    ORDER BY b.seq
    LIMIT @max_rows
    RETURNING seq
)
SELECT count(*) AS copied, coalesce(min(seq), 0)::bigint AS first FROM copied;

-- CopyFailures makes copies of the rows that failed.
-- name: CopyFailures :many
INSERT INTO event_outbox_failed (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic, headers, partition,
                                 retry_count, last_error, next_attempt_at, dead_at)
SELECT o.id, o.aggregate_id, o.aggregate_type, o.event_type, o.event_data, o.event_key, o.created_at, o.tx, o.seq, o.topic, o.headers, o.partition,
       b.retry_count, b.last_error, CASE WHEN b.dead_at IS NULL THEN b.next_attempt_at END, b.dead_at
FROM event_outbox AS o JOIN event_outbox_before AS b ON b.id = o.id
WHERE b.dead_at IS NOT NULL OR b.next_attempt_at IS NOT NULL AND b.retry_count > 0
RETURNING seq;

-- MarkCopied marks rows up to the low-water mark that were copied as rows that wait, so that CopyForgotten
-- does not copy them again: when it is called, they may have been published and deleted.
-- name: MarkCopied :exec
UPDATE event_outbox_before AS b SET next_attempt_at = now()
WHERE b.id = ANY(@found::uuid[]) AND b.published_at IS NULL AND b.next_attempt_at IS NULL AND b.dead_at IS NULL;

-- SetFirstCursor makes the copies settled as far as the log is concerned.
-- name: SetFirstCursor :execrows
UPDATE event_outbox_cursor
SET ahead = @ahead, floor = @floor, system = @system, database = @database, sequence_file = @sequence_file;

-- NoteDeleted says that the log begins now: published events are not copied.
-- name: NoteDeleted :exec
INSERT INTO event_outbox_deleted (created_at) VALUES (clock_timestamp());

-- name: ReadCursor :one
SELECT c.n, c.base::text AS base, coalesce(c.shown, c.base)::text AS shown, CASE WHEN c.shown IS NULL THEN 0 ELSE c.seq END::bigint AS seq, c.ahead, c.floor,
       c.system, c.database, c.sequence_file, pg_snapshot_xmax(c.base)::text::bigint AS base_tx
FROM event_outbox_cursor AS c
ORDER BY c.n DESC
LIMIT 1;

-- CopyUnpassed copies the rows that the cursor has not passed into a table, CopyLate those that
-- waited when it passed them, and CopyCopies those that failed. A log may have an id more
-- than once: the row of a copy may be gone and its id inserted again. A table has it once, so a copy
-- is left out if the new event_outbox has a row of its id already.
-- name: CopyUnpassed :execrows
INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, seq, topic, headers, partition)
OVERRIDING SYSTEM VALUE
SELECT o.id, o.aggregate_id, o.aggregate_type, o.event_type, o.event_data, o.event_key, o.created_at, o.seq, o.topic, o.headers, o.partition
FROM event_outbox_before AS o
WHERE o.seq > @floor::bigint AND o.tx >= pg_snapshot_xmin(@base::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
  AND (o.seq > @seq::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
  AND o.seq NOT IN (SELECT unnest(@ahead::bigint[]))
  AND NOT EXISTS (SELECT FROM event_outbox_late AS l WHERE l.id = o.id AND l.seq = o.seq AND l.tx = o.tx)
  AND NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = o.id AND f.seq = o.seq AND f.tx = o.tx)
ORDER BY o.seq
LIMIT @max_rows;

-- name: CopyLate :execrows
INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, seq, topic, headers, partition)
OVERRIDING SYSTEM VALUE
SELECT o.id, o.aggregate_id, o.aggregate_type, o.event_type, o.event_data, o.event_key, o.created_at, o.seq, o.topic, o.headers, o.partition
FROM event_outbox_late AS w JOIN event_outbox_before AS o ON o.id = w.id AND o.seq = w.seq AND o.tx = w.tx
WHERE w.published_at IS NULL AND NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = w.id AND f.seq = w.seq AND f.tx = w.tx)
LIMIT @max_rows;

-- name: CopyCopies :execrows
INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, seq, topic, headers, partition,
                          retry_count, last_error, next_attempt_at, dead_at)
OVERRIDING SYSTEM VALUE
SELECT f.id, f.aggregate_id, f.aggregate_type, f.event_type, f.event_data, f.event_key, f.created_at, f.seq, f.topic, f.headers, f.partition,
       f.retry_count, f.last_error, CASE WHEN f.dead_at IS NULL THEN coalesce(f.next_attempt_at, now()) END, f.dead_at
FROM (
    SELECT DISTINCT ON (c.id) c.* FROM event_outbox_failed AS c
    WHERE NOT EXISTS (SELECT FROM event_outbox AS n WHERE n.id = c.id)
    ORDER BY c.id, c.dead_at IS NOT NULL, c.seq
) AS f
LIMIT @max_rows;

-- LeftOut counts the copies that were left out.
-- name: LeftOut :one
SELECT count(*) FILTER (WHERE f.dead_at IS NULL) AS waiting, count(*) FILTER (WHERE f.dead_at IS NOT NULL) AS dead
FROM event_outbox_failed AS f
WHERE NOT EXISTS (SELECT FROM event_outbox AS n WHERE n.id = f.id AND n.seq = f.seq);

-- NoteTick adds the last complete tick to the history, and NotePublished what is published of the
-- tick after it. What failed or waited has its entry.
-- name: NoteTick :exec
INSERT INTO event_outbox_tick (n, shown, below)
SELECT c.n, c.base, pg_snapshot_xmax(c.base) FROM event_outbox_cursor AS c ORDER BY c.n DESC LIMIT 1
ON CONFLICT (n) DO NOTHING;

-- name: NotePublished :exec
INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at)
SELECT o.id, o.tx, o.seq, o.topic, o.event_key, now()
FROM event_outbox_before AS o
WHERE o.seq > @floor::bigint AND o.tx >= pg_snapshot_xmin(@base::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
  AND (o.seq <= @seq::bigint AND pg_visible_in_snapshot(o.tx, @shown::pg_snapshot) OR o.seq IN (SELECT unnest(@ahead::bigint[])))
  AND NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = o.id AND f.seq = o.seq AND f.tx = o.tx)
ON CONFLICT (id, seq, tx) DO NOTHING;

-- SpoilCursor is the beginning of an adoption: no relay starts with a cursor of another cluster.
-- name: SpoilCursor :exec
UPDATE event_outbox_cursor SET system = @system, database = @database;

-- name: ForgetCursor :exec
DELETE FROM event_outbox_cursor;

-- ForgetTimes removes the times of publication, which are those of other transactions.
-- name: ForgetTimes :exec
DELETE FROM event_outbox_tick;

-- ForgetDoubleLate and ForgetDoubleCopies remove entries that OwnRows would make the same: of those with
-- one id and seq, and transaction ids of another cluster, the one of the row is kept, or else one.
-- name: ForgetDoubleLate :exec
DELETE FROM event_outbox_late AS d
USING (
    SELECT e.id, e.seq, e.tx,
           row_number() OVER (PARTITION BY e.id, e.seq ORDER BY o.id IS NULL, e.published_at IS NOT NULL, e.tx DESC) AS place
    FROM event_outbox_late AS e LEFT JOIN event_outbox AS o ON o.id = e.id AND o.seq = e.seq AND o.tx = e.tx
    WHERE e.tx >= pg_snapshot_xmin(pg_current_snapshot()) AND NOT pg_visible_in_snapshot(e.tx, pg_current_snapshot())
) AS k
WHERE d.id = k.id AND d.seq = k.seq AND d.tx = k.tx AND k.place > 1;

-- name: ForgetDoubleCopies :exec
DELETE FROM event_outbox_failed AS d
USING (
    SELECT e.id, e.seq, e.tx, row_number() OVER (PARTITION BY e.id, e.seq ORDER BY o.id IS NULL, e.tx DESC) AS place
    FROM event_outbox_failed AS e LEFT JOIN event_outbox AS o ON o.id = e.id AND o.seq = e.seq AND o.tx = e.tx
    WHERE e.tx >= pg_snapshot_xmin(pg_current_snapshot()) AND NOT pg_visible_in_snapshot(e.tx, pg_current_snapshot())
) AS k
WHERE d.id = k.id AND d.seq = k.seq AND d.tx = k.tx AND k.place > 1;

-- OwnRows gives rows the id of this transaction if they have that of a transaction that has not
-- ended in this cluster, or not begun. The row is there, so the id is of another cluster. Snapshots
-- would hide the row. Ids of transactions that have ended are visible in each later snapshot. The
-- entries of these rows get it too, in the same statement, so that all go by one snapshot.
-- name: OwnRows :one
WITH at AS MATERIALIZED (
    SELECT pg_current_snapshot() AS now
), entries AS (
    UPDATE event_outbox_late AS l SET tx = pg_current_xact_id() FROM at
    WHERE l.tx >= pg_snapshot_xmin(at.now) AND NOT pg_visible_in_snapshot(l.tx, at.now)
), copies AS (
    UPDATE event_outbox_failed AS f SET tx = pg_current_xact_id() FROM at
    WHERE f.tx >= pg_snapshot_xmin(at.now) AND NOT pg_visible_in_snapshot(f.tx, at.now)
), changed AS (
    UPDATE event_outbox AS o SET tx = pg_current_xact_id() FROM at
    WHERE o.tx >= pg_snapshot_xmin(at.now) AND NOT pg_visible_in_snapshot(o.tx, at.now)
    RETURNING o.id
)
SELECT count(*) FROM changed;

-- ForgetLate removes the entries of rows that are sent again with the log. A discarded event stays
-- discarded.
-- name: ForgetLate :exec
DELETE FROM event_outbox_late AS l WHERE l.seq >= @from_seq::bigint AND NOT l.discarded;

-- ForgetCopies removes copies that wait and whose number another row has too, so that the log has to
-- be read there. All others stay, because an operator may have edited them.
-- name: ForgetCopies :exec
DELETE FROM event_outbox_failed AS f
WHERE f.seq >= @from_seq::bigint AND f.dead_at IS NULL AND EXISTS (SELECT FROM event_outbox AS o WHERE o.id = f.id AND o.seq = f.seq)
  AND EXISTS (SELECT FROM event_outbox AS n WHERE n.seq = f.seq AND n.id <> f.id);

-- Decided lists the numbers of the rows that are not read in the log: those with a copy, and those
-- that were discarded. A number that another row has too is left out: it must not count as settled.
-- name: Decided :many
SELECT e.seq::bigint AS seq
FROM (
    SELECT f.id, f.seq FROM event_outbox_failed AS f WHERE f.seq >= @from_seq::bigint
    UNION
    SELECT l.id, l.seq FROM event_outbox_late AS l WHERE l.seq >= @from_seq::bigint AND l.discarded
) AS e
WHERE NOT EXISTS (SELECT FROM event_outbox AS o WHERE o.seq = e.seq AND o.id <> e.id)
ORDER BY 1;

-- YoungRows lists the first row that cannot count as published, up to floor or below a seq: it was inserted after
-- the last tick, so the cursor cannot have passed it. Without ticks, nothing is known of rows above floor.
-- Up to begun, the numbers may be of a sequence that started over in this cluster: logical replication does
-- not copy sequences. The times say nothing of these rows: the former relay may have written ticks after
-- them, clocks may differ, and a writer may give created_at.
-- name: YoungRows :many
SELECT o.seq FROM event_outbox AS o
WHERE o.seq <= @floor::bigint AND o.created_at > coalesce((SELECT t.published_at FROM event_outbox_tick AS t ORDER BY t.n DESC LIMIT 1), '-infinity')
   OR o.seq < @from_seq::bigint AND o.created_at > (SELECT k.published_at FROM event_outbox_tick AS k ORDER BY k.n DESC LIMIT 1)
   OR o.seq <= @begun::bigint AND (o.seq <= @floor::bigint OR o.seq < @from_seq::bigint)
ORDER BY o.seq
LIMIT 1;

-- UnseenRows lists the first row below a seq that a cursor of this database has not passed. The place of the cursor
-- says nothing of a row up to floor that base does not show: see DESIGN.md of package logcursor.
-- name: UnseenRows :many
SELECT o.seq FROM event_outbox AS o
WHERE o.seq < @from_seq::bigint
  AND (o.tx >= pg_snapshot_xmin(@shown::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot)
       OR o.seq <= @floor::bigint AND o.tx >= pg_snapshot_xmin(@base::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
          AND NOT EXISTS (SELECT FROM event_outbox_late AS l WHERE l.id = o.id AND l.seq = o.seq AND l.tx = o.tx)
          AND NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = o.id AND f.seq = o.seq AND f.tx = o.tx))
ORDER BY o.seq
LIMIT 1;

-- name: Snapshot :one
SELECT pg_current_snapshot()::text AS snapshot;

-- name: CountUpTo :one
SELECT count(*) FROM event_outbox AS o WHERE o.seq <= @seq::bigint;

-- AdoptCursor makes the rows settled that a snapshot shows, up to a seq.
-- name: AdoptCursor :exec
INSERT INTO event_outbox_cursor (n, base, shown, seq, ahead, system, database, sequence_file)
SELECT @n::bigint, '3:3:'::pg_snapshot, @shown::pg_snapshot, @seq::bigint, @ahead::bytea,
       (SELECT c.system_identifier FROM pg_control_system() AS c)::bigint,
       (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())::bigint,
       pg_relation_filenode(pg_get_serial_sequence('event_outbox', 'seq')::regclass)::bigint;

-- Holders lists the sessions and prepared transactions that hold locks on the tables that Migrate
-- locks: prepared transactions before sessions, and the oldest first. The pid of a prepared transaction is 0. Without pg_read_all_stats little
-- is known of other roles: the time is -1.
-- name: Holders :many
SELECT coalesce(l.pid, 0)::integer AS pid,
       coalesce(p.gid, '')::text AS gid,
       concat_ws(', ', a.usename, coalesce(nullif(a.application_name, ''), nullif(a.backend_type, 'client backend')), a.state)::text AS detail,
       string_agg(DISTINCT l.mode || ' on ' || c.relname, ', ')::text AS locks,
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(p.prepared, a.xact_start)), -1)::bigint AS seconds
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN (
    SELECT x.virtualtransaction, q.gid, q.prepared FROM pg_catalog.pg_locks AS x JOIN pg_catalog.pg_prepared_xacts AS q ON q.transaction = x.transactionid
    WHERE x.locktype = 'transactionid' AND x.pid IS NULL
) AS p ON l.pid IS NULL AND p.virtualtransaction = l.virtualtransaction
WHERE l.locktype = 'relation' AND l.granted AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
  AND l.relation IN (
      SELECT to_regclass(n.name)::oid FROM unnest(ARRAY['event_outbox', 'event_outbox_lease', 'event_outbox_audit', 'event_outbox_cursor', 'event_outbox_late',
                                                        'event_outbox_failed', 'event_outbox_tick', 'event_outbox_deleted']) AS n (name)
      UNION ALL
      SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = to_regclass('event_outbox')::oid)
  AND l.pid IS DISTINCT FROM pg_backend_pid()
GROUP BY l.pid, l.virtualtransaction, a.usename, a.application_name, a.backend_type, a.state, a.xact_start, p.gid, p.prepared
ORDER BY l.pid IS NOT NULL, coalesce(p.prepared, a.xact_start) NULLS LAST, l.pid
LIMIT 5;

-- Lost lists what of event_outbox the new one does without, and no insert fails for it. The roles with
-- the given names get what they need.
-- name: Lost :many
SELECT o.what::text AS what FROM (
    SELECT 'the index ' || c.relname AS what FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = to_regclass('event_outbox')::oid AND NOT i.indisunique
      AND c.relname <> ALL(ARRAY['ix_event_outbox_seq', 'ix_event_outbox_aggregate', 'ix_event_outbox_tx', 'ix_event_outbox_waiting', 'ix_event_outbox_retried', 'ix_event_outbox_dead'])
    UNION ALL
    SELECT 'the storage parameter ' || p.parameter FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL unnest(c.reloptions) AS p (parameter)
    WHERE c.oid = to_regclass('event_outbox')::oid
      AND p.parameter <> ALL(ARRAY['autovacuum_vacuum_scale_factor=0.01', 'autovacuum_vacuum_threshold=1000', 'fillfactor=50'])
    UNION ALL
    SELECT 'the tablespace ' || s.spcname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_tablespace AS s ON s.oid = c.reltablespace
    WHERE c.oid = to_regclass('event_outbox')::oid
    UNION ALL
    SELECT 'the privileges ' || string_agg(DISTINCT g.privilege_type, ', ') || ' of ' || CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END
    FROM (
        SELECT a.grantee, a.privilege_type, c.relowner FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a WHERE c.oid = to_regclass('event_outbox')::oid
        UNION ALL
        SELECT a.grantee, a.privilege_type, c.relowner
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS t ON t.attrelid = c.oid CROSS JOIN LATERAL aclexplode(t.attacl) AS a
        WHERE c.oid = to_regclass('event_outbox')::oid AND NOT t.attisdropped
    ) AS g
    WHERE g.grantee <> g.relowner AND g.privilege_type NOT IN ('SELECT', 'INSERT') AND pg_get_userbyid(g.grantee)::text <> ALL(@roles::text[])
    GROUP BY g.grantee
) AS o
ORDER BY 1;

-- CountOfTable counts the rows of a table that CopyRows would copy, and CountOfLog those of a log. again
-- means that events will get other numbers before: then a row up to floor is not settled, nor one whose number
-- in ahead another row has too (see event_outbox_renumber in log.up.sql of package migrations).
-- name: CountOfTable :one
SELECT count(*) FROM (
    (SELECT a.id FROM event_outbox AS a WHERE a.seq > @low_water::bigint AND a.published_at IS NULL LIMIT @max_rows::integer)
    UNION
    (SELECT w.id FROM event_outbox AS w WHERE w.next_attempt_at IS NOT NULL AND w.published_at IS NULL LIMIT @max_rows::integer)
    UNION
    (SELECT d.id FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL LIMIT @max_rows::integer)
) AS n;

-- name: CountOfLog :one
SELECT count(*) FROM (
    (SELECT o.id FROM event_outbox AS o
     WHERE o.tx >= pg_snapshot_xmin(@base::pg_snapshot) AND NOT pg_visible_in_snapshot(o.tx, @base::pg_snapshot)
       AND (o.seq > @floor::bigint OR @again::boolean)
       AND (o.seq > @seq::bigint OR o.seq <= @floor::bigint OR NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot))
       AND (o.seq NOT IN (SELECT unnest(@ahead::bigint[]))
            OR @again::boolean AND (NOT pg_visible_in_snapshot(o.tx, @shown::pg_snapshot)
                                    OR EXISTS (SELECT FROM event_outbox AS s
                                               WHERE s.seq = o.seq AND s.id <> o.id AND NOT pg_visible_in_snapshot(s.tx, @base::pg_snapshot))))
       AND NOT EXISTS (SELECT FROM event_outbox_late AS l WHERE l.id = o.id AND l.seq = o.seq AND l.tx = o.tx)
       AND NOT EXISTS (SELECT FROM event_outbox_failed AS f WHERE f.id = o.id AND f.seq = o.seq AND f.tx = o.tx)
     LIMIT @max_rows::integer)
    UNION
    (SELECT w.id FROM event_outbox_late AS w JOIN event_outbox AS e ON e.id = w.id AND e.seq = w.seq AND e.tx = w.tx
     WHERE w.published_at IS NULL LIMIT @max_rows::integer)
    UNION
    (SELECT c.id FROM event_outbox_failed AS c LIMIT @max_rows::integer)
) AS n;

-- Kept lists what is left of a former move, each before its partitions.
-- name: Kept :many
SELECT (quote_ident(n.nspname) || '.' || quote_ident(c.relname))::text AS name, (c.relkind = 'v')::boolean AS is_view, c.relispartition AS is_partition
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid IN (
    SELECT to_regclass(f.name)::oid FROM unnest(ARRAY['event_outbox_before', 'event_outbox_before_cursor', 'event_outbox_before_late', 'event_outbox_before_failed',
                                                      'event_outbox_before_tick', 'event_outbox_before_deleted', 'event_outbox_before_history']) AS f (name)
    UNION ALL
    SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = to_regclass('event_outbox_before')::oid)
ORDER BY c.relispartition, c.relkind = 'v', c.relname;
