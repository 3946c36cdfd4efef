package diag

func typeRules() []rule {
	return []rule{
		{
			id: "type-missing", severity: Warning, what: "constraints without the type that they are for", why: "JSON Schema lets a value of any other type pass them; here the type that they are for is taken.",
			instead: "add the type", bad: "x: {maxLength: 5}", good: "x: {type: string, maxLength: 5}",
		},
		{
			id: "never-valid", severity: Warning, what: "a schema that no value meets", why: "Its parts contradict each other. Validate refuses all of them.",
			instead: "correct the part that was not meant", bad: "x: {type: array, items: {type: number, minimum: 5, maximum: 3}}", good: "x: {type: array, items: {type: number, minimum: 3, maximum: 5}}",
		},
		{
			id: "property-never-valid", severity: Warning, what: "a member that no value is valid for", why: "The schema forbids the member, or contradicts itself, so the member has no field, and Validate refuses it.",
			instead: "remove the property, or leave it as it is where the member shall be forbidden", bad: "x: {type: object, properties: {a: false, b: {type: string}}}", good: "x: {type: object, properties: {b: {type: string}}}",
		},
		{
			id: "position-never-there", severity: Warning, what: "a position of a tuple that maxItems leaves no room for", why: "No array may have an item there, so it has no field.",
			instead: "remove the position, or raise maxItems", bad: "x: {type: array, prefixItems: [{type: string}, {type: string}], maxItems: 1}", good: "x: {type: array, prefixItems: [{type: string}], maxItems: 1}",
		},
		{
			id: "required-undescribed", severity: Warning, what: "a required member that no property describes", why: "Most often it is misspelt. Its value may be anything, so its Go type is any.",
			instead: "describe the member under properties", bad: "x: {type: object, required: [a], properties: {b: {type: string}}}", good: "x: {type: object, required: [a], properties: {a: {type: string}}}",
		},
		{
			id: "conditional-member", severity: Warning, what: "a member that only a condition describes", why: "A Go struct has a field or has it not. So the field is there whether the condition is met or not, and a value of another type is kept among the unknown members.",
			instead: "give its type under properties", bad: "x: {type: object, properties: {a: {type: string}}, if: {required: [a]}, then: {properties: {b: {const: 1}}}}", good: "x: {type: object, properties: {a: {type: string}, b: {type: integer}}, if: {required: [a]}, then: {properties: {b: {const: 1}}}}",
		},
		{
			id: "too-many-combinations", severity: Warning, what: "parts of allOf that multiply without end", why: "Each combination of parts would be a type of its own. What lies beyond a bound is kept as it came, and checked against its schema.",
			instead: "write the combinations that are meant as definitions of their own",
		},
		{
			id: "endless-type", severity: Warning, what: "a schema that holds itself without an end", why: "No finite value meets it, so Validate refuses every value.",
			instead: "make the member optional, or put the recursion into an object or a union with something else", bad: "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, required: [a], properties: {a: {$ref: '#/$defs/a'}}}", good: "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, properties: {a: {$ref: '#/$defs/a'}}}",
		},
		{
			id: "branch-never-valid", severity: Warning, what: "a branch of a union that no value can take", why: "The branch contradicts itself, or what else holds for the value, so it has no Go type.",
			instead: "remove the branch, or what excludes it", bad: "x: {type: array, anyOf: [{type: array, items: {type: string}}, {type: string}]}", good: "x: {type: array, anyOf: [{type: array, items: {type: string}}]}",
		},
		{
			id: "value-kept-raw", severity: Warning, what: "a value of several types that no keyword names, or lists and maps that nest more than 16 deep", why: "Go has no type for it, so it is kept as it came, and Validate checks it against its schema.",
			instead: "name the types that are meant, or put an object in between", bad: "x: {not: {type: [object, array]}}", good: "x: {type: [string, number, boolean, \"null\"]}",
		},
		{
			id: "union-kept-raw", severity: Warning, what: "a union whose branches cannot be told apart", why: "One value may be valid for several branches, so it is kept as it came, with a method for each branch.",
			instead: "give every branch a required property with a const of its own", bad: "x: {oneOf: [{title: B, type: object}, {title: C, type: object, properties: {c: true}}]}", good: "x: {oneOf: [{title: B, type: object, required: [kind], properties: {kind: {const: b}}}, {title: C, type: object, required: [kind], properties: {kind: {const: c}}}]}",
		},
		{
			id: "part-not-seen", severity: Warning, what: "additionalProperties: false beside parts with properties of their own", why: "It sees the properties that stand beside it alone, and forbids those of the parts.",
			instead: "write unevaluatedProperties: false",
			bad:     "x: {type: object, allOf: [{properties: {a: {type: string}}}], additionalProperties: false}",
			good:    "x: {type: object, allOf: [{properties: {a: {type: string}}}], unevaluatedProperties: false}",
		},
		{
			id: "second-union", severity: Warning, what: "two unions of one value", why: "A Go value has one type: the first union gives it, the other one is checked by Validate, and its members are optional fields.",
			instead: "write one union whose branches are what both of them allow",
			bad:     "x: {allOf: [{oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}, {oneOf: [{properties: {d: {const: 1}}}, {properties: {d: {const: 2}}}]}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}, d: true}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}, d: true}}",
			good:    "x: {oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}, d: {enum: [1, 2]}}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}, d: {enum: [1, 2]}}}",
		},
		{
			id: "discriminator-base", severity: Warning, what: "a base type that lists what extends it", why: "OpenAPI means the members that they share; taken literally it is a circle, in which no validator of JSON Schema comes to an end.",
			instead: "move what they share into a definition of its own",
			bad:     "x: {$ref: '#/$defs/a'}\n$defs:\n  a: {type: object, required: [kind], properties: {kind: {type: string}}, discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n  b: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: b}}}]}\n  c: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: c}}}]}",
			good:    "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  a: {type: object, required: [kind], properties: {kind: {type: string}}}\n  b: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: b}}}]}\n  c: {allOf: [{$ref: '#/$defs/a'}, {properties: {kind: {const: c}}}]}",
		},
		{
			id: "discriminator-trusted", severity: Warning, what: "a discriminator that the branches do not bear out", why: "The member alone decides the branch, as OpenAPI has it; a validator of JSON Schema does not know discriminator, and may find another.",
			instead: "in every branch, require the member and give it a const", bad: "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, properties: {kind: {type: string}}}\n  c: {type: object, properties: {kind: {type: string}}}",
			good: "x: {discriminator: {propertyName: kind}, oneOf: [{$ref: '#/$defs/b'}, {$ref: '#/$defs/c'}]}\n$defs:\n  b: {type: object, required: [kind], properties: {kind: {const: b}}}\n  c: {type: object, required: [kind], properties: {kind: {const: c}}}",
		},
	}
}

