package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// Decode reads a record's value as this event. The envelope's own fields must be
// there and well formed; fields that it does not know are kept in Extra. The data
// is decoded by the generated type, and not validated: call Validate for that.
//
// Where the event has no envelope, what there is to know comes from the record's
// headers; without headers only Kind, EventType, SchemaVersion and Data are set.
// For the other kinds the headers are not looked at.
//
// Every error is a *DecodeError.
func (t EventType[T]) Decode(value []byte, headers ...Header) (Envelope[T], error) {
	e := Envelope[T]{Kind: t.Envelope, EventType: t.Type, SchemaVersion: envelopeVersion}
	read := parsed{data: value}
	var err error
	switch t.Envelope {
	case EnvelopeNone:
		err = e.readHeaders(headers)
	case EnvelopeCloudEvents:
		if err = wire.Unmarshal(value, &read, "CloudEvent", e.readCloudEvent); err == nil && read.version != "1.0" {
			err = fmt.Errorf("the record is a CloudEvent of version %q; this package reads 1.0", read.version)
		}
	default:
		if err = wire.Unmarshal(value, &read, "envelope", e.readOutbox); err == nil && e.SchemaVersion != envelopeVersion {
			err = fmt.Errorf("the envelope has version %d; this package reads %d", e.SchemaVersion, envelopeVersion)
		}
	}
	if err == nil && e.EventType != t.Type {
		err = fmt.Errorf("the record is a %q", e.EventType)
	}
	if err != nil {
		return Envelope[T]{}, &DecodeError{EventType: t.Type, Err: err}
	}
	if err := unmarshalData(read.data, &e.Data); err != nil {
		return Envelope[T]{}, &DecodeError{EventType: t.Type, EventID: e.EventID, InData: true, Err: err}
	}
	return e, nil
}

// parsed is what reading an envelope gives beyond the envelope.
type parsed struct {
	data    json.RawMessage
	version string // of CloudEvents
}

func (e *Envelope[T]) readOutbox(d *wire.Decoder) (read parsed) {
	o := d.Object("event_id", "event_type", "event_timestamp", "source_service", "schema_version", "correlation_id", "data")
	for o.Next() {
		switch string(o.Name) {
		case "event_id":
			e.EventID = d.UUID()
		case "event_type":
			e.EventType = d.String()
		case "event_timestamp":
			e.EventTimestamp = inUTC(d.DateTime())
		case "source_service":
			e.SourceService = d.String()
		case "schema_version":
			e.SchemaVersion = int(d.Int())
		case "correlation_id":
			e.CorrelationID = d.String()
		case "data_schema_uri":
			e.DataSchemaURI = wire.Pointer(d, (*wire.Decoder).String)
		case "data":
			read.data = d.Raw()
		case "metadata":
			e.Metadata = nil
			if !d.Null() {
				e.Metadata = wire.Map(d, (*wire.Decoder).Raw)
			}
		default:
			e.keep(&o)
		}
	}
	return read
}

func (e *Envelope[T]) readCloudEvent(d *wire.Decoder) (read parsed) {
	o := d.Object("specversion", "id", "source", "type", "data")
	for o.Next() {
		switch string(o.Name) {
		case "specversion":
			read.version = d.String()
		case "id":
			e.EventID = d.UUID()
		case "source":
			e.SourceService = d.String()
		case "type":
			e.EventType = d.String()
		case "time":
			e.EventTimestamp = inUTC(d.DateTime())
		case "datacontenttype":
			d.Skip() // data is JSON here, or it does not decode
		case "dataschema":
			e.DataSchemaURI = wire.Pointer(d, (*wire.Decoder).String)
		case "correlationid":
			e.CorrelationID = d.String()
		case "data":
			read.data = d.Raw()
		default:
			e.keep(&o)
		}
	}
	// The metadata is an object as text; what is not stays an extra attribute.
	var text string
	if json.Unmarshal(e.Extra["metadata"], &text) == nil && json.Unmarshal([]byte(text), &e.Metadata) == nil {
		delete(e.Extra, "metadata")
	}
	return read
}

// keep keeps a field that this package does not know.
func (e *Envelope[T]) keep(o *wire.Object) {
	e.Extra = wire.Member(o, e.Extra, (*wire.Decoder).Raw)
}

// readHeaders takes the place of an envelope.
func (e *Envelope[T]) readHeaders(headers []Header) error {
	for _, h := range headers {
		var err error
		text := string(h.Value)
		switch h.Key {
		case headerEventID:
			e.EventID, err = uuid.Parse(text)
		case headerEventType:
			e.EventType = text
		case headerOccurredAt:
			e.EventTimestamp, err = time.Parse(time.RFC3339Nano, text)
			e.EventTimestamp = inUTC(e.EventTimestamp)
		case headerSourceService:
			e.SourceService = text
		case headerTraceID:
			e.CorrelationID = text
		case headerSchemaVersion:
			if text != strconv.Itoa(envelopeVersion) {
				err = fmt.Errorf("is %q; this package reads %d", text, envelopeVersion)
			}
		}
		if err != nil {
			return fmt.Errorf("header %s: %w", h.Key, err)
		}
	}
	return nil
}

// unmarshalData prefers the data's own method, which is what generated types
// have.
func unmarshalData[T any](raw json.RawMessage, data *T) error {
	if len(raw) == 0 {
		return errors.New("the record's value is empty")
	}
	if u, ok := any(data).(json.Unmarshaler); ok {
		return u.UnmarshalJSON(raw)
	}
	return json.Unmarshal(raw, data)
}
