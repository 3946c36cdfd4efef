package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Envelope is event data with what the wire says about it.
type Envelope[T any] struct {
	// Kind is how the event is wrapped.
	Kind EnvelopeKind
	// EventID is unique to the event, and the same on every delivery.
	EventID uuid.UUID
	// EventType is the event's type.
	EventType string
	// EventTimestamp is when the event occurred, in UTC.
	EventTimestamp time.Time
	// SourceService is the service that published the event.
	SourceService string
	// SchemaVersion is the envelope version, 1.
	SchemaVersion int
	// CorrelationID ties together what belongs together.
	CorrelationID string
	// DataSchemaURI is the $id of the data's schema; nil: none.
	DataSchemaURI *string
	// Data is the event data.
	Data T
	// Metadata is free; nil is null. The values are kept as they were written,
	// so that no number loses a digit.
	Metadata map[string]json.RawMessage
	// Extra holds fields of the envelope that this package does not know, as
	// they were written.
	Extra map[string]json.RawMessage
}

// NewRow validates the data and builds the event's row.
func (t EventType[T]) NewRow(ctx context.Context, data T, opts ...Option) (Row, error) {
	return Row{}, errors.New("outbox: not there yet")
}

// Decode reads a record's value.
func (t EventType[T]) Decode(value []byte, headers ...Header) (Envelope[T], error) {
	return Envelope[T]{}, errors.New("outbox: not there yet")
}
