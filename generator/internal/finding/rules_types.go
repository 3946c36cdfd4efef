package finding

func typeRules() []Rule {
	return []Rule{
		{
			ID: "type-missing", Severity: Warning, What: "constraints without the type that they are for", Why: "JSON Schema lets a value of any other type pass them; here the type that they are for is taken.",
			Fix: "add the type", Before: "x: {maxLength: 5}", After: "x: {type: string, maxLength: 5}",
		},
		{
			ID: "never-valid", Severity: Warning, What: "a schema that no value meets", Why: "Its parts contradict each other. Validate refuses all of them.",
			Fix: "correct the part that was not meant", Before: "x: {type: array, items: {type: number, minimum: 5, maximum: 3}}", After: "x: {type: array, items: {type: number, minimum: 3, maximum: 5}}",
		},
		{
			ID: "property-never-valid", Severity: Warning, What: "a member that no value is valid for", Why: "The schema forbids the member, or contradicts itself, so the member has no field, and Validate refuses it.",
			Fix: "remove the property, or leave it as it is where the member shall be forbidden", Before: "x: {type: object, properties: {a: false, b: {type: string}}}", After: "x: {type: object, properties: {b: {type: string}}}",
		},
		{
			ID: "position-never-there", Severity: Warning, What: "a position of a tuple that maxItems leaves no room for", Why: "No array may have an item there, so it has no field.",
			Fix: "remove the position, or raise maxItems", Before: "x: {type: array, prefixItems: [{type: string}, {type: string}], maxItems: 1}", After: "x: {type: array, prefixItems: [{type: string}], maxItems: 1}",
		},
		{
			ID: "required-undescribed", Severity: Warning, What: "a required member that no property describes", Why: "Most often it is misspelt. Its value may be anything, so its Go type is any.",
			Fix: "describe the member under properties", Before: "x: {type: object, required: [a], properties: {b: {type: string}}}", After: "x: {type: object, required: [a], properties: {a: {type: string}}}",
		},
		{
			ID: "conditional-member", Severity: Warning, What: "a member that only a condition describes", Why: "A Go struct has a field or has it not. So the field is there whether the condition is met or not, and a value of another type is kept among the unknown members.",
			Fix: "give its type under properties", Before: "x: {type: object, properties: {a: {type: string}}, if: {required: [a]}, then: {properties: {b: {const: 1}}}}", After: "x: {type: object, properties: {a: {type: string}, b: {type: integer}}, if: {required: [a]}, then: {properties: {b: {const: 1}}}}",
		},
		{
			ID: "too-many-combinations", Severity: Warning, What: "parts of allOf that multiply without end", Why: "Each combination of parts would be a type of its own. What lies beyond a bound is kept as it came, and checked against its schema.",
			Fix: "write the combinations that are meant as definitions of their own",
		},
		{
			ID: "endless-type", Severity: Warning, What: "a schema that holds itself without an end", Why: "No finite value meets it, so Validate refuses every value.",
			Fix: "make the member optional, or put the recursion into an object or a union with something else", Before: "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, required: [a], properties: {a: {$ref: '#/$defs/a'}}}", After: "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, properties: {a: {$ref: '#/$defs/a'}}}",
		},
		{
			ID: "branch-never-valid", Severity: Warning, What: "a branch of a union that no value can take", Why: "The branch contradicts itself, or what else holds for the value, so it has no Go type.",
			Fix: "remove the branch, or what excludes it", Before: "x: {type: array, anyOf: [{type: array, items: {type: string}}, {type: string}]}", After: "x: {type: array, anyOf: [{type: array, items: {type: string}}]}",
		},
		{
			ID: "value-kept-raw", Severity: Warning, What: "a value of several types that no keyword names, or lists and maps that nest more than 16 deep", Why: "Go has no type for it, so it is kept as it came, and Validate checks it against its schema.",
			Fix: "name the types that are meant, or put an object in between", Before: "x: {not: {type: [object, array]}}", After: "x: {type: [string, number, boolean, \"null\"]}",
		},
		{
			ID: "union-kept-raw", Severity: Warning, What: "a union whose branches cannot be told apart", Why: "One value may be valid for several branches, so it is kept as it came, with a method for each branch.",
			Fix: "give every branch a required property with a const of its own", Before: "x: {oneOf: [{title: B, type: object}, {title: C, type: object, properties: {c: true}}]}", After: "x: {oneOf: [{title: B, type: object, required: [kind], properties: {kind: {const: b}}}, {title: C, type: object, required: [kind], properties: {kind: {const: c}}}]}",
		},
		{
			ID: "part-not-seen", Severity: Warning, What: "additionalProperties: false beside parts with properties of their own", Why: "It sees the properties that stand beside it alone, and forbids those of the parts.",
			Fix:    "write unevaluatedProperties: false",
			Before: "x: {type: object, allOf: [{properties: {a: {type: string}}}], additionalProperties: false}",
			After:  "x: {type: object, allOf: [{properties: {a: {type: string}}}], unevaluatedProperties: false}",
		},
		{
			ID: "second-union", Severity: Warning, What: "two unions of one value", Why: "A Go value has one type: the first union gives it, the other one is checked by Validate, and its members are optional fields.",
			Fix:    "write one union whose branches are what both of them allow",
			Before: "x: {allOf: [{oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}, {oneOf: [{properties: {d: {const: 1}}}, {properties: {d: {const: 2}}}]}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}, d: true}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}, d: true}}",
			After:  "x: {oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}, d: {enum: [1, 2]}}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}, d: {enum: [1, 2]}}}",
		},
		{
			ID: "discriminator-base", Severity: Warning, What: "a base type that lists what extends it", Why: "OpenAPI means the members that they share; taken literally it is a circle, in which no validator of JSON Schema comes to an end.",
			Fix:    "move what they share into a definition of its own",
			Before: "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, required: [kind], properties: {kind: {type: string}}, discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n  b: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: b}}}]}\n  c: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: c}}}]}",
			After:  "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  a: {type: object, required: [kind], properties: {kind: {type: string}}}\n  b: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: b}}}]}\n  c: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: c}}}]}",
		},
		{
			ID: "discriminator-trusted", Severity: Warning, What: "a discriminator that the branches do not bear out", Why: "The member alone decides the branch, as OpenAPI has it; a validator of JSON Schema does not know discriminator, and may find another.",
			Fix: "in every branch, require the member and give it a const", Before: "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, properties: {kind: {type: string}}}\n  c: {type: object, properties: {kind: {type: string}}}",
			After: "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}}}",
		},
	}
}

