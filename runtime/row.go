package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/outboxgen/outboxgen/runtime/internal/link"
	"github.com/outboxgen/outboxgen/runtime/wire"
)

// Row is one row of the table event_outbox, before it is inserted.
type Row struct {
	// ID is the event id and the table's primary key.
	ID uuid.UUID
	// AggregateType and AggregateID identify the aggregate that the event belongs to.
	AggregateType, AggregateID string
	// EventType is the event's type, as in the record.
	EventType string
	// Topic is the Kafka topic.
	Topic string
	// Key is the record's key. nil means no key, and so no order.
	Key *string
	// Partition is the record's partition. nil means the one that Kafka's hash of the key
	// gives.
	Partition *int32
	// Data is the record's value, byte for byte. nil: a tombstone, whose record has a
	// null value.
	Data []byte
	// Headers is a JSON object whose values are strings.
	Headers []byte

	// DeliverAt is the time of WithDeliverAt, before which the event is not published. Zero
	// means no delay. A row with a time is inserted into event_outbox_delayed.
	DeliverAt time.Time

	// CorrelationID is for logs. The table has no such column.
	CorrelationID string
}

// Names of the record headers that this package sets. The relay adds event_id and
// event_type from the columns.
const (
	headerEventID       = "event_id"
	headerEventType     = "event_type"
	headerTraceID       = "trace_id"
	headerCausationID   = "causation_id"
	headerSourceService = "source_service"
	headerSchemaVersion = "schema_version"
	headerOccurredAt    = "occurred_at"
	headerContentType   = "content_type"
	headerTraceParent   = "traceparent"
	headerTraceState    = "tracestate"
	headerBaggage       = "baggage"
)

// headerReplay is the header of an event that was published again (outboxrelay replay
// --from). No event has it before.
const headerReplay = "outbox_replay"

// metadataCausationID is the metadata entry for the causation id.
const metadataCausationID = "causation_id"

// envelopeVersion is the version of the envelopes that this package writes.
const envelopeVersion = 1

// newRow builds the row of an event whose data is valid.
func newRow(ctx context.Context, e link.Event, opts []Option) (Row, error) {
	o := rowOptions{now: time.Now, newID: uuid.NewV7}
	o.apply(opts)
	row := Row{AggregateType: e.AggregateType, EventType: e.Type, Topic: e.Topic}
	if err := fill(ctx, &row, e, &o); err != nil {
		return Row{}, &InsertError{EventType: e.Type, EventID: row.ID, Err: err}
	}
	return row, nil
}

// apply applies the options in order, so later ones win.
func (o *rowOptions) apply(opts []Option) {
	for _, opt := range opts {
		opt(o)
	}
}

func fill(ctx context.Context, row *Row, e link.Event, o *rowOptions) (err error) {
	if row.ID, err = o.eventID(); err != nil {
		return err
	}
	if o.topic != nil {
		if row.Topic = *o.topic; row.Topic == "" {
			return errors.New("the topic given by WithTopic is empty")
		}
	}
	if row.Partition = o.partition; row.Partition != nil && *row.Partition < 0 {
		return fmt.Errorf("the partition given by WithPartition is %d; partitions are numbered from 0", *row.Partition)
	}
	if row.AggregateID, err = aggregateID(e, o); err != nil {
		return err
	}
	if row.Key, err = key(e, row.AggregateID, o); err != nil {
		return err
	}
	if row.CorrelationID, err = correlationID(ctx, e, o); err != nil {
		return err
	}
	if row.DeliverAt, err = o.deliverTime(); err != nil {
		return err
	}
	if row.CorrelationID == "" {
		row.CorrelationID = row.ID.String()
	}
	if o.causationID == "" {
		o.causationID = CausationIDFromContext(ctx)
	}
	if err := checkRow(row); err != nil {
		return err
	}

	// Postgres and most readers keep microseconds.
	occurred := o.time
	if occurred.IsZero() {
		occurred = o.now()
	}
	occurred = occurred.UTC().Truncate(time.Microsecond)
	content := ""
	if e.Data != nil {
		content = contentType(e.Envelope)
		if row.Data, err = o.value(row, e, occurred); err != nil {
			return err
		}
	} else if len(o.metadata) > 0 {
		return errors.New("a tombstone has no envelope for WithMetadata: use WithHeader")
	}
	if row.Headers, err = o.recordHeaders(ctx, row, e.Source, occurred, content); err != nil {
		return err
	}
	return o.checkSize(row)
}

