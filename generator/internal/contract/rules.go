package contract

import (
	"maps"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
)

// rule is one kind of finding.
type rule struct {
	id       string
	severity diag.Severity
	what     string // is found, in a few words
	why      string // it breaks somebody, and whom
	old, now string // an example: x-outbox before and after
	instead  string // how to make the change safely
}

// Explanation is what the catalogue says about one id.
type Explanation struct {
	ID string
	// Severity is that of the findings.
	Severity diag.Severity
	// What is found, in a few words.
	What string
	// Why says what breaks and for whom.
	Why string
	// Old and New are an example, before and after; both empty where there is
	// nothing to show.
	Old, New string
	// Instead says how to make the change safely.
	Instead string
}

// Explain looks up an id, in any case and with - or _ between its words.
func Explain(id string) (Explanation, bool) {
	r, ok := rules[strings.ReplaceAll(strings.ToUpper(id), "-", "_")]
	if !ok {
		return Explanation{}, false
	}
	return Explanation{ID: r.id, Severity: r.severity, What: r.what, Why: r.why, Old: r.old, New: r.now, Instead: r.instead}, true
}

// IDs is every id of this package, sorted.
func IDs() []string { return slices.Sorted(maps.Keys(rules)) }

// newVersion is the advice that always works.
const newVersion = "leave this version as it is and release the change as a new event version, with a type and a topic of its own"

var rules = catalogue()

func catalogue() map[string]*rule {
	all := map[string]*rule{}
	for _, group := range [][]rule{eventRules(), wireRules(), beforeRules(), outputRules()} {
		for _, r := range group {
			if _, twice := all[r.id]; twice {
				panic("contract: two rules " + r.id)
			}
			all[r.id] = &r
		}
	}
	return all
}

func eventRules() []rule {
	return []rule{
		{
			id:   "EVENT_REMOVED",
			what: "an event that is gone",
			why: "Its consumers wait for events that nobody can write any more, the handlers generated for it no longer compile, " +
				"and rows that are still in the outbox, or records that are still in the topic, have no schema.",
			instead: "keep the schema, mark it deprecated and stop inserting the event; once nobody consumes it and the topic is empty, " +
				"accept the removal with a reason under compat.accept in the project file",
		},
		{
			id:   "EVENT_TYPE_CHANGED",
			what: "an event whose type is another",
			why: "event_type is what consumers tell events apart by: those who know the old one take the event for one that they do not know, " +
				"and skip it or stop.",
			old: "x-outbox: {version: 1, type: shop.order_placed.v1, …}", now: "x-outbox: {version: 1, type: shop.orders.placed.v1, …}",
			instead: newVersion,
		},
		{
			id:   "EVENT_VERSION_CHANGED",
			what: "an event whose version changed under the same type",
			why: "Under one type there is one event version: consumers cannot tell the two apart, and Go code that uses the type of the old version " +
				"no longer compiles.",
			old: "x-outbox: {version: 1, type: shop.order_placed, …}", now: "x-outbox: {version: 2, type: shop.order_placed, …}",
			instead: "leave the old version in its file, and give the new one a file and a type of its own",
		},
		{
			id: "GO_NAME_CHANGED", severity: diag.Warning,
			what:    "an event whose Go name is another",
			why:     "Nothing changes on the wire. Go code in this and other repositories that uses the generated names no longer compiles.",
			old:     "title: OrderPlaced",
			now:     "title: PlacedOrder",
			instead: "keep the title, or give the old name under events: in the project file; else rename in all repositories that import the package",
		},
		{
			id:   "RELEASED_VERSION_CHANGED",
			what: "a released event version that changed although compat.frozen is set",
			why: "The project says that released versions are frozen: others may have copied, generated or registered them, and a second " +
				"meaning under the same name and version is one that they do not hear of. Even a compatible change counts.",
			instead: newVersion,
		},
	}
}

