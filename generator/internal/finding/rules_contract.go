package finding

// newEvent is the advice that always works.
const newEvent = "leave this version as it is and release the change as a new event version, with a type and a topic of its own"

func contractEventRules() []Rule {
	return []Rule{
		{
			ID:   "event-removed",
			What: "an event that is gone",
			Why: "Its consumers wait for events that nobody can write any more, the handlers generated for it no longer compile, " +
				"and rows that are still in the outbox, or records that are still in the topic, have no schema.",
			Fix: "keep the schema, mark it deprecated and stop inserting the event; once nobody consumes it and the topic is empty, " +
				"accept the removal with a reason under compat.accept in the project file",
		},
		{
			ID:   "event-type-changed",
			What: "an event whose type is another",
			Why: "event_type is what consumers tell events apart by: those who know the old one take the event for one that they do not know, " +
				"and skip it or stop.",
			Before: "x-outbox: {version: 1, type: shop.order_placed.v1, …}", After: "x-outbox: {version: 1, type: shop.orders.placed.v1, …}",
			Fix: newEvent,
		},
		{
			ID:   "event-version-changed",
			What: "an event whose version changed under the same type",
			Why: "Under one type there is one event version: consumers cannot tell the two apart, and Go code that uses the type of the old version " +
				"no longer compiles.",
			Before: "x-outbox: {version: 1, type: shop.order_placed, …}", After: "x-outbox: {version: 2, type: shop.order_placed, …}",
			Fix: "leave the old version in its file, and give the new one a file and a type of its own",
		},
		{
			ID: "go-name-changed", Severity: Warning,
			What:   "an event whose Go name is another",
			Why:    "Nothing changes on the wire. Go code in this and other repositories that uses the generated names no longer compiles.",
			Before: "title: OrderPlaced",
			After:  "title: PlacedOrder",
			Fix:    "keep the title, or give the old name under events: in the project file; else rename in all repositories that import the package",
		},
		{
			ID:   "released-version-changed",
			What: "a released event version that changed although compat.frozen is set",
			Why: "The project says that released versions are frozen: others may have copied, generated or registered them, and a second " +
				"meaning under the same name and version is one that they do not hear of. Even a compatible change counts.",
			Fix: newEvent,
		},
	}
}

func contractWireRules() []Rule {
	return []Rule{
		{
			ID:   "topic-changed",
			What: "an event that goes to another topic",
			Why: "Consumers read the old topic and get nothing any more, without an error. Who reads both has no order between the last events " +
				"there and the first ones here.",
			Before: "x-outbox: {type: shop.order_placed.v1, topic: shop.orders, …}", After: "x-outbox: {type: shop.order_placed.v1, topic: shop.orders.v2, …}",
			Fix: "keep the topic; or " + newEvent,
		},
		{
			ID:   "key-changed",
			What: "an event with another key",
			Why: "The key decides about the partition and the order: events about the same thing land in another partition than before and may " +
				"overtake earlier ones, and a compacted topic keeps both.",
			Before: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", After: "x-outbox: {aggregate: {type: order, id: /order_id}, key: /customer_id, …}",
			Fix: newEvent,
		},
		{
			ID:   "aggregate-type-changed",
			What: "an event about another kind of thing",
			Why: "Consumers, dashboards and replays that select by aggregate_type no longer find it beside the other events about the same thing, " +
				"and a CloudEvents subject has another prefix.",
			Before: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", After: "x-outbox: {aggregate: {type: purchase, id: /order_id}, …}",
			Fix: newEvent,
		},
		{
			ID:   "aggregate-id-changed",
			What: "an event with its aggregate id elsewhere",
			Why: "The same thing has another id in the outbox than before, and so another key where none is given: its events may overtake each other, " +
				"and who selects by the id finds half of them. Insert functions change their parameters where the id comes or goes.",
			Before: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", After: "x-outbox: {aggregate: {type: order, id: /number}, …}",
			Fix: newEvent,
		},
		{
			ID:     "correlation-changed",
			What:   "an event whose correlation id comes from elsewhere, or no longer from its data",
			Why:    "Traces and logs of one business process break in two: the header trace_id and correlation_id hold another value than before.",
			Before: "x-outbox: {correlation: /correlation_id, …}", After: "x-outbox: {correlation: /request_id, …}",
			Fix: "keep the pointer; where both are there, pass the correlation id when inserting",
		},
		{
			ID: "correlation-added", Severity: Warning,
			What: "an event whose correlation id comes from its data now",
			Why: "Where neither the caller nor the context gives a correlation id, it is now that of the data and no longer the event's own id. " +
				"Consumers that took the two to be equal are surprised.",
			Before: "x-outbox: {…}", After: "x-outbox: {correlation: /correlation_id, …}",
			Fix: "see that no consumer takes the correlation id for the event id",
		},
		{
			ID:     "envelope-changed",
			What:   "an event in another envelope",
			Why:    "The record's value has another form: no consumer that was built for the old one can decode it.",
			Before: "envelope: outbox", After: "envelope: cloudevents",
			Fix: newEvent + "; where the project's envelope changes, keep the old one with envelope: in x-outbox of the events that exist",
		},
		{
			ID: "schema-uri-changed", Severity: Warning,
			What:   "an event whose schema has another $id",
			Why:    "The envelope's data_schema_uri changes. Consumers that choose or fetch a schema by it no longer know the event.",
			Before: "$id: https://schemas.example.com/order_placed.v1",
			After:  "$id: https://schemas.example.com/orders/placed.v1",
			Fix:    "keep the $id: it is a name, and need not be where the file is",
		},
	}
}

