package relay

import (
	"context"
	"strconv"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// The names of attributes and spans are those of OpenTelemetry's semantic conventions for
// messaging. A record has the context of the span that inserted its row, so the spans of
// the relay are of the kind client: those of the kind producer have a context that records
// carry.

// maxLinks limits the links of a span, as exporters do.
const maxLinks = 128

// waveSpan is the span of a wave, and makes those of its records.
type waveSpan struct {
	d       *driver
	span    trace.Span
	records []Record
	start   time.Time
}

// trace starts the span of a wave, linked to the spans that inserted its rows. It returns
// nil without tracing. If traces continue and no inserting span was sampled, it returns nil
// too: nothing would lead to the span.
func (d *driver) trace(ctx context.Context, records []Record) *waveSpan {
	if d.tracer == nil {
		return nil
	}
	var links []trace.Link
	sampled := false
	for i := range records {
		if len(links) == maxLinks && (sampled || !d.cfg.ContinueTraces) {
			break
		}
		sc, ok := inserter(&records[i])
		if !ok {
			continue
		}
		sampled = sampled || sc.IsSampled()
		if len(links) < maxLinks {
			links = append(links, trace.Link{SpanContext: sc, Attributes: []attribute.KeyValue{
				attribute.String("messaging.destination.name", records[i].Topic),
				attribute.String("messaging.message.id", records[i].EventID.String()),
			}})
		}
	}
	if d.cfg.ContinueTraces && !sampled {
		return nil
	}
	name, attributes := "send", append(d.sending(), attribute.Int("messaging.batch.message_count", len(records)))
	if topic, ok := onlyTopic(records); ok {
		name += " " + topic
		attributes = append(attributes, attribute.String("messaging.destination.name", topic))
	}
	s := &waveSpan{d: d, records: records, start: time.Now()}
	_ = d.r.guard.call("Tracer.Start", func() {
		_, s.span = d.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(links...), trace.WithAttributes(attributes...))
	})
	return s
}

// sending are the attributes of each span.
func (d *driver) sending() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.operation.type", "send"),
		attribute.String("messaging.operation.name", "send"),
		attribute.String("outbox", d.cfg.Name),
	}
}

func onlyTopic(records []Record) (string, bool) {
	for i := range records {
		if records[i].Topic != records[0].Topic {
			return "", false
		}
	}
	return records[0].Topic, true
}

// end ends the span, err the first failure, and makes those of the records.
func (s *waveSpan) end(results []Result, acked int, err error) {
	if s == nil || s.span == nil {
		return
	}
	_ = s.d.r.guard.call("Span.End", func() {
		s.span.SetAttributes(attribute.Int("outbox.acknowledged", acked))
		if err != nil {
			s.span.SetStatus(codes.Error, err.Error())
		}
		s.span.End()
		if s.d.cfg.ContinueTraces {
			s.ofRecords(results)
		}
	})
}

// ofRecords makes the spans of the records, after the fact: until then nobody knows which
// were acknowledged.
func (s *waveSpan) ofRecords(results []Result) {
	now := time.Now()
	wave := trace.Link{SpanContext: s.span.SpanContext()}
	for i := range s.records {
		r := &s.records[i]
		parent, ok := inserter(r)
		if !ok || !parent.IsSampled() {
			continue
		}
		if state, err := trace.ParseTraceState(r.header("tracestate")); err == nil {
			parent = parent.WithTraceState(state)
		}
		_, span := s.d.tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), parent), "send "+r.Topic,
			trace.WithTimestamp(s.start), trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(wave),
			trace.WithAttributes(append(s.d.sending(), r.attributes()...)...))
		if result := results[i]; result.Class != ClassOK {
			span.SetAttributes(attribute.String("error.type", result.Class.String()))
			if result.Err != nil {
				span.SetStatus(codes.Error, result.Err.Error())
			}
		}
		span.End(trace.WithTimestamp(now))
	}
}

func (r *Record) attributes() []attribute.KeyValue {
	list := []attribute.KeyValue{
		attribute.String("messaging.destination.name", r.Topic),
		attribute.String("messaging.destination.partition.id", strconv.Itoa(int(r.Partition))),
		attribute.String("messaging.message.id", r.EventID.String()),
		attribute.Int("messaging.message.body.size", len(r.Value)),
		attribute.String("outbox.event_type", r.EventType),
	}
	if id := r.header("trace_id"); id != "" {
		list = append(list, attribute.String("messaging.message.conversation_id", id))
	}
	if r.Key != nil && utf8.Valid(r.Key) {
		list = append(list, attribute.String("messaging.kafka.message.key", string(r.Key)))
	}
	if r.Value == nil {
		list = append(list, attribute.Bool("messaging.kafka.message.tombstone", true))
	}
	return list
}

// header returns a header; "": the record has none.
func (r *Record) header(key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// inserter reads the span that inserted a row from its header traceparent (version 00:
// "00-<32 hex>-<16 hex>-<2 hex>").
func inserter(r *Record) (trace.SpanContext, bool) {
	v := r.header("traceparent")
	if len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return trace.SpanContext{}, false
	}
	traceID, err1 := trace.TraceIDFromHex(v[3:35])
	spanID, err2 := trace.SpanIDFromHex(v[36:52])
	flags, err3 := strconv.ParseUint(v[53:55], 16, 8)
	if err1 != nil || err2 != nil || err3 != nil {
		return trace.SpanContext{}, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceFlags: trace.TraceFlags(flags) & trace.FlagsSampled, Remote: true,
	}), true
}
