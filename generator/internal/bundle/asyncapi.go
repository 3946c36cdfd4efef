package bundle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/record"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
	"github.com/outboxgen/outboxgen/runtime/format"
)

// Service is what a document of AsyncAPI says about the service.
type Service struct {
	Name        string
	Version     string // of the document
	Owner       string // whom to ask; "": unknown
	Description string
	// Strict is whether the project follows validation: strict.
	Strict bool
}

// The names of components that several messages share.
const (
	outboxEnvelopeName = "OutboxEnvelope"
	cloudEventName     = "CloudEvent"
	headersName        = "RecordHeaders"
	correlationName    = "correlationId"
)

// AsyncAPI returns the events as one document of AsyncAPI 3.0, in indented JSON. The
// payload of a message is the value of the event's records, with the envelope. The list
// has a warning for each constraint that AsyncAPI cannot express.
func AsyncAPI(service Service, events []*schema.Event) ([]byte, *finding.List, error) {
	a := &asyncAPI{service: service, list: &finding.List{}, shared: map[string]string{}, correlations: map[string]string{}, validator: validator.New(service.Strict)}
	a.bundler = bundler{names: map[*schema.Schema]string{}, under: "/components/schemas"}
	for _, e := range events {
		if a.names[e.Schema] == "" {
			a.names[e.Schema] = schema.ComponentKey(e.GoName)
		}
	}
	for _, e := range events {
		a.target(e.Schema)
	}
	a.reserve(events)

	messages := &object{}
	for _, e := range events {
		messages.add(schema.ComponentKey(e.GoName), a.message(e))
		if e.Tombstone {
			messages.add(schema.ComponentKey(e.GoName)+tombstoneSuffix, a.tombstone(e))
		}
	}
	doc := &object{}
	doc.text("asyncapi", "3.0.0")
	doc.add("info", service.info())
	doc.text("x-comment", schema.ExportedAsyncAPI)
	doc.text("defaultContentType", "application/json")
	doc.add("channels", channels(events))
	doc.add("operations", operations(events))
	doc.add("components", a.components(messages))
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(doc.String()), "", "  "); err != nil {
		return nil, nil, fmt.Errorf("the document of AsyncAPI is not valid JSON: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), a.list, nil
}

// info returns what the document says about the service.
func (s Service) info() string {
	o := &object{}
	o.text("title", s.Name)
	o.text("version", s.Version)
	o.optional("description", s.Description)
	if s.Owner != "" {
		o.add("contact", contact(s.Owner))
	}
	return o.String()
}

// contact returns an owner as a contact. An address of mail or of a page at its end has a
// member of its own: the import puts the three together with commas.
func contact(owner string) string {
	name, email, address := owner, "", ""
	if rest, last := cutLast(name); isPage(last) {
		name, address = rest, last
	}
	if rest, last := cutLast(name); format.Valid(last, "email") {
		name, email = rest, last
	}
	o := &object{}
	o.optional("name", name)
	o.optional("url", address)
	o.optional("email", email)
	return o.String()
}

// cutLast cuts the last part of a list with commas off.
func cutLast(list string) (rest, last string) {
	const comma = ", "
	if i := strings.LastIndex(list, comma); i >= 0 {
		return list[:i], list[i+len(comma):]
	}
	return "", list
}

// isPage reports whether a text is the address of a page.
func isPage(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && format.Valid(text, "uri")
}

// asyncAPI writes one document.
type asyncAPI struct {
	bundler

	service      Service
	validator    *validator.Validator
	list         *finding.List
	shared       map[string]string // schemas that are no one's own, by name
	correlations map[string]string // places of correlation ids, by name
}

// reserve names the schemas so that the names of envelopes and events stay free.
func (a *asyncAPI) reserve(events []*schema.Event) {
	reserved := []*schema.Schema{}
	reserve := func(name string) {
		placeholder := &schema.Schema{}
		a.names[placeholder] = name
		reserved = append(reserved, placeholder)
	}
	for _, name := range []string{outboxEnvelopeName, cloudEventName, headersName} {
		reserve(name)
	}
	for _, e := range events {
		reserve(schema.ComponentKey(e.GoName))
		reserve(envelopeName(e))
	}
	a.nameBranches()
	a.assign()
	for _, placeholder := range reserved {
		delete(a.names, placeholder)
	}
}

func envelopeName(e *schema.Event) string { return schema.ComponentKey(e.GoName) + "Envelope" }

// tombstoneSuffix ends the keys of messages that delete a key.
const tombstoneSuffix = "Tombstone"

// channels returns a channel for each topic, with its messages.
func channels(events []*schema.Event) string {
	all := &object{}
	for _, topic := range topics(events) {
		messages := &object{}
		for _, e := range events {
			if e.Topic != topic {
				continue
			}
			for _, name := range messageNames(e) {
				messages.add(name, reference("#/components/messages/"+name))
			}
		}
		kafka := &object{}
		kafka.text("topic", topic)
		kafka.text("bindingVersion", "0.5.0")
		channel := &object{}
		channel.text("address", topic)
		channel.add("messages", messages.String())
		channel.add("bindings", `{"kafka":`+kafka.String()+`}`)
		all.add(topic, channel.String())
	}
	return all.String()
}

// topics returns the topics of events, sorted.
func topics(events []*schema.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Topic)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// messageNames returns the names of the messages of an event.
func messageNames(e *schema.Event) []string {
	names := []string{schema.ComponentKey(e.GoName)}
	if e.Tombstone {
		names = append(names, schema.ComponentKey(e.GoName)+tombstoneSuffix)
	}
	return names
}

// operations returns an operation for each event: the service sends or receives it.
func operations(events []*schema.Event) string {
	all := &object{}
	for _, e := range events {
		channel := "#/channels/" + e.Topic
		operation := &object{}
		does := "send"
		if e.Consumed {
			does = "receive"
		}
		operation.text("action", does)
		operation.add("channel", reference(channel))
		operation.add("messages", array(messageNames(e), func(name string) string { return reference(channel + "/messages/" + name) }))
		all.add(does+schema.ComponentKey(e.GoName), operation.String())
	}
	return all.String()
}

// message returns the message of an event.
func (a *asyncAPI) message(e *schema.Event) string {
	o := &object{}
	o.text("name", e.Type)
	o.text("title", messageTitle(e))
	o.optional("description", e.ShownDescription())
	if e.Envelope == "cloudevents" {
		o.text("contentType", "application/cloudevents+json")
	} else {
		o.text("contentType", "application/json")
	}
	o.add("headers", a.headers(e))
	o.add("correlationId", a.correlation(e))
	o.add("payload", a.payload(e))
	if examples := a.examples(e); len(examples) > 0 {
		o.add("examples", "["+strings.Join(examples, ",")+"]")
	}
	if e.Keyed {
		o.add("bindings", a.keyBinding(e, ""))
	}
	o.add("x-outbox", extension(e))
	return o.String()
}

// tombstone returns the message of the records that delete a key.
func (a *asyncAPI) tombstone(e *schema.Event) string {
	o := &object{}
	o.text("name", e.Type+".tombstone")
	o.text("title", messageTitle(e)+" (tombstone)")
	o.text("description", "Deletes what was published under the key. The value of the record is null.")
	o.add("headers", a.headers(e))
	o.add("payload", `{"type":"null"}`)
	o.add("bindings", a.keyBinding(e, "The key of the events that are deleted."))
	o.add("x-outbox", "false")
	return o.String()
}

// messageTitle returns the title of a message: that of the event, or else the Go name without
// the version.
func messageTitle(e *schema.Event) string { return cmp.Or(e.ShownTitle(), nameOf(e)) }

// nameOf returns the Go name of an event without the version.
func nameOf(e *schema.Event) string { return strings.TrimSuffix(e.GoName, versionSuffix(e)) }

func versionSuffix(e *schema.Event) string { return fmt.Sprintf("V%d", e.Version) }

// named reports whether the Go name of an event follows from the title of its message.
func named(e *schema.Event) bool {
	return strings.TrimSuffix(goname.Title(messageTitle(e)), versionSuffix(e)) == nameOf(e)
}

// examples returns the examples of a message, as records.
func (a *asyncAPI) examples(e *schema.Event) []string {
	var all []string
	for _, data := range e.Examples {
		if pos, problem := a.validator.Problem(e.Schema, data); problem != "" {
			a.list.Add(finding.Finding{
				Pos: pos, Severity: finding.Warning, ID: "asyncapi-export-loses",
				Message: "the exported document omits this example of the message, because it is not valid: " + finding.Printable(problem),
				Hint:    "fix the example or the schema",
			})
			continue
		}
		service := a.service.Name
		if e.Consumed {
			service = record.OtherService
		}
		all = append(all, `{"payload":`+record.Of(e, service, data, a.service.Strict).Value+`}`)
	}
	return all
}

// extension returns the x-outbox of a message: what AsyncAPI does not say.
func extension(e *schema.Event) string {
	x := &object{}
	x.number("version", &schema.Number{Text: fmt.Sprint(e.Version)})
	if !named(e) {
		x.text("name", nameOf(e))
	}
	x.text("envelope", e.Envelope)
	if e.Envelope != "none" {
		x.text("payload", "envelope")
	}
	aggregate := &object{}
	aggregate.text("type", e.AggregateType)
	if e.AggregateID != nil {
		aggregate.text("id", e.AggregateID.Text)
	}
	x.add("aggregate", aggregate.String())
	switch {
	case !e.Keyed:
		x.add("key", "null")
	case e.Key != nil:
		x.text("key", e.Key.Text)
	}
	if e.Correlation != nil {
		x.text("correlation", e.Correlation.Text)
	}
	x.flag("tombstone", e.Tombstone)
	compat := &object{}
	compat.optional("level", e.OwnCompat.Level)
	compat.optional("policy", e.OwnCompat.Policy)
	if len(compat.members) > 0 {
		x.add("compat", compat.String())
	}
	x.optional("data_schema_uri", e.SchemaURI)
	return x.String()
}

// correlation says where the correlation id of a record is.
func (a *asyncAPI) correlation(e *schema.Event) string {
	name, location := correlationName+"Header", "$message.header#/trace_id"
	switch e.Envelope {
	case "outbox":
		name, location = correlationName, "$message.payload#/correlation_id"
	case "cloudevents":
		name, location = correlationName+"CloudEvent", "$message.payload#/correlationid"
	}
	o := &object{}
	o.text("description", "The same for all events of one business operation.")
	o.text("location", location)
	a.correlations[name] = o.String()
	return reference("#/components/correlationIds/" + name)
}

// components returns the messages, and everything that they share.
func (a *asyncAPI) components(messages *object) string {
	o := &object{}
	o.add("messages", messages.String())
	correlations := &object{}
	for _, name := range sortedNames(a.correlations) {
		correlations.add(name, a.correlations[name])
	}
	o.add("correlationIds", correlations.String())
	for _, target := range a.targets {
		a.shared[a.names[target]] = a.draft7(a.titled(target))
	}
	schemas := &object{}
	for _, name := range sortedNames(a.shared) {
		schemas.add(name, a.shared[name])
	}
	o.add("schemas", schemas.String())
	return o.String()
}
