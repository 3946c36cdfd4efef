package outbox

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Option sets a property of one event. Later options win.
type Option func(*rowOptions)

type rowOptions struct {
	now           func() time.Time
	newID         func() (uuid.UUID, error)
	id            uuid.UUID
	idGiven       bool
	time          time.Time
	aggregateID   *string
	key           *string
	topic         *string
	partition     *int32
	deliverAt     time.Time
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

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// WithID sets the event's id. If the table already has the id, the insert does nothing;
// the log and WithOutcome say so. Use an id that is derived from business data (see
// DeterministicID). Default: a new UUIDv7.
func WithID(id uuid.UUID) Option {
	return func(o *rowOptions) { o.id, o.idGiven = id, true }
}

// WithTime sets when the event occurred. Default: now. It does not delay the event: see
// WithDeliverAt.
func WithTime(t time.Time) Option {
	return func(o *rowOptions) { o.time = t }
}

// WithAggregateID sets the aggregate id. Use it for events whose data has none. It wins
// over the id in the data.
func WithAggregateID(id string) Option {
	return func(o *rowOptions) { o.aggregateID = &id }
}

// WithKey sets the record's key. Default: the key that the schema defines.
func WithKey(key string) Option {
	return func(o *rowOptions) { o.key = &key }
}

// WithTopic sets the topic of the record, such as one for each tenant. Default: the topic
// that the schema defines. The insert returns an error if Kafka does not allow the name,
// or if it is empty. It does not check whether the topic exists: the rows of a topic that
// does not exist wait in the relay. There is no order between records of different topics,
// not even for the same key.
func WithTopic(topic string) Option {
	return func(o *rowOptions) { o.topic = &topic }
}

// WithPartition sets the partition of the record, from 0. Default: the one that Kafka's
// hash of the key gives, or any partition for an event without a key. The insert returns
// an error if n is negative. It does not check whether the topic has the partition. If it
// does not, only this row fails in the relay, and it is dead-lettered after its last
// attempt.
//
// Kafka keeps order only within a partition. So events of one key are in order only if
// all of them have the same partition, or none has one.
func WithPartition(n int32) Option {
	return func(o *rowOptions) { o.partition = &n }
}

// WithDeliverAt delays the event: it is not published before t. The zero time means no
// delay. The event waits in the table event_outbox_delayed, and the database's clock
// decides. The relay usually publishes it a few milliseconds after t; the guide about
// writing events says when it takes longer.
//
// A time that has passed when the transaction begins, by the database's clock, means no
// delay. t is rounded up to microseconds. The insert returns an error if t is not in the
// years 1 to 9999.
//
// A delayed event takes its place in the order of its key when its time has come, not when
// it was inserted. Delayed events of a key are published in the order of t, and for the
// same t in the order of their inserts. The event's own time (WithTime) and its id are
// those of the insert.
//
// If the id of WithID exists already, published, waiting or delayed, the insert does
// nothing. An event without a delay is not compared with those that are delayed: if a
// delayed event has its id, that one is dropped when its time comes. CancelDelayed
// deletes an event that waits.
func WithDeliverAt(t time.Time) Option {
	return func(o *rowOptions) { o.deliverAt = t }
}

// WithHeader adds a record header. The insert returns an error if the name is empty, is
// given twice, or belongs to outboxgen: event_id, event_type, trace_id, causation_id,
// source_service, schema_version, occurred_at, content_type, traceparent, tracestate,
// baggage, outbox_replay.
func WithHeader(name, value string) Option {
	return func(o *rowOptions) { o.headers = append(o.headers, Header{name, []byte(value)}) }
}

// WithMetadata adds an entry to the envelope's metadata. encoding/json encodes the
// value. A later entry with the same name wins.
func WithMetadata(name string, value any) Option {
	return func(o *rowOptions) { o.metadata = append(o.metadata, metadataEntry{name, value}) }
}

// WithCorrelationID sets the correlation id. Default: the one in the context (see
// ContextWithCorrelationID), else the one in the data, else the event id.
func WithCorrelationID(id string) Option {
	return func(o *rowOptions) { o.correlationID = id }
}

// WithCausationID sets the id of the event or command that caused this event. It goes
// into the header causation_id and the metadata entry causation_id. Default: the one in
// the context (see ContextWithCausationID), else none.
func WithCausationID(id string) Option {
	return func(o *rowOptions) { o.causationID = id }
}

// WithOutcome writes the outcome of the insert to *outcome: whether the event was
// inserted, or the table already had its id. See Outcome for when it is known.
func WithOutcome(outcome *Outcome) Option {
	return func(o *rowOptions) { o.outcome = outcome }
}

// WithClock sets the clock for the event's time. Options.Now sets it for a whole
// Outbox.
func WithClock(now func() time.Time) Option {
	return func(o *rowOptions) { o.now = now }
}

// WithNewID sets the function that makes the event's id when WithID gives none.
// Options.NewID sets it for a whole Outbox.
func WithNewID(newID func() (uuid.UUID, error)) Option {
	return func(o *rowOptions) { o.newID = newID }
}

// recordOverhead is what WithMaxRecordBytes adds to the row's size: Kafka's own fields
// of a batch with one record, and the headers that the relay adds.
const recordOverhead = 160

// WithMaxRecordBytes refuses the event with a *RecordTooLargeError if its record is
// larger than limit bytes. The size is key, value, headers as JSON, event type, and 160
// bytes for the rest. That is a little more than what Kafka compares with
// max.message.bytes without compression. 0 or less: no limit. Options.MaxRecordBytes
// sets it for a whole Outbox.
func WithMaxRecordBytes(limit int) Option {
	return func(o *rowOptions) { o.maxRecordBytes = limit }
}

type (
	correlationKey struct{}
	causationKey   struct{}
)

// ContextWithCorrelationID returns a context whose events have the correlation id,
// unless an option sets another one. A consumer sets it from the envelope that it
// handles, so that the events which it inserts have the same correlation id.
func ContextWithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationIDFromContext returns the context's correlation id, or "".
func CorrelationIDFromContext(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}

// ContextWithCausationID returns a context whose events name id as their cause, unless
// an option sets another one.
func ContextWithCausationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, causationKey{}, id)
}

// CausationIDFromContext returns the context's causation id, or "".
func CausationIDFromContext(ctx context.Context) string {
	id, _ := ctx.Value(causationKey{}).(string)
	return id
}