func valueRules() []rule {
	return []rule{
		{
			id: "pattern-not-checked", severity: Warning, what: "a pattern that cannot be checked", why: "Patterns are matched in time that grows only with the text. No way is known to do that for back references, so one is checked as if it could be any text that its group could match. Escapes and groups of other dialects, and groups that repeat thousands of times, are not checked either.",
			instead: "write it without those, or check it where the event is made", bad: `x: {type: string, pattern: '^(a|b)\1'}`, good: "x: {type: string, pattern: '^(aa|bb)'}",
		},
		{
			id: "format-not-checked", severity: Warning, what: "a format that is not known", why: "JSON Schema lets everybody invent formats; any value passes this one.",
			instead: "use a known format, a pattern, or types: in the config to give it a Go type", bad: "x: {type: string, format: phone}", good: "x: {type: string, pattern: '^[+][0-9]+$'}",
		},
		{
			id: "encoding-not-decoded", severity: Warning, what: "a contentEncoding that is not decoded", why: "The Go value is the encoded string.",
			instead: "use base64, base64url, base32 or base16 for bytes", bad: "x: {type: string, contentEncoding: uuencode}", good: "x: {type: string, contentEncoding: base64}",
		},
		{
			id: "content-not-checked", severity: Warning, what: "a schema for what is inside a string", why: "The Go value is the string; the document in it is neither decoded nor checked.",
			instead: "make it a member that is an object, or decode it where it is used", bad: "x: {type: string, contentMediaType: application/json, contentSchema: {type: object}}", good: "x: {type: object}",
		},
		{
			id: "default-not-used", severity: Warning, what: "a default that is not certain to be a value of the member's Go type", why: "Nothing fills it in; the member stays absent. Unions and tuples have no defaults in Go either.",
			instead: "write a default that meets the schema, or fill it in where the event is made", bad: "x: {type: object, required: [a], properties: {a: {type: string}}, default: {b: c}}", good: "x: {type: object, required: [a], properties: {a: {type: string}}, default: {a: b}}",
		},
		{
			id: "value-type", severity: Warning, what: "a default, example or listed value of the wrong type", why: "It would not be valid itself.",
			instead: "correct the value or the type", bad: "x: {type: string, default: 5}", good: "x: {type: string, default: five}",
		},
		{
			id: "value-constraint", severity: Warning, what: "a listed value that breaks a constraint beside the list", why: "It is never valid.",
			instead: "remove the value or the constraint", bad: "x: {enum: [a, b], pattern: a}", good: "x: {enum: [a, ab], pattern: a}",
		},
	}
}

