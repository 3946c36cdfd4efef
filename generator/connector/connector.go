// Package connector has the settings of Debezium's Postgres connector for an outbox: with
// them, Kafka Connect publishes the rows of event_outbox as the relay does. The outbox must be a
// table, not a log.
//
// Debezium's outbox router copies a column into one header, or parses one column of JSON.
// It cannot make a header from each member of the column headers. The other transforms do
// that. All of them are part of Kafka Connect or Debezium:
//
//	router    the outbox router: sets topic, key and partition. event_id, event_type and,
//	          under another name, event_data become headers; the value is the parsed
//	          column headers
//	id        drops the headers that Debezium adds
//	after     wraps the value, as the first step to a change event: {after: value}
//	operation adds the operation: {after: value, op: c}
//	envelope  gives the value's schema a name that ends with Envelope, like those of
//	          change events
//	headers   copies the known members of after into headers; it is the only transform
//	          that leaves out missing ones
//	data      moves event_data from its header into the value, which is a struct
//	value     replaces the value by its field event_data
//
// Heartbeats of the connector have no header event_id. Only the router sees them, and it
// lets them pass.
package connector

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Options says which outbox a connector reads.
type Options struct {
	// Name is the name of the connector, of its replication slot and of its publication.
	Name string
	// Schema is the Postgres schema of event_outbox.
	Schema string
	// Headers are the names of the headers that the service sets itself (WithHeader).
	// Other headers of the service are not published.
	Headers []string
	// Compression is the codec of the records: none, gzip, snappy, lz4 or zstd. Default: none.
	Compression string
}

// Codecs are the values of Options.Compression.
func Codecs() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

// Setting is one setting of a connector.
type Setting struct{ Name, Value string }

// dataHeader carries event_data through the transforms.
const dataHeader = "outbox_event_data"

// Headers returns the headers that package outbox writes into rows, in its order. event_id
// and event_type are columns.
func Headers() []string {
	return []string{
		"trace_id", "causation_id", "source_service", "schema_version", "occurred_at", "content_type",
		"traceparent", "tracestate", "baggage",
	}
}

// Taken reports whether Options.Headers cannot have this name, because Debezium, the
// transforms or outboxgen use it.
func Taken(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(append(Headers(), "event_id", "event_type", "outbox_replay", dataHeader, "id", "op", "after", "before", "source"), name)
}

// Settings returns the settings of a connector whose records equal those of the relay. The
// database's address and the password come from the environment of Kafka Connect.
func Settings(o Options) []Setting {
	return append(append(source(o), converters()...), equal(o)...)
}

// Simple returns settings with the outbox router alone: the records have the same topics,
// keys and values as those of the relay, and one header, the id.
func Simple(o Options) []Setting {
	list := append(source(o), converters()...)
	list = append(list, Setting{"transforms", "router"}, Setting{"transforms.router.table.field.event.payload", "event_data"})
	return append(list, router()...)
}

// source returns the settings of what the connector reads, and of its producer.
func source(o Options) []Setting {
	table := o.Schema + ".event_outbox"
	return []Setting{
		{"connector.class", "io.debezium.connector.postgresql.PostgresConnector"},
		{"tasks.max", "1"},
		{"database.hostname", "${env:PGHOST}"},
		{"database.port", "${env:PGPORT}"},
		{"database.user", "${env:PGUSER}"},
		{"database.password", "${env:PGPASSWORD}"},
		{"database.dbname", "${env:PGDATABASE}"},
		{"topic.prefix", o.Name},
		{"plugin.name", "pgoutput"},
		{"slot.name", o.Name},
		{"publication.name", o.Name},
		{"publication.autocreate.mode", "disabled"},
		{"table.include.list", regexp.QuoteMeta(o.Schema) + ".event_outbox"},
		{"column.include.list", columns(o)},
		// The first start publishes the rows that wait, then what the slot has.
		{"snapshot.mode", "initial"},
		{"snapshot.select.statement.overrides", table},
		{"snapshot.select.statement.overrides." + table,
			"SELECT * FROM " + quoted(o.Schema) + ".event_outbox WHERE published_at IS NULL AND dead_at IS NULL ORDER BY seq"},
		{"skipped.operations", "u,d,t"},
		// The relay writes messages into the WAL; the connector would publish them.
		{"message.prefix.exclude.list", ".*"},
		{"tombstones.on.delete", "false"},
		// Without heartbeats, the slot keeps all WAL that other tables write. From version 15 on,
		// Postgres sends a slot nothing about transactions that do not concern it, so a
		// heartbeat writes a message into the WAL.
		{"heartbeat.interval.ms", "10000"},
		{"heartbeat.action.query", "SELECT pg_logical_emit_message(true, 'outbox', '')"},
		// Up to 100 MiB, the broker decides how large a record may be, not the client. A record
		// must also fit into the buffer.
		{"producer.override.max.request.size", "104857600"},
		{"producer.override.buffer.memory", "134217728"},
		{"producer.override.compression.type", cmp.Or(o.Compression, "none")},
	}
}

