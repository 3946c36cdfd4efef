// Package manyevents makes projects with as many event schemas as a benchmark
// wants. They are made up, and varied as those of a company with many services
// are: flat and nested objects, references into shared files, enums, unions,
// arrays, maps, formats, conditions; half of them YAML, half JSON; two
// to ten kilobytes each. The same number always gives the same files,
// and an event does not change when there are more of them.
package manyevents

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Most is how many different events there are.
const Most = subjectCount * verbCount

const (
	subjectCount = 40
	verbCount    = 25
)

// Project is the files of a project with n events, at most Most, by their path:
// outboxgen.yaml, n event schemas and the files that they share.
func Project(n int) map[string][]byte {
	files := map[string][]byte{
		"outboxgen.yaml": []byte("version: 1\nservice: many_events_service\nschemas: [schemas/**/*.yaml, schemas/**/*.json]\nout: events\n"),
	}
	for name, schema := range shared() {
		files["schemas/shared/"+name+".yaml"] = yaml(schema)
	}
	for i := range min(n, Most) {
		e := event{rand: rand.New(rand.NewPCG(uint64(i), 1)), subject: subjects[i%len(subjects)], verb: verbs[i/len(subjects)]}
		path := fmt.Sprintf("schemas/%s/%s_%s.v1", e.subject[0], strings.Join(e.subject[:], "_"), e.verb)
		if i%2 == 0 {
			files[path+".yaml"] = yaml(e.schema(i))
		} else {
			files[path+".json"] = json(e.schema(i))
		}
	}
	return files
}

// subjects are what the events are about: a service and a noun.
var subjects = [subjectCount][2]string{
	{"sales", "order"}, {"sales", "quote"}, {"sales", "discount"}, {"sales", "contract"}, {"sales", "lead"},
	{"billing", "invoice"}, {"billing", "payment"}, {"billing", "refund"}, {"billing", "subscription"}, {"billing", "payout"},
	{"shipping", "parcel"}, {"shipping", "route"}, {"shipping", "pickup"}, {"shipping", "carrier"}, {"shipping", "label"},
	{"stock", "item"}, {"stock", "shelf"}, {"stock", "count"}, {"stock", "transfer"}, {"stock", "supplier"},
	{"school", "essay"}, {"school", "batch"}, {"school", "assessment"}, {"school", "class"}, {"school", "course"},
	{"delivery", "build"}, {"delivery", "artifact"}, {"delivery", "test_run"}, {"delivery", "environment"}, {"delivery", "incident"},
	{"people", "account"}, {"people", "profile"}, {"people", "session"}, {"people", "consent"}, {"people", "team"},
	{"media", "upload"}, {"media", "clip"}, {"media", "caption"}, {"media", "playlist"}, {"media", "channel"},
}

var verbs = [verbCount]string{
	"created", "changed", "deleted", "requested", "approved", "rejected", "started", "finished", "failed", "queued",
	"cancelled", "expired", "renewed", "archived", "restored", "assigned", "released", "published", "locked", "unlocked",
	"merged", "split", "verified", "flagged", "escalated",
}

// event is one event on its way to be a schema.
type event struct {
	rand    *rand.Rand
	subject [2]string
	verb    string
	used    map[string]bool
}

func (e *event) schema(i int) object {
	name := strings.Join(e.subject[:], "_") + "_" + e.verb
	e.used = map[string]bool{"entity_id": true}
	properties := object{{"entity_id", object{
		{"type", "string"}, {"minLength", 1}, {"maxLength", 255}, {"description", "The " + e.subject[1] + " that the event is about."},
	}}}
	properties = append(properties, e.properties(4+e.rand.IntN(9), 0)...)
	schema := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "https://schemas.example.com/" + e.subject[0] + "/" + name + ".v1"},
		{"title", title(name)},
		{"description", sentence("Published when a "+e.subject[1]+" was "+e.verb+".", i)},
		{"x-outbox", object{
			{"version", 1}, {"type", "example." + e.subject[0] + "." + e.subject[1] + "." + e.verb + ".v1"},
			{"aggregate", object{{"type", e.subject[1]}, {"id", "/entity_id"}}},
		}},
		{"type", "object"},
		{"required", append(list{"entity_id"}, e.required(properties[1:])...)},
		{"properties", properties},
	}
	if e.rand.IntN(4) == 0 {
		schema = append(schema, member{"additionalProperties", false})
	}
	if i%7 == 0 {
		schema = append(schema, condition(properties)...)
	}
	return schema
}

