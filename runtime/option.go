package outbox

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Option says something about one event.
type Option func(*rowOptions)

type rowOptions struct {
	now           func() time.Time
	newID         func() (uuid.UUID, error)
	id            uuid.UUID
	idGiven       bool
	time          time.Time
	aggregateID   *string
	key           *string
	correlationID string
	causationID   string
	headers       []Header
	metadata      []metadataEntry
	outcome       *Outcome

	maxRecordBytes int
}

type metadataEntry struct {
	name  string
	value any
}

// Header is a record header.
type Header struct {
	Key   string
	Value []byte
}

// WithID sets the event's id. With one that follows from business data (see
// DeterministicID) inserting the event again is a no-op, which is logged and
// reported by WithOutcome. Default: a fresh UUIDv7.
func WithID(id uuid.UUID) Option {
	return func(o *rowOptions) { o.id, o.idGiven = id, true }
}

// WithTime sets the time at which the event occurred. Default: now.
func WithTime(t time.Time) Option {
	return func(o *rowOptions) { o.time = t }
}

// WithAggregateID sets the aggregate's id, for events whose data does not carry
// it; it wins over the one in the data.
func WithAggregateID(id string) Option {
	return func(o *rowOptions) { o.aggregateID = &id }
}

// WithKey sets the record's key instead of the one that the schema names.
func WithKey(key string) Option {
	return func(o *rowOptions) { o.key = &key }
}

// WithHeader adds a record header. A name given twice is an error, as is one
// that this package sets itself: event_id, event_type, trace_id, causation_id,
// source_service, schema_version, occurred_at, content_type, traceparent,
// tracestate.
func WithHeader(name, value string) Option {
	return func(o *rowOptions) { o.headers = append(o.headers, Header{name, []byte(value)}) }
}

// WithMetadata adds an entry to the envelope's metadata, as encoding/json
// writes it; a later entry of the same name wins.
func WithMetadata(name string, value any) Option {
	return func(o *rowOptions) { o.metadata = append(o.metadata, metadataEntry{name, value}) }
}

// WithCorrelationID sets the correlation id. Default: the context's (see
// ContextWithCorrelationID), else the data's, else the event id.
func WithCorrelationID(id string) Option {
	return func(o *rowOptions) { o.correlationID = id }
}

// WithCausationID names the event or command that caused this one. It goes into
// the header causation_id and the envelope's metadata entry of that name. Default: the context's (see
// ContextWithCausationID), else none.
func WithCausationID(id string) Option {
	return func(o *rowOptions) { o.causationID = id }
}

// WithOutcome has the outcome of the insert written to *outcome: whether the
// event was inserted, or was there already under an id that the caller gave.
func WithOutcome(outcome *Outcome) Option {
	return func(o *rowOptions) { o.outcome = outcome }
}

// WithClock sets the clock that dates the event. Options.Now does it for a whole
// Outbox.
func WithClock(now func() time.Time) Option {
	return func(o *rowOptions) { o.now = now }
}

// WithNewID sets where ids come from when WithID gives none. Options.NewID does
// it for a whole Outbox.
func WithNewID(newID func() (uuid.UUID, error)) Option {
	return func(o *rowOptions) { o.newID = newID }
}

// recordOverhead is what WithMaxRecordBytes counts for a batch of one record
// beside what is in the row: Kafka's own fields, and the headers that the relay
// adds.
const recordOverhead = 160

// WithMaxRecordBytes refuses the event with a *RecordTooLargeError when its record
// is larger than so many bytes. Counted are the key, the value, the headers as
// JSON, the event type and 160 bytes for the rest: a little more than what Kafka
// compares with max.message.bytes when nothing is compressed. 0 or less: no limit.
// Options.MaxRecordBytes does it for a whole Outbox.
func WithMaxRecordBytes(limit int) Option {
	return func(o *rowOptions) { o.maxRecordBytes = limit }
}

type (
	correlationKey struct{}
	causationKey   struct{}
)

// ContextWithCorrelationID returns a context whose events carry the correlation
// id, unless an option says otherwise. A consumer sets it from the envelope that
// it handles, so that what it inserts in turn belongs together.
func ContextWithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationIDFromContext returns the context's correlation id, or "".
func CorrelationIDFromContext(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}

// ContextWithCausationID returns a context whose events name id as their cause,
// unless an option says otherwise.
func ContextWithCausationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, causationKey{}, id)
}

// CausationIDFromContext returns the context's causation id, or "".
func CausationIDFromContext(ctx context.Context) string {
	id, _ := ctx.Value(causationKey{}).(string)
	return id
}
