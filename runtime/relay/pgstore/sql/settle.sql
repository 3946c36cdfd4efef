-- Every statement here first takes the lease row FOR KEY SHARE under the term's
-- epoch and holder. An empty lease means that the term has ended: nothing is
-- joined, nothing changes, and leases = 0 says so.

-- name: MarkPublished :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), published AS (
    UPDATE event_outbox AS o SET published_at = now(), next_attempt_at = NULL
    FROM lease
    WHERE o.seq = ANY(@seqs::bigint[]) AND o.published_at IS NULL AND o.dead_at IS NULL
)
SELECT count(*) AS leases FROM lease;

-- name: DeletePublished :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), published AS (
    DELETE FROM event_outbox AS o USING lease
    WHERE o.seq = ANY(@seqs::bigint[]) AND o.published_at IS NULL AND o.dead_at IS NULL
)
SELECT count(*) AS leases FROM lease;

-- name: MarkFailed :one
WITH lease AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR KEY SHARE
), failure AS (
    SELECT unnest(@seqs::bigint[]) AS seq, unnest(@errors::text[]) AS error,
           unnest(@retry_in_us::bigint[]) AS retry_in_us, unnest(@dead::boolean[]) AS dead
), failed AS (
    UPDATE event_outbox AS o
    SET retry_count     = o.retry_count + 1,
        last_error      = f.error,
        next_attempt_at = CASE WHEN f.dead THEN NULL ELSE now() + f.retry_in_us * interval '1 microsecond' END,
        dead_at         = CASE WHEN f.dead THEN now() END
    FROM lease, failure AS f
    WHERE o.seq = f.seq AND o.published_at IS NULL AND o.dead_at IS NULL
)
SELECT count(*) AS leases FROM lease;
