-- Claim makes the transaction the one that handles the event. A second one that
-- claims the same id waits on the unique index until the first has ended: then it
-- finds the id taken (0 rows), or free again when the first was rolled back.
-- name: Claim :execrows
INSERT INTO event_inbox (consumer, event_id) VALUES (@consumer, @event_id)
ON CONFLICT (consumer, event_id) DO NOTHING;

-- ClaimAll is Claim for several events. It returns the ids that are new. All
-- transactions insert them in the same order, so that two which claim the same ids wait
-- for each other and do not deadlock.
-- name: ClaimAll :many
INSERT INTO event_inbox (consumer, event_id)
SELECT @consumer, e.id
FROM (SELECT DISTINCT unnest(@event_ids::text[])::uuid AS id) AS e
ORDER BY e.id
ON CONFLICT (consumer, event_id) DO NOTHING
RETURNING event_id;

-- Forget goes through the ids of one consumer in the order of the primary key,
-- a window at a time, and deletes the old ones among them; last is the end of the
-- window, or null when there was nothing left.
-- name: Forget :one
WITH ids AS MATERIALIZED (
    SELECT i.event_id, i.handled_at FROM event_inbox AS i
    WHERE i.consumer = @consumer AND i.event_id > @after::uuid
    ORDER BY i.event_id
    LIMIT @window_rows
), forgotten AS (
    DELETE FROM event_inbox AS d USING ids
    WHERE d.consumer = @consumer AND d.event_id = ids.event_id
      AND ids.handled_at < now() - make_interval(secs => @keep_seconds::float8)
    RETURNING d.event_id
)
SELECT (SELECT count(*) FROM forgotten)                                    AS forgotten,
       (SELECT count(*) FROM ids)                                          AS seen,
       coalesce((SELECT i.event_id FROM ids AS i ORDER BY i.event_id DESC LIMIT 1), @after::uuid)::uuid AS last_id;
