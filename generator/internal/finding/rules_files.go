package finding

func fileRules() []Rule {
	return []Rule{
		{
			ID: "yaml-syntax", What: "a file that is not valid YAML", Why: "The file cannot be read. outboxgen reads YAML 1.2, which allows no tabs in the indentation.",
			Fix: "fix the syntax error at the reported place", Before: "title: A\nproperties: [\n", After: "title: A\nproperties: {}\n",
		},
		{
			ID: "yaml-documents", What: "a second YAML document in one file", Why: "A reference names a file and a place in it. With two documents in the file, that place is ambiguous.",
			Fix: "put each schema into its own file", Before: "title: A\n---\ntitle: B\n", After: "title: A\n",
		},
		{
			ID: "json-syntax", What: "a file that is not valid JSON", Why: "Other JSON parsers reject the file. JSON has no comments and no trailing commas. In a file that you cannot edit they are a warning and are skipped.",
			Fix: "fix the syntax error at the reported place", Before: "-- a.json --\n{\"title\": \"A\",}\n", After: "-- a.json --\n{\"title\": \"A\"}\n",
		},
		{
			ID: "yaml-alias", What: "an alias inside the value that it repeats", Why: "Such a value is infinite.",
			Fix: "refer to the schema with $ref, which may be recursive", Before: "properties:\n  a: &a\n    items: *a\n", After: "properties:\n  a: {items: {$ref: '#/properties/a'}}\n",
		},
		{
			ID: "yaml-key", Severity: Warning, What: "a key that is not a string", Why: "JSON keys are strings. A number, a boolean or null becomes a string as it is written. A list or a mapping as a key is an error.",
			Fix: "quote the key", Before: "properties: {1: true}\n", After: "properties: {\"1\": true}\n",
		},
		{
			ID: "yaml-merge-key", Severity: Warning, What: "a merge key (<<)", Why: "YAML 1.2 has no merge keys. The members are merged as in YAML 1.1: members of the mapping itself win. A merge key whose value is not a " +
				"mapping is an error.",
			Fix: "use allOf with a $ref, or write out the members", Before: "$defs:\n  a: &a {type: string}\n  b: {<<: *a}\n", After: "$defs:\n  a: {type: string}\n  b: {allOf: [{$ref: '#/$defs/a'}]}\n",
		},
		{
			ID: "yaml-number", What: "a number that JSON cannot represent", Why: "JSON has no infinity and no NaN. A number may have at most 10,000 characters; its exponent may have any size.",
			Fix: "remove the bound, or quote the value if it is text", Before: "x: {type: number, maximum: .inf}", After: "x: {type: number}",
		},
		{
			ID: "yaml-tag", What: "a YAML tag that has no meaning in JSON", Why: "The tag would give the value a type that JSON does not have.",
			Fix: "remove the tag", Before: "x: {type: string, default: !!binary aGk=}", After: "x: {type: string, default: aGk=}",
		},
		{
			ID: "duplicate-member", What: "a key that appears twice in one object", Why: "YAML and JSON parsers disagree about which one wins. In a file that you cannot edit this is a warning, and the last one wins.",
			Fix: "remove one of them", Before: "x: {type: string, type: integer}", After: "x: {type: string}",
		},
		{
			ID: "not-utf8", What: "a file that is not UTF-8", Why: "JSON Schema files are UTF-8. In another encoding, names would be garbled.",
			Fix: "save the file as UTF-8", Before: "title: \"\xff\"\n", After: "title: A\n",
		},
		{
			ID: "too-deep", What: "values nested too deeply, or names that are too long in total", Why: "The limit bounds the stack and the memory that a run can use.",
			Fix: "move the inner schemas into definitions",
		},
		{
			ID: "too-many-values", What: "too many values in a file or in the project", Why: "The limit bounds the memory that a run can use. A YAML alias counts each time it is used.",
			Fix: "exclude files that are not schemas from schemas:, and write lists without aliases",
		},
		{
			ID: "too-many-schemas", What: "too many schemas in the project", Why: "The limit bounds the memory that a run can use.",
			Fix: "split the project into several",
		},
		{
			ID: "unreadable", What: "a schema file that cannot be read", Why: "The file matches a pattern of the project file, but it is not a regular file inside the project, is larger than 8 MiB, or its permissions " +
				"forbid reading. Symbolic links out of the project are not followed.",
			Fix: "fix the pattern or the file's permissions, or copy the file into the project",
		},
		{
			ID: "custom-dialect", Severity: Warning, What: "a $schema that names a custom dialect", Why: "The file is read as the dialect that its meta-schema builds on, if the meta-schema is in the project. Otherwise, in a file that you cannot " +
				"edit, the dialect is guessed from the keywords. What the custom dialect adds or removes is unknown.",
			Fix: "set the dialect: with dialect: in an entry of events:, or with dialects: in the project file, by $schema or by a file pattern", Before: "-- a.yaml --\n$schema: https://example.com/my-dialect\ntitle: A\n-- my.yaml --\n$schema: https://json-schema.org/draft/2020-12/schema\n$id: https://example.com/my-dialect\n$vocabulary: {\"https://json-schema.org/draft/2020-12/vocab/core\": true}\n", After: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
		{
			ID: "dialect-guessed", Severity: Warning, What: "a file without $schema that uses keywords of an older dialect", Why: "An entry of events: or a reference names the file, so you may not be able to edit it. It is read as the newest dialect that has its keywords.",
			Fix: "set the dialect: with dialect: in an entry of events:, or with dialects: in the project file", Before: "-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nevents:\n  - {schema: a.json, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.json --\n{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": [{\"type\": \"string\"}]}}}\n", After: "-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nevents:\n  - {schema: a.json, dialect: draft-07, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.json --\n{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": [{\"type\": \"string\"}]}}}\n",
		},
		{
			ID: "dialect-latest", Severity: Warning, What: "a $schema that names no version of JSON Schema", Why: "It means the latest version, which changes over time. It is read as 2020-12.",
			Fix: "name the dialect in which the schema is written", Before: "$schema: http://json-schema.org/schema#\ntitle: A\n", After: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
		{
			ID: "unlisted-event", Severity: Warning, What: "an event's file that no pattern of schemas: matches", Why: "The event is not generated. Most often the file has another extension or is in another folder than the patterns expect.",
			Fix: "add the file, or a pattern that matches it, to schemas:",
		},
		{
			ID: "unlisted-schemas", Severity: Note, What: "unused schema files", Why: "The files have $schema, but no pattern of schemas: matches them, and no entry of events: or reference names them. Nothing is generated from them.",
			Fix: "if a file describes an event, add a pattern to schemas: or an entry to events:",
		},
		{
			ID: "unknown-dialect", What: "a $schema that is not a known dialect of JSON Schema", Why: "The meaning of keywords differs between versions of JSON Schema.",
			Fix: "name the dialect in which the schema is written, or map the custom one in the project file, as in dialects: " +
				"{\"https://example.com/my-dialect\": draft-07}", Before: "$schema: https://example.com/my-dialect\ntitle: A\n", After: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
	}
}

func keywordRules() []Rule {
	return []Rule{
		{
			ID: "unknown-keyword", Severity: Warning, What: "a keyword that JSON Schema does not have", Why: "Every validator ignores it, and so does outboxgen, so a misspelled keyword checks nothing. A misspelled x-outbox is an error in your own files.",
			Fix: "correct the spelling, or start custom annotations with x-", Before: "x: {type: string, maxlength: 5}", After: "x: {type: string, maxLength: 5}",
		},
		{
			ID: "other-dialect", Severity: Warning, What: "a keyword of another dialect than the file's", Why: "Every validator of the file's dialect ignores it, and so does outboxgen. Another dialect's form of a keyword, such as an array under items " +
				"in 2020-12, is an error in your own files.",
			Fix: "use the equivalent keyword of the file's dialect, or change $schema", Before: "x: {type: array, additionalItems: false}", After: "x: {type: array, items: {type: string}}",
		},
		{
			ID: "ignored-keyword", Severity: Warning, What: "a keyword that has no effect where it stands", Why: "The keyword is for values of another type, or the dialect ignores what stands beside $ref. It checks nothing.",
			Fix: "remove it, or fix the type", Before: "x: {type: integer, maxLength: 5}", After: "x: {type: string, maxLength: 5}",
		},
		{
			ID: "wrong-type", What: "a value of the wrong type", Why: "The keyword or setting has no meaning with this value. In a file that you cannot edit this is a warning, and the keyword is ignored.",
			Fix: "use a value of the type that the message names", Before: "x: {type: string, maxLength: long}", After: "x: {type: string, maxLength: 5}",
		},
		{
			ID: "unknown-type", What: "a type that JSON Schema does not have", Why: "The types are array, boolean, integer, null, number, object and string. Anything narrower is a format or a constraint.",
			Fix: "use one of these types, with a format if there is one", Before: "x: {type: uuid}", After: "x: {type: string, format: uuid}",
		},
		{
			ID: "unknown-member", What: "an unknown member in the project file, in x-outbox or in discriminator", Why: "It would have no effect.",
			Fix: "correct the spelling, or remove it", Before: "x: {oneOf: [{type: string}, {type: integer}], discriminator: {propertyName: kind, mappings: {}}}", After: "x: {oneOf: [{type: string}, {type: integer}]}",
		},
		{
			ID: "missing-member", What: "a required member that is missing", Why: "No default value would suit every project.",
			Fix: "add the member that the message names", Before: "title: A\nx-outbox: {version: 1, type: a.v1}\ntype: object\n", After: "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n",
		},
		{
			ID: "empty-list", What: "a list that needs at least one entry", Why: "An empty type, allOf, anyOf or oneOf means nothing. An enum without values is a warning: no value is valid.",
			Fix: "add an entry, or remove the keyword", Before: "x: {allOf: []}", After: "x: {allOf: [{type: string}]}",
		},
		{
			ID: "duplicate-enum", Severity: Warning, What: "an enum that lists a value twice", Why: "The second one has no effect; most often another value was intended. Numbers are compared by value: 1 and 1.0 are equal.",
			Fix: "remove one of them", Before: "x: {enum: [1, 1.0]}", After: "x: {enum: [1, 2]}",
		},
		{
			ID: "duplicate-name", What: "a name that is used twice", Why: "Two events have the same Go name, or a list has the same name twice.",
			Fix: "remove or rename one of them", Before: "x: {type: object, required: [a, a]}", After: "x: {type: object, required: [a]}",
		},
		{
			ID: "enum-names", Severity: Warning, What: "enum names that do not match the enum's values", Why: "x-enumNames and x-enum-varnames name the Go constants, one name for each value, in order. If they do not match, the constants are named " +
				"after the values.",
			Fix: "list one name for each value, in the same order", Before: "x: {type: integer, enum: [0, 1], x-enumNames: [Low]}", After: "x: {type: integer, enum: [0, 1], x-enumNames: [Low, High]}",
		},
		{
			ID: "bad-pattern", Severity: Warning, What: "a pattern that is not a valid regular expression", Why: "No validator can check it, so Validate does not check it either.",
			Fix: "close open groups, and escape literal characters with \\", Before: "x: {type: string, pattern: '('}", After: "x: {type: string, pattern: '\\('}",
		},
		{
			ID: "nullable-without-type", Severity: Warning, What: "nullable without a type beside it", Why: "OpenAPI defines nullable only beside type. outboxgen takes it to mean that null is valid.",
			Fix: "use anyOf with {type: \"null\"} as one branch", Before: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"nullable\": true, \"allOf\": [{\"type\": \"string\"}]}}}\n", After: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true}}}\n",
		},
		{
			ID: "nullable-enum", Severity: Warning, What: "nullable beside an enum or a const that does not include null", Why: "nullable allows null as a type, but the enum or const rejects it, so null is not valid.",
			Fix: "add null to the values", Before: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true, \"enum\": [\"a\"]}}}\n", After: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true, \"enum\": [\"a\", null]}}}\n",
		},
		{
			ID: "bad-id", What: "an $id that is not a URI reference, or has a fragment", Why: "Other schemas refer to the $id.",
			Fix: "write a URI, and use $anchor for a name inside the file", Before: "$id: https://example.com/a#part\ntitle: A\n", After: "$id: https://example.com/a\ntitle: A\n",
		},
		{
			ID: "duplicate-id", What: "two schemas with the same $id", Why: "A reference to it would be ambiguous.",
			Fix: "change one of them", Before: "-- a.yaml --\n$id: https://example.com/a\n-- b.yaml --\n$id: https://example.com/a\n", After: "-- a.yaml --\n$id: https://example.com/a\n-- b.yaml --\n$id: https://example.com/b\n",
		},
		{
			ID: "duplicate-anchor", What: "two schemas of a file with the same anchor", Why: "A reference to it would be ambiguous.",
			Fix: "rename one of them", Before: "$defs: {a: {$anchor: x}, b: {$anchor: x}}\n", After: "$defs: {a: {$anchor: x}, b: {$anchor: \"y\"}}\n",
		},
	}
}

func referenceRules() []Rule {
	return []Rule{
		{
			ID: "bad-reference", What: "a reference that is not a URI reference", Why: "A reference leads to a place in this file, to a file of the project by its relative path, or to a schema of the project by its $id.",
			Fix: "write #/$defs/name, a relative path with forward slashes, or an $id", Before: "x: {$ref: '%zz'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "dangling-reference", What: "a reference to a place that does not exist", Why: "Most often the definition was renamed or is misspelled.",
			Fix: "correct the name, or add the definition", Before: "x: {$ref: '#/$defs/money'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "not-a-schema", What: "a reference to something that is not a schema", Why: "It leads to a value that is not an object, to a map of schemas, or into x-outbox. A reference to an object or a boolean in another place, " +
				"such as an item of an array under $defs, is a warning: the value is read as a schema.",
			Fix: "refer to the schema itself, or move it into $defs", Before: "x: {$ref: '#/required'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "unknown-anchor", What: "a reference to an anchor that does not exist", Why: "Most often the anchor is misspelled, or a definition was intended: #/$defs/name.",
			Fix: "correct the name, or add $anchor to the schema", Before: "x: {$ref: '#money'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "unknown-file", What: "a reference to a file that does not exist or cannot be read", Why: "A relative reference starts at the folder of the file that contains it.",
			Fix: "correct the path", Before: "x: {$ref: 'lib/money.yaml'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "unknown-id", What: "a reference to an $id that no schema of the project has", Why: "Nothing is fetched from the network. The schema has to be in the project, with that $id.",
			Fix: "copy the file with that $id into the project", Before: "x: {$ref: 'https://example.com/money'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "outside-project", What: "a path that leads outside the project", Why: "Nothing outside the folder of the project file is read or written, so that a schema from elsewhere can do no harm.",
			Fix: "copy the file into the project", Before: "x: {$ref: '../../etc/money.yaml'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "reference-circle", What: "references that lead back to themselves", Why: "No value can be checked against such a reference: following it never ends.",
			Fix: "replace one of the references by the schema itself", Before: "$defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}\n", After: "$defs: {a: {$ref: '#/$defs/b'}, b: {type: string}}\n",
		},
	}
}
