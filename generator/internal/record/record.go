// Package record makes the Kafka record of an event from an example of its data: the one
// that the runtime and the relay make.
package record

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Record is an example of an event as a Kafka record.
type Record struct {
	Key     *string // nil: none
	Headers []Header
	Value   string // as it is sent
}

// Header is a header of a record.
type Header struct{ Name, Value string }

// The id and the time of every example, so that a page or a document depends only on its
// schemas.
const (
	ID   = "018fd0a0-0000-7000-8000-000000000001"
	Time = "2026-01-15T09:30:00Z"
	// OtherService is the publisher that no project describes.
	OtherService = "other_service"
)

// CanBeSent reports whether an insert of this data does not fail because it has no
// aggregate id or key.
func CanBeSent(e *schema.Event, data *schema.Value) bool {
	pointers := []*schema.Name{e.AggregateID}
	if e.Keyed {
		pointers = append(pointers, e.Key)
	}
	for _, pointer := range pointers {
		if text, ok := textAt(data, pointer); pointer != nil && (!ok || text == "") {
			return false
		}
	}
	return true
}

// Of returns the record of an event with this data: package outbox writes the value and
// most headers, and the relay adds the id and the type. TestRecordIsThatOfTheRuntime
// compares the two. strict is whether the project follows validation: strict.
func Of(e *schema.Event, service string, data *schema.Value, strict bool) *Record {
	r := &Record{}
	data = spelled(e.Schema, data, strict)
	aggregate, ok := textAt(data, e.AggregateID)
	if !ok {
		aggregate = called(e.AggregateType)
	}
	if e.Keyed {
		key, ok := textAt(data, e.Key)
		if !ok {
			key = aggregate
		}
		r.Key = &key
	}
	correlation, ok := textAt(data, e.Correlation)
	if !ok || correlation == "" || e.CorrelationUUID && !isUUID(correlation) {
		correlation = ID
	}
	r.Value = enveloped(e, service, aggregate, correlation, data.JSON())
	content := "application/json"
	if e.Envelope == "cloudevents" {
		content = "application/cloudevents+json; charset=UTF-8"
	}
	r.Headers = []Header{
		{"event_id", ID},
		{"event_type", e.Type},
		{"trace_id", correlation},
		{"source_service", service},
		{"schema_version", "1"},
		{"occurred_at", Time},
		{"content_type", content},
	}
	return r
}

// isUUID reports whether a text is a UUID, as the runtime checks it.
func isUUID(text string) bool {
	const length = 36
	return len(text) == length && uuid.Validate(text) == nil
}

// called returns an id for an aggregate of this type.
func called(aggregate string) string { return aggregate + "-1" }

// enveloped returns the value of a record.
func enveloped(e *schema.Event, service, aggregate, correlation, data string) string {
	var o members
	switch e.Envelope {
	case "none":
		return data
	case "cloudevents":
		o.text("specversion", "1.0")
		o.text("id", ID)
		o.text("source", service)
		o.text("type", e.Type)
		o.text("time", Time)
		o.text("datacontenttype", "application/json")
		if e.SchemaURI != "" {
			o.text("dataschema", e.SchemaURI)
		}
		o.text("correlationid", correlation)
		o.text("subject", aggregate)
		o.add("data", data)
		return o.String()
	}
	o.text("event_id", ID)
	o.text("event_type", e.Type)
	o.text("event_timestamp", Time)
	o.text("source_service", service)
	o.add("schema_version", "1")
	o.text("correlation_id", correlation)
	if e.SchemaURI != "" {
		o.text("data_schema_uri", e.SchemaURI)
	} else {
		o.add("data_schema_uri", "null")
	}
	o.add("data", data)
	o.add("metadata", "null")
	return o.String()
}

// members are those of a JSON object, in their order.
type members []string

func (m *members) add(name, value string) { *m = append(*m, quote(name)+":"+value) }

func (m *members) text(name, value string) { m.add(name, quote(value)) }

func (m *members) String() string { return "{" + strings.Join(*m, ",") + "}" }

func quote(text string) string { return (&schema.Value{Kind: schema.String, Text: text}).JSON() }

// textAt returns the text of a value that a pointer of an event leads to, as the
// generated code takes it; false if there is no pointer, or no value.
func textAt(data *schema.Value, pointer *schema.Name) (string, bool) {
	if pointer == nil {
		return "", false
	}
	at := data
	if pointer.Text != "" {
		for token := range strings.SplitSeq(strings.TrimPrefix(pointer.Text, "/"), "/") {
			if at = step(at, schema.UnescapeToken(token)); at == nil {
				return "", false
			}
		}
	}
	switch at.Kind {
	case schema.String, schema.NumberKind:
		return at.Text, true
	default:
		return "", false
	}
}

func step(v *schema.Value, token string) *schema.Value {
	if v.Kind == schema.Array {
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(v.Items) {
			return v.Items[i]
		}
		return nil
	}
	return v.Member(token)
}
