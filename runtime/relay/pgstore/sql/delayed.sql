-- MoveDue moves delayed events that are due into event_outbox, by the time when they are
-- due and then by the order of their inserts. It is one more writer: no statement of the
-- relay that reads or settles knows of delayed events.
--
-- It needs no lease. Two relays may run it together, and one that was frozen may run it
-- late: a row that is locked, by another move or by a cancellation, is skipped, and so
-- is every later row of its key. So the rows of a key never overtake each other.
--
-- A row is deleted only if event_outbox has its id: because this statement inserted it,
-- or because it was there before. A row that a trigger or a unique index of the service
-- keeps out of event_outbox stays, and is tried again; stayed are some of those. If a
-- trigger changes an id, the statement fails: the row would stay and be inserted again and
-- again. SQL has no other way to fail than a wrong cast, whose error has the text; a
-- constant one would be evaluated in any case.
--
-- An id that another transaction is inserting is waited for at most 250 ms.
--
-- after_time and after_seq are the last row of the call before, or null and 0: then it
-- begins with the first row. So rows that stay, however many, do not keep the others from
-- being moved. skipped has the first row of each key that stayed, also those of earlier
-- calls, so that the order of the keys is kept.
--
-- known are ids that event_outbox had already. due_in_us tells when the next row is due
-- that is not due at looked_at; negative: there is none.
-- name: MoveDue :one
WITH picked AS MATERIALIZED (
    SELECT d.* FROM event_outbox_delayed AS d
    WHERE (SELECT set_config('lock_timeout', '250ms', true)) IS NOT NULL
      AND d.deliver_at <= now()
      AND (d.deliver_at, d.seq) > (coalesce(sqlc.narg(after_time)::timestamptz, '-infinity'), @after_seq::bigint)
    ORDER BY d.deliver_at, d.seq
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
), last AS MATERIALIZED (
    SELECT p.deliver_at, p.seq FROM picked AS p ORDER BY p.deliver_at DESC, p.seq DESC LIMIT 1
), skipped AS MATERIALIZED (
    SELECT DISTINCT ON (s.topic, s.event_key) s.topic, s.event_key, s.deliver_at, s.seq
    FROM last CROSS JOIN event_outbox_delayed AS s
    WHERE (s.deliver_at, s.seq) < (last.deliver_at, last.seq)
      AND s.event_key IS NOT NULL
      AND s.id NOT IN (SELECT p.id FROM picked AS p) -- hashed, also where sessions forbid hash joins
    ORDER BY s.topic, s.event_key, s.deliver_at, s.seq
), movable AS MATERIALIZED (
    SELECT p.* FROM picked AS p
    WHERE NOT EXISTS (
        SELECT FROM skipped AS s
        WHERE s.topic = p.topic AND s.event_key = p.event_key AND (s.deliver_at, s.seq) < (p.deliver_at, p.seq)
    )
), moved AS (
    INSERT INTO event_outbox (
        id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition
    )
    SELECT r.id, r.aggregate_type, r.aggregate_id, r.event_type, r.topic, r.event_key, r.event_data, r.headers, r.partition
    FROM movable AS r
    ORDER BY r.deliver_at, r.seq
    ON CONFLICT DO NOTHING
    RETURNING id
), known AS MATERIALIZED (
    SELECT r.id FROM movable AS r WHERE EXISTS (SELECT FROM event_outbox AS o WHERE o.id = r.id)
), removed AS (
    DELETE FROM event_outbox_delayed AS d
    WHERE d.id IN (SELECT m.id FROM moved AS m UNION ALL SELECT k.id FROM known AS k)
)
SELECT ((SELECT count(*) FROM moved)
        + coalesce((SELECT ('a trigger of event_outbox changes the ids of delayed events' || left(m.id::text, 0))::integer
                    FROM moved AS m WHERE m.id NOT IN (SELECT r.id FROM movable AS r) LIMIT 1), 0))::bigint AS moved,
       ARRAY(SELECT k.id::text FROM known AS k ORDER BY k.id)::text[] AS known,
       ARRAY(SELECT r.id::text FROM movable AS r
             WHERE r.id NOT IN (SELECT m.id FROM moved AS m UNION ALL SELECT k.id FROM known AS k)
             ORDER BY r.deliver_at, r.seq LIMIT 1)::text[] AS stayed,
       (SELECT count(*) FROM picked) AS picked,
       coalesce((SELECT l.deliver_at FROM last AS l), now())::timestamptz AS last_time,
       coalesce((SELECT l.seq FROM last AS l), 0)::bigint AS last_seq,
       now()::timestamptz AS looked_at,
       coalesce((SELECT greatest(0, extract(epoch FROM w.deliver_at - clock_timestamp()) * 1000000)
                 FROM event_outbox_delayed AS w
                 WHERE w.deliver_at > now()
                 ORDER BY w.deliver_at
                 LIMIT 1), -1)::bigint AS due_in_us;

-- FirstDue is the event with which MoveDue begins.
-- name: FirstDue :many
SELECT d.id, d.deliver_at, d.seq, now()::timestamptz AS looked_at FROM event_outbox_delayed AS d
WHERE d.deliver_at <= now()
  AND (d.deliver_at, d.seq) > (coalesce(sqlc.narg(after_time)::timestamptz, '-infinity'), @after_seq::bigint)
ORDER BY d.deliver_at, d.seq
LIMIT 1
FOR UPDATE SKIP LOCKED;
