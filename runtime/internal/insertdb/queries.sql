-- InsertDelayed inserts delayed events in their order. The arrays are equally long; an
-- event has a key where keyed says so, headers where they are not null, and a partition
-- of its own where that is not -1; the array of partitions may be null. An event whose
-- time has come goes into event_outbox immediately. An id that either table has already is
-- left out. The statement returns a row for each event that it inserted.
-- name: InsertDelayed :execrows
WITH event AS MATERIALIZED (
    SELECT e.place, e.id, e.aggregate_type, e.aggregate_id, e.event_type, e.topic,
           CASE WHEN e.keyed THEN e.event_key END AS event_key, e.event_data, e.headers,
           nullif(e.partition, -1) AS partition, e.deliver_at
    FROM ROWS FROM (
        unnest(@ids::uuid[]),
        unnest(@aggregate_types::text[]),
        unnest(@aggregate_ids::text[]),
        unnest(@event_types::text[]),
        unnest(@topics::text[]),
        unnest(@keyed::boolean[]),
        unnest(@event_keys::text[]),
        unnest(@event_data::json[]),
        unnest(@headers::json[]),
        unnest(@partitions::integer[]),
        unnest(@deliver_at::timestamptz[])
    ) WITH ORDINALITY AS e (
        id, aggregate_type, aggregate_id, event_type, topic, keyed, event_key, event_data, headers, partition, deliver_at, place
    )
), due AS (
    INSERT INTO event_outbox (
        id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition
    )
    SELECT e.id, e.aggregate_type, e.aggregate_id, e.event_type, e.topic, e.event_key, e.event_data, e.headers, e.partition
    FROM event AS e
    WHERE e.deliver_at <= now() AND NOT EXISTS (SELECT FROM event_outbox_delayed AS d WHERE d.id = e.id)
    ORDER BY e.place
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), waiting AS (
    INSERT INTO event_outbox_delayed (
        id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition, deliver_at
    )
    SELECT e.id, e.aggregate_type, e.aggregate_id, e.event_type, e.topic, e.event_key, e.event_data, e.headers, e.partition, e.deliver_at
    FROM event AS e
    WHERE e.deliver_at > now() AND NOT EXISTS (SELECT FROM event_outbox AS o WHERE o.id = e.id)
    ORDER BY e.place
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT due.id FROM due UNION ALL SELECT waiting.id FROM waiting;

-- CancelDelayed deletes a delayed event that waits. If the relay is moving it into
-- event_outbox, this waits for the end of that, and finds no row.
-- name: CancelDelayed :execrows
DELETE FROM event_outbox_delayed WHERE id = @id::uuid;

-- InsertPartitioned inserts events with a partition of their own, in their order. The
-- arrays are as for InsertDelayed. It is apart from what is generated for a service, so
-- that a table without the column takes all other events.
-- name: InsertPartitioned :execrows
INSERT INTO event_outbox (
    id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition
)
SELECT
    e.id, e.aggregate_type, e.aggregate_id, e.event_type, e.topic,
    CASE WHEN e.keyed THEN e.event_key END, e.event_data, e.headers, e.partition
FROM ROWS FROM (
    unnest(@ids::uuid[]),
    unnest(@aggregate_types::text[]),
    unnest(@aggregate_ids::text[]),
    unnest(@event_types::text[]),
    unnest(@topics::text[]),
    unnest(@keyed::boolean[]),
    unnest(@event_keys::text[]),
    unnest(@event_data::json[]),
    unnest(@headers::json[]),
    unnest(@partitions::integer[])
) WITH ORDINALITY AS e (
    id, aggregate_type, aggregate_id, event_type, topic, keyed, event_key, event_data, headers, partition, ordinality
)
ORDER BY e.ordinality
ON CONFLICT (id) DO NOTHING;
