-- name: CreateLease :exec
INSERT INTO event_outbox_lease (name) VALUES (@name) ON CONFLICT (name) DO NOTHING;

-- name: ObserveLease :one
SELECT epoch, beat, holder, suspect_seq, unclean_ends, coalesce(state ->> 'led', '')::text AS led FROM event_outbox_lease WHERE name = @name;

-- FOR UPDATE is what waits for a settling statement of the old term, which holds
-- the row FOR KEY SHARE until it commits; the plain UPDATE would not. state describes the
-- leader of the old term; the new one writes its own with its first renewal.
-- name: TakeOverLease :one
WITH seen AS MATERIALIZED (
    SELECT s.name FROM event_outbox_lease AS s
    WHERE s.name = @name AND s.epoch = @epoch AND s.beat = @beat
    FOR UPDATE
)
UPDATE event_outbox_lease AS l
SET epoch        = l.epoch + 1,
    beat         = l.beat + 1,
    holder       = @holder::uuid,
    backends     = @backends::jsonb,
    unclean_ends = CASE WHEN l.holder IS NULL THEN 0 ELSE l.unclean_ends + 1 END,
    state        = NULL,
    updated_at   = now()
FROM seen
WHERE l.name = seen.name
RETURNING l.epoch, l.unclean_ends, l.suspect_seq;

-- RenewLease also returns whether an operator has made a decision that the leader has
-- not acted on. Many renewals share a transaction, so none waits for a lock: a row
-- that another session has locked is skipped, and this leader still holds it. And it
-- tells when the next delayed event is due; negative: no event waits. Those that were
-- due before looked_at are not looked for: the leader has moved them, and until a
-- vacuum their entries are still in the index, which could make a renewal slow. pauses is
-- the version of the operators' pauses; an id alone would not do, because a lower one can
-- be committed later. Each part reads an index with exactly its condition, because the audit
-- may be large.
-- name: RenewLease :one
WITH mine AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR NO KEY UPDATE SKIP LOCKED
), renewed AS (
    UPDATE event_outbox_lease AS l
    SET beat         = l.beat + 1,
        unclean_ends = CASE WHEN @progress::boolean THEN 0 ELSE l.unclean_ends END,
        suspect_seq  = nullif(@suspect::bigint, 0),
        state        = sqlc.narg(state)::json,
        updated_at   = now()
    FROM mine WHERE l.name = mine.name
    RETURNING l.name
)
SELECT (SELECT count(*) FROM renewed) AS renewed,
       (SELECT count(*) FROM event_outbox_lease AS h WHERE h.name = @name AND h.epoch = @epoch AND h.holder = @holder::uuid) AS held,
       EXISTS (SELECT FROM event_outbox_audit AS a WHERE a.applied_at IS NULL)::boolean AS decided,
       (SELECT count(*) || ' to ' || coalesce(max(p.id), 0) FROM event_outbox_audit AS p WHERE p.action IN ('pause', 'resume'))::text AS pauses,
       coalesce((SELECT greatest(0, extract(epoch FROM d.deliver_at - clock_timestamp()) * 1000000)
                 FROM event_outbox_delayed AS d
                 WHERE d.deliver_at >= @looked_at::timestamptz
                 ORDER BY d.deliver_at
                 LIMIT 1), -1)::bigint AS due_in_us;

-- RenewLeaseAlone is RenewLease without the other tables: a lock on one of them must not
-- end the term.
-- name: RenewLeaseAlone :one
WITH mine AS MATERIALIZED (
    SELECT l.name FROM event_outbox_lease AS l
    WHERE l.name = @name AND l.epoch = @epoch AND l.holder = @holder::uuid
    FOR NO KEY UPDATE SKIP LOCKED
), renewed AS (
    UPDATE event_outbox_lease AS l
    SET beat         = l.beat + 1,
        unclean_ends = CASE WHEN @progress::boolean THEN 0 ELSE l.unclean_ends END,
        suspect_seq  = nullif(@suspect::bigint, 0),
        state        = sqlc.narg(state)::json,
        updated_at   = now()
    FROM mine WHERE l.name = mine.name
    RETURNING l.name
)
SELECT (SELECT count(*) FROM renewed) AS renewed,
       (SELECT count(*) FROM event_outbox_lease AS h WHERE h.name = @name AND h.epoch = @epoch AND h.holder = @holder::uuid) AS held;

