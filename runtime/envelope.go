package outbox

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/internal/link"
	"github.com/outboxgen/outboxgen/runtime/wire"
)

// Envelope is an event with its data and the envelope's fields. The Decode functions of
// generated packages return one. Encoding it again gives an equal document.
type Envelope[T any] struct {
	// Kind is how the event is wrapped. Its String is outbox, cloudevents or none. Package
	// gen has the constants.
	Kind link.EnvelopeKind
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
	// CorrelationID is the same for all events of one business operation.
	CorrelationID string
	// DataSchemaURI is the $id of the data's schema; nil: none.
	DataSchemaURI *string
	// Data is the event data, decoded.
	Data T
	// Metadata is free-form; nil encodes as null. Each value keeps its original JSON
	// text, so numbers lose no digits.
	Metadata map[string]json.RawMessage
	// Extra has the unknown properties of the envelope as JSON text. For a CloudEvent
	// it also has the subject.
	Extra map[string]json.RawMessage
}

// CausationID returns the id of the event or command that caused this one, or "" if the
// envelope has none.
func (e Envelope[T]) CausationID() string {
	var id string
	if raw, ok := e.Metadata[metadataCausationID]; ok && json.Unmarshal(raw, &id) == nil {
		return id
	}
	return ""
}

// MarshalJSON encodes the envelope in the form of its Kind. Without an
// envelope it encodes the data alone.
func (e Envelope[T]) MarshalJSON() ([]byte, error) {
	data, err := marshalData(e.Data)
	if err != nil {
		return nil, err
	}
	return e.around(data)
}

// around encodes the envelope with data that is encoded already.
func (e Envelope[T]) around(data json.RawMessage) ([]byte, error) {
	if e.Kind == link.EnvelopeNone {
		return data, nil
	}
	name := func() string { return "envelope of " + e.EventType }
	return wire.MarshalNamed(e, name, func(to *wire.Encoder, e Envelope[T]) {
		to.Begin()
		if e.Kind == link.EnvelopeCloudEvents {
			e.putCloudEvent(to, data)
		} else {
			e.putOutbox(to, data)
		}
		to.End()
	})
}

func (e Envelope[T]) putOutbox(to *wire.Encoder, data json.RawMessage) {
	to.Name("event_id").UUID(e.EventID)
	to.Name("event_type").String(e.EventType)
	to.Name("event_timestamp").DateTime(inUTC(e.EventTimestamp))
	to.Name("source_service").String(e.SourceService)
	to.Name("schema_version").Int(int64(e.SchemaVersion))
	to.Name("correlation_id").String(e.CorrelationID)
	to.Name("data_schema_uri")
	wire.PutPointer(to, e.DataSchemaURI, (*wire.Encoder).String)
	to.Name("data").Raw(data)
	to.Name("metadata")
	if e.Metadata == nil {
		to.Null()
	} else {
		wire.PutMap(to, e.Metadata, (*wire.Encoder).Raw)
	}
	to.Unknown(e.Extra)
}

// putCloudEvent writes a CloudEvent. Its attributes cannot be objects, so the metadata
// is written as JSON text.
func (e Envelope[T]) putCloudEvent(to *wire.Encoder, data json.RawMessage) {
	to.Name("specversion").String("1.0")
	to.Name("id").UUID(e.EventID)
	to.Name("source").String(e.SourceService)
	to.Name("type").String(e.EventType)
	if !e.EventTimestamp.IsZero() {
		to.Name("time").DateTime(inUTC(e.EventTimestamp))
	}
	to.Name("datacontenttype").String("application/json")
	if e.DataSchemaURI != nil {
		to.Name("dataschema").String(*e.DataSchemaURI)
	}
	if e.CorrelationID != "" {
		to.Name("correlationid").String(e.CorrelationID)
	}
	if e.Metadata != nil {
		text, err := wire.Marshal(e.Metadata, "metadata", func(to *wire.Encoder, m map[string]json.RawMessage) {
			wire.PutMap(to, m, (*wire.Encoder).Raw)
		})
		if err != nil {
			text = []byte{0xff} // not UTF-8, so that String reports it
		}
		to.Name("metadata").String(string(text))
	}
	to.Unknown(e.Extra)
	to.Name("data").Raw(data)
}

// marshalData uses the data's own MarshalJSON if it has one, as generated types do.
func marshalData[T any](data T) (json.RawMessage, error) {
	if m, ok := any(data).(json.Marshaler); ok {
		return m.MarshalJSON()
	}
	return json.Marshal(data)
}

// inUTC returns t in UTC. A decoded time with offset zero stays as it is, so that it is
// encoded as it was written (Z or +00:00, and the number of digits).
func inUTC(t time.Time) time.Time {
	if _, offset := t.Zone(); offset == 0 {
		return t
	}
	return t.UTC()
}
