-- CountOfLog counts the rows of a log that CopyUnpassed, CopyLate and CopyCopies would copy. again means that
-- events will get other numbers before: then a row up to floor is not settled, nor one whose number in ahead
-- another row has too (see event_outbox_renumber in log.up.sql of package migrations).
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
