package finding

// newEvent is the fix that always works.
const newEvent = "keep this version and release the change as a new event version with its own type and topic"

func contractEventRules() []Rule {
	return []Rule{
		{
			ID:   "event-removed",
			What: "a removed event",
			Why: "Producers can no longer write the event, but its consumers still wait for it. Their generated handlers no longer compile. Rows in the " +
				"outbox and records in the topic have no schema any more.",
			Fix: "keep the schema, mark it deprecated and stop inserting the event; once there are no consumers and the topic is empty, accept the removal " +
				"with a reason under compat.accept in the project file",
		},
		{
			ID:     "event-type-changed",
			What:   "an event with another type",
			Why:    "Consumers identify events by event_type. Those that know the old type skip the event or stop.",
			Before: "x-outbox: {version: 1, type: shop.order_placed.v1, …}", After: "x-outbox: {version: 1, type: shop.orders.placed.v1, …}",
			Fix: newEvent,
		},
		{
			ID:     "event-version-changed",
			What:   "an event with another version under the same type",
			Why:    "A type has one event version. Consumers cannot tell the two versions apart, and Go code that uses the type of the old version no longer compiles.",
			Before: "x-outbox: {version: 1, type: shop.order_placed, …}", After: "x-outbox: {version: 2, type: shop.order_placed, …}",
			Fix: "keep the old version in its file, and put the new version into its own file with its own type",
		},
		{
			ID: "go-name-changed", Severity: Warning,
			What:   "an event with another Go name",
			Why:    "Nothing changes in the records. Go code in this and other repositories that uses the generated names no longer compiles.",
			Before: "title: OrderPlaced",
			After:  "title: PlacedOrder",
			Fix:    "keep the title, or set the old name under events: in the project file; otherwise update all repositories that import the package",
		},
		{
			ID:   "released-version-changed",
			What: "a change to a released event version although compat.frozen is set",
			Why: "The project freezes released versions: others may have copied, generated or registered them, and would not notice a second meaning of the " +
				"same version. Even a compatible change is reported.",
			Fix: newEvent,
		},
	}
}

func contractWireRules() []Rule {
	return []Rule{
		{
			ID:   "topic-changed",
			What: "an event with another topic",
			Why: "Consumers of the old topic receive nothing more, without an error. Consumers of both topics see no order between the last events of the old " +
				"one and the first of the new one.",
			Before: "x-outbox: {type: shop.order_placed.v1, topic: shop.orders, …}", After: "x-outbox: {type: shop.order_placed.v1, topic: shop.orders.v2, …}",
			Fix: "keep the topic; or " + newEvent,
		},
		{
			ID:   "key-changed",
			What: "an event with another key",
			Why: "The key decides the partition and the order. Events with the new key go to another partition and can overtake earlier ones, and a compacted " +
				"topic keeps both.",
			Before: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", After: "x-outbox: {aggregate: {type: order, id: /order_id}, key: /customer_id, …}",
			Fix: newEvent,
		},
		{
			ID:     "aggregate-type-changed",
			What:   "an event with another aggregate type",
			Why:    "Consumers, dashboards and replays that filter by aggregate_type miss the event, and the CloudEvents subject has another prefix.",
			Before: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", After: "x-outbox: {aggregate: {type: purchase, id: /order_id}, …}",
			Fix: newEvent,
		},
		{
			ID:   "aggregate-id-changed",
			What: "an event whose aggregate id comes from another place",
			Why: "The same aggregate gets another id in the outbox, and another key if no key is set. Its events can overtake each other, and a filter by the " +
				"id finds only some of them. If the pointer was added or removed, the parameters of the insert function change.",
			Before: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", After: "x-outbox: {aggregate: {type: order, id: /number}, …}",
			Fix: newEvent,
		},
		{
			ID:     "correlation-changed",
			What:   "an event whose correlation id comes from another place, or no longer from its data, or is no longer always a UUID",
			Why:    "Traces and logs of one business process break apart: the header trace_id and the field correlation_id have another value than before. Consumers that read correlation ids as UUIDs fail on another text.",
			Before: "x-outbox: {correlation: /correlation_id, …}", After: "x-outbox: {correlation: /request_id, …}",
			Fix: "keep the pointer; if the data has both ids, pass the correlation id to the insert function",
		},
		{
			ID: "correlation-added", Severity: Warning,
			What:   "an event whose correlation id now comes from its data",
			Why:    "If neither the caller nor the context sets a correlation id, it was the event's own id until now. Consumers that assume that the two are equal break.",
			Before: "x-outbox: {…}", After: "x-outbox: {correlation: /correlation_id, …}",
			Fix: "check that no consumer uses the correlation id as the event id",
		},
		{
			ID:   "tombstone-added",
			What: "an event that has tombstones now",
			Why: "Consumers of today get records with a null value. Generated handlers skip these, and keep what was deleted. Consumers in other languages " +
				"often fail on them, because they decode every value.",
			Before: "x-outbox: {…}", After: "x-outbox: {tombstone: true, …}",
			Fix: "make the consumers ready for a null value first, then accept the change with a reason under compat.accept in the project file; or " + newEvent,
		},
		{
			ID: "tombstone-removed", Severity: Warning,
			What: "an event that has no tombstones any more",
			Why: "Code that calls the functions for tombstones no longer compiles. Consumers that delete what a tombstone names keep it from now on, and a compacted " +
				"topic keeps the last record of every key.",
			Before: "x-outbox: {tombstone: true, …}", After: "x-outbox: {…}",
			Fix: "keep tombstone: true as long as keys are deleted; or tell consumers in another way, for example with an event",
		},
		{
			ID: "service-renamed", Severity: Warning,
			What: "a service with another name in the project file",
			Why: "The name is source_service of the envelope (source of a CloudEvent) and of the header. Consumers, dashboards and alerts that filter by it miss the " +
				"events. It is also the key of the wake-ups: until the relay's setting service has the new name, the relay finds events only at its next query.",
			Before: "service: shop", After: "service: orders",
			Fix: "keep the name; or tell the consumers, and change the relay's setting service in the same release",
		},
		{
			ID:     "envelope-changed",
			What:   "an event with another envelope",
			Why:    "The record's value has another format. Consumers built for the old one cannot decode it.",
			Before: "envelope: outbox", After: "envelope: cloudevents",
			Fix: newEvent + "; if the project's envelope changes, set envelope: in x-outbox of existing events to the old one",
		},
		{
			ID: "schema-uri-changed", Severity: Warning,
			What:   "an event whose schema has another $id",
			Why:    "The envelope's data_schema_uri changes. Consumers that select or fetch a schema by it no longer recognize the event.",
			Before: "$id: https://schemas.example.com/order_placed.v1",
			After:  "$id: https://schemas.example.com/orders/placed.v1",
			Fix:    "keep the $id: it is a name and need not be the address of the file",
		},
	}
}