func wireRules() []rule {
	return []rule{
		{
			id:   "TOPIC_CHANGED",
			what: "an event that goes to another topic",
			why: "Consumers read the old topic and get nothing any more, without an error. Who reads both has no order between the last events " +
				"there and the first ones here.",
			old: "x-outbox: {type: shop.order_placed.v1, topic: shop.orders, …}", now: "x-outbox: {type: shop.order_placed.v1, topic: shop.orders.v2, …}",
			instead: "keep the topic; or " + newVersion,
		},
		{
			id:   "KEY_CHANGED",
			what: "an event with another key",
			why: "The key decides about the partition and the order: events about the same thing land in another partition than before and may " +
				"overtake earlier ones, and a compacted topic keeps both.",
			old: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", now: "x-outbox: {aggregate: {type: order, id: /order_id}, key: /customer_id, …}",
			instead: newVersion,
		},
		{
			id:   "AGGREGATE_TYPE_CHANGED",
			what: "an event about another kind of thing",
			why: "Consumers, dashboards and replays that select by aggregate_type no longer find it beside the other events about the same thing, " +
				"and a CloudEvents subject has another prefix.",
			old: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", now: "x-outbox: {aggregate: {type: purchase, id: /order_id}, …}",
			instead: newVersion,
		},
		{
			id:   "AGGREGATE_ID_CHANGED",
			what: "an event with its aggregate id elsewhere",
			why: "The same thing has another id in the outbox than before, and so another key where none is given: its events may overtake each other, " +
				"and who selects by the id finds half of them. Insert functions change their parameters where the id comes or goes.",
			old: "x-outbox: {aggregate: {type: order, id: /order_id}, …}", now: "x-outbox: {aggregate: {type: order, id: /number}, …}",
			instead: newVersion,
		},
		{
			id:   "CORRELATION_CHANGED",
			what: "an event whose correlation id comes from elsewhere, or no longer from its data",
			why:  "Traces and logs of one business process break in two: the header trace_id and correlation_id hold another value than before.",
			old:  "x-outbox: {correlation: /correlation_id, …}", now: "x-outbox: {correlation: /request_id, …}",
			instead: "keep the pointer; where both are there, pass the correlation id when inserting",
		},
		{
			id: "CORRELATION_ADDED", severity: diag.Warning,
			what: "an event whose correlation id comes from its data now",
			why: "Where neither the caller nor the context gives a correlation id, it is now that of the data and no longer the event's own id. " +
				"Consumers that took the two to be equal are surprised.",
			old: "x-outbox: {…}", now: "x-outbox: {correlation: /correlation_id, …}",
			instead: "see that no consumer takes the correlation id for the event id",
		},
		{
			id:   "ENVELOPE_CHANGED",
			what: "an event in another envelope",
			why:  "The record's value has another form: no consumer that was built for the old one can decode it.",
			old:  "envelope: outbox", now: "envelope: cloudevents",
			instead: newVersion + "; where the project's envelope changes, keep the old one with envelope: in x-outbox of the events that exist",
		},
		{
			id: "SCHEMA_URI_CHANGED", severity: diag.Warning,
			what:    "an event whose schema has another $id",
			why:     "The envelope's data_schema_uri changes. Consumers that choose or fetch a schema by it no longer know the event.",
			old:     "$id: https://schemas.example.com/order_placed.v1",
			now:     "$id: https://schemas.example.com/orders/placed.v1",
			instead: "keep the $id: it is a name, and need not be where the file is",
		},
	}
}

func beforeRules() []rule {
	return []rule{
		{
			id:   "SCHEMA_TYPE_CHANGED",
			what: "a subject of the registry that holds no JSON Schema",
			why: "The registry has Avro or Protobuf under that subject: it refuses a JSON Schema there, and consumers that decode the old format " +
				"cannot read the new one.",
			instead: "use another topic, or another naming of subjects (compat.subjects in the project file)",
		},
		{
			id: "EARLIER_UNREADABLE", severity: diag.Warning,
			what: "an earlier version that cannot be judged",
			why: "What the file was before is no sound schema, or an event that this version of outboxgen refuses. Changes against it are not judged, so " +
				"that it can be fixed.",
			instead: "look at the change yourself",
		},
		{
			id: "PROJECT_ADDED", severity: diag.Note,
			what:    "a project that was not there before",
			why:     "There was no project file, or none of that service: every event is new, and nothing can break.",
			instead: "where the project came from elsewhere, compare with a copy: --against FOLDER",
		},
		{
			id: "NOTHING_RELEASED", severity: diag.Note,
			what:    "a project without a release",
			why:     "compat.released in the project file names the tags that mark releases, and there is none yet: every event may still change.",
			instead: "if there are tags, see that the pattern matches them and that they are fetched (git fetch --tags)",
		},
		{
			id: "ACCEPTANCE_UNUSED", severity: diag.Note,
			what:    "an accepted change that is not there",
			why:     "The entry under compat.accept accepts nothing: the change is merged by now, or its id or event is misspelled. Left there, it accepts the same change the next time.",
			instead: "remove the entry",
		},
	}
}

func outputRules() []rule {
	const run = "run outboxgen generate and commit what it writes"
	return []rule{
		{
			id:      "GENERATED_FILE_STALE",
			what:    "a generated file that is not what its schema makes",
			why:     "A schema, the project file or outboxgen itself changed, and the Go package was not generated again; or somebody edited it. What is compiled is not what was reviewed.",
			instead: run,
		},
		{
			id:      "GENERATED_FILE_MISSING",
			what:    "a generated file that is not there",
			why:     "An event has no Go code yet: it was not generated, or not committed.",
			instead: run,
		},
		{
			id:      "GENERATED_FILE_ORPHANED",
			what:    "a generated file that belongs to no event",
			why:     "Its event is gone, and so the package offers to insert what no schema describes.",
			instead: run,
		},
	}
}