func valueRules() []Rule {
	return []Rule{
		{
			ID: "pattern-not-checked", Severity: Warning, What: "a pattern that cannot be checked", Why: "Patterns are matched in time that grows only with the text. No way is known to do that for back references, so one is checked as if it could be any text that its group could match. Escapes and groups of other dialects, and groups that repeat thousands of times, are not checked either.",
			Fix: "write it without those, or check it where the event is made", Before: `x: {type: string, pattern: '^(a|b)\1'}`, After: "x: {type: string, pattern: '^(aa|bb)'}",
		},
		{
			ID: "format-not-checked", Severity: Warning, What: "a format that is not known", Why: "JSON Schema lets everybody invent formats; any value passes this one.",
			Fix: "use a known format, a pattern, or types: in the config to give it a Go type", Before: "x: {type: string, format: phone}", After: "x: {type: string, pattern: '^[+][0-9]+$'}",
		},
		{
			ID: "encoding-not-decoded", Severity: Warning, What: "a contentEncoding that is not decoded", Why: "The Go value is the encoded string.",
			Fix: "use base64, base64url, base32 or base16 for bytes", Before: "x: {type: string, contentEncoding: uuencode}", After: "x: {type: string, contentEncoding: base64}",
		},
		{
			ID: "content-not-checked", Severity: Warning, What: "a schema for what is inside a string", Why: "The Go value is the string; the document in it is neither decoded nor checked.",
			Fix: "make it a member that is an object, or decode it where it is used", Before: "x: {type: string, contentMediaType: application/json, contentSchema: {type: object}}", After: "x: {type: object}",
		},
		{
			ID: "default-not-used", Severity: Warning, What: "a default that is not certain to be a value of the member's Go type", Why: "Nothing fills it in; the member stays absent. Unions and tuples have no defaults in Go either.",
			Fix: "write a default that meets the schema, or fill it in where the event is made", Before: "x: {type: object, required: [a], properties: {a: {type: string}}, default: {b: c}}", After: "x: {type: object, required: [a], properties: {a: {type: string}}, default: {a: b}}",
		},
		{
			ID: "value-type", Severity: Warning, What: "a default, example or listed value of the wrong type", Why: "It would not be valid itself.",
			Fix: "correct the value or the type", Before: "x: {type: string, default: 5}", After: "x: {type: string, default: five}",
		},
		{
			ID: "value-constraint", Severity: Warning, What: "a listed value that breaks a constraint beside the list", Why: "It is never valid.",
			Fix: "remove the value or the constraint", Before: "x: {enum: [a, b], pattern: a}", After: "x: {enum: [a, ab], pattern: a}",
		},
	}
}