func contractBeforeRules() []Rule {
	return []Rule{
		{
			ID:   "schema-type-changed",
			What: "a registry subject that does not hold JSON Schema",
			Why:  "The subject holds Avro or Protobuf. The registry rejects a JSON Schema there, and consumers that decode the old format cannot read the new one.",
			Fix:  "use another topic, or another subject naming (compat.subjects in the project file)",
		},
		{
			ID: "earlier-unreadable", Severity: Warning,
			What: "an earlier version that cannot be compared",
			Why: "The old file is not a valid schema, or it contains an event that this release of outboxgen rejects. It is not compared, " +
				"so that it does not stop you from fixing the file.",
			Fix: "review the change yourself",
		},
		{
			ID: "project-added", Severity: Note,
			What: "a project that did not exist before",
			Why:  "There was no project file, or none of that service. Every event is new, so nothing can break.",
			Fix:  "if the project came from elsewhere, compare with a copy: --against FOLDER",
		},
		{
			ID: "nothing-released", Severity: Note,
			What: "a project without a release",
			Why:  "compat.released in the project file selects the tags that mark releases. No tag matches, so every event may still change.",
			Fix:  "if there are tags, check the pattern and fetch them (git fetch --tags)",
		},
		{
			ID: "acceptance-unused", Severity: Note,
			What: "an accepted change that does not exist",
			Why: "The entry under compat.accept has no effect: the change is already merged, or its id or event is misspelled. Left in place, it would accept " +
				"the same change the next time.",
			Fix: "remove the entry",
		},
	}
}

func contractOutputRules() []Rule {
	const run = "run outboxgen generate and commit the result"
	return []Rule{
		{
			ID:   "generated-file-stale",
			What: "a generated file that does not match its schema",
			Why:  "A schema, the project file or outboxgen itself changed without a new generate, or the file was edited. The compiled code is not the reviewed one.",
			Fix:  run,
		},
		{
			ID:   "generated-file-missing",
			What: "a missing generated file",
			Why:  "An event has no Go code: it was not generated or not committed.",
			Fix:  run,
		},
		{
			ID:   "generated-file-orphaned",
			What: "a generated file without an event",
			Why:  "The event was removed, but the package can still insert it.",
			Fix:  run,
		},
	}
}