// columns returns the columns that a record is made of, as regular expressions.
func columns(o Options) string {
	var list []string
	for _, column := range []string{"id", "event_type", "topic", "partition", "event_key", "event_data", "headers"} {
		list = append(list, regexp.QuoteMeta(o.Schema)+".event_outbox."+column)
	}
	return strings.Join(list, ",")
}

// quoted quotes a name for SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// converters returns the converters, which write text unchanged.
func converters() []Setting {
	const text = "org.apache.kafka.connect.storage.StringConverter"
	return []Setting{{"key.converter", text}, {"value.converter", text}, {"header.converter", text}}
}

// router returns the settings of the outbox router, except its payload.
func router() []Setting {
	return []Setting{
		{"transforms.router.type", "io.debezium.transforms.outbox.EventRouter"},
		{"transforms.router.table.field.event.id", "id"},
		{"transforms.router.table.field.event.key", "event_key"},
		{"transforms.router.route.by.field", "topic"},
		{"transforms.router.route.topic.replacement", "${routedByValue}"},
	}
}

// foreign returns the names of the headers that Debezium adds.
func foreign() []string {
	const context = "__debezium.context."
	return []string{"id", context + "connectorLogicalName", context + "taskId", context + "connectorName"}
}

// equal returns the transforms that make the same record as the relay.
func equal(o Options) []Setting {
	const (
		kafka    = "org.apache.kafka.connect.transforms."
		debezium = "io.debezium.transforms."
	)
	var headers []string
	for _, name := range append(Headers(), o.Headers...) {
		headers = append(headers, "after."+name+":"+name)
	}
	list := []Setting{
		{"transforms", "router,id,after,operation,envelope,headers,data,value"},
		{"predicates", "event"},
		{"predicates.event.type", kafka + "predicates.HasHeaderKey"},
		{"predicates.event.name", "event_id"},
	}
	list = append(list, router()...)
	list = append(list,
		Setting{"transforms.router.table.field.event.payload", "headers"},
		Setting{"transforms.router.table.expand.json.payload", "true"},
		Setting{"transforms.router.table.fields.additional.placement",
			"id:header:event_id,event_type:header,event_data:header:" + dataHeader + ",partition:partition"},
	)
	for _, t := range [][]Setting{
		{{"id.type", kafka + "DropHeaders"}, {"id.headers", strings.Join(foreign(), ",")}},
		{{"after.type", kafka + "HoistField$Value"}, {"after.field", "after"}},
		{{"operation.type", kafka + "InsertField$Value"}, {"operation.static.field", "op"}, {"operation.static.value", "c"}},
		{{"envelope.type", kafka + "SetSchemaMetadata$Value"}, {"envelope.schema.name", "outbox.Envelope"}},
		{{"headers.type", debezium + "ExtractNewRecordState"}, {"headers.add.headers", strings.Join(headers, ",")}, {"headers.add.headers.prefix", ""}},
		{{"data.type", debezium + "HeaderToValue"}, {"data.headers", dataHeader}, {"data.fields", "event_data"}, {"data.operation", "move"}},
		{{"value.type", kafka + "ExtractField$Value"}, {"value.field", "event_data"}},
	} {
		name, _, _ := strings.Cut(t[0].Name, ".")
		for _, s := range append(t, Setting{name + ".predicate", "event"}) {
			list = append(list, Setting{"transforms." + s.Name, s.Value})
		}
	}
	return list
}