-- Releasing twice does no harm, so it can be repeated after an unknown outcome.
-- Standbys are notified, so that they need not look often.
-- name: ReleaseLease :one
WITH released AS (
    UPDATE event_outbox_lease
    SET beat = beat + 1, holder = NULL, backends = '[]', unclean_ends = 0, suspect_seq = NULL, state = NULL, updated_at = now()
    WHERE name = @name AND epoch = @epoch AND (holder = @holder::uuid OR holder IS NULL)
    RETURNING name
)
SELECT count(*) AS leases, count(pg_notify(@channel::text, to_regclass('event_outbox_lease')::oid::text || ' ' || released.name)) AS told
FROM released;

-- name: DescribeLease :one
SELECT coalesce(to_regclass('event_outbox_lease')::oid, 0)::oid AS lease;

-- Backends of the term that ended, as it recorded them; the start tells a
-- session from a later one that was given the same pid. A session may serve other
-- outboxes too, so only those are ended that hold a lock on this outbox's lease table
-- as a statement does that has locked the row.
-- name: TerminateBackends :many
SELECT a.pid, pg_terminate_backend(a.pid)::boolean AS signalled
FROM event_outbox_lease AS l
CROSS JOIN LATERAL jsonb_array_elements(l.backends) AS b
JOIN pg_catalog.pg_stat_activity AS a
    ON a.pid = (b ->> 'pid')::integer AND a.backend_start = (b ->> 'start')::timestamptz
WHERE l.name = @name AND l.epoch = @epoch AND a.pid <> pg_backend_pid()
  AND EXISTS (SELECT FROM pg_catalog.pg_locks AS k
              WHERE k.pid = a.pid AND k.granted AND k.relation = to_regclass('event_outbox_lease')::oid
                AND k.mode IN ('RowShareLock', 'RowExclusiveLock'));

-- SetUpSession skips settings that this version of Postgres does not have.
-- name: SetUpSession :exec
SELECT set_config(setting.name, setting.value, false)
FROM (SELECT unnest(@names::text[]) AS name, unnest(@values::text[]) AS value) AS setting
WHERE current_setting(setting.name, true) IS NOT NULL;

-- name: SetLockTimeout :exec
SELECT set_config('lock_timeout', @lock_timeout::text, true);

-- SetUpTransaction is SetUpSession for one transaction. Not every system lets the server look whether a
-- client is still there, and then it refuses the setting.
-- name: SetUpTransaction :exec
SELECT set_config(setting.name, setting.value, true)
FROM (SELECT unnest(@names::text[]) AS name, unnest(@values::text[]) AS value) AS setting
WHERE current_setting(setting.name, true) IS NOT NULL
  AND (setting.name <> 'client_connection_check_interval' OR version() LIKE '%linux%');

-- started is empty when the role in force may not see it: another one logged in.
-- name: DescribeSession :one
SELECT session_user::text AS login, current_user::text AS role_name,
       pg_backend_pid()::integer AS pid,
       coalesce((SELECT a.backend_start FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = pg_backend_pid())::timestamptz::text, '')::text AS started,
       pg_postmaster_start_time()::text AS server_started;

-- RegisterBackends is how a session that replaces a lost one joins the term.
-- name: RegisterBackends :execrows
UPDATE event_outbox_lease SET backends = @backends::jsonb
WHERE name = @name AND epoch = @epoch AND holder = @holder::uuid;
