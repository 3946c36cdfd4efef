package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// An event that is too large is refused before anything is sent, on every path.
func TestMaxRecordBytes(t *testing.T) {
	t.Parallel()
	const limit = 2000
	pg := newDatabase(t)
	large := func(bytes int) outbox.Option { return outbox.WithMetadata("large", strings.Repeat("x", bytes)) }
	ob := newOutbox(t, pg.Pool, outbox.Options{MaxRecordBytes: limit})
	inTx := func(f func(ctx context.Context, tx *outbox.Tx) error) error { return ob.InTx(t.Context(), f) }
	for name, test := range map[string]struct {
		run  func() error
		fits bool
	}{
		"one that fits": {func() error {
			return inTx(func(ctx context.Context, tx *outbox.Tx) error { return InsertGraded(ctx, tx, event(1), large(100)) })
		}, true},
		"Insert": {func() error {
			return inTx(func(ctx context.Context, tx *outbox.Tx) error { return InsertGraded(ctx, tx, event(1), large(limit)) })
		}, false},
		"InsertAll": {func() error {
			return inTx(func(ctx context.Context, tx *outbox.Tx) error {
				return gen.InsertAll(ctx, tx, insertRows, event(1), outbox.With(event(2), large(limit)))
			})
		}, false},
		"in a nested transaction": {func() error {
			return inTx(func(ctx context.Context, tx *outbox.Tx) error {
				return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return InsertGraded(ctx, tx, event(1), large(limit)) })
			})
		}, false},
		"its headers alone": {func() error {
			return inTx(func(ctx context.Context, tx *outbox.Tx) error {
				return InsertGraded(ctx, tx, event(1), outbox.WithHeader("large", strings.Repeat("x", limit)))
			})
		}, false},
		"its own limit": {func() error {
			return inTx(func(ctx context.Context, tx *outbox.Tx) error {
				return InsertGraded(ctx, tx, event(1), large(limit), outbox.WithMaxRecordBytes(0))
			})
		}, true},
		"Queue": {func() error {
			return gen.Queue(t.Context(), &pgx.Batch{}, insertRows, event(1), large(limit), outbox.WithMaxRecordBytes(limit))
		}, false},
		"a Recorder": {func() error {
			recorder := outboxtest.NewRecorder(t)
			recorder.Options = []outbox.Option{outbox.WithMaxRecordBytes(limit)}
			return InsertGraded(t.Context(), recorder, event(1), large(limit))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := pg.Pool.Exec(t.Context(), `delete from event_outbox`); err != nil {
				t.Fatal(err)
			}
			err := test.run()
			if test.fits {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError[*outbox.InsertError](t, err)
			e := isError[*outbox.RecordTooLargeError](t, err)
			if e.Limit != limit || e.Size <= limit || e.EventType != graded.Type {
				t.Errorf("%+v", e)
			}
			if n := len(outboxtest.Pending(t, pg.Pool)); n != 0 {
				t.Errorf("%d events are inserted", n)
			}
		})
	}
}

// A topic with this max.message.bytes accepts every record that MaxRecordBytes accepts.
func TestMaxRecordBytesIsEnoughForKafka(t *testing.T) {
	t.Parallel()
	const limit = 5000
	k := services.Kafka(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic := k.NewTopic(t, "sizes", 1, fmt.Sprintf("max.message.bytes=%d", limit))
	for name, opts := range map[string]func(n int) []outbox.Option{
		"the value": func(n int) []outbox.Option {
			return []outbox.Option{outbox.WithMetadata("large", strings.Repeat("x", n))}
		},
		"the key and many headers": func(n int) []outbox.Option {
			opts := []outbox.Option{outbox.WithKey(strings.Repeat("k", 255))}
			for i := range n / 20 {
				opts = append(opts, outbox.WithHeader(fmt.Sprintf("h%d", i), strings.Repeat("x", i%3)))
			}
			return opts
		},
		"one header": func(n int) []outbox.Option {
			return []outbox.Option{outbox.WithHeader("large", strings.Repeat("x", n))}
		},
	} {
		largest := outbox.Row{} // of the accepted ones
		for n := 0; ; n++ {
			row, err := event(1).NewRow(t.Context(), append(opts(n), outbox.WithMaxRecordBytes(limit))...)
			if _, large := errors.AsType[*outbox.RecordTooLargeError](err); large {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			largest = row
		}
		if err := client.ProduceSync(t.Context(), recordOf(t, topic, largest)).FirstErr(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	larger, err := event(1).NewRow(t.Context(), outbox.WithMetadata("large", strings.Repeat("x", limit)))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), recordOf(t, topic, larger)).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a larger record: %v", err)
	}
}

// recordOf returns the record that a relay makes of the row.
func recordOf(t *testing.T, topic string, row outbox.Row) *kgo.Record {
	t.Helper()
	var headers map[string]string
	if err := json.Unmarshal(row.Headers, &headers); err != nil {
		t.Fatal(err)
	}
	headers["event_id"], headers["event_type"] = row.ID.String(), row.EventType
	record := &kgo.Record{Topic: topic, Key: []byte(*row.Key), Value: row.Data}
	for name, value := range headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return record
}
