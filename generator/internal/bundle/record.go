package bundle

import "github.com/outboxgen/outboxgen/generator/internal/schema"

// Record returns the schema of the value of the event's records, like Document: the
// envelope with the event's data inside it. Without an envelope it is Document.
func Record(e *schema.Event) ([]byte, error) {
	required, properties := outboxEnvelope(e)
	switch e.Envelope {
	case "none":
		return Document(e, schema.Exported)
	case "cloudevents":
		required, properties = cloudEvent(e)
	}
	b := &bundler{names: map[*schema.Schema]string{}}
	b.target(e.Schema)
	b.assign()
	properties.add("data", reference(b.reference(e.Schema)))
	doc := &object{}
	doc.text("$schema", "https://json-schema.org/draft/2020-12/schema")
	doc.optional("title", e.Schema.Title)
	doc.optional("description", e.Schema.Description)
	doc.text("type", "object")
	doc.add("required", texts(append(required, "data")))
	doc.add("properties", properties.String())
	return b.finish(doc, e)
}

// outboxEnvelope returns the fields of the outbox envelope except data.
func outboxEnvelope(e *schema.Event) (required []string, properties *object) {
	o := &object{}
	o.add("event_id", `{"type":"string","format":"uuid"}`)
	o.add("event_type", `{"type":"string","const":`+quote(e.Type)+`}`)
	o.add("event_timestamp", `{"type":"string","format":"date-time"}`)
	o.add("source_service", `{"type":"string"}`)
	o.add("schema_version", `{"type":"integer"}`)
	o.add("correlation_id", `{"type":"string"}`)
	o.add("data_schema_uri", `{"type":["string","null"]}`)
	o.add("metadata", `{"type":["object","null"]}`)
	return []string{"event_id", "event_type", "event_timestamp", "source_service", "schema_version", "correlation_id"}, o
}

// cloudEvent returns the attributes of a CloudEvent except data.
func cloudEvent(e *schema.Event) (required []string, properties *object) {
	o := &object{}
	o.add("specversion", `{"type":"string","const":"1.0"}`)
	o.add("id", `{"type":"string","format":"uuid"}`)
	o.add("source", `{"type":"string"}`)
	o.add("type", `{"type":"string","const":`+quote(e.Type)+`}`)
	o.add("time", `{"type":"string","format":"date-time"}`)
	o.add("datacontenttype", `{"type":"string"}`)
	o.add("dataschema", `{"type":"string"}`)
	o.add("correlationid", `{"type":"string"}`)
	return []string{"specversion", "id", "source", "type"}, o
}

func reference(to string) string { return `{"$ref":` + quote(to) + `}` }