func goRules() []rule {
	return []rule{
		{
			id: "name-contested", severity: Warning, what: "two different types that want one Go name", why: "One keeps it, by a rule that more events and libraries come first; the other one is named after its event or file, until a schema comes that changes who is first.",
			instead: "give it a title, or let both files refer to one definition",
			bad:     "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {a: {type: string}}}}\n-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {b: {type: string}}}}\n",
			good:    "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nproperties: {x: {title: Money, type: object, properties: {a: {type: string}}}}\n-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\nproperties: {x: {title: Price, type: object, properties: {b: {type: string}}}}\n",
		},
		{
			id: "name-taken", what: "a Go name that something else in the package has", why: "The package would not compile.",
			instead: "give the event another title, or rename what you wrote by hand",
			bad:     "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: InsertA\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
			good:    "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: AInserted\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
		},
		{
			id: "file-shared", what: "two events that want one file", why: "Their Go names differ only in capitals, which file names do not show.",
			instead: "give one of them another title",
			bad:     "-- a.yaml --\ntitle: UserID\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n-- b.yaml --\ntitle: UserId\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n",
			good:    "-- a.yaml --\ntitle: UserID\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n",
		},
		{
			id: "foreign-file", what: "a file that is not ours where a generated one must go", why: "Files that the generator has not written are never touched.",
			instead: "rename your file, or remove it",
		},
		{
			id: "out-internal", severity: Warning, what: "an output below a folder called internal, in a workspace where another module uses this one", why: "Go lets no package outside the folder around internal import it, so the consumers of the events cannot.",
			instead: "name a folder outside internal/ in out:, or leave it where no other module consumes the events",
		},
		{
			id: "output-link", what: "an output path that a symbolic link leads out of the project, or to nothing", why: "Nothing is written or removed outside the folder of the config.",
			instead: "replace the link with a folder or a file of the project, or write another path",
		},
		{
			id: "unreadable-output", what: "a file in the output folder that cannot be read", why: "It is not known whether it is ours.",
			instead: "fix its permissions",
		},
		{
			id: "package-mismatch", what: "a hand-written file of another package in the output folder", why: "A folder holds one package.",
			instead: "give package: in the config, or move the file",
		},
		{
			id: "import-cycle", what: "a Go type, or sqlc.package, that is the generated package itself", why: "A Go package cannot import itself.",
			instead: "declare the type, or have sqlc write, in a package of its own",
		},
	}
}

func tableRules() []rule {
	return []rule{
		{id: "migrations-missing", what: "a migrations folder that is not there", why: "sqlc compiles the insert statements against the service's own migrations.", instead: "correct sqlc.migrations in the config, or remove it to use ours"},
		{id: "migrations-empty", what: "a migrations folder without migrations", why: "There is no table to compile the insert statements against.", instead: "correct sqlc.migrations in the config, or add the migration that outboxgen migration prints"},
		{id: "migration-does-not-compile", what: "a statement about event_outbox that sqlc cannot read", why: "sqlc reads the statements of the migrations that make the table what it is.", instead: "correct the statement that is named, or leave sqlc.migrations out of the config to use our tables"},
		{id: "migration-not-followed", severity: Warning, what: "a DO block, a function or a string that may change the columns of event_outbox, or another file that a migration reads and that is not found", why: "What they do depends on what is not in the migrations, such as the rows of a query.", instead: "make the change in a statement of its own, in a later migration, with IF EXISTS or IF NOT EXISTS"},
		{id: "migration-unreadable", what: "a migration that the file system does not let outboxgen read", why: "What it does to event_outbox is not known.", instead: "make it a file that can be read, or leave sqlc.migrations out of the config to use our tables"},
		{id: "columns-of-query", severity: Warning, what: "an event_outbox that is a view, or made of a query, which sqlc does not understand", why: "Its columns are taken to be those that it should have.", instead: "compare them with the migration that outboxgen migration prints"},
		{id: "migration-skipped", severity: Note, what: "a migration that is written in Go or Java", why: "Only SQL is read.", instead: "where it changes event_outbox, say the same in a SQL migration, with IF EXISTS or IF NOT EXISTS, or leave sqlc.migrations out of the config"},
		{id: "table-missing", what: "no table event_outbox in the migrations", why: "Events are inserted into it.", instead: "add the migration that outboxgen migration prints"},
		{id: "table-schema", what: "the table event_outbox in another schema of the database", why: "The statements name the schema that the config gives.", instead: "correct sqlc.schema in the config"},
		{id: "column-missing", what: "a column that event_outbox does not have", why: "The insert statements fill it.", instead: "add the migration that outboxgen migration prints for an existing table"},
		{id: "column-type", what: "a column of event_outbox with another type", why: "The generated code would not fit it.", instead: "change the type in a migration, or remove the override of sqlc"},
		{id: "unique-index", severity: Warning, what: "a unique index or constraint of event_outbox beside its primary key", why: "An insert fails with 23505 while an earlier row has the same values. A dead row stays, so every later business transaction that inserts these values fails.", instead: "drop the index in a migration; to keep an event from being inserted twice, give it an id made with outbox.DeterministicID"},
		{id: "insert-does-not-compile", what: "insert statements that do not fit the service's tables", why: "sqlc checks them against the migrations.", instead: "compare event_outbox with the migration that outboxgen migration prints"},
	}
}
