package outbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
)

// GradedTombstone is what outboxgen would generate for the tombstones of Graded.
type GradedTombstone struct{ Key string }

func (v GradedTombstone) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	return graded.NewTombstone(ctx, v.Key, opts...)
}

// A tombstone has the headers of an event, except the type of its content, and no value.
func TestTombstoneRow(t *testing.T) {
	t.Parallel()
	ctx := outbox.ContextWithCausationID(outbox.ContextWithCorrelationID(t.Context(), "corr"), "why")
	row, err := GradedTombstone{"e1"}.NewRow(ctx, fixed(outbox.WithHeader("tenant", "7"), outbox.WithPartition(2))...)
	if err != nil {
		t.Fatal(err)
	}
	want := outbox.Row{
		ID: fixedID, AggregateType: "essay", AggregateID: "e1", EventType: graded.Type, Topic: graded.Topic, Key: new("e1"), Partition: new(int32(2)),
		CorrelationID: "corr",
		Headers: []byte(`{"trace_id":"corr","causation_id":"why","source_service":"grading","schema_version":"1",` +
			`"occurred_at":"2026-05-01T12:00:00.123456Z","tenant":"7"}`),
	}
	if diff := cmp.Diff(printable(want), printable(row)); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if row.Data != nil {
		t.Errorf("data %q, want nil", row.Data)
	}
	other, err := GradedTombstone{"e1"}.NewRow(ctx, outbox.WithAggregateID("a"), outbox.WithKey("k"), outbox.WithTopic("tenant-7"))
	if err != nil || other.AggregateID != "a" || *other.Key != "k" || other.Topic != "tenant-7" {
		t.Errorf("with options: %+v, %v", other, err)
	}
}

func TestTombstoneRefuses(t *testing.T) {
	t.Parallel()
	strict, ids := graded, graded
	strict.RefuseZeroKey = true
	ids.CorrelationUUID = true
	for want, test := range map[string]struct {
		event gen.EventType[Graded]
		key   string
		opts  []outbox.Option
	}{
		"the key of the tombstone is empty":                                  {event: graded},
		"the key of the tombstone is the zero UUID; it was probably not set": {event: strict, key: uuid.Nil.String()},
		"a tombstone has no envelope for WithMetadata: use WithHeader":       {event: graded, key: "e", opts: []outbox.Option{outbox.WithMetadata("a", 1)}},
		`the correlation id "c", given by WithCorrelationID, is not a UUID such as 018fd0a0-0000-7000-8000-000000000001: ` +
			"outboxgen.yaml of this package says correlation_id: uuid": {event: ids, key: "e", opts: []outbox.Option{outbox.WithCorrelationID("c")}},
		"the partition given by WithPartition is -1; partitions are numbered from 0": {event: graded, key: "e", opts: []outbox.Option{outbox.WithPartition(-1)}},
	} {
		_, err := test.event.NewTombstone(t.Context(), test.key, test.opts...)
		if diff := cmp.Diff(want, isError[*outbox.InsertError](t, err).Err.Error()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if _, err := graded.NewTombstone(t.Context(), uuid.Nil.String()); err != nil {
		t.Errorf("a zero UUID where those are allowed: %v", err)
	}
	_, err := graded.NewTombstone(t.Context(), "e", outbox.WithMaxRecordBytes(10))
	wantError[*outbox.RecordTooLargeError](t, err)
}

// The data of a tombstone is NULL, in every query mode of pgx and on every way into the
// table.
func TestTombstonesAreStoredAsNull(t *testing.T) {
	t.Parallel()
	for _, mode := range append([]string{"cache_statement"}, querymode.Others...) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			config, err := pgx.ParseConfig(querymode.In(t, pg.URL, mode))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := pgx.ConnectConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
			err = pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
				var batch pgx.Batch
				return errors.Join(
					gen.Insert(t.Context(), tx, insertRows, GradedTombstone{"alone"}),
					gen.InsertAll(t.Context(), tx, insertRows, event(1), GradedTombstone{"between"}, event(2)),
					gen.InsertAll(t.Context(), tx, insertRows, GradedTombstone{"two"}, GradedTombstone{"of them"}),
					gen.Queue(t.Context(), &batch, insertRows, GradedTombstone{"in a batch"}),
					tx.SendBatch(t.Context(), &batch).Close(),
					gen.Insert(t.Context(), tx, insertRows, GradedTombstone{"later"}, outbox.WithDeliverAt(time.Now().Add(time.Hour)), outbox.WithPartition(1)),
				)
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range outboxtest.Pending(t, pg.Pool) {
				if r.Data == nil {
					got = append(got, *r.Key)
				} else {
					got = append(got, "event")
				}
			}
			if diff := cmp.Diff([]string{"alone", "event", "between", "event", "two", "of them", "in a batch"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			later := outboxtest.Delayed(t, pg.Pool)
			if len(later) != 1 || later[0].Data != nil || *later[0].Key != "later" || *later[0].Partition != 1 {
				t.Errorf("delayed: %+v", later)
			}
		})
	}
}

// The log tells a tombstone from an event.
func TestTombstonesInTheLog(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	var log text
	ob := newOutbox(t, pg.Pool, outbox.Options{Logger: log.logger()})
	id := uuid.MustParse("018f3f6e-0000-7000-8000-000000000001")
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		return gen.Insert(ctx, tx, insertRows, GradedTombstone{"e1"}, outbox.WithID(id), outbox.WithCorrelationID("c-1"))
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `level=INFO msg="event committed" event_type=school.essay.graded.v1 event_id=018f3f6e-0000-7000-8000-000000000001 ` +
		"aggregate_type=essay aggregate_id=e1 topic=school.essay.graded.v1 correlation_id=c-1 tombstone=true\n"
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// Tombstones of a savepoint that is rolled back are not stored, like events.
func TestTombstonesInSavepoints(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		for key, end := range map[string]func(context.Context, pgx.Tx) error{
			"kept":    func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
			"dropped": func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) },
		} {
			nested, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			if err := errors.Join(gen.Insert(ctx, nested, insertRows, GradedTombstone{key}), end(ctx, nested)); err != nil {
				return err
			}
		}
		return InsertGraded(ctx, tx, event(1))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := outboxtest.RequireTombstone(t, pg.Pool, graded.Type); *got.Key != "kept" || got.Data != nil {
		t.Errorf("%+v", got)
	}
	if got := outboxtest.RequireInserted(t, pg.Pool, graded.Type); *got.Key != "e1" || got.Data == nil { // the tombstone is none
		t.Errorf("%+v", got)
	}
}