// value encodes the envelope with the data.
func (o *rowOptions) value(row *Row, e link.Event, occurred time.Time) ([]byte, error) {
	metadata, err := o.metadataObject()
	if err != nil {
		return nil, err
	}
	data, err := e.Data.MarshalJSON()
	if err != nil {
		return nil, err
	}
	envelope := Envelope[json.RawMessage]{
		Kind:           e.Envelope,
		EventID:        row.ID,
		EventType:      e.Type,
		EventTimestamp: occurred,
		SourceService:  e.Source,
		SchemaVersion:  envelopeVersion,
		CorrelationID:  row.CorrelationID,
		Metadata:       metadata,
	}
	if uri := e.SchemaURI; uri != "" { // a copy, or else the whole event is allocated
		envelope.DataSchemaURI = &uri
	}
	if e.Envelope == link.EnvelopeCloudEvents {
		subject, err := json.Marshal(row.AggregateID)
		if err != nil {
			return nil, err
		}
		envelope.Extra = map[string]json.RawMessage{"subject": subject}
	}
	return envelope.around(data)
}

func (o *rowOptions) checkSize(row *Row) error {
	size := len(row.Data) + len(row.Headers) + len(row.EventType) + recordOverhead
	if row.Key != nil {
		size += len(*row.Key)
	}
	if o.maxRecordBytes > 0 && size > o.maxRecordBytes {
		return &RecordTooLargeError{EventType: row.EventType, Size: size, Limit: o.maxRecordBytes}
	}
	return nil
}

func (o *rowOptions) eventID() (uuid.UUID, error) {
	if o.idGiven {
		if o.id == uuid.Nil {
			return uuid.Nil, errors.New("the id given by WithID is the nil UUID")
		}
		return o.id, nil
	}
	id, err := o.newID()
	if err != nil {
		return uuid.Nil, fmt.Errorf("make an event id: %w", err)
	}
	return id, nil
}

func aggregateID(e link.Event, o *rowOptions) (string, error) {
	if o.aggregateID != nil {
		return *o.aggregateID, nil
	}
	switch id, given, err := e.Values.AggregateID(); {
	case err != nil:
		return "", fmt.Errorf("aggregate id: %w; set one with WithAggregateID", err)
	case !given:
		return "", errors.New("the event data has no aggregate id: set one with WithAggregateID")
	default:
		return id, nil
	}
}

func key(e link.Event, aggregateID string, o *rowOptions) (*string, error) {
	switch {
	case o.key != nil:
		return o.key, nil
	case e.Unkeyed:
		return nil, nil
	}
	switch key, given, err := e.Values.Key(); {
	case err != nil:
		return nil, fmt.Errorf("key: %w; set one with WithKey", err)
	case !given:
		id := aggregateID // copies, so that one of the two is allocated
		return &id, nil
	default:
		own := key
		return &own, nil
	}
}

// correlationID returns the correlation id, or "" if there is none.
func correlationID(ctx context.Context, e link.Event, o *rowOptions) (string, error) {
	id, from := o.correlationID, "by WithCorrelationID"
	if id == "" {
		id, from = CorrelationIDFromContext(ctx), "by the context (ContextWithCorrelationID)"
	}
	if id == "" {
		id, from = e.Values.CorrelationID(), "by the event data"
	}
	if e.CorrelationUUID && id != "" && !isUUID(id) {
		return "", fmt.Errorf("the correlation id %.100q, given %s, is not a UUID such as 018fd0a0-0000-7000-8000-000000000001: "+
			"outboxgen.yaml of this package says correlation_id: uuid", id, from)
	}
	return id, nil
}

// isUUID reports whether s has the form that JSON Schema's format uuid asks for.
func isUUID(s string) bool {
	const length = 36 // other forms, which Parse takes too, are longer or shorter
	return len(s) == length && uuid.Validate(s) == nil
}

// checkRow checks the row against the table's columns and Kafka's rules.
func checkRow(row *Row) error {
	var badKey error
	if row.Key != nil {
		badKey = checkText("key", *row.Key, 255)
	}
	return cmp.Or(
		checkText("aggregate id", row.AggregateID, 255),
		badKey,
		checkText("aggregate type", row.AggregateType, 100),
		checkText("event type", row.EventType, 255),
		checkTopic(row.Topic),
	)
}

