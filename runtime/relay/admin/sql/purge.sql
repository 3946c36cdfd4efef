-- Purge deletes published rows of a range of transactions, as the relay's sweep does, but
-- without the lease: an operator may delete them at any time. Rows that another session has
-- locked are left. edge_tx is where the range ends, and edge_old whether rows there may
-- still be old enough. last_tx is the transaction of the last row that it deleted: the next
-- statement begins there, and does not walk over what is deleted.
-- name: Purge :one
WITH edge AS MATERIALIZED (
    SELECT e.tx, e.created_at < @before::timestamptz AS old
    FROM event_outbox AS e
    WHERE e.tx >= @from_tx::xid8
    ORDER BY e.tx
    OFFSET @window_rows LIMIT 1
), doomed AS MATERIALIZED (
    SELECT d.id, d.tx FROM event_outbox AS d
    WHERE d.tx >= @from_tx::xid8
      AND d.tx <= coalesce((SELECT edge.tx FROM edge), '18446744073709551615'::xid8)
      AND d.published_at < @before::timestamptz
    ORDER BY d.tx
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
), purged AS (
    DELETE FROM event_outbox AS o USING doomed WHERE o.id = doomed.id RETURNING o.id
)
SELECT (SELECT count(*) FROM doomed) AS doomed, (SELECT count(*) FROM purged) AS purged,
       coalesce((SELECT doomed.tx FROM doomed ORDER BY doomed.tx DESC LIMIT 1), '0'::xid8)::xid8 AS last_tx,
       coalesce((SELECT edge.tx FROM edge), '0'::xid8)::xid8 AS edge_tx, coalesce((SELECT edge.old FROM edge), false)::boolean AS edge_old;

-- Rows from before an upgrade have no tx.
-- name: PurgeWithoutTx :one
WITH doomed AS MATERIALIZED (
    SELECT d.id FROM event_outbox AS d WHERE d.tx IS NULL AND d.published_at < @before::timestamptz
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
), purged AS (
    DELETE FROM event_outbox AS o USING doomed WHERE o.id = doomed.id RETURNING o.id
)
SELECT (SELECT count(*) FROM doomed) AS doomed, (SELECT count(*) FROM purged) AS purged;

-- Purgeable counts what Purge would delete of a range, and PurgeableWithoutTx the others.
-- name: Purgeable :one
WITH edge AS MATERIALIZED (
    SELECT e.tx, e.created_at < @before::timestamptz AS old
    FROM event_outbox AS e
    WHERE e.tx >= @from_tx::xid8
    ORDER BY e.tx
    OFFSET @window_rows LIMIT 1
)
SELECT (SELECT count(*) FROM event_outbox AS d
        WHERE d.tx >= @from_tx::xid8
          AND d.tx <= coalesce((SELECT edge.tx FROM edge), '18446744073709551615'::xid8)
          AND d.published_at < @before::timestamptz) AS purgeable,
       coalesce((SELECT edge.tx FROM edge), '0'::xid8)::xid8 AS edge_tx, coalesce((SELECT edge.old FROM edge), false)::boolean AS edge_old;

-- name: PurgeableWithoutTx :one
SELECT count(*) FROM event_outbox AS d WHERE d.tx IS NULL AND d.published_at < @before::timestamptz;
