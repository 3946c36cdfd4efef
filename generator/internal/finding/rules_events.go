package finding

func eventRules() []Rule {
	// event is a schema of an event around the members of its x-outbox.
	event := func(members string) string {
		return "title: A\nx-outbox: {" + members + "}\ntype: object\nrequired: [id]\nproperties:\n  id: {type: string}\n  tags: {type: array, items: {type: string}}\n  note: {type: string}\n"
	}
	return []Rule{
		{
			ID: "no-events", Severity: Warning, What: "a project without events", Why: "None of the schema files has x-outbox, and the config lists no events, so there is nothing to generate.",
			Fix: "add x-outbox to a schema, or describe the event under events: in the config", Before: "-- lib.yaml --\ntitle: A\ntype: object\n", After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "bad-version", What: "a version that is no whole number from 1 on", Why: "The event version is part of the Go name; the version of the config says how to read it.",
			Fix: "write a whole number", Before: event("version: 1.5, type: a.v1, aggregate: {type: a}"), After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "version-mismatch", Severity: Warning, What: "an event type that ends in another version than the event's", Why: "Readers of the type will take it for that version.",
			Fix: "change one of them", Before: event("version: 2, type: a.v1, aggregate: {type: a}"), After: event("version: 2, type: a.v2, aggregate: {type: a}"),
		},
		{
			ID: "bad-name", What: "a name that cannot be used", Why: "It is empty, too long for its column, or no name that Go or Kafka takes.",
			Fix: "write a name as the message says", Before: event("version: 1, type: a.v1, aggregate: {type: ''}"), After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "bad-topic", What: "a topic that Kafka does not take", Why: "A topic has 1 to 249 letters, digits, dots, underscores and hyphens. It is the event's type unless it is given.",
			Fix: "give topic in x-outbox", Before: event("version: 1, type: a.v1, topic: 'a b', aggregate: {type: a}"), After: event("version: 1, type: a.v1, topic: a-b, aggregate: {type: a}"),
		},
		{
			ID: "bad-choice", What: "an invalid value of a setting", Why: "It would be without effect.",
			Fix: "write one of those that the message lists", Before: event("version: 1, type: a.v1, envelope: cloudevent, aggregate: {type: a}"), After: event("version: 1, type: a.v1, envelope: cloudevents, aggregate: {type: a}"),
		},
		{
			ID: "bad-pointer", What: "a JSON Pointer that is not one, or leads nowhere in the event data", Why: "The aggregate id, the key and the correlation id are read from the data when an event is inserted.",
			Fix: "write a slash before each name on the way, as in /batch/id", Before: event("version: 1, type: a.v1, aggregate: {type: a, id: /idd}"), After: event("version: 1, type: a.v1, aggregate: {type: a, id: /id}"),
		},
		{
			ID: "pointer-not-found", What: "a JSON Pointer to a member that the schema does not describe", Why: "The aggregate id, the key and the correlation id are read from fields of the Go type.",
			Fix: "point to a member under properties, or describe the member",
		},
		{
			ID: "pointer-type", What: "a JSON Pointer to a value that is no id", Why: "The aggregate id, the key and the correlation id are text: of a string, an integer or a uuid.",
			Fix: "point to such a member",
		},
		{
			ID: "pointer-optional", Severity: Warning, What: "a JSON Pointer to a member that may be missing", Why: "An event without it cannot be inserted.",
			Fix: "add the member to required", Before: event("version: 1, type: a.v1, aggregate: {type: a, id: /note}"), After: event("version: 1, type: a.v1, aggregate: {type: a, id: /id}"),
		},
		{
			ID: "misplaced-x-outbox", What: "x-outbox inside a schema", Why: "An event is described at the top of its file.",
			Fix: "move it there, or describe the event under events: in the config", Before: "x: {type: string, x-outbox: {version: 1}}", After: "x: {type: string}",
		},
		{
			ID: "event-described-twice", What: "an event that its file and the config describe", Why: "It would not be known which counts.",
			Fix: "keep one of them", Before: "-- outboxgen.yaml --\nversion: 1\nservice: s\nschemas: [a.yaml]\nout: events\nevents:\n  - {schema: a.yaml, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.yaml --\n" + event("version: 1, type: a.v1, aggregate: {type: a}"),
			After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "duplicate-type", What: "two events of one type", Why: "Consumers choose the decoder by the type.",
			Fix: "give one of them another type", Before: "-- a.yaml --\n" + event("version: 1, type: a.v1, aggregate: {type: a}") + "-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: a.v1, aggregate: {type: b}}\ntype: object\n",
			After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "event-may-be-null", Severity: Warning, What: "event data that is an object or null", Why: "Null is no event. The Go type is that of the object, and null is refused.",
			Fix: "leave null out of the schema", Before: "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: [object, 'null']\n", After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
	}
}

func configRules() []Rule {
	// config is a project file with these members beside a schema.
	config := func(members string) string {
		return "-- outboxgen.yaml --\nversion: 1\nservice: s\n" + members + "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n"
	}
	plain := config("schemas: [a.yaml]\nout: events\n")
	return []Rule{
		{
			ID: "bad-glob", What: "a pattern of schemas: that matches no schema file", Why: "Most often a folder was renamed, and its schemas would be missing without a word.",
			Fix: "correct the pattern: * is part of a name, ** any folders; schema files end in .yaml, .yml or .json", Before: config("schemas: [schema/*.yaml]\nout: events\n"), After: plain,
		},
		{
			ID: "bad-path", What: "a path with backslashes", Why: "Paths in the config are the same on every platform.",
			Fix: "write forward slashes", Before: config("schemas: [a.yaml]\nout: 'pkg\\events'\n"), After: plain,
		},
		{
			ID: "bad-package", What: "a name that is no package name", Why: "The generated package has to be importable.",
			Fix: "give package: in the config, in lower-case letters and digits", Before: config("schemas: [a.yaml]\nout: events\npackage: func\n"), After: plain,
		},
		{
			ID: "bad-import-path", What: "sqlc.package that is no import path of this module or of one that it requires", Why: "The generated package imports the package that the service's sqlc writes.",
			Fix: "write the module's path and the folder, as in example.com/service/internal/db",
		},
		{
			ID: "bad-type", What: "a Go type that is written wrongly", Why: "types: in the config maps a format or a reference to a Go type, which is imported.",
			Fix: "write import/path.Name, or one of Go's own types", Before: config("schemas: [a.yaml]\nout: events\ntypes: {money: 'my money'}\n"), After: config("schemas: [a.yaml]\nout: events\ntypes: {money: example.com/money.Amount}\n"),
		},
		{
			ID: "unused-member", What: "a setting of sqlc that the mode does not use", Why: "It would be without effect.",
			Fix: "remove it, or write mode: queries", Before: config("schemas: [a.yaml]\nout: events\nsqlc: {mode: embedded, queries: q}\n"), After: config("schemas: [a.yaml]\nout: events\nsqlc: {mode: embedded}\n"),
		},
	}
}
