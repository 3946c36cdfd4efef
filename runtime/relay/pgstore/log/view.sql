-- The events with what became of them. published_at is the time when the cursor had passed
-- the event's tick, at most about a second after it was published; for an event that waited
-- while the cursor passed it, the time when it was published. While the newest events are
-- published and the cursor does not stand at the end of their tick, they are 'waiting'.
CREATE VIEW event_outbox_history AS
SELECT o.seq, o.id, o.aggregate_type, o.aggregate_id, o.event_type, o.topic, o.event_key, o.partition, o.event_data, o.headers,
       o.created_at,
       CASE WHEN f.dead_at IS NOT NULL THEN 'dead'
            WHEN f.id IS NOT NULL THEN 'failed'
            WHEN l.id IS NOT NULL AND l.published_at IS NULL OR l.id IS NULL AND t.published_at IS NULL THEN 'waiting'
            ELSE 'published'
       END AS state,
       CASE WHEN f.id IS NULL AND l.id IS NOT NULL THEN l.published_at
            WHEN f.id IS NULL THEN t.published_at
       END AS published_at,
       f.retry_count, f.last_error, f.next_attempt_at, f.dead_at
FROM event_outbox AS o
LEFT JOIN event_outbox_failed AS f ON f.id = o.id
LEFT JOIN event_outbox_late AS l ON l.id = o.id
LEFT JOIN LATERAL (
    SELECT k.published_at FROM event_outbox_tick AS k
    WHERE k.below > o.tx AND pg_visible_in_snapshot(o.tx, k.shown)
    ORDER BY k.below, k.n
    LIMIT 1
) AS t ON true;
