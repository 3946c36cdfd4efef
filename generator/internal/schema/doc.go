// Package schema reads what a run of the generator works on: the config outboxgen.yaml,
// the event schemas that it names, and the files that those refer to. It turns every
// dialect of JSON Schema, in YAML or JSON, into one model in the terms of 2020-12, in
// which each part has its position in the source. The page docs/schemas.md says what a
// file may contain and which problems are only warnings.
//
// Reading does not stop at the first problem. Each one goes to a finding.List, with the
// position of the wrong value or name. Only a syntax error ends its own file.
//
// # Reading
//
// YAML is 1.2 with the core schema. A second document, tags without a meaning in JSON and
// infinities are errors. An anchored value counts again for each alias. Characters that
// end a line in YAML 1.1 and not in 1.2 are refused, because two parsers would disagree
// about the lines. JSON is RFC 8259. Columns count characters; a line ends with LF, CR LF
// or CR.
//
// # Dialects
//
// A file has the dialect that its entry of events: or dialects: in the config sets, else
// that of $schema, else the one on which its meta-schema in the project builds. In a file
// that users cannot edit, the keywords decide at last. LoadFile serves comparisons: it
// makes warnings of unknown keywords, and of what does not affect validation.
//
// $dynamicRef and $recursiveRef get the targets that validation would find. If these
// depend on the path from an event, the schemas on the path exist once for each target.
//
// # References
//
// A reference is resolved against the base URI that $id gives, among the ids of all
// loaded files. A relative path that is no id is the path of a file, relative to the
// current one; the extension may be missing. Such files are loaded on the way, as
// libraries: an x-outbox in them makes no event. Nothing is fetched, and nothing outside
// the folder of the config is read, through symbolic links either. A JSON Pointer may
// lead to a place that no keyword makes a schema, such as the components of an OpenAPI
// file. It becomes one.
//
// A reference that refers back to itself without a property or an item in between is an
// error, so that walking a schema in place always ends.
//
// # AsyncAPI
//
// A document of AsyncAPI that schemas: matches is no schema, but has messages, each of
// which is an event. What leads to a message (channels, operations, traits, bindings) is
// read as values, and its references are followed at once; its payload is a schema like
// any other. In such a file, and in files that it has parts of, schemas are draft-07
// unless a schemaFormat says otherwise, and $id does not change what references mean.
//
// # Events
//
// An event is a file that schemas: matches and whose x-outbox describes one, a message of
// AsyncAPI, or an entry of events:. The pointers for the aggregate id, the key and the correlation id lead
// through properties, items by their index, $ref, allOf and unions with null to a string,
// an integer or a UUID. Strings that become another Go type, such as times, are refused,
// because one value has several texts.
package schema
