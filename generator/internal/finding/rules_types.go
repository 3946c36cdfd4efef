package finding

func typeRules() []Rule {
	return []Rule{
		{
			ID: "type-missing", Severity: Warning, What: "constraints without the type to which they apply", Why: "In JSON Schema a value of any other type passes them. outboxgen takes the value to have that type.",
			Fix: "add the type", Before: "x: {maxLength: 5}", After: "x: {type: string, maxLength: 5}",
		},
		{
			ID: "never-valid", Severity: Warning, What: "a schema that no value can satisfy", Why: "Parts of the schema contradict each other. Validate rejects every value.",
			Fix: "correct the wrong part", Before: "x: {type: array, items: {type: number, minimum: 5, maximum: 3}}", After: "x: {type: array, items: {type: number, minimum: 3, maximum: 5}}",
		},
		{
			ID: "property-never-valid", Severity: Warning, What: "a property that can have no valid value", Why: "The schema forbids the property, or contradicts itself. The property has no field, and Validate rejects it.",
			Fix: "remove the property; keep it if it has to be forbidden", Before: "x: {type: object, properties: {a: false, b: {type: string}}}", After: "x: {type: object, properties: {b: {type: string}}}",
		},
		{
			ID: "position-never-there", Severity: Warning, What: "a tuple position that maxItems excludes", Why: "No array may have an item at this position, so it has no field.",
			Fix: "remove the position, or raise maxItems", Before: "x: {type: array, prefixItems: [{type: string}, {type: string}], maxItems: 1}", After: "x: {type: array, prefixItems: [{type: string}], maxItems: 1}",
		},
		{
			ID: "required-undescribed", Severity: Warning, What: "a required property that the schema does not describe", Why: "Most often its name is misspelled. Its value may be anything, so its Go type is any.",
			Fix: "describe the property under properties", Before: "x: {type: object, required: [a], properties: {b: {type: string}}}", After: "x: {type: object, required: [a], properties: {a: {type: string}}}",
		},
		{
			ID: "conditional-member", Severity: Warning, What: "a property that only a condition describes", Why: "A Go struct cannot have a field only under a condition. The field is always there, and a value of another type is kept among the unknown properties.",
			Fix: "give its type under properties", Before: "x: {type: object, properties: {a: {type: string}}, if: {required: [a]}, then: {properties: {b: {const: 1}}}}", After: "x: {type: object, properties: {a: {type: string}, b: {type: integer}}, if: {required: [a]}, then: {properties: {b: {const: 1}}}}",
		},
		{
			ID: "too-many-combinations", Severity: Warning, What: "an allOf whose parts combine in too many ways", Why: "Each combination would need its own Go type. Beyond a limit, the value is kept as raw JSON and checked against its schema.",
			Fix: "write the combinations that you need as separate definitions",
		},
		{
			ID: "endless-type", Severity: Warning, What: "a schema that requires itself without end", Why: "Only an infinite value could satisfy it, so Validate rejects every value.",
			Fix: "make the property optional, or put the recursion into an object or a union with another branch", Before: "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, required: [a], properties: {a: {$ref: '#/$defs/a'}}}", After: "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, properties: {a: {$ref: '#/$defs/a'}}}",
		},
		{
			ID: "branch-never-valid", Severity: Warning, What: "a branch of a union that no value can satisfy", Why: "The branch contradicts itself or another part of the schema, so it has no Go type.",
			Fix: "remove the branch, or the part that it contradicts", Before: "x: {type: array, anyOf: [{type: array, items: {type: string}}, {type: string}]}", After: "x: {type: array, anyOf: [{type: array, items: {type: string}}]}",
		},
		{
			ID: "value-kept-raw", Severity: Warning, What: "a value whose types no keyword names, or lists and maps nested more than 16 deep", Why: "Go has no type for it. The value is kept as raw JSON, and Validate checks it against its schema.",
			Fix: "name the types, or put an object in between", Before: "x: {not: {type: [object, array]}}", After: "x: {type: [string, number, boolean, \"null\"]}",
		},
		{
			ID: "union-kept-raw", Severity: Warning, What: "a union whose branches cannot be told apart", Why: "A value may be valid for several branches. It is kept as raw JSON, with a method for each branch.",
			Fix: "give every branch a required property with its own const", Before: "x: {oneOf: [{title: B, type: object}, {title: C, type: object, properties: {c: true}}]}", After: "x: {oneOf: [{title: B, type: object, required: [kind], properties: {kind: {const: b}}}, {title: C, type: object, required: [kind], properties: {kind: {const: c}}}]}",
		},
		{
			ID: "part-not-seen", Severity: Warning, What: "additionalProperties: false beside parts that have properties of their own", Why: "additionalProperties sees only the properties beside it, and forbids those of the parts.",
			Fix:    "use unevaluatedProperties: false",
			Before: "x: {type: object, allOf: [{properties: {a: {type: string}}}], additionalProperties: false}",
			After:  "x: {type: object, allOf: [{properties: {a: {type: string}}}], unevaluatedProperties: false}",
		},
		{
			ID: "second-union", Severity: Warning, What: "two unions for one value", Why: "A Go value has one type. The first union defines it. Validate checks the second one, whose properties become optional fields.",
			Fix:    "write one union whose branches satisfy both",
			Before: "x: {allOf: [{oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}, {oneOf: [{properties: {d: {const: 1}}}, {properties: {d: {const: 2}}}]}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}, d: true}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}, d: true}}",
			After:  "x: {oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}, d: {enum: [1, 2]}}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}, d: {enum: [1, 2]}}}",
		},
		{
			ID: "discriminator-base", Severity: Warning, What: "a base type whose discriminator lists the types that extend it", Why: "OpenAPI means the properties that the types share. Read as JSON Schema it is an endless recursion for every validator.",
			Fix:    "move the shared properties into their own definition",
			Before: "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, required: [kind], properties: {kind: {type: string}}, discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n  b: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: b}}}]}\n  c: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: c}}}]}",
			After:  "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  a: {type: object, required: [kind], properties: {kind: {type: string}}}\n  b: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: b}}}]}\n  c: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: c}}}]}",
		},
		{
			ID: "discriminator-trusted", Severity: Warning, What: "a discriminator that the branches do not confirm", Why: "As in OpenAPI, the discriminator property alone decides the branch. A JSON Schema validator ignores discriminator and may choose another one.",
			Fix: "in every branch, require the property and give it a const", Before: "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, properties: {kind: {type: string}}}\n  c: {type: object, properties: {kind: {type: string}}}",
			After: "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}}}",
		},
	}
}

