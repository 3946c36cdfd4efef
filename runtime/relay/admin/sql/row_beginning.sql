-- RowBeginning is WholeRow with the beginning of its documents: at most so many characters of
-- each. With 0 it does not read them.
-- name: RowBeginning :many
SELECT seq, id, aggregate_type, aggregate_id, event_type, coalesce(topic, regexp_replace(event_data::text, E'\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', E'\\\\u0020', 'g')::json ->> 'topic', event_type)::text AS topic, event_key, partition,
       (CASE WHEN @most::integer > 0 THEN coalesce(left(event_data::text, @most), '') ELSE '' END)::text AS data,
       (CASE WHEN @most > 0 THEN coalesce(left(headers::text, @most), '') ELSE '' END)::text AS headers,
       created_at, published_at, next_attempt_at, dead_at, retry_count, last_error, coalesce(tx::text, '')::text AS tx
FROM event_outbox WHERE id = sqlc.arg(id)::text::uuid;