// checkText checks a value for a varchar column. limit is in characters.
func checkText(what, s string, limit int) error {
	switch n := utf8.RuneCountInString(s); {
	case s == "":
		return fmt.Errorf("the %s is empty", what)
	case n > limit:
		return fmt.Errorf("the %s has %d characters; the column holds at most %d", what, n, limit)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("the %s contains a NUL character, which Postgres cannot store", what)
	case !utf8.ValidString(s):
		return fmt.Errorf("the %s is not UTF-8", what)
	}
	return nil
}

// checkTopic checks that brokers accept the topic's name.
func checkTopic(topic string) error {
	if topic == "" || topic == "." || topic == ".." {
		return fmt.Errorf("%q is not a valid Kafka topic name", topic)
	}
	if len(topic) > 249 {
		return fmt.Errorf("the topic's name has %d characters; Kafka allows 249", len(topic))
	}
	for _, c := range []byte(topic) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
		if !letter && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("%q is not a valid Kafka topic name: only letters, digits, '.', '_' and '-' are allowed", topic)
		}
	}
	return nil
}

// metadataObject returns the metadata, or nil if there is none.
func (o *rowOptions) metadataObject() (map[string]json.RawMessage, error) {
	if o.causationID == "" && len(o.metadata) == 0 {
		return nil, nil
	}
	object := make(map[string]json.RawMessage, len(o.metadata)+1)
	entries := o.metadata
	if o.causationID != "" {
		entries = append([]metadataEntry{{metadataCausationID, o.causationID}}, entries...)
	}
	for _, m := range entries {
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("metadata %q: %w", m.name, err)
		}
		object[m.name] = value
	}
	return object, nil
}

// recordHeaders encodes the record's headers as a JSON object. content is the value's
// type; "": a tombstone has none.
func (o *rowOptions) recordHeaders(ctx context.Context, row *Row, source string, occurred time.Time, content string) ([]byte, error) {
	own := make(map[string]bool, len(o.headers))
	for _, h := range o.headers {
		switch {
		case h.Key == "":
			return nil, errors.New("a header has no name")
		case reservedHeader(h.Key):
			return nil, fmt.Errorf("the header %q is set by outboxgen and cannot be given", h.Key)
		case own[h.Key]:
			return nil, fmt.Errorf("the header %q is given twice", h.Key)
		}
		own[h.Key] = true
	}
	span, bag := trace.SpanContextFromContext(ctx), baggageOf(ctx)
	return wire.Marshal(o.headers, "record headers", func(e *wire.Encoder, headers []Header) {
		e.Begin()
		e.Name(headerTraceID).String(row.CorrelationID)
		if o.causationID != "" {
			e.Name(headerCausationID).String(o.causationID)
		}
		e.Name(headerSourceService).String(source)
		e.Name(headerSchemaVersion).String(strconv.Itoa(envelopeVersion))
		e.Name(headerOccurredAt).DateTime(occurred)
		if content != "" {
			e.Name(headerContentType).String(content)
		}
		if span.IsValid() {
			e.Name(headerTraceParent).String(traceParent(span))
			if state := span.TraceState().String(); state != "" {
				e.Name(headerTraceState).String(state)
			}
		}
		if bag != "" {
			e.Name(headerBaggage).String(bag)
		}
		for _, h := range headers {
			e.Name(h.Key).String(string(h.Value))
		}
		e.End()
	})
}

func reservedHeader(name string) bool {
	switch strings.ToLower(name) {
	case headerEventID, headerEventType, headerTraceID, headerCausationID, headerSourceService, headerSchemaVersion,
		headerOccurredAt, headerContentType, headerTraceParent, headerTraceState, headerBaggage, headerReplay:
		return true
	}
	return false
}

// traceParent returns the header traceparent of W3C Trace Context, version 00.
func traceParent(span trace.SpanContext) string {
	return fmt.Sprintf("00-%s-%s-%s", span.TraceID(), span.SpanID(), span.TraceFlags()&(trace.FlagsSampled))
}

func contentType(kind link.EnvelopeKind) string {
	if kind == link.EnvelopeCloudEvents {
		return "application/cloudevents+json; charset=UTF-8"
	}
	return "application/json"
}