func valueRules() []Rule {
	return []Rule{
		{
			ID: "pattern-not-checked", Severity: Warning, What: "a pattern that cannot be checked exactly", Why: "Matching has to take time linear in the length of the text, which is not known to be possible with back references. A back reference is " +
				"checked as if it were any text that its group matches. Escapes and groups of other dialects, and groups that repeat thousands of times, are " +
				"not checked at all.",
			Fix: "rewrite the pattern without them, or check the value where the event is created", Before: `x: {type: string, pattern: '^(a|b)\1'}`, After: "x: {type: string, pattern: '^(aa|bb)'}",
		},
		{
			ID: "format-not-checked", Severity: Warning, What: "an unknown format", Why: "JSON Schema allows custom formats. Every value passes an unknown one.",
			Fix: "use a known format or a pattern, or map the format to a Go type with types: in the project file", Before: "x: {type: string, format: phone}", After: "x: {type: string, pattern: '^[+][0-9]+$'}",
		},
		{
			ID: "encoding-not-decoded", Severity: Warning, What: "a contentEncoding that is not decoded", Why: "The Go value is the encoded string.",
			Fix: "use base64, base64url, base32 or base16 for bytes", Before: "x: {type: string, contentEncoding: uuencode}", After: "x: {type: string, contentEncoding: base64}",
		},
		{
			ID: "content-not-checked", Severity: Warning, What: "a schema for a document inside a string", Why: "The Go value is the string. The document in it is neither decoded nor checked.",
			Fix: "make it a nested object, or decode it in your code", Before: "x: {type: string, contentMediaType: application/json, contentSchema: {type: object}}", After: "x: {type: object}",
		},
		{
			ID: "default-not-used", Severity: Warning, What: "a default that may not be valid for the property's Go type", Why: "The default is not applied; the property stays absent. Unions and tuples never have defaults in Go.",
			Fix: "write a default that is valid for the schema, or set the value where the event is created", Before: "x: {type: object, required: [a], properties: {a: {type: string}}, default: {b: c}}", After: "x: {type: object, required: [a], properties: {a: {type: string}}, default: {a: b}}",
		},
		{
			ID: "value-type", Severity: Warning, What: "a default, example or listed value of the wrong type", Why: "The value is not valid for its own schema.",
			Fix: "correct the value or the type", Before: "x: {type: string, default: 5}", After: "x: {type: string, default: five}",
		},
		{
			ID: "value-constraint", Severity: Warning, What: "a listed value that violates another constraint", Why: "The value is never valid.",
			Fix: "remove the value or the constraint", Before: "x: {enum: [a, b], pattern: a}", After: "x: {enum: [a, ab], pattern: a}",
		},
	}
}

