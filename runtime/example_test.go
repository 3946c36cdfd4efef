package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
)

// Code that takes an outbox.Transaction is tested without a database.
func ExampleInsert() {
	grade := func(ctx context.Context, tx outbox.Transaction, essay string) error {
		return InsertGraded(ctx, tx, Graded{EssayID: essay, Grade: 5}, outbox.WithHeader("tenant", "north"))
	}

	recorder := &outboxtest.Recorder{}
	if err := grade(context.Background(), recorder, "e1"); err != nil {
		fmt.Println(err)
	}
	got := outboxtest.All[Graded](recorder)[0]
	fmt.Println(got.Data.Grade, got.Row.Topic, *got.Row.Key)
	// Output: 5 school.essay.graded.v1 e1
}

func ExampleInsertAll() {
	recorder := &outboxtest.Recorder{}
	err := gen.InsertAll(context.Background(), recorder, insertRows,
		Graded{EssayID: "e1", Grade: 5},
		outbox.With(Moved{To: "9B"}, outbox.WithAggregateID("9A")),
	)
	fmt.Println(len(recorder.Rows()), err)
	// Output: 2 <nil>
}

// An event that is derived from business data gets a derived id, so handling the cause
// again inserts nothing.
func ExampleDeterministicID() {
	recorder := &outboxtest.Recorder{}
	for range 2 {
		var outcome outbox.Outcome
		id := outbox.DeterministicID(uuid.NameSpaceURL, "graded", "e1", "2026-05-01")
		err := InsertGraded(context.Background(), recorder, Graded{EssayID: "e1"}, outbox.WithID(id), outbox.WithOutcome(&outcome))
		fmt.Println(outcome.Inserted, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleDecodeError() {
	envelope, err := graded.Decode([]byte(`{
		"event_id": "018f3f6e-0000-7000-8000-000000000001", "event_type": "school.essay.graded.v1",
		"event_timestamp": "2026-05-01T12:00:00Z", "source_service": "grading", "schema_version": 1,
		"correlation_id": "c-1", "data_schema_uri": null, "data": {"essay_id": "e1", "grade": 5}, "metadata": null}`))
	fmt.Println(envelope.CorrelationID, envelope.EventTimestamp.Format(time.Kitchen), envelope.Data.Grade, err)

	_, err = graded.Decode([]byte(`{"event_id": 1}`))
	decode, ok := errors.AsType[*outbox.DecodeError](err)
	fmt.Println(ok, decode.InData)
	// Output:
	// c-1 12:00PM 5 <nil>
	// true false
}

// Events that a consumer inserts are linked to the event that it handles. Typed
// handlers of a consume.Router get such a context; other consumers make it.
func ExampleContextWithCorrelationID() {
	handle := func(ctx context.Context, tx outbox.Transaction, e outbox.Envelope[Graded]) error {
		ctx = outbox.ContextWithCorrelationID(ctx, e.CorrelationID)
		ctx = outbox.ContextWithCausationID(ctx, e.EventID.String())
		return gen.Insert(ctx, tx, insertRows, Moved{To: "9B"}, outbox.WithAggregateID("9A"))
	}

	recorder := &outboxtest.Recorder{}
	if err := handle(context.Background(), recorder, outbox.Envelope[Graded]{CorrelationID: "c-1"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(recorder.Rows()[0].CorrelationID)
	// Output: c-1
}

func ExampleNullable() {
	for _, n := range []outbox.Nullable[int]{{}, outbox.Null[int](), outbox.Value(3)} {
		fmt.Println(n, n.OrElse(7))
	}
	// Output:
	// absent 7
	// null 7
	// 3 3
}
