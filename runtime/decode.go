package outbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/internal/link"
	"github.com/outboxgen/outboxgen/runtime/wire"
)

// decode reads the envelope of an event. It keeps the data as raw JSON.
func decode(kind link.EnvelopeKind, eventType string, value []byte, headers []Header) (Envelope[json.RawMessage], error) {
	e := Envelope[json.RawMessage]{Kind: kind, EventType: eventType, SchemaVersion: envelopeVersion}
	var err error
	switch kind {
	case link.EnvelopeNone:
		e.Data = value
		err = readHeaders(&e, headers)
	case link.EnvelopeCloudEvents:
		var version string
		readEvent := func(d *wire.Decoder) string { return readCloudEvent(&e, d) }
		if err = wire.Unmarshal(value, &version, "CloudEvent", readEvent); err == nil && version != "1.0" {
			err = fmt.Errorf("the record is a CloudEvent of version %q; this package reads 1.0", version)
		}
	default:
		var version int
		readEnvelope := func(d *wire.Decoder) int { return readOutbox(&e, d) }
		if err = wire.Unmarshal(value, &version, "envelope", readEnvelope); err == nil && version != envelopeVersion {
			err = fmt.Errorf("the envelope has version %d; this package reads %d", version, envelopeVersion)
		}
	}
	if err == nil && e.EventType != eventType {
		err = fmt.Errorf("the record is a %q", e.EventType)
	}
	if err != nil {
		return Envelope[json.RawMessage]{}, &DecodeError{EventType: eventType, Err: err}
	}
	return e, nil
}

// readOutbox reads an envelope and returns its version.
func readOutbox(e *Envelope[json.RawMessage], d *wire.Decoder) (version int) {
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
			version = int(d.Int())
		case "correlation_id":
			e.CorrelationID = d.String()
		case "data_schema_uri":
			e.DataSchemaURI = wire.Pointer(d, (*wire.Decoder).String)
		case "data":
			e.Data = d.Raw()
		case "metadata":
			e.Metadata = nil
			if !d.Null() {
				e.Metadata = wire.Map(d, (*wire.Decoder).Raw)
			}
		default:
			keepField(e, &o)
		}
	}
	return version
}

// readCloudEvent reads a CloudEvent and returns its version.
func readCloudEvent(e *Envelope[json.RawMessage], d *wire.Decoder) (version string) {
	o := d.Object("specversion", "id", "source", "type", "data")
	for o.Next() {
		switch string(o.Name) {
		case "specversion":
			version = d.String()
		case "id":
			e.EventID = d.UUID()
		case "source":
			e.SourceService = d.String()
		case "type":
			e.EventType = d.String()
		case "time":
			e.EventTimestamp = inUTC(d.DateTime())
		case "datacontenttype":
			d.Skip() // data is valid JSON here; otherwise decoding has failed already
		case "dataschema":
			e.DataSchemaURI = wire.Pointer(d, (*wire.Decoder).String)
		case "correlationid":
			e.CorrelationID = d.String()
		case "data":
			e.Data = d.Raw()
		default:
			keepField(e, &o)
		}
	}
	if raw, ok := e.Extra["metadata"]; ok {
		if metadata, ok := metadataFromText(raw); ok {
			e.Metadata = metadata
			delete(e.Extra, "metadata")
		}
	}
	return version
}

// metadataFromText reads metadata that is a JSON object as text. Anything else stays an
// extra attribute.
func metadataFromText(raw json.RawMessage) (map[string]json.RawMessage, bool) {
	var text string
	var metadata map[string]json.RawMessage // not the envelope's, or else that is allocated
	if json.Unmarshal(raw, &text) != nil || json.Unmarshal([]byte(text), &metadata) != nil {
		return nil, false
	}
	return metadata, true
}

// keepField keeps a field that this package does not know.
func keepField(e *Envelope[json.RawMessage], o *wire.Object) {
	e.Extra = wire.Member(o, e.Extra, (*wire.Decoder).Raw)
}

// readHeaders reads from the headers what an envelope would say.
func readHeaders(e *Envelope[json.RawMessage], headers []Header) error {
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
