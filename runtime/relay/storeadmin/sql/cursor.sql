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

-- name: ReadCursor :one
SELECT c.n, c.base::text AS base, coalesce(c.shown, c.base)::text AS shown, CASE WHEN c.shown IS NULL THEN 0 ELSE c.seq END::bigint AS seq, c.ahead, c.floor,
       c.system, c.database, c.sequence_file, pg_snapshot_xmax(c.base)::text::bigint AS base_tx
FROM event_outbox_cursor AS c
ORDER BY c.n DESC
LIMIT 1;

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
