package diag

func fileRules() []rule {
	return []rule{
		{
			id: "yaml-syntax", what: "a file that is not YAML", why: "Nothing of the file can be read. YAML is read as its version 1.2 has it: no tabs for indentation.",
			instead: "fix the file at the place that is named", bad: "title: A\nproperties: [\n", good: "title: A\nproperties: {}\n",
		},
		{
			id: "yaml-documents", what: "a second YAML document in one file", why: "A reference names a file and a place in it; with several documents it would not be known which is meant.",
			instead: "give each schema a file of its own", bad: "title: A\n---\ntitle: B\n", good: "title: A\n",
		},
		{
			id: "json-syntax", what: "a file that is not JSON", why: "Other readers of JSON refuse the file. JSON has no comments and no comma after the last item; in a file that you cannot edit these are a warning, and are read past.",
			instead: "fix the file at the place that is named", bad: "-- a.json --\n{\"title\": \"A\",}\n", good: "-- a.json --\n{\"title\": \"A\"}\n",
		},
		{
			id: "yaml-alias", what: "an alias inside the value that it repeats", why: "Such a value has no end.",
			instead: "refer to the schema with $ref, which may lead back to itself", bad: "properties:\n  a: &a\n    items: *a\n", good: "properties:\n  a: {items: {$ref: '#/properties/a'}}\n",
		},
		{
			id: "yaml-key", severity: Warning, what: "a key that is no string", why: "JSON has no other keys. A number, a boolean or null is read as it is written; a list or a mapping as a key is an error.",
			instead: "write the key in quotes", bad: "properties: {1: true}\n", good: "properties: {\"1\": true}\n",
		},
		{
			id: "yaml-merge-key", severity: Warning, what: "a merge key (<<)", why: "YAML 1.2 does not have it. The members are merged as in YAML 1.1: what the mapping says itself counts. A merge key that takes no mapping is an error.",
			instead: "use allOf with a $ref, or write the members out", bad: "$defs:\n  a: &a {type: string}\n  b: {<<: *a}\n", good: "$defs:\n  a: {type: string}\n  b: {allOf: [{$ref: '#/$defs/a'}]}\n",
		},
		{
			id: "yaml-number", what: "a number that JSON does not have", why: "JSON has neither infinity nor NaN, and a number has at most 10,000 characters. An exponent may be of any size.",
			instead: "leave the bound out, or write text in quotes", bad: "x: {type: number, maximum: .inf}", good: "x: {type: number}",
		},
		{
			id: "yaml-tag", what: "a tag that means nothing in JSON", why: "A tag would give the value a type that JSON does not have.",
			instead: "remove the tag", bad: "x: {type: string, default: !!binary aGk=}", good: "x: {type: string, default: aGk=}",
		},
		{
			id: "duplicate-member", what: "a key that stands twice in one object", why: "Readers of YAML and JSON disagree which of the two counts. In a file that you cannot edit it is a warning, and the last one counts.",
			instead: "keep one of them", bad: "x: {type: string, type: integer}", good: "x: {type: string}",
		},
		{
			id: "not-utf8", what: "a file that is not UTF-8", why: "Every reader of JSON Schema expects UTF-8; in another encoding names would come out garbled.",
			instead: "save the file as UTF-8", bad: "title: \"\xff\"\n", good: "title: A\n",
		},
		{
			id: "too-deep", what: "values nested too deep, or names too long in all", why: "The bound keeps the stack and the memory of a run small whatever it is given.",
			instead: "move the inner schemas into definitions",
		},
		{
			id: "too-many-values", what: "too many values in a file or in the project", why: "The bound keeps the memory of a run small; aliases of YAML count each time that they are used.",
			instead: "leave files that are no schemas out of schemas, and write data that is listed without aliases",
		},
		{
			id: "too-many-schemas", what: "too many schemas in the project", why: "The bound keeps the memory of a run small whatever it is given.",
			instead: "generate packages of several projects",
		},
		{
			id: "unreadable", what: "a schema file that cannot be read", why: "It matches a pattern of the config, and is no regular file inside the project, has more than 8 MiB, or may not be read. Symbolic links that lead out of the project are not followed.",
			instead: "fix the pattern, or the file's permissions, or copy the file into the project",
		},
		{
			id: "custom-dialect", severity: Warning, what: "a $schema that is a dialect of your own", why: "It is read as the dialect that its meta-schema builds on, if that is in the project, or else by its keywords, if you cannot edit the file. What it adds to JSON Schema or leaves out is not known.",
			instead: "say what it is read as: dialect: in an entry of events:, or dialects: in the config, by $schema or by a pattern of files", bad: "-- a.yaml --\n$schema: https://example.com/my-dialect\ntitle: A\n-- my.yaml --\n$schema: https://json-schema.org/draft/2020-12/schema\n$id: https://example.com/my-dialect\n$vocabulary: {\"https://json-schema.org/draft/2020-12/vocab/core\": true}\n", good: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
		{
			id: "dialect-guessed", severity: Warning, what: "a file without $schema whose keywords are of an older dialect", why: "You cannot edit it, since an entry of events: or a reference names it. It is read as the newest dialect that has its keywords.",
			instead: "say what it is: dialect: in an entry of events:, or dialects: in the config", bad: "-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nevents:\n  - {schema: a.json, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.json --\n{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": [{\"type\": \"string\"}]}}}\n", good: "-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nevents:\n  - {schema: a.json, dialect: draft-07, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.json --\n{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": [{\"type\": \"string\"}]}}}\n",
		},
		{
			id: "dialect-latest", severity: Warning, what: "a $schema that names no version of JSON Schema", why: "It means the latest one, which changes. It is read as 2020-12.",
			instead: "name the dialect that the schema is written in", bad: "$schema: http://json-schema.org/schema#\ntitle: A\n", good: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
		{
			id: "unlisted-event", severity: Warning, what: "a file that describes an event, and that no pattern of schemas: matches", why: "Its event is not generated. Most often the file was added under another ending or in another folder than the patterns name.",
			instead: "add the file, or a pattern that matches it, to schemas",
		},
		{
			id: "unlisted-schemas", severity: Note, what: "schema files that nothing leads to", why: "They say $schema, no pattern of schemas: matches them, and no entry of events: or reference leads to them, so nothing is made of them.",
			instead: "add a pattern to schemas, or an entry to events, where an event is meant",
		},
		{
			id: "unknown-dialect", what: "a $schema that is no dialect of JSON Schema", why: "Keywords mean different things from one version of JSON Schema to the next.",
			instead: "name the dialect that the schema is written in, or say in the config what it builds on, as in dialects: {\"https://example.com/my-dialect\": draft-07}", bad: "$schema: https://example.com/my-dialect\ntitle: A\n", good: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
	}
}

func keywordRules() []rule {
	return []rule{
		{
			id: "unknown-keyword", severity: Warning, what: "a keyword that JSON Schema does not have", why: "It is ignored, as every validator does, so a misspelt keyword checks nothing. A misspelt x-outbox is an error in a file of yours.",
			instead: "correct the spelling; annotations of your own begin with x-", bad: "x: {type: string, maxlength: 5}", good: "x: {type: string, maxLength: 5}",
		},
		{
			id: "other-dialect", severity: Warning, what: "a keyword of another dialect than the file's", why: "It is ignored, as every validator of this dialect does. A form of another dialect, such as an array under items in 2020-12, is an error in a file of yours.",
			instead: "say what is meant with the keyword of this dialect, or change $schema", bad: "x: {type: array, additionalItems: false}", good: "x: {type: array, items: {type: string}}",
		},
		{
			id: "ignored-keyword", severity: Warning, what: "a keyword without effect where it stands", why: "It is for values of another type, or the dialect ignores what stands beside $ref, so it checks nothing.",
			instead: "remove it, or fix the type", bad: "x: {type: integer, maxLength: 5}", good: "x: {type: string, maxLength: 5}",
		},
		{
			id: "wrong-type", what: "a value of the wrong type", why: "The keyword or setting would say nothing like this. In a file that you cannot edit it is a warning, and the keyword is ignored.",
			instead: "write a value of the type that the message names", bad: "x: {type: string, maxLength: long}", good: "x: {type: string, maxLength: 5}",
		},
		{
			id: "unknown-type", what: "a type that JSON Schema does not have", why: "Its types are array, boolean, integer, null, number, object and string; anything finer is a format or a constraint.",
			instead: "write one of those, with a format where there is one", bad: "x: {type: uuid}", good: "x: {type: string, format: uuid}",
		},
		{
			id: "unknown-member", what: "a member that an object of the config, x-outbox or discriminator does not have", why: "It would be without effect, and its author believes that it has one.",
			instead: "correct the spelling, or remove it", bad: "x: {oneOf: [{type: string}, {type: integer}], discriminator: {propertyName: kind, mappings: {}}}", good: "x: {oneOf: [{type: string}, {type: integer}]}",
		},
		{
			id: "missing-member", what: "a member that has to be there", why: "There is no default that would be right for everybody.",
			instead: "add the member that the message names", bad: "title: A\nx-outbox: {version: 1, type: a.v1}\ntype: object\n", good: "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n",
		},
		{
			id: "empty-list", what: "a list that needs at least one entry", why: "An empty type, allOf, anyOf or oneOf means nothing. An enum without values is a warning: no value is valid.",
			instead: "add an entry, or remove the keyword", bad: "x: {allOf: []}", good: "x: {allOf: [{type: string}]}",
		},
		{
			id: "duplicate-enum", severity: Warning, what: "an enum that lists a value twice", why: "The second one says nothing; most often another value was meant. Numbers are compared as numbers: 1 and 1.0 are the same.",
			instead: "remove one of them", bad: "x: {enum: [1, 1.0]}", good: "x: {enum: [1, 2]}",
		},
		{
			id: "duplicate-name", what: "a name that is there twice", why: "Two events of one Go name, or one name twice in a list, cannot both be meant.",
			instead: "remove or rename one of them", bad: "x: {type: object, required: [a, a]}", good: "x: {type: object, required: [a]}",
		},
		{
			id: "enum-names", severity: Warning, what: "names of an enum that do not fit its values", why: "x-enumNames and x-enum-varnames name the constants, one for each value in order; where they do not fit, the constants are named after the values.",
			instead: "list a name for each value, in their order", bad: "x: {type: integer, enum: [0, 1], x-enumNames: [Low]}", good: "x: {type: integer, enum: [0, 1], x-enumNames: [Low, High]}",
		},
		{
			id: "bad-pattern", severity: Warning, what: "a pattern that is no regular expression", why: "No validator can check it, so Validate does not.",
			instead: "close what is open; quote signs that are meant as they are with \\", bad: "x: {type: string, pattern: '('}", good: "x: {type: string, pattern: '\\('}",
		},
		{
			id: "nullable-without-type", severity: Warning, what: "nullable without a type beside it", why: "OpenAPI gives it a meaning only beside type. It is taken as meant: null is valid.",
			instead: "write anyOf with {type: \"null\"} as one branch", bad: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"nullable\": true, \"allOf\": [{\"type\": \"string\"}]}}}\n", good: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true}}}\n",
		},
		{
			id: "nullable-enum", severity: Warning, what: "nullable beside values that do not list null", why: "nullable allows null as a type, and the enum or const then refuses it, so null is not valid.",
			instead: "list null among the values", bad: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true, \"enum\": [\"a\"]}}}\n", good: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true, \"enum\": [\"a\", null]}}}\n",
		},
		{
			id: "bad-id", what: "an $id that is no URI reference, or has a fragment", why: "An id is what other schemas refer to.",
			instead: "write a URI, and $anchor for a name inside the file", bad: "$id: https://example.com/a#part\ntitle: A\n", good: "$id: https://example.com/a\ntitle: A\n",
		},
		{
			id: "duplicate-id", what: "an id that two schemas have", why: "A reference to it could mean either.",
			instead: "give one of them another $id", bad: "-- a.yaml --\n$id: https://example.com/a\n-- b.yaml --\n$id: https://example.com/a\n", good: "-- a.yaml --\n$id: https://example.com/a\n-- b.yaml --\n$id: https://example.com/b\n",
		},
		{
			id: "duplicate-anchor", what: "an anchor that two schemas of a file have", why: "A reference to it could mean either.",
			instead: "rename one of them", bad: "$defs: {a: {$anchor: x}, b: {$anchor: x}}\n", good: "$defs: {a: {$anchor: x}, b: {$anchor: \"y\"}}\n",
		},
	}
}

func referenceRules() []rule {
	return []rule{
		{
			id: "bad-reference", what: "a reference that is no URI reference", why: "References lead to places in this file, to files of the project by relative paths, and to schemas of the project by their ids.",
			instead: "write #/$defs/name, a relative path with forward slashes, or an $id", bad: "x: {$ref: '%zz'}", good: "x: {$ref: '#/properties/id'}",
		},
		{
			id: "dangling-reference", what: "a reference to a place where nothing is", why: "Most often the definition was renamed or is misspelt.",
			instead: "correct the name, or add the definition", bad: "x: {$ref: '#/$defs/money'}", good: "x: {$ref: '#/properties/id'}",
		},
		{
			id: "not-a-schema", what: "a reference to something that is no schema", why: "It leads to a value that is no object, to a map of schemas, or into x-outbox. One to an object or a boolean where JSON Schema has no schema, such as an item of an array under $defs, is read as that schema, with a warning.",
			instead: "refer to the schema itself, or move it into $defs", bad: "x: {$ref: '#/required'}", good: "x: {$ref: '#/properties/id'}",
		},
		{
			id: "unknown-anchor", what: "a reference to an anchor that is not there", why: "Most often it is misspelt, or a definition is meant: #/$defs/name.",
			instead: "correct the name, or add $anchor to the schema that is meant", bad: "x: {$ref: '#money'}", good: "x: {$ref: '#/properties/id'}",
		},
		{
			id: "unknown-file", what: "a file that is not there or cannot be read", why: "References are resolved from the folder of the file that they stand in.",
			instead: "correct the path", bad: "x: {$ref: 'lib/money.yaml'}", good: "x: {$ref: '#/properties/id'}",
		},
		{
			id: "unknown-id", what: "a reference to an id that no schema of the project has", why: "Nothing is fetched from the network: what is referred to has to be in the project, under that $id.",
			instead: "copy the file that has it into the project", bad: "x: {$ref: 'https://example.com/money'}", good: "x: {$ref: '#/properties/id'}",
		},
		{
			id: "outside-project", what: "a path that leads outside the project", why: "Nothing is read or written outside the folder of the config, so that a schema from elsewhere can do no harm.",
			instead: "copy what is needed into the project", bad: "x: {$ref: '../../etc/money.yaml'}", good: "x: {$ref: '#/properties/id'}",
		},
		{
			id: "reference-circle", what: "references that lead back to themselves", why: "No value could be checked against it: following the references never ends.",
			instead: "put the schema that is meant at one of them", bad: "$defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}\n", good: "$defs: {a: {$ref: '#/$defs/b'}, b: {type: string}}\n",
		},
	}
}
