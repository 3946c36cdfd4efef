// Package schemas embeds two JSON Schemas for editors: the one of event
// schemas, and the one of outboxgen.yaml. The sample event schemas that lie
// beside it, in the folder huleedu, are not embedded.
package schemas

import _ "embed"

// Where the two schemas are published. An editor finds them by a first line
// such as
//
//	# yaml-language-server: $schema=https://raw.githubusercontent.com/…
const (
	EventSchemaURL  = "https://raw.githubusercontent.com/outboxgen/outboxgen/main/schemas/outboxgen.schema.json"
	ConfigSchemaURL = "https://raw.githubusercontent.com/outboxgen/outboxgen/main/schemas/outboxgen.config.schema.json"
)

//go:embed outboxgen.schema.json
var eventSchema string

//go:embed outboxgen.config.schema.json
var configSchema string

// EventSchema is the JSON Schema of event schema files: JSON Schema 2020-12
// with the keyword x-outbox.
func EventSchema() string { return eventSchema }

// ConfigSchema is the JSON Schema of outboxgen.yaml. It refers to the event
// schema as outboxgen.schema.json, beside it.
func ConfigSchema() string { return configSchema }
