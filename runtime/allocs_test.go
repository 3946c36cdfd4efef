package outbox_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
)

// Every event of every service pays for these. The data's own MarshalJSON, which is that of
// encoding/json here, is part of it. If a number falls, lower it here.
func TestAllocations(t *testing.T) {
	ctx, data := t.Context(), event(1)
	events := repeat(data, 2)
	recorder := &outboxtest.Recorder{}
	if err := InsertGraded(ctx, recorder, data); err != nil {
		t.Fatal(err)
	}
	value := recorder.Rows()[0].Data
	for name, c := range map[string]struct {
		limit int
		run   func() error
	}{
		"row":    {11, func() error { _, err := data.NewRow(ctx); return err }},
		"insert": {24, func() error { return InsertGraded(ctx, accepting{1}, data) }},
		"insert with options": {40, func() error {
			return InsertGraded(ctx, accepting{1}, data, outbox.WithCausationID("x"), outbox.WithHeader("a", "b"))
		}},
		"insert two": {44, func() error { return gen.InsertAll(ctx, accepting{2}, insertRows, events...) }},
		"queue":      {30, func() error { var batch pgx.Batch; return gen.Queue(ctx, &batch, insertRows, data) }},
		"decode":     {14, func() error { _, err := graded.Decode(value); return err }},
	} {
		// The fewest of many runs: a garbage collection, or the race detector, takes
		// buffers out of their pools, and other goroutines allocate too.
		fewest := 1 << 20
		for range 200 {
			fewest = min(fewest, int(testing.AllocsPerRun(1, func() {
				if err := c.run(); err != nil {
					t.Fatal(err)
				}
			})))
		}
		t.Logf("%s: %d allocations", name, fewest)
		if fewest > c.limit {
			t.Errorf("%s: %d allocations, not %d", name, fewest, c.limit)
		}
	}
}
