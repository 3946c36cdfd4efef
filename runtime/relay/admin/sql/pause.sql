-- ReadPauses lists the pauses of topics that no later entry ends, as the relay reads them.
-- name: ReadPauses :many
SELECT coalesce(l.topic, '')::text AS topic, l.actor, coalesce(l.reason, '')::text AS reason, l.at
FROM (
    SELECT DISTINCT ON (p.topic) p.id, p.topic, p.actor, p.reason, p.at, p.action
    FROM event_outbox_audit AS p
    WHERE p.action IN ('pause', 'resume')
    ORDER BY p.topic, p.id DESC
) AS l
WHERE l.action = 'pause'
  AND l.id > coalesce((SELECT max(r.id) FROM event_outbox_audit AS r WHERE r.action IN ('pause', 'resume') AND r.action = 'resume' AND r.topic IS NULL), 0)
ORDER BY l.id;

-- LockPauses makes decisions about pauses one at a time: each looks at those before it.
-- name: LockPauses :exec
SELECT pg_advisory_xact_lock(hashtextextended('outboxrelay pauses ' || to_regclass('event_outbox_audit')::oid::text, 0));

-- UsesTopic looks for a row of a topic among the first pending, dead and delayed ones, and
-- the latest ones. unread: one has its topic in event_data only, which is not read here, because
-- it may be large.
-- name: UsesTopic :one
SELECT coalesce(bool_or(coalesce(r.topic, r.event_type) = @topic::text), false)::boolean AS used,
       coalesce(bool_or(r.topic IS NULL), false)::boolean AS unread
FROM (
    (SELECT w.topic, w.event_type FROM event_outbox AS w
     WHERE w.next_attempt_at IS NOT NULL AND w.dead_at IS NULL AND w.published_at IS NULL AND w.seq <= @low_water::bigint
     ORDER BY w.seq LIMIT 10000)
    UNION ALL
    (SELECT p.topic, p.event_type FROM event_outbox AS p
     WHERE p.published_at IS NULL AND p.dead_at IS NULL AND p.seq > @low_water::bigint AND p.seq <= @up_to::bigint
     ORDER BY p.seq LIMIT 10000)
    UNION ALL
    (SELECT d.topic, d.event_type FROM event_outbox AS d WHERE d.dead_at IS NOT NULL AND d.published_at IS NULL ORDER BY d.seq LIMIT 10000)
    UNION ALL
    (SELECT l.topic, l.event_type FROM event_outbox AS l WHERE l.tx IS NOT NULL ORDER BY l.tx DESC LIMIT 10000)
    UNION ALL
    (SELECT e.topic, e.event_type FROM event_outbox_delayed AS e ORDER BY e.deliver_at LIMIT 10000)
) AS r;

-- AddEntry is for decisions that are not about an event. The leader need not act on them
-- row by row, so they have applied_at.
-- name: AddEntry :exec
INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason, applied_at)
VALUES (@actor, @action, 0, '00000000-0000-0000-0000-000000000000', '', sqlc.narg(topic), sqlc.narg(reason), now());
