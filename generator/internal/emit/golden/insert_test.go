package golden_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	delivery "github.com/outboxgen/outboxgen/testdata/golden/delivery/events"
	"github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

// Every generated insert function uses sqlc's statements, and the generated handler
// gets what is in the table.
func TestInsertedAndHandled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pg := services.Postgres(t)
	conn := pg.Connect(ctx)
	if err := migrations.Up(ctx, conn); err != nil {
		t.Fatal(err)
	}
	var class events.ClassUpdatedV1
	if err := json.Unmarshal(example(t, "class_updated.v1"), &class); err != nil {
		t.Fatal(err)
	}
	unkeyed := delivery.UnkeyedV1{ID: uuid.New(), Kind: "one"}
	given := delivery.GivenAggregateV1{ID: uuid.New(), Kind: "two"}

	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	if err := events.InsertClassUpdatedV1(ctx, tx, class); err != nil {
		t.Fatal(err)
	}
	if err := events.InsertAll(ctx, tx, class, unkeyed, outbox.With(given, outbox.WithAggregateID("g"))); err != nil {
		t.Fatal(err)
	}
	if err := delivery.InsertGivenAggregateV1(ctx, tx, "h", given); err != nil {
		t.Fatal(err)
	}
	batch := new(pgx.Batch)
	if err := delivery.QueueGivenAggregateV1(ctx, batch, "i", given); err != nil {
		t.Fatal(err)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}

	type line struct {
		Type, Aggregate string
		Key             *string
	}
	var got []line
	handled := 0
	router := consume.NewRouter(consume.OnUnknown(consume.Skip))
	events.OnClassUpdatedV1(router, func(_ context.Context, e outbox.Envelope[events.ClassUpdatedV1]) error {
		handled++
		if diff := cmp.Diff(class, e.Data); diff != "" {
			t.Errorf("(-sent +received):\n%s", diff)
		}
		return nil
	})
	for _, row := range outboxtest.Pending(t, conn) {
		got = append(got, line{row.EventType, row.AggregateID, row.Key})
		if err := router.Dispatch(ctx, consume.Message{Topic: row.Topic, Value: row.Data}); err != nil {
			t.Error(err)
		}
	}
	want := []line{
		{"huleedu.class.updated.v1", "class-9b", new("class-9b")},
		{"huleedu.class.updated.v1", "class-9b", new("class-9b")},
		{"golden.unkeyed.v1", unkeyed.ID.String(), nil},
		{"golden.given.v1", "g", new("g")},
		{"golden.given.v1", "h", new("h")},
		{"golden.given.v1", "i", new("i")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if handled != 2 {
		t.Errorf("%d events were handled, want 2", handled)
	}
}
