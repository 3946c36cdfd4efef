package kafka

import (
	"context"
	"strconv"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/internal/routing"
)

const (
	headerCorrelationID = "trace_id"
	tracerName          = "github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

func message(r *kgo.Record) consume.Message {
	m := consume.Message{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
	}
	if len(r.Headers) > 0 {
		m.Headers = make([]outbox.Header, len(r.Headers))
		for i, h := range r.Headers {
			m.Headers[i] = outbox.Header{Key: h.Key, Value: h.Value}
		}
	}
	return m
}

// attempt calls the router. It turns a panic that the router did not recover (of
// another dispatcher, of a tracer) into the record's error.
func (w *worker) attempt(t *task) error {
	err := func() (err error) {
		defer consume.RecoverTo(&err)
		return w.traced(t)
	}()
	if caught, ok := err.(*consume.PanicError); ok { //nolint:errorlint // one that is wrapped names its record already
		return &consume.HandlerError{Record: t.m.Record(), Err: caught}
	}
	return err
}

// traced dispatches the message in its own span. By default the span that inserted the
// event is linked and not the parent: it ended long ago, and several groups may handle
// the event, each more than once.
func (w *worker) traced(t *task) error {
	at := t.m.Record()
	var headers propagation.TextMapCarrier = carrier{t.m}
	producer := insertedBy(headers)
	ctx := w.ctx
	if handler, _ := w.batchHandler(t.m); handler == nil { // a batch has no baggage, a batch of one neither
		ctx = propagation.Baggage{}.Extract(ctx, headers)
	}
	var links []trace.Link
	switch {
	case !producer.IsValid():
	case w.run.cfg.ContinueTraces:
		ctx = trace.ContextWithRemoteSpanContext(ctx, producer)
	default:
		links = []trace.Link{{SpanContext: producer}}
	}
	more := []attribute.KeyValue{
		attribute.String("messaging.message.id", at.EventID),
		attribute.Int("messaging.message.body.size", len(t.m.Value)),
	}
	if id, ok := t.m.Header(headerCorrelationID); ok {
		more = append(more, attribute.String("messaging.message.conversation_id", id))
	}
	if t.m.Key != nil && utf8.Valid(t.m.Key) {
		more = append(more, attribute.String("messaging.kafka.message.key", string(t.m.Key)))
	}
	return w.inSpan(ctx, "event", at, t.before+t.attempt, more, links, func(ctx context.Context) error { return w.dispatch(ctx, t) })
}

// tracedBatch hands a batch over in its own span, which is linked to the spans that
// inserted the events: it cannot have several parents.
func (w *worker) tracedBatch(b *batch) (result consume.BatchResult) {
	var links []trace.Link
	for _, t := range b.tasks {
		if producer := insertedBy(carrier{t.m}); producer.IsValid() {
			links = append(links, trace.Link{SpanContext: producer})
		}
	}
	at := consume.Record{Topic: w.p.topic, Partition: w.p.id, Offset: b.tasks[0].m.Offset, EventType: b.handler.EventType()}
	count := []attribute.KeyValue{attribute.Int("messaging.batch.message_count", len(b.tasks))}
	_ = w.inSpan(w.ctx, "batch", at, b.attempt, count, links, func(ctx context.Context) error {
		result = b.dispatch(ctx)
		return result.Err
	})
	return result
}

// inSpan runs an attempt to handle an event or a batch in a span.
func (w *worker) inSpan(
	ctx context.Context, what string, at consume.Record, attempt int, more []attribute.KeyValue, links []trace.Link, handle func(context.Context) error,
) error {
	ctx, span := w.run.cfg.TracerProvider.Tracer(tracerName).Start(ctx, "process "+at.Topic,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...),
		trace.WithAttributes(append(more,
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.destination.name", at.Topic),
			attribute.String("messaging.destination.partition.id", strconv.Itoa(int(at.Partition))),
			attribute.Int64("messaging.kafka.offset", at.Offset),
			attribute.String("messaging.consumer.group.name", w.run.cfg.Group),
			attribute.String("outbox.event_type", at.EventType),
			attribute.Int("outbox.attempt", attempt),
		)...))
	defer span.End()
	err := handle(ctx)
	if err != nil {
		span.SetAttributes(attribute.String("error.type", errorType(err)))
		span.RecordError(err)
		span.SetStatus(codes.Error, "handling the "+what+" failed")
	}
	return err
}

// insertedBy returns the span that inserted the event.
func insertedBy(headers propagation.TextMapCarrier) trace.SpanContext {
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), headers))
}

// dispatch notes, too, whether a handler was called. A wrapper that embeds the router has
// its method Route too, which would not run the wrapper's Dispatch.
func (w *worker) dispatch(ctx context.Context, t *task) (err error) {
	t.outcome = Handled
	var skipped bool
	if router, ok := w.run.cfg.Router.(*consume.Router); ok {
		var called bool
		called, err = router.Route(ctx, t.m)
		skipped = !called
	} else {
		watched, noted := routing.Watch(ctx)
		err = w.run.cfg.Router.Dispatch(watched, t.m)
		skipped = noted.Skipped()
	}
	if skipped {
		t.outcome = SkippedNoHandler
	}
	return err
}

// carrier reads the W3C headers of a message.
type carrier struct{ m consume.Message }

func (c carrier) Get(key string) string {
	v, _ := c.m.Header(key)
	return v
}

func (c carrier) Set(string, string) {} // a message is only read

func (c carrier) Keys() []string {
	keys := make([]string, len(c.m.Headers))
	for i, h := range c.m.Headers {
		keys[i] = h.Key
	}
	return keys
}
