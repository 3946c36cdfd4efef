// Package schemas embeds two JSON Schemas for editors: for event schemas, and for
// outboxgen.yaml. The sample event schemas in the folder huleedu are not embedded.
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

// EventSchema returns the JSON Schema of event schema files: JSON Schema 2020-12 with
// the keyword x-outbox.
func EventSchema() string { return eventSchema }

// ConfigSchema returns the JSON Schema of outboxgen.yaml. It refers to the event schema
// as outboxgen.schema.json in the same folder.
func ConfigSchema() string { return configSchema }