func goRules() []Rule {
	return []Rule{
		{
			ID: "name-contested", Severity: Warning, What: "two different types that want the same Go name", Why: "One keeps the name; types that more events use and types of shared files come first. The other is named after its event or file. A later " +
				"schema can change which one comes first.",
			Fix:    "set its title, or let both files refer to one definition",
			Before: "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {a: {type: string}}}}\n-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {b: {type: string}}}}\n",
			After:  "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {a: {type: string}}}}\n-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\nproperties: {x: {title: Price, type: object, properties: {b: {type: string}}}}\n",
		},
		{
			ID: "name-taken", What: "a Go name that the package already has", Why: "The package would not compile.",
			Fix:    "change the event's title, or rename your own declaration",
			Before: "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: InsertA\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
			After:  "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: AInserted\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
		},
		{
			ID: "file-shared", What: "two events that need the same file name", Why: "Their Go names differ only in capital letters, which file names do not show.",
			Fix:    "change the title of one of them",
			Before: "-- a.yaml --\ntitle: UserID\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: UserId\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
			After:  "-- a.yaml --\ntitle: UserID\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n",
		},
		{
			ID: "foreign-file", What: "a file in the place of a generated one that outboxgen did not write", Why: "outboxgen never overwrites files that it did not generate.",
			Fix: "rename your file, or remove it",
		},
		{
			ID: "out-internal", Severity: Warning, What: "an output folder under internal/, in a workspace where another module uses this one", Why: "Go forbids other modules to import a package under internal/, so consumers of the events cannot use it.",
			Fix: "set out: to a folder outside internal/; ignore this if no other module consumes the events",
		},
		{
			ID: "output-link", What: "an output path with a symbolic link that leads out of the project or nowhere", Why: "Nothing outside the folder of the project file is written or removed.",
			Fix: "replace the link with a folder or file in the project, or use another path",
		},
		{
			ID: "unreadable-output", What: "a file in the output folder that cannot be read", Why: "outboxgen cannot tell whether it generated the file.",
			Fix: "fix its permissions",
		},
		{
			ID: "unwritable-output", What: "an output file that cannot be written", Why: "Either all files are written or none, so nothing was changed.",
			Fix: "remove the obstacle, fix the permissions, or set out: to another folder",
		},
		{
			ID: "package-mismatch", What: "a hand-written file of another package in the output folder", Why: "A folder holds one Go package.",
			Fix: "set package: in the project file, or move the file",
		},
		{
			ID: "import-cycle", What: "a Go type or a sqlc.package in the generated package itself", Why: "A Go package cannot import itself.",
			Fix: "move the type, or the output of sqlc, to another package",
		},
	}
}

func tableRules() []Rule {
	return []Rule{
		{ID: "migrations-missing", What: "a migrations folder that does not exist", Why: "sqlc compiles the insert statements against the service's own migrations.", Fix: "correct sqlc.migrations in the project file, or remove it to use outboxgen's migrations"},
		{ID: "migrations-empty", What: "a migrations folder without SQL migrations", Why: "There is no table against which the insert statements can be compiled.", Fix: "correct sqlc.migrations in the project file, or add the migration that outboxgen migration prints"},
		{ID: "migration-does-not-compile", What: "a statement about event_outbox that sqlc cannot parse", Why: "sqlc reads the migrations to know the columns of the table.", Fix: "correct the statement, or remove sqlc.migrations from the project file to use outboxgen's migrations"},
		{ID: "migration-not-followed", Severity: Warning, What: "a migration whose effect on the columns of event_outbox is unknown", Why: "It is a DO block, a function or a string that may change the columns, or a migration includes a file that was not found. The effect depends " +
			"on what the migrations do not contain, such as the rows of a query.", Fix: "make the change as a plain statement in a later migration, with IF EXISTS or IF NOT EXISTS"},
		{ID: "migration-unreadable", What: "a migration that cannot be read", Why: "Its effect on event_outbox is unknown.", Fix: "make the file readable, or remove sqlc.migrations from the project file to use outboxgen's migrations"},
		{ID: "columns-of-query", Severity: Warning, What: "an event_outbox that is a view or is created from a query that sqlc does not understand", Why: "outboxgen assumes that it has the required columns.", Fix: "compare them with the migration that outboxgen migration prints"},
		{ID: "migration-skipped", Severity: Note, What: "a migration written in Go or Java", Why: "outboxgen reads only SQL migrations.", Fix: "if it changes event_outbox, repeat the change in an SQL migration, with IF EXISTS or IF NOT EXISTS, or remove sqlc.migrations from the project file"},
		{ID: "table-missing", What: "migrations that create no table event_outbox", Why: "Events are inserted into this table.", Fix: "add the migration that outboxgen migration prints"},
		{ID: "table-schema", What: "an event_outbox in another database schema", Why: "The insert statements use the schema that the project file gives.", Fix: "correct sqlc.schema in the project file"},
		{ID: "column-missing", What: "a column that event_outbox lacks", Why: "The insert statements fill this column.", Fix: "add the migration that outboxgen migration prints for an existing table"},
		{ID: "column-type", What: "a column of event_outbox with the wrong type", Why: "The generated code needs another type.", Fix: "change the type in a migration, or remove the type override of sqlc"},
		{ID: "unique-index", Severity: Warning, What: "a unique index or constraint of event_outbox beside its primary key", Why: "An insert fails with SQLSTATE 23505 while an earlier row has the same values. A dead-lettered row stays in the table, so every later " +
			"business transaction with these values fails.", Fix: "drop the index in a migration; to insert an event at most once, give it an id made with outbox.DeterministicID"},
		{ID: "insert-does-not-compile", What: "insert statements that do not match the service's tables", Why: "sqlc checks the statements against the migrations.", Fix: "compare event_outbox with the migration that outboxgen migration prints"},
	}
}
