package bundle

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

func sortedNames(of map[string]string) []string { return slices.Sorted(maps.Keys(of)) }

// described is a schema of a string or another simple value, with what it means.
func described(meaning, rest string) string {
	return `{"description":` + quote(meaning) + `,` + rest + `}`
}

// payload returns the schema of the value of the event's records.
func (a *asyncAPI) payload(e *schema.Event) string {
	data := reference(a.reference(e.Schema))
	base, kind := outboxEnvelopeName, "event_type"
	switch e.Envelope {
	case "none":
		return data
	case "cloudevents":
		base, kind = cloudEventName, "type"
		a.shared[base] = cloudEventBase(e)
	default:
		a.shared[base] = outboxEnvelopeBase(e)
	}
	properties := &object{}
	properties.add(kind, `{"type":"string","const":`+quote(e.Type)+`}`)
	properties.add("data", data)
	o := &object{}
	o.text("title", e.GoName+" in its envelope")
	o.add("allOf", `[`+reference("#/components/schemas/"+base)+`]`)
	o.text("type", "object")
	o.add("required", texts([]string{kind, "data"}))
	o.add("properties", properties.String())
	a.shared[envelopeName(e)] = o.String()
	return reference("#/components/schemas/" + envelopeName(e))
}

// correlationType is the type of correlation ids of the project.
func correlationType(e *schema.Event) string {
	if e.CorrelationUUID {
		return `"type":"string","format":"uuid"`
	}
	return `"type":"string"`
}

// outboxEnvelopeBase returns what every outbox envelope has.
func outboxEnvelopeBase(e *schema.Event) string {
	required, _ := outboxEnvelope(e)
	o := &object{}
	o.add("event_id", described("Identifies the event, on every delivery.", `"type":"string","format":"uuid"`))
	o.add("event_type", described("The type of the event, with its version.", `"type":"string"`))
	o.add("event_timestamp", described("When the event occurred, in UTC.", `"type":"string","format":"date-time"`))
	o.add("source_service", described("The service that published the event.", `"type":"string"`))
	o.add("schema_version", described("The version of the envelope.", `"type":"integer"`))
	o.add("correlation_id", described("The same for all events of one business operation.", correlationType(e)))
	o.add("data_schema_uri", described("The $id of the schema of data.", `"type":["string","null"]`))
	o.add("metadata", described("Free entries, such as causation_id.", `"type":["object","null"]`))
	return envelopeBase("The envelope around the event data.", required, o)
}

// cloudEventBase returns what every CloudEvent has.
func cloudEventBase(e *schema.Event) string {
	required, _ := cloudEvent(e)
	o := &object{}
	o.add("specversion", described("The version of CloudEvents.", `"type":"string","const":"1.0"`))
	o.add("id", described("Identifies the event, on every delivery.", `"type":"string","format":"uuid"`))
	o.add("source", described("The service that published the event.", `"type":"string"`))
	o.add("type", described("The type of the event, with its version.", `"type":"string"`))
	o.add("subject", described("The aggregate id.", `"type":"string"`))
	o.add("time", described("When the event occurred, in UTC.", `"type":"string","format":"date-time"`))
	o.add("datacontenttype", described("The content type of data.", `"type":"string"`))
	o.add("dataschema", described("The $id of the schema of data.", `"type":"string"`))
	o.add("correlationid", described("The same for all events of one business operation.", correlationType(e)))
	o.add("metadata", described("Free entries, such as causation_id, as the text of a JSON object.", `"type":"string"`))
	return envelopeBase("A CloudEvent in structured mode.", required, o)
}

func envelopeBase(description string, required []string, properties *object) string {
	o := &object{}
	o.text("description", description)
	o.text("type", "object")
	o.add("required", texts(required))
	o.add("properties", properties.String())
	return o.String()
}

// headers returns the schema of the headers of the event's records.
func (a *asyncAPI) headers(e *schema.Event) string {
	o := &object{}
	text := `"type":"string"`
	o.add("event_id", described("Identifies the event, on every delivery.", text+`,"format":"uuid"`))
	o.add("event_type", described("The type of the event, with its version.", text))
	o.add("trace_id", described("The correlation id.", correlationType(e)))
	o.add("causation_id", described("The id of the event or command that caused this one.", text))
	o.add("source_service", described("The service that published the event.", text))
	o.add("schema_version", described("The version of the envelope.", text))
	o.add("occurred_at", described("When the event occurred, in UTC.", text+`,"format":"date-time"`))
	o.add("content_type", described("The content type of the value; a tombstone has none.", text))
	o.add("traceparent", described("W3C Trace Context.", text))
	o.add("tracestate", described("W3C Trace Context.", text))
	o.add("baggage", described("W3C Baggage.", text))
	a.shared[headersName] = envelopeBase("The headers of every record. A service may add others.",
		[]string{"event_id", "event_type", "trace_id", "source_service", "schema_version", "occurred_at"}, o)
	own := &object{}
	own.add("allOf", `[`+reference("#/components/schemas/"+headersName)+`]`)
	own.text("type", "object")
	own.add("properties", `{"event_type":{"type":"string","const":`+quote(e.Type)+`}}`)
	return own.String()
}

// keyBinding returns the Kafka binding of a message, with the schema of the key. meaning
// is what the key is; "": where the event data has it.
func (a *asyncAPI) keyBinding(e *schema.Event, meaning string) string {
	pointer := e.Key
	if pointer == nil {
		pointer = e.AggregateID
	}
	var key string
	switch {
	case meaning != "":
		key = described(meaning, `"type":"string"`)
	case pointer == nil:
		key = described("The id of the aggregate "+quote(e.AggregateType)+".", `"type":"string"`)
	case a.property(e, pointer.Text) != "":
		key = reference(a.property(e, pointer.Text))
	default:
		key = described("The value at "+quote(pointer.Text)+" of the event data, as text.", `"type":"string"`)
	}
	kafka := &object{}
	kafka.add("key", key)
	kafka.text("bindingVersion", "0.5.0")
	return `{"kafka":` + kafka.String() + `}`
}

// property returns the place in the document of the string at a pointer into the event
// data; "" if it is none, or has no place of its own.
func (a *asyncAPI) property(e *schema.Event, pointer string) string {
	s, at := e.Schema, a.reference(e.Schema)
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		for s.Ref != nil {
			if !s.OnlyRef() || s.Ref.Target == nil {
				return ""
			}
			s = s.Ref.Target
			at = a.reference(s)
		}
		index := slices.IndexFunc(s.Properties, func(p schema.Property) bool { return p.Name == schema.UnescapeToken(token) })
		if index < 0 {
			return ""
		}
		s, at = s.Properties[index].Schema, at+"/properties/"+(&url.URL{Fragment: token}).EscapedFragment()
	}
	if end := s.Resolved(); end == nil || !slices.Equal(end.Types, []string{"string"}) {
		return ""
	}
	return at
}
