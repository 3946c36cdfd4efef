package consume_test

import (
	"context"
	"fmt"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// Generated packages have an On… function for each event, which calls On; here
// orderPaidType stands in for what such a package declares.
func ExampleRouter() {
	r := consume.NewRouter(consume.OnUnknown(consume.Skip))
	gen.On(r, orderPaidType(gen.EnvelopeOutbox), func(_ context.Context, e outbox.Envelope[orderPaid]) error {
		fmt.Printf("order %s: %d cents\n", e.Data.Order, e.Data.Cents)
		return nil
	})

	err := r.Dispatch(context.Background(), consume.Message{Topic: "orders", Value: []byte(`{
		"event_id": "018fd0a0-0000-7000-8000-000000000001", "event_type": "order.paid.v1",
		"event_timestamp": "2026-01-02T03:04:05Z", "source_service": "shop", "schema_version": 1,
		"correlation_id": "c-1", "data_schema_uri": null, "data": {"order": "7", "cents": 995}, "metadata": null
	}`)})
	fmt.Println(err)

	err = r.Dispatch(context.Background(), consume.Message{
		Topic: "orders", Partition: 3, Offset: 14, Value: []byte(`{"event_type": "order.paid.v1"}`),
	})
	fmt.Println("worth a retry:", !consume.Permanent(err))
	// Output:
	// order 7: 995 cents
	// <nil>
	// worth a retry: false
}