func contractBeforeRules() []Rule {
	return []Rule{
		{
			ID:   "schema-type-changed",
			What: "a subject of the registry that holds no JSON Schema",
			Why: "The registry has Avro or Protobuf under that subject: it refuses a JSON Schema there, and consumers that decode the old format " +
				"cannot read the new one.",
			Fix: "use another topic, or another naming of subjects (compat.subjects in the project file)",
		},
		{
			ID: "earlier-unreadable", Severity: Warning,
			What: "an earlier version that cannot be judged",
			Why: "What the file was before is no sound schema, or an event that this version of outboxgen refuses. Changes against it are not judged, so " +
				"that it can be fixed.",
			Fix: "look at the change yourself",
		},
		{
			ID: "project-added", Severity: Note,
			What: "a project that was not there before",
			Why:  "There was no project file, or none of that service: every event is new, and nothing can break.",
			Fix:  "where the project came from elsewhere, compare with a copy: --against FOLDER",
		},
		{
			ID: "nothing-released", Severity: Note,
			What: "a project without a release",
			Why:  "compat.released in the project file names the tags that mark releases, and there is none yet: every event may still change.",
			Fix:  "if there are tags, see that the pattern matches them and that they are fetched (git fetch --tags)",
		},
		{
			ID: "acceptance-unused", Severity: Note,
			What: "an accepted change that is not there",
			Why:  "The entry under compat.accept accepts nothing: the change is merged by now, or its id or event is misspelled. Left there, it accepts the same change the next time.",
			Fix:  "remove the entry",
		},
	}
}

func contractOutputRules() []Rule {
	const run = "run outboxgen generate and commit what it writes"
	return []Rule{
		{
			ID:   "generated-file-stale",
			What: "a generated file that is not what its schema makes",
			Why:  "A schema, the project file or outboxgen itself changed, and the Go package was not generated again; or somebody edited it. What is compiled is not what was reviewed.",
			Fix:  run,
		},
		{
			ID:   "generated-file-missing",
			What: "a generated file that is not there",
			Why:  "An event has no Go code yet: it was not generated, or not committed.",
			Fix:  run,
		},
		{
			ID:   "generated-file-orphaned",
			What: "a generated file that belongs to no event",
			Why:  "Its event is gone, and so the package offers to insert what no schema describes.",
			Fix:  run,
		},
	}
}
