-- Every settling statement first locks the lease row FOR KEY SHARE under the term's
-- epoch and holder. That does not disturb a renewal, which changes no key. It makes
-- a take-over wait, and waits for one. If it finds no lease row, the term has ended:
-- nothing is joined to it, so nothing changes, and leases is 0. EXISTS would not be
-- enough: the take-over could commit between the check and the commit.
--
-- Rows that are settled already are left alone, so that a statement whose outcome
-- was unknown may be sent again. "published_at IS NULL AND dead_at IS NULL" is
-- also what leads to the index on seq.
--
-- A dead row may have been replayed between a statement of unknown outcome and its
-- repetition, which must not undo that: a failed row is left alone while a replay
-- of it waits that the leader has not acted on (@decided are those that it has).
-- The leader meets the replay later and reads the row again.

-- name: SettleByMark :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), published AS (
    UPDATE event_outbox AS o SET published_at = now(), next_attempt_at = NULL
    FROM lease
    WHERE o.seq = ANY(@published::bigint[]) AND o.published_at IS NULL AND o.dead_at IS NULL
)
SELECT count(*) AS leases FROM lease;

-- name: SettleByDelete :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), published AS (
    DELETE FROM event_outbox AS o USING lease
    WHERE o.seq = ANY(@published::bigint[]) AND o.published_at IS NULL AND o.dead_at IS NULL
)
SELECT count(*) AS leases FROM lease;

-- name: SettleByMarkWithFailures :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), published AS (
    UPDATE event_outbox AS o SET published_at = now(), next_attempt_at = NULL
    FROM lease
    WHERE o.seq = ANY(@published::bigint[]) AND o.published_at IS NULL AND o.dead_at IS NULL
), failure AS (
    SELECT unnest(@failed::bigint[]) AS seq, unnest(@errors::text[]) AS error,
           unnest(@retry_counts::integer[]) AS retry_count,
           unnest(@retry_seconds::float8[]) AS retry_seconds, unnest(@dead::boolean[]) AS dead
), failed AS (
    UPDATE event_outbox AS o
    SET retry_count     = f.retry_count,
        last_error      = f.error,
        next_attempt_at = CASE WHEN f.dead THEN NULL ELSE now() + make_interval(secs => f.retry_seconds) END,
        dead_at         = CASE WHEN f.dead THEN now() END
    FROM lease, failure AS f
    WHERE o.seq = f.seq AND o.seq = ANY(@failed::bigint[]) AND o.published_at IS NULL AND o.dead_at IS NULL
      AND NOT EXISTS (
          SELECT FROM event_outbox_audit AS a
          WHERE a.seq = o.seq AND a.action = 'replay' AND a.applied_at IS NULL AND a.id <> ALL(@decided::bigint[])
      )
)
SELECT count(*) AS leases FROM lease;

-- name: SettleByDeleteWithFailures :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), published AS (
    DELETE FROM event_outbox AS o USING lease
    WHERE o.seq = ANY(@published::bigint[]) AND o.published_at IS NULL AND o.dead_at IS NULL
), failure AS (
    SELECT unnest(@failed::bigint[]) AS seq, unnest(@errors::text[]) AS error,
           unnest(@retry_counts::integer[]) AS retry_count,
           unnest(@retry_seconds::float8[]) AS retry_seconds, unnest(@dead::boolean[]) AS dead
), failed AS (
    UPDATE event_outbox AS o
    SET retry_count     = f.retry_count,
        last_error      = f.error,
        next_attempt_at = CASE WHEN f.dead THEN NULL ELSE now() + make_interval(secs => f.retry_seconds) END,
        dead_at         = CASE WHEN f.dead THEN now() END
    FROM lease, failure AS f
    WHERE o.seq = f.seq AND o.seq = ANY(@failed::bigint[]) AND o.published_at IS NULL AND o.dead_at IS NULL
      AND NOT EXISTS (
          SELECT FROM event_outbox_audit AS a
          WHERE a.seq = o.seq AND a.action = 'replay' AND a.applied_at IS NULL AND a.id <> ALL(@decided::bigint[])
      )
)
SELECT count(*) AS leases FROM lease;
