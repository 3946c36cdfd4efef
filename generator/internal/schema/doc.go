// Package schema reads what a run of the generator works on: the config
// outboxgen.yaml, the event schemas that it names, and whatever those refer
// to. It turns every dialect of JSON Schema, in YAML or JSON, into one model in
// the terms of 2020-12, in which each part knows its place in the source.
//
// Nothing stops at the first problem. Each goes to a finding.List with the place
// of the value or the name that is wrong, and reading goes on; only a syntax
// error ends its own file.
//
// # Reading
//
// YAML is 1.2 with the core schema: no, on and 2020-01-02 are strings, 0o17 is
// fifteen. Names are given once; one that is a number, a boolean or null is its
// text, and merge keys are merged as in YAML 1.1, with a warning. A second
// document, tags that JSON has no word for and infinities are errors.
// Anchors and aliases are allowed, and count as often as they are used. The
// characters that end a line in YAML 1.1 and not in 1.2 are refused, because
// two readers of the file would not agree. JSON is RFC 8259, and in addition
// refuses duplicate names and halves of surrogate pairs. Columns count
// characters; a line ends with LF, CR LF or CR.
//
// # Files that you cannot edit
//
// A file is one of these when it describes no event with x-outbox, and an entry
// of events: names it or no pattern of schemas: matches it. What is wrong with it
// is a warning as far as it can be read past: a keyword whose value is of the
// wrong type says nothing, the last of repeated members counts, comments and
// commas before a closing bracket are skipped. LoadFile does the same for what
// bears on no value; a comparison goes by the rest.
//
// What is wrong in a file that no event uses, or with a reference in a part of
// a file of others that no event uses, is a warning.
//
// # Dialects
//
// A file is read as what its entry of events: or dialects: in the config says,
// else as $schema says. A $schema of one's own is read as what its meta-schema in
// the project builds on; in a file that you cannot edit the keywords decide
// at last, as they do there without $schema.
//
// # Keywords
//
// In a file that describes an event, a keyword that its dialect does not have
// is an error: most are misspelled, and would silently allow everything. Files
// without x-outbox may come from elsewhere and carry words of their own: there
// only what looks like a misspelling is an error, the rest a warning, and so it
// is with an enum that is empty or repeats a value. LoadFile, which serves
// comparisons, makes warnings of all of them. Annotations whose names begin
// with x- pass everywhere, as do those of OpenAPI.
//
// $dynamicRef and $recursiveRef go where validation takes them. If that depends
// on the way from an event to them, the schemas on the way are there once for
// each target.
//
// x-outbox may stand at any schema, with marks for lint alone: personal, grows,
// suppress. At the root of a file it describes an event unless it holds nothing
// but those.
//
// # References
//
// A reference is resolved against the base URI that $id gives, and found among
// the ids of all files that are loaded. One that is a relative path, and names
// no id, is the path of a file beside the one that it stands in; the ending
// may be left out. Such files are loaded on the way, as libraries: an x-outbox
// in them makes no event. Nothing is fetched, and the file system that
// everything is read from ends at the folder of the config, symbolic links
// included. A JSON Pointer may lead to a place that no keyword makes a schema,
// such as the components of an OpenAPI file; being referred to makes it one.
//
// References that lead back to themselves without stepping into a property or
// an item are errors, so that walking a schema in place always ends. Recursion
// through values is fine.
//
// # Events
//
// An event is a file that schemas: matches and whose x-outbox describes one, or
// an entry of events: in the config; described in both is an error. Types
// and Go names are unique. The pointers for the aggregate id, the key and the
// correlation id lead through properties, items by their index, $ref and allOf,
// and through a union whose other branch is null, to a string, an integer or a
// uuid; strings that become another type in Go, such as times, have no one
// spelling and are refused. "" is the event data itself.
package schema
