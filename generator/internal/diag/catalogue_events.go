package diag

func eventRules() []rule {
	// event is a schema of an event around the members of its x-outbox.
	event := func(members string) string {
		return "title: A\nx-outbox: {" + members + "}\ntype: object\nrequired: [id]\nproperties:\n  id: {type: string}\n  tags: {type: array, items: {type: string}}\n  note: {type: string}\n"
	}
	return []rule{
		{
			id: "no-events", severity: Warning, what: "a project without events", why: "None of the schema files has x-outbox, and the config lists no events, so there is nothing to generate.",
			instead: "add x-outbox to a schema, or describe the event under events: in the config", bad: "-- lib.yaml --\ntitle: A\ntype: object\n", good: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			id: "bad-version", what: "a version that is no whole number from 1 on", why: "The event version is part of the Go name; the version of the config says how to read it.",
			instead: "write a whole number", bad: event("version: 1.5, type: a.v1, aggregate: {type: a}"), good: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			id: "version-mismatch", severity: Warning, what: "an event type that ends in another version than the event's", why: "Readers of the type will take it for that version.",
			instead: "change one of them", bad: event("version: 2, type: a.v1, aggregate: {type: a}"), good: event("version: 2, type: a.v2, aggregate: {type: a}"),
		},
		{
			id: "bad-name", what: "a name that cannot be used", why: "It is empty, too long for its column, or no name that Go or Kafka takes.",
			instead: "write a name as the message says", bad: event("version: 1, type: a.v1, aggregate: {type: ''}"), good: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			id: "bad-topic", what: "a topic that Kafka does not take", why: "A topic has 1 to 249 letters, digits, dots, underscores and hyphens. It is the event's type unless it is given.",
			instead: "give topic in x-outbox", bad: event("version: 1, type: a.v1, topic: 'a b', aggregate: {type: a}"), good: event("version: 1, type: a.v1, topic: a-b, aggregate: {type: a}"),
		},
		{
			id: "bad-choice", what: "an invalid value of a setting", why: "It would be without effect.",
			instead: "write one of those that the message lists", bad: event("version: 1, type: a.v1, envelope: cloudevent, aggregate: {type: a}"), good: event("version: 1, type: a.v1, envelope: cloudevents, aggregate: {type: a}"),
		},
		{
			id: "bad-pointer", what: "a JSON Pointer that is not one, or leads nowhere in the event data", why: "The aggregate id, the key and the correlation id are read from the data when an event is inserted.",
			instead: "write a slash before each name on the way, as in /batch/id", bad: event("version: 1, type: a.v1, aggregate: {type: a, id: /idd}"), good: event("version: 1, type: a.v1, aggregate: {type: a, id: /id}"),
		},
		{
			id: "pointer-not-found", what: "a JSON Pointer to a member that the schema does not describe", why: "The aggregate id, the key and the correlation id are read from fields of the Go type.",
			instead: "point to a member under properties, or describe the member",
		},
		{
			id: "pointer-type", what: "a JSON Pointer to a value that is no id", why: "The aggregate id, the key and the correlation id are text: of a string, an integer or a uuid.",
			instead: "point to such a member",
		},
		{
			id: "pointer-optional", severity: Warning, what: "a JSON Pointer to a member that may be missing", why: "An event without it cannot be inserted.",
			instead: "add the member to required", bad: event("version: 1, type: a.v1, aggregate: {type: a, id: /note}"), good: event("version: 1, type: a.v1, aggregate: {type: a, id: /id}"),
		},
		{
			id: "misplaced-x-outbox", what: "x-outbox inside a schema", why: "An event is described at the top of its file.",
			instead: "move it there, or describe the event under events: in the config", bad: "x: {type: string, x-outbox: {version: 1}}", good: "x: {type: string}",
		},
		{
			id: "event-described-twice", what: "an event that its file and the config describe", why: "It would not be known which counts.",
			instead: "keep one of them", bad: "-- outboxgen.yaml --\nversion: 1\nservice: s\nschemas: [a.yaml]\nout: events\nevents:\n  - {schema: a.yaml, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.yaml --\n" + event("version: 1, type: a.v1, aggregate: {type: a}"),
			good: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			id: "duplicate-type", what: "two events of one type", why: "Consumers choose the decoder by the type.",
			instead: "give one of them another type", bad: "-- a.yaml --\n" + event("version: 1, type: a.v1, aggregate: {type: a}") + "-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: a.v1, aggregate: {type: b}}\ntype: object\n",
			good: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			id: "event-may-be-null", severity: Warning, what: "event data that is an object or null", why: "Null is no event. The Go type is that of the object, and null is refused.",
			instead: "leave null out of the schema", bad: "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: [object, 'null']\n", good: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
	}
}

func configRules() []rule {
	// config is a project file with these members beside a schema.
	config := func(members string) string {
		return "-- outboxgen.yaml --\nversion: 1\nservice: s\n" + members + "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n"
	}
	plain := config("schemas: [a.yaml]\nout: events\n")
	return []rule{
		{
			id: "bad-glob", what: "a pattern of schemas: that matches no schema file", why: "Most often a folder was renamed, and its schemas would be missing without a word.",
			instead: "correct the pattern: * is part of a name, ** any folders; schema files end in .yaml, .yml or .json", bad: config("schemas: [schema/*.yaml]\nout: events\n"), good: plain,
		},
		{
			id: "bad-path", what: "a path with backslashes", why: "Paths in the config are the same on every platform.",
			instead: "write forward slashes", bad: config("schemas: [a.yaml]\nout: 'pkg\\events'\n"), good: plain,
		},
		{
			id: "bad-package", what: "a name that is no package name", why: "The generated package has to be importable.",
			instead: "give package: in the config, in lower-case letters and digits", bad: config("schemas: [a.yaml]\nout: events\npackage: func\n"), good: plain,
		},
		{
			id: "bad-import-path", what: "sqlc.package that is no import path of this module or of one that it requires", why: "The generated package imports the package that the service's sqlc writes.",
			instead: "write the module's path and the folder, as in example.com/service/internal/db",
		},
		{
			id: "bad-type", what: "a Go type that is written wrongly", why: "types: in the config maps a format or a reference to a Go type, which is imported.",
			instead: "write import/path.Name, or one of Go's own types", bad: config("schemas: [a.yaml]\nout: events\ntypes: {money: 'my money'}\n"), good: config("schemas: [a.yaml]\nout: events\ntypes: {money: example.com/money.Amount}\n"),
		},
		{
			id: "unused-member", what: "a setting of sqlc that the mode does not use", why: "It would be without effect.",
			instead: "remove it, or write mode: queries", bad: config("schemas: [a.yaml]\nout: events\nsqlc: {mode: embedded, queries: q}\n"), good: config("schemas: [a.yaml]\nout: events\nsqlc: {mode: embedded}\n"),
		},
	}
}
