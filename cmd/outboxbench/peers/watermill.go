package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	wm "github.com/ThreeDotsLabs/watermill"
	sql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"
)

const forwarderTopic = "events"

// watermill runs Watermill's forwarder on its Postgres subscriber, with the default
// schema and offsets. batch is SubscribeBatchSize; 0 means Watermill's default of 100.
func watermill(name string, batch int) peer {
	schema := sql.DefaultPostgreSQLSchema{SubscribeBatchSize: batch}
	offsets := sql.DefaultPostgreSQLOffsetsAdapter{}
	subscriber := func(pool *pgxpool.Pool) (*sql.Subscriber, error) {
		return sql.NewSubscriber(sql.BeginnerFromPgx(pool), sql.SubscriberConfig{
			SchemaAdapter: schema, OffsetsAdapter: offsets, InitializeSchema: true,
			PollInterval: 10 * time.Millisecond, // the default of a second would hide how fast it is
		}, wm.NopLogger{})
	}
	size := "100, its default"
	if batch > 0 {
		size = fmt.Sprint(batch)
	}
	return peer{
		name: name,
		settings: fmt.Sprintf("Watermill %s with watermill-sql %s, the forwarder and the default schema and offsets for Postgres; SubscribeBatchSize %s, PollInterval 10 ms (default 1 s), "+
			"a publisher that sends with franz-go, without linger, and waits; other settings are the defaults",
			version("github.com/ThreeDotsLabs/watermill"), version("github.com/ThreeDotsLabs/watermill-sql/v4"), size),
		prepare: func(ctx context.Context, pool *pgxpool.Pool, w workload) error {
			s, err := subscriber(pool)
			if err != nil {
				return err
			}
			if err := s.SubscribeInitialize(forwarderTopic); err != nil {
				return err
			}
			if err := s.Close(); err != nil {
				return err
			}
			return seedWatermill(ctx, pool, schema.MessagesTable(forwarderTopic), w)
		},
		drain: func(ctx context.Context, pool *pgxpool.Pool, client *kgo.Client, w workload) error {
			s, err := subscriber(pool)
			if err != nil {
				return err
			}
			f, err := forwarder.NewForwarder(s, publisher{client}, wm.NopLogger{}, forwarder.Config{ForwarderTopic: forwarderTopic})
			if err != nil {
				return err
			}
			done := make(chan error, 1)
			go func() { done <- f.Run(ctx) }()
			err = eventually(ctx, pool, `SELECT coalesce(max(offset_acked), 0) >= $1 FROM `+offsets.MessagesOffsetsTable(forwarderTopic), w.rows)
			return errors.Join(err, f.Close(), <-done)
		},
	}
}

// seedWatermill inserts what Watermill's publisher would insert, wrapped for the
// forwarder, a thousand in each transaction.
func seedWatermill(ctx context.Context, pool *pgxpool.Pool, table string, w workload) error {
	const transaction = 1_000
	for first := 0; first < w.rows; first += transaction {
		var uuids, payloads []string
		for n := first; n < min(first+transaction, w.rows); n++ {
			wrapped, err := json.Marshal(map[string]any{
				"destination_topic": w.topic, "uuid": wm.NewUUID(), "payload": []byte(payload(n)), "metadata": map[string]string{"key": key(n)},
			})
			if err != nil {
				return err
			}
			uuids, payloads = append(uuids, wm.NewUUID()), append(payloads, string(wrapped))
		}
		_, err := pool.Exec(ctx, `INSERT INTO `+table+` (uuid, payload, metadata, transaction_id)
			SELECT u, p::json, '{}', pg_current_xact_id() FROM unnest($1::text[], $2::text[]) AS made (u, p)`, uuids, payloads)
		if err != nil {
			return err
		}
	}
	return nil
}

// publisher sends to Kafka and waits, as Watermill's own publishers do.
type publisher struct{ client *kgo.Client }

func (p publisher) Publish(topic string, messages ...*message.Message) error {
	records := make([]*kgo.Record, len(messages))
	for i, m := range messages {
		records[i] = &kgo.Record{Topic: topic, Key: []byte(m.Metadata.Get("key")), Value: m.Payload}
	}
	return p.client.ProduceSync(context.Background(), records...).FirstErr()
}

func (publisher) Close() error { return nil }

// eventually asks until ok is true.
func eventually(ctx context.Context, pool *pgxpool.Pool, question string, args ...any) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		var yes bool
		if err := pool.QueryRow(ctx, question, args...).Scan(&yes); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("%s: %w", question, err)
		}
		if yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it did not end: %w", context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
