package finding

func eventRules() []Rule {
	// event is a schema of an event around the members of its x-outbox.
	event := func(members string) string {
		return "title: A\nx-outbox: {" + members + "}\ntype: object\nrequired: [id]\nproperties:\n  id: {type: string}\n  tags: {type: array, items: {type: string}}\n  note: {type: string}\n"
	}
	return []Rule{
		{
			ID: "no-events", Severity: Warning, What: "a project without events", Why: "No schema file has x-outbox, and the project file lists no events. There is nothing to generate.",
			Fix: "add x-outbox to a schema, or describe the event under events: in the project file", Before: "-- lib.yaml --\ntitle: A\ntype: object\n", After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "bad-version", What: "a version that is not a positive whole number", Why: "The event version is part of the Go name. The version of the project file selects its format.",
			Fix: "write a whole number", Before: event("version: 1.5, type: a.v1, aggregate: {type: a}"), After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "version-mismatch", Severity: Warning, What: "an event type that ends in another version than the event's", Why: "Consumers see the version in the type.",
			Fix: "change one of them", Before: event("version: 2, type: a.v1, aggregate: {type: a}"), After: event("version: 2, type: a.v2, aggregate: {type: a}"),
		},
		{
			ID: "bad-name", What: "an invalid name", Why: "The name is empty, too long for its column, or not valid in Go or Kafka.",
			Fix: "use a name of the form that the message describes", Before: event("version: 1, type: a.v1, aggregate: {type: ''}"), After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "bad-topic", What: "a topic name that Kafka does not allow", Why: "A topic name has 1 to 249 ASCII letters, digits, dots, underscores and hyphens. Without topic: it is the event's type.",
			Fix: "set topic: in x-outbox", Before: event("version: 1, type: a.v1, topic: 'a b', aggregate: {type: a}"), After: event("version: 1, type: a.v1, topic: a-b, aggregate: {type: a}"),
		},
		{
			ID: "bad-choice", What: "an invalid value of a setting", Why: "The setting would have no effect.",
			Fix: "use one of the values that the message lists", Before: event("version: 1, type: a.v1, envelope: cloudevent, aggregate: {type: a}"), After: event("version: 1, type: a.v1, envelope: cloudevents, aggregate: {type: a}"),
		},
		{
			ID: "bad-pointer", What: "an invalid JSON Pointer, or one that leads nowhere in the event data", Why: "The aggregate id, the key and the correlation id are read from the data when an event is inserted.",
			Fix: "write a slash before each name of the path, as in /batch/id", Before: event("version: 1, type: a.v1, aggregate: {type: a, id: /idd}"), After: event("version: 1, type: a.v1, aggregate: {type: a, id: /id}"),
		},
		{
			ID: "pointer-not-found", What: "a JSON Pointer to a member that the schema does not describe", Why: "The aggregate id, the key and the correlation id are read from fields of the Go type.",
			Fix: "point to a member under properties, or describe the member",
		},
		{
			ID: "pointer-type", What: "a JSON Pointer to a value that cannot be an id", Why: "The aggregate id, the key and the correlation id are text. They come from a string, an integer or a UUID.",
			Fix: "point to such a member",
		},
		{
			ID: "pointer-optional", Severity: Warning, What: "a JSON Pointer to a member that may be missing", Why: "An event without the member cannot be inserted.",
			Fix: "add the member to required", Before: event("version: 1, type: a.v1, aggregate: {type: a, id: /note}"), After: event("version: 1, type: a.v1, aggregate: {type: a, id: /id}"),
		},
		{
			ID: "tombstone-without-key", What: "tombstones of an event without a key", Why: "A tombstone is a record with a key and a null value: it deletes what was published under the key.",
			Fix: "give the event a key, or remove tombstone: true", Before: event("version: 1, type: a.v1, aggregate: {type: a}, key: null, tombstone: true"),
			After: event("version: 1, type: a.v1, aggregate: {type: a, id: /id}, tombstone: true"),
		},
		{
			ID: "misplaced-x-outbox", What: "x-outbox inside a nested schema", Why: "x-outbox describes an event at the top level of its file.",
			Fix: "move it there, or describe the event under events: in the project file", Before: "x: {type: string, x-outbox: {version: 1}}", After: "x: {type: string}",
		},
		{
			ID: "event-described-twice", What: "an event that both its file and the project file describe", Why: "It is unclear which description applies.",
			Fix: "remove one of them", Before: "-- outboxgen.yaml --\nversion: 1\nservice: s\nschemas: [a.yaml]\nout: events\nevents:\n  - {schema: a.yaml, version: 1, type: a.v1, aggregate: {type: a}}\n-- a.yaml --\n" + event("version: 1, type: a.v1, aggregate: {type: a}"),
			After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "duplicate-type", What: "two events with the same type", Why: "Consumers choose the decoder by the type.",
			Fix: "change the type of one of them", Before: "-- a.yaml --\n" + event("version: 1, type: a.v1, aggregate: {type: a}") + "-- b.yaml --\ntitle: B\nx-outbox: {version: 1, type: a.v1, aggregate: {type: b}}\ntype: object\n",
			After: event("version: 1, type: a.v1, aggregate: {type: a}"),
		},
		{
			ID: "event-may-be-null", Severity: Warning, What: "event data that may be null", Why: "Null is not an event. The Go type is that of the object, and null is rejected.",
			Fix: "remove null from the schema", Before: "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: [object, 'null']\n", After: event("version: 1, type: a.v1, aggregate: {type: a}"),
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
			ID: "bad-glob", What: "a pattern of schemas: that matches no schema file", Why: "Most often a folder was renamed. Without this error its events would silently disappear.",
			Fix: "correct the pattern: * matches a part of a name, ** any folders; schema files end in .yaml, .yml or .json", Before: config("schemas: [schema/*.yaml]\nout: events\n"), After: plain,
		},
		{
			ID: "bad-path", What: "a path with backslashes", Why: "Paths in the project file have the same form on every platform.",
			Fix: "use forward slashes", Before: config("schemas: [a.yaml]\nout: 'pkg\\events'\n"), After: plain,
		},
		{
			ID: "bad-package", What: "an invalid Go package name", Why: "The generated package has to be importable.",
			Fix: "set package: in the project file, in lower-case letters and digits", Before: config("schemas: [a.yaml]\nout: events\npackage: func\n"), After: plain,
		},
		{
			ID: "bad-import-path", What: "a sqlc.package that is not an import path of this module or of a module that it requires", Why: "The generated package imports the package that the service's sqlc generates.",
			Fix: "write the module's path and the folder, as in example.com/service/internal/db",
		},
		{
			ID: "bad-type", What: "an invalid Go type", Why: "types: in the project file maps a format or a reference to a Go type, which the generated code imports.",
			Fix: "write import/path.Name, or a built-in type of Go", Before: config("schemas: [a.yaml]\nout: events\ntypes: {money: 'my money'}\n"), After: config("schemas: [a.yaml]\nout: events\ntypes: {money: example.com/money.Amount}\n"),
		},
		{
			ID: "unused-member", What: "a setting of sqlc that the mode does not use", Why: "The setting would have no effect.",
			Fix: "remove it, or set mode: queries", Before: config("schemas: [a.yaml]\nout: events\nsqlc: {mode: embedded, queries: q}\n"), After: config("schemas: [a.yaml]\nout: events\nsqlc: {mode: embedded}\n"),
		},
	}
}