// condition asks for the second property where the last one is there.
func condition(properties object) object {
	first, last := properties[1].name, properties[len(properties)-1].name
	return object{
		{"if", object{{"required", list{last}}}},
		{"then", object{{"required", list{first}}}},
	}
}

// required is about half of some properties.
func (e *event) required(properties object) list {
	var names list
	for _, p := range properties {
		if e.rand.IntN(2) == 0 {
			names = append(names, p.name)
		}
	}
	return names
}

var (
	adjectives = []string{"", "", "previous_", "external_", "primary_", "expected_", "final_", "source_", "target_", "last_"}
	stems      = map[kind][]string{
		text:      {"name", "reason", "comment", "reference", "region", "locale", "label", "code"},
		moment:    {"created_at", "due_at", "confirmed_at", "seen_at", "valid_until"},
		amount:    {"score", "quantity", "weight", "ratio", "attempts", "priority"},
		choice:    {"status", "stage", "channel", "severity", "method", "mode"},
		flag:      {"is_test", "is_urgent", "needs_review", "has_errors"},
		reference: {"actor", "price", "address", "storage", "system_metadata", "links"},
		nested:    {"context", "summary", "settings", "metrics", "origin", "limits"},
		array:     {"lines", "results", "steps", "attachments", "contacts"},
		tags:      {"tags", "categories", "warnings"},
		mapping:   {"attributes", "counters", "translations"},
		union:     {"outcome", "source", "subject", "change"},
		identity:  {"trace_id", "request_id", "tenant_id", "device_id"},
	}
	texts = []string{
		"As it was known at that time.", "Left out where nobody asked for it.", "Set by the service that owns it, never by a user.",
		"Kept for reports; nothing depends on it.", "In the words of the person who did it.",
	}
)

// kind is a sort of property.
type kind int

const (
	text kind = iota
	moment
	amount
	choice
	flag
	reference
	nested
	array
	tags
	mapping
	union
	identity
	kinds
)

// properties are n properties of an object that stands depth objects deep.
func (e *event) properties(n, depth int) object {
	var all object
	for len(all) < n {
		k := kind(e.rand.IntN(int(kinds)))
		if depth > 1 && (k == nested || k == array || k == union) {
			continue
		}
		stem := stems[k][e.rand.IntN(len(stems[k]))]
		name := adjectives[e.rand.IntN(len(adjectives))] + stem
		at := fmt.Sprint(depth, name)
		if e.used[at] {
			continue
		}
		e.used[at] = true
		schema := e.property(k, stem, name, depth)
		if e.rand.IntN(3) > 0 {
			schema = append(schema, member{"description", sentence("The "+strings.ReplaceAll(name, "_", " ")+".", e.rand.IntN(len(texts)))})
		}
		all = append(all, member{name, schema})
	}
	return all
}

func (e *event) property(k kind, stem, name string, depth int) object {
	switch k {
	case moment:
		return object{{"type", "string"}, {"format", "date-time"}}
	case amount:
		return e.amount()
	case choice:
		return object{{"type", "string"}, {"enum", e.choices(stem)}}
	case flag:
		return object{{"type", "boolean"}, {"default", e.rand.IntN(2) == 0}}
	case reference:
		return object{{"$ref", "../shared/" + stem + ".yaml"}}
	case nested:
		properties := e.properties(2+e.rand.IntN(4), depth+1)
		return object{{"type", "object"}, {"additionalProperties", e.rand.IntN(2) == 0}, {"required", e.required(properties)}, {"properties", properties}}
	case array:
		properties := e.properties(2+e.rand.IntN(5), depth+1)
		return object{
			{"type", "array"}, {"minItems", e.rand.IntN(2)}, {"maxItems", 1000},
			{"items", object{{"type", "object"}, {"required", e.required(properties)}, {"properties", properties}}},
		}
	case tags:
		return object{{"type", "array"}, {"uniqueItems", true}, {"items", object{{"type", "string"}, {"maxLength", 50}}}}
	case mapping:
		return object{{"type", "object"}, {"additionalProperties", object{{"type", []string{"string", "number", "integer"}[e.rand.IntN(3)]}}}}
	case union:
		return e.union(name, depth)
	case identity:
		return object{{"anyOf", list{object{{"type", "string"}, {"format", "uuid"}}, object{{"type", "null"}}}}}
	default:
		return e.text()
	}
}