func goRules() []Rule {
	return []Rule{
		{
			ID: "name-contested", Severity: Warning, What: "two different types that want one Go name", Why: "One keeps it, by a rule that more events and libraries come first; the other one is named after its event or file, until a schema comes that changes who is first.",
			Fix:    "give it a title, or let both files refer to one definition",
			Before: "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {a: {type: string}}}}\n-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {b: {type: string}}}}\n",
			After:  "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {a: {type: string}}}}\n-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\nproperties: {x: {title: Price, type: object, properties: {b: {type: string}}}}\n",
		},
		{
			ID: "name-taken", What: "a Go name that something else in the package has", Why: "The package would not compile.",
			Fix:    "give the event another title, or rename what you wrote by hand",
			Before: "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: InsertA\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
			After:  "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: AInserted\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
		},
		{
			ID: "file-shared", What: "two events that want one file", Why: "Their Go names differ only in capitals, which file names do not show.",
			Fix:    "give one of them another title",
			Before: "-- a.yaml --\ntitle: UserID\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: UserId\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
			After:  "-- a.yaml --\ntitle: UserID\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n",
		},
		{
			ID: "foreign-file", What: "a file that is not ours where a generated one must go", Why: "Files that the generator has not written are never touched.",
			Fix: "rename your file, or remove it",
		},
		{
			ID: "out-internal", Severity: Warning, What: "an output below a folder called internal, in a workspace where another module uses this one", Why: "Go lets no package outside the folder around internal import it, so the consumers of the events cannot.",
			Fix: "name a folder outside internal/ in out:, or leave it where no other module consumes the events",
		},
		{
			ID: "output-link", What: "an output path that a symbolic link leads out of the project, or to nothing", Why: "Nothing is written or removed outside the folder of the config.",
			Fix: "replace the link with a folder or a file of the project, or write another path",
		},
		{
			ID: "unreadable-output", What: "a file in the output folder that cannot be read", Why: "It is not known whether it is ours.",
			Fix: "fix its permissions",
		},
		{
			ID: "unwritable-output", What: "an output that cannot be written", Why: "All files are written or none, so nothing was changed.",
			Fix: "remove what stands in the way, or fix its permissions; or name another folder in out:",
		},
		{
			ID: "package-mismatch", What: "a hand-written file of another package in the output folder", Why: "A folder holds one package.",
			Fix: "give package: in the config, or move the file",
		},
		{
			ID: "import-cycle", What: "a Go type, or sqlc.package, that is the generated package itself", Why: "A Go package cannot import itself.",
			Fix: "declare the type, or have sqlc write, in a package of its own",
		},
	}
}

func tableRules() []Rule {
	return []Rule{
		{ID: "migrations-missing", What: "a migrations folder that is not there", Why: "sqlc compiles the insert statements against the service's own migrations.", Fix: "correct sqlc.migrations in the config, or remove it to use ours"},
		{ID: "migrations-empty", What: "a migrations folder without migrations", Why: "There is no table to compile the insert statements against.", Fix: "correct sqlc.migrations in the config, or add the migration that outboxgen migration prints"},
		{ID: "migration-does-not-compile", What: "a statement about event_outbox that sqlc cannot read", Why: "sqlc reads the statements of the migrations that make the table what it is.", Fix: "correct the statement that is named, or leave sqlc.migrations out of the config to use our tables"},
		{ID: "migration-not-followed", Severity: Warning, What: "a DO block, a function or a string that may change the columns of event_outbox, or another file that a migration reads and that is not found", Why: "What they do depends on what is not in the migrations, such as the rows of a query.", Fix: "make the change in a statement of its own, in a later migration, with IF EXISTS or IF NOT EXISTS"},
		{ID: "migration-unreadable", What: "a migration that the file system does not let outboxgen read", Why: "What it does to event_outbox is not known.", Fix: "make it a file that can be read, or leave sqlc.migrations out of the config to use our tables"},
		{ID: "columns-of-query", Severity: Warning, What: "an event_outbox that is a view, or made of a query, which sqlc does not understand", Why: "Its columns are taken to be those that it should have.", Fix: "compare them with the migration that outboxgen migration prints"},
		{ID: "migration-skipped", Severity: Note, What: "a migration that is written in Go or Java", Why: "Only SQL is read.", Fix: "where it changes event_outbox, say the same in a SQL migration, with IF EXISTS or IF NOT EXISTS, or leave sqlc.migrations out of the config"},
		{ID: "table-missing", What: "no table event_outbox in the migrations", Why: "Events are inserted into it.", Fix: "add the migration that outboxgen migration prints"},
		{ID: "table-schema", What: "the table event_outbox in another schema of the database", Why: "The statements name the schema that the config gives.", Fix: "correct sqlc.schema in the config"},
		{ID: "column-missing", What: "a column that event_outbox does not have", Why: "The insert statements fill it.", Fix: "add the migration that outboxgen migration prints for an existing table"},
		{ID: "column-type", What: "a column of event_outbox with another type", Why: "The generated code would not fit it.", Fix: "change the type in a migration, or remove the override of sqlc"},
		{ID: "unique-index", Severity: Warning, What: "a unique index or constraint of event_outbox beside its primary key", Why: "An insert fails with 23505 while an earlier row has the same values. A dead row stays, so every later business transaction that inserts these values fails.", Fix: "drop the index in a migration; to keep an event from being inserted twice, give it an id made with outbox.DeterministicID"},
		{ID: "insert-does-not-compile", What: "insert statements that do not fit the service's tables", Why: "sqlc checks them against the migrations.", Fix: "compare event_outbox with the migration that outboxgen migration prints"},
	}
}
