package finding

func fileRules() []Rule {
	return []Rule{
		{
			ID: "yaml-syntax", What: "a file that is not YAML", Why: "Nothing of the file can be read. YAML is read as its version 1.2 has it: no tabs for indentation.",
			Fix: "fix the file at the place that is named", Before: "title: A\nproperties: [\n", After: "title: A\nproperties: {}\n",
		},
		{
			ID: "yaml-documents", What: "a second YAML document in one file", Why: "A reference names a file and a place in it; with several documents it would not be known which is meant.",
			Fix: "give each schema a file of its own", Before: "title: A\n---\ntitle: B\n", After: "title: A\n",
		},
		{
			ID: "json-syntax", What: "a file that is not JSON", Why: "Other readers of JSON refuse the file. JSON has no comments and no comma after the last item; in a file that you cannot edit these are a warning, and are read past.",
			Fix: "fix the file at the place that is named", Before: "-- a.json --\n{\"title\": \"A\",}\n", After: "-- a.json --\n{\"title\": \"A\"}\n",
		},
		{
			ID: "yaml-alias", What: "an alias inside the value that it repeats", Why: "Such a value has no end.",
			Fix: "refer to the schema with $ref, which may lead back to itself", Before: "properties:\n  a: &a\n    items: *a\n", After: "properties:\n  a: {items: {$ref: '#/properties/a'}}\n",
		},
		{
			ID: "yaml-key", Severity: Warning, What: "a key that is no string", Why: "JSON has no other keys. A number, a boolean or null is read as it is written; a list or a mapping as a key is an error.",
			Fix: "write the key in quotes", Before: "properties: {1: true}\n", After: "properties: {\"1\": true}\n",
		},
		{
			ID: "yaml-merge-key", Severity: Warning, What: "a merge key (<<)", Why: "YAML 1.2 does not have it. The members are merged as in YAML 1.1: what the mapping says itself counts. A merge key that takes no mapping is an error.",
			Fix: "use allOf with a $ref, or write the members out", Before: "$defs:\n  a: &a {type: string}\n  b: {<<: *a}\n", After: "$defs:\n  a: {type: string}\n  b: {allOf: [{$ref: '#/$defs/a'}]}\n",
		},
		{
			ID: "yaml-number", What: "a number that JSON does not have", Why: "JSON has neither infinity nor NaN, and a number has at most 10,000 characters. An exponent may be of any size.",
			Fix: "leave the bound out, or write text in quotes", Before: "x: {type: number, maximum: .inf}", After: "x: {type: number}",
		},
		{
			ID: "yaml-tag", What: "a tag that means nothing in JSON", Why: "A tag would give the value a type that JSON does not have.",
			Fix: "remove the tag", Before: "x: {type: string, default: !!binary aGk=}", After: "x: {type: string, default: aGk=}",
		},
		{
			ID: "duplicate-member", What: "a key that stands twice in one object", Why: "Readers of YAML and JSON disagree which of the two counts. In a file that you cannot edit it is a warning, and the last one counts.",
			Fix: "keep one of them", Before: "x: {type: string, type: integer}", After: "x: {type: string}",
		},
		{
			ID: "not-utf8", What: "a file that is not UTF-8", Why: "Every reader of JSON Schema expects UTF-8; in another encoding names would come out garbled.",
			Fix: "save the file as UTF-8", Before: "title: \"\xff\"\n", After: "title: A\n",
		},
		{
			ID: "too-deep", What: "values nested too deep, or names too long in all", Why: "The bound keeps the stack and the memory of a run small whatever it is given.",
			Fix: "move the inner schemas into definitions",
		},
		{
			ID: "too-many-values", What: "too many values in a file or in the project", Why: "The bound keeps the memory of a run small; aliases of YAML count each time that they are used.",
			Fix: "leave files that are no schemas out of schemas, and write data that is listed without aliases",
		},
		{
			ID: "too-many-schemas", What: "too many schemas in the project", Why: "The bound keeps the memory of a run small whatever it is given.",
			Fix: "generate packages of several projects",
		},
		{
			ID: "unreadable", What: "a schema file that cannot be read", Why: "It matches a pattern of the config, and is no regular file inside the project, has more than 8 MiB, or may not be read. Symbolic links that lead out of the project are not followed.",
			Fix: "fix the pattern, or the file's permissions, or copy the file into the project",
		},
		{
			ID: "custom-dialect", Severity: Warning, What: "a $schema that is a dialect of your own", Why: "It is read as the dialect that its meta-schema builds on, if that is in the project, or else by its keywords, if you cannot edit the file. What it adds to JSON Schema or leaves out is not known.",
			Fix: "say what it is read as: dialect: in an entry of events:, or dialects: in the config, by $schema or by a pattern of files", Before: "-- a.yaml --\n$schema: https://example.com/my-dialect\ntitle: A\n-- my.yaml --\n$schema: https://json-schema.org/draft/2020-12/schema\n$id: https://example.com/my-dialect\n$vocabulary: {\"https://json-schema.org/draft/2020-12/vocab/core\": true}\n", After: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
		{
			ID: "dialect-guessed", Severity: Warning, What: "a file without $schema whose keywords are of an older dialect", Why: "You cannot edit it, since an entry of events: or a reference names it. It is read as the newest dialect that has its keywords.",
			Fix: "say what it is: dialect: in an entry of events:, or dialects: in the config", Before: "-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nevents:\n  - {schema: a.json, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.json --\n{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": [{\"type\": \"string\"}]}}}\n", After: "-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nevents:\n  - {schema: a.json, dialect: draft-07, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.json --\n{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": [{\"type\": \"string\"}]}}}\n",
		},
		{
			ID: "dialect-latest", Severity: Warning, What: "a $schema that names no version of JSON Schema", Why: "It means the latest one, which changes. It is read as 2020-12.",
			Fix: "name the dialect that the schema is written in", Before: "$schema: http://json-schema.org/schema#\ntitle: A\n", After: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
		{
			ID: "unlisted-event", Severity: Warning, What: "a file that describes an event, and that no pattern of schemas: matches", Why: "Its event is not generated. Most often the file was added under another ending or in another folder than the patterns name.",
			Fix: "add the file, or a pattern that matches it, to schemas",
		},
		{
			ID: "unlisted-schemas", Severity: Note, What: "schema files that nothing leads to", Why: "They say $schema, no pattern of schemas: matches them, and no entry of events: or reference leads to them, so nothing is made of them.",
			Fix: "add a pattern to schemas, or an entry to events, where an event is meant",
		},
		{
			ID: "unknown-dialect", What: "a $schema that is no dialect of JSON Schema", Why: "Keywords mean different things from one version of JSON Schema to the next.",
			Fix: "name the dialect that the schema is written in, or say in the config what it builds on, as in dialects: {\"https://example.com/my-dialect\": draft-07}", Before: "$schema: https://example.com/my-dialect\ntitle: A\n", After: "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: A\n",
		},
	}
}

func keywordRules() []Rule {
	return []Rule{
		{
			ID: "unknown-keyword", Severity: Warning, What: "a keyword that JSON Schema does not have", Why: "It is ignored, as every validator does, so a misspelt keyword checks nothing. A misspelt x-outbox is an error in a file of yours.",
			Fix: "correct the spelling; annotations of your own begin with x-", Before: "x: {type: string, maxlength: 5}", After: "x: {type: string, maxLength: 5}",
		},
		{
			ID: "other-dialect", Severity: Warning, What: "a keyword of another dialect than the file's", Why: "It is ignored, as every validator of this dialect does. A form of another dialect, such as an array under items in 2020-12, is an error in a file of yours.",
			Fix: "say what is meant with the keyword of this dialect, or change $schema", Before: "x: {type: array, additionalItems: false}", After: "x: {type: array, items: {type: string}}",
		},
		{
			ID: "ignored-keyword", Severity: Warning, What: "a keyword without effect where it stands", Why: "It is for values of another type, or the dialect ignores what stands beside $ref, so it checks nothing.",
			Fix: "remove it, or fix the type", Before: "x: {type: integer, maxLength: 5}", After: "x: {type: string, maxLength: 5}",
		},
		{
			ID: "wrong-type", What: "a value of the wrong type", Why: "The keyword or setting would say nothing like this. In a file that you cannot edit it is a warning, and the keyword is ignored.",
			Fix: "write a value of the type that the message names", Before: "x: {type: string, maxLength: long}", After: "x: {type: string, maxLength: 5}",
		},
		{
			ID: "unknown-type", What: "a type that JSON Schema does not have", Why: "Its types are array, boolean, integer, null, number, object and string; anything finer is a format or a constraint.",
			Fix: "write one of those, with a format where there is one", Before: "x: {type: uuid}", After: "x: {type: string, format: uuid}",
		},
		{
			ID: "unknown-member", What: "a member that an object of the config, x-outbox or discriminator does not have", Why: "It would be without effect, and its author believes that it has one.",
			Fix: "correct the spelling, or remove it", Before: "x: {oneOf: [{type: string}, {type: integer}], discriminator: {propertyName: kind, mappings: {}}}", After: "x: {oneOf: [{type: string}, {type: integer}]}",
		},
		{
			ID: "missing-member", What: "a member that has to be there", Why: "There is no default that would be right for everybody.",
			Fix: "add the member that the message names", Before: "title: A\nx-outbox: {version: 1, type: a.v1}\ntype: object\n", After: "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n",
		},
		{
			ID: "empty-list", What: "a list that needs at least one entry", Why: "An empty type, allOf, anyOf or oneOf means nothing. An enum without values is a warning: no value is valid.",
			Fix: "add an entry, or remove the keyword", Before: "x: {allOf: []}", After: "x: {allOf: [{type: string}]}",
		},
		{
			ID: "duplicate-enum", Severity: Warning, What: "an enum that lists a value twice", Why: "The second one says nothing; most often another value was meant. Numbers are compared as numbers: 1 and 1.0 are the same.",
			Fix: "remove one of them", Before: "x: {enum: [1, 1.0]}", After: "x: {enum: [1, 2]}",
		},
		{
			ID: "duplicate-name", What: "a name that is there twice", Why: "Two events of one Go name, or one name twice in a list, cannot both be meant.",
			Fix: "remove or rename one of them", Before: "x: {type: object, required: [a, a]}", After: "x: {type: object, required: [a]}",
		},
		{
			ID: "enum-names", Severity: Warning, What: "names of an enum that do not fit its values", Why: "x-enumNames and x-enum-varnames name the constants, one for each value in order; where they do not fit, the constants are named after the values.",
			Fix: "list a name for each value, in their order", Before: "x: {type: integer, enum: [0, 1], x-enumNames: [Low]}", After: "x: {type: integer, enum: [0, 1], x-enumNames: [Low, High]}",
		},
		{
			ID: "bad-pattern", Severity: Warning, What: "a pattern that is no regular expression", Why: "No validator can check it, so Validate does not.",
			Fix: "close what is open; quote signs that are meant as they are with \\", Before: "x: {type: string, pattern: '('}", After: "x: {type: string, pattern: '\\('}",
		},
		{
			ID: "nullable-without-type", Severity: Warning, What: "nullable without a type beside it", Why: "OpenAPI gives it a meaning only beside type. It is taken as meant: null is valid.",
			Fix: "write anyOf with {type: \"null\"} as one branch", Before: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"nullable\": true, \"allOf\": [{\"type\": \"string\"}]}}}\n", After: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true}}}\n",
		},
		{
			ID: "nullable-enum", Severity: Warning, What: "nullable beside values that do not list null", Why: "nullable allows null as a type, and the enum or const then refuses it, so null is not valid.",
			Fix: "list null among the values", Before: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true, \"enum\": [\"a\"]}}}\n", After: "-- lib.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"properties\": {\"x\": {\"type\": \"string\", \"nullable\": true, \"enum\": [\"a\", null]}}}\n",
		},
		{
			ID: "bad-id", What: "an $id that is no URI reference, or has a fragment", Why: "An id is what other schemas refer to.",
			Fix: "write a URI, and $anchor for a name inside the file", Before: "$id: https://example.com/a#part\ntitle: A\n", After: "$id: https://example.com/a\ntitle: A\n",
		},
		{
			ID: "duplicate-id", What: "an id that two schemas have", Why: "A reference to it could mean either.",
			Fix: "give one of them another $id", Before: "-- a.yaml --\n$id: https://example.com/a\n-- b.yaml --\n$id: https://example.com/a\n", After: "-- a.yaml --\n$id: https://example.com/a\n-- b.yaml --\n$id: https://example.com/b\n",
		},
		{
			ID: "duplicate-anchor", What: "an anchor that two schemas of a file have", Why: "A reference to it could mean either.",
			Fix: "rename one of them", Before: "$defs: {a: {$anchor: x}, b: {$anchor: x}}\n", After: "$defs: {a: {$anchor: x}, b: {$anchor: \"y\"}}\n",
		},
	}
}

func referenceRules() []Rule {
	return []Rule{
		{
			ID: "bad-reference", What: "a reference that is no URI reference", Why: "References lead to places in this file, to files of the project by relative paths, and to schemas of the project by their ids.",
			Fix: "write #/$defs/name, a relative path with forward slashes, or an $id", Before: "x: {$ref: '%zz'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "dangling-reference", What: "a reference to a place where nothing is", Why: "Most often the definition was renamed or is misspelt.",
			Fix: "correct the name, or add the definition", Before: "x: {$ref: '#/$defs/money'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "not-a-schema", What: "a reference to something that is no schema", Why: "It leads to a value that is no object, to a map of schemas, or into x-outbox. One to an object or a boolean where JSON Schema has no schema, such as an item of an array under $defs, is read as that schema, with a warning.",
			Fix: "refer to the schema itself, or move it into $defs", Before: "x: {$ref: '#/required'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "unknown-anchor", What: "a reference to an anchor that is not there", Why: "Most often it is misspelt, or a definition is meant: #/$defs/name.",
			Fix: "correct the name, or add $anchor to the schema that is meant", Before: "x: {$ref: '#money'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "unknown-file", What: "a file that is not there or cannot be read", Why: "References are resolved from the folder of the file that they stand in.",
			Fix: "correct the path", Before: "x: {$ref: 'lib/money.yaml'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "unknown-id", What: "a reference to an id that no schema of the project has", Why: "Nothing is fetched from the network: what is referred to has to be in the project, under that $id.",
			Fix: "copy the file that has it into the project", Before: "x: {$ref: 'https://example.com/money'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "outside-project", What: "a path that leads outside the project", Why: "Nothing is read or written outside the folder of the config, so that a schema from elsewhere can do no harm.",
			Fix: "copy what is needed into the project", Before: "x: {$ref: '../../etc/money.yaml'}", After: "x: {$ref: '#/properties/id'}",
		},
		{
			ID: "reference-circle", What: "references that lead back to themselves", Why: "No value could be checked against it: following the references never ends.",
			Fix: "put the schema that is meant at one of them", Before: "$defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}\n", After: "$defs: {a: {$ref: '#/$defs/b'}, b: {type: string}}\n",
		},
	}
}