func (e *event) text() object {
	switch e.rand.IntN(4) {
	case 0:
		return object{{"type", list{"string", "null"}}, {"maxLength", 100 + e.rand.IntN(400)}}
	case 1:
		return object{{"type", "string"}, {"pattern", fmt.Sprintf("^[A-Z]{2,%d}(-[0-9]+)?$", 3+e.rand.IntN(5))}}
	case 2:
		return object{{"type", "string"}, {"format", []string{"email", "uri", "date"}[e.rand.IntN(3)]}}
	default:
		return object{{"type", "string"}, {"minLength", 1}}
	}
}

func (e *event) amount() object {
	if e.rand.IntN(2) == 0 {
		return object{{"type", "integer"}, {"minimum", e.rand.IntN(2)}}
	}
	return object{{"type", "number"}, {"minimum", 0}, {"maximum", []int{1, 100, 1000}[e.rand.IntN(3)]}}
}

// choices are values that stand in this enum alone, or in those of others too.
func (e *event) choices(stem string) list {
	words := []string{"open", "waiting", "running", "done", "failed", "skipped", "manual", "automatic", "low", "high"}
	e.rand.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	var all list
	for _, w := range words[:3+e.rand.IntN(4)] {
		all = append(all, stem+"_"+w)
	}
	return all
}

// union is told apart by a const.
func (e *event) union(name string, depth int) object {
	var branches list
	for _, tag := range []string{"accepted", "partial", "refused"}[:2+e.rand.IntN(2)] {
		properties := append(object{{"kind", object{{"const", tag}}}}, e.properties(1+e.rand.IntN(3), depth+2)...)
		branches = append(branches, object{
			{"title", title(e.subject[1] + "_" + e.verb + "_" + name + "_" + tag)}, {"type", "object"}, {"required", list{"kind"}}, {"properties", properties},
		})
	}
	return object{{"oneOf", branches}}
}

// shared are the files that the events refer to, by name.
func shared() map[string]object {
	text := func(more ...member) object { return append(object{{"type", "string"}}, more...) }
	file := func(title, about string, required list, properties object) object {
		return object{
			{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}, {"description", about},
			{"type", "object"}, {"required", required}, {"properties", properties},
		}
	}
	return map[string]object{
		"actor": file("Actor", "Who did it.", list{"id", "kind"}, object{
			{"id", text(member{"format", "uuid"})}, {"kind", object{{"title", "ActorKind"}, {"enum", list{"user", "service", "schedule"}}}},
			{"display_name", object{{"type", list{"string", "null"}}}},
		}),
		"price": file("Price", "An amount of money.", list{"amount", "currency"}, object{
			{"amount", text(member{"pattern", `^-?[0-9]+(\.[0-9]{1,4})?$`})}, {"currency", text(member{"pattern", "^[A-Z]{3}$"})},
		}),
		"address": file("Address", "A postal address.", list{"lines", "country"}, object{
			{"lines", object{{"type", "array"}, {"minItems", 1}, {"items", text()}}},
			{"city", text()}, {"postal_code", text(member{"maxLength", 20})}, {"country", text(member{"minLength", 2}, member{"maxLength", 2})},
		}),
		"storage": file("Storage", "Where bytes lie.", list{"uri"}, object{
			{"uri", text(member{"format", "uri"})}, {"size_bytes", object{{"type", "integer"}, {"minimum", 0}}}, {"sha256", text(member{"pattern", "^[0-9a-f]{64}$"})},
		}),
		"system_metadata": file("SystemMetadata", "What the machinery knows of an event.", list{"entity_type"}, object{
			{"entity_type", text()}, {"entity_id", text()}, {"parent_id", object{{"type", list{"string", "null"}}}},
			{"timestamp", text(member{"format", "date-time"})}, {"error_info", object{{"type", "object"}, {"additionalProperties", true}}},
			{"actor", object{{"$ref", "actor.yaml"}}},
		}),
		"links": {
			{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Links"}, {"type", "array"},
			{"items", object{{"$ref", "#/$defs/link"}}},
			{"$defs", object{{"link", object{
				{"title", "Link"}, {"type", "object"}, {"required", list{"rel", "href"}}, {"additionalProperties", false},
				{"properties", object{{"rel", text(member{"minLength", 1})}, {"href", text(member{"format", "uri-reference"})}, {"tags", object{{"type", "object"}, {"additionalProperties", text()}}}}},
			}}}},
		},
	}
}

// title is a name in snake case as the title of a schema.
func title(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func sentence(first string, i int) string { return first + " " + texts[i%len(texts)] }
