package contract

import (
	"fmt"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Compare returns the changes of an event other than those of its schema.
func Compare(now *schema.Event, before Before) []finding.Finding {
	old := before.Event
	c := &comparison{now: now, before: before}
	if old.Type != now.Type {
		c.found("event-type-changed", "type", fmt.Sprintf("the type of the event changed from %s to %s: consumers of the old type do not know the new one",
			finding.Quote(old.Type), finding.Quote(now.Type)))
	}
	if old.Version != now.Version {
		c.found("event-version-changed", "version", fmt.Sprintf("the version under the type %s changed from %d to %d: consumers cannot tell the two apart",
			finding.Quote(now.Type), old.Version, now.Version))
	}
	// If the topic is the type, it changes with the type and is not reported again.
	if old.Topic != now.Topic && (old.Type == now.Type || old.Topic != old.Type || now.Topic != now.Type) {
		member := "topic"
		if c.now.Place(member) == c.now.Pos {
			member = "type"
		}
		c.found("topic-changed", member, fmt.Sprintf("the topic changed from %s to %s: consumers of the old one receive nothing more",
			finding.Quote(old.Topic), finding.Quote(now.Topic)))
	}
	if old.Envelope != now.Envelope {
		c.found("envelope-changed", "envelope", fmt.Sprintf("the envelope changed from %s to %s: consumers of the old one cannot decode the new one", old.Envelope, now.Envelope))
	}
	if old.AggregateType != now.AggregateType {
		c.found("aggregate-type-changed", "aggregate.type", fmt.Sprintf("the aggregate type changed from %s to %s: a filter by it finds only some of the events",
			finding.Quote(old.AggregateType), finding.Quote(now.AggregateType)))
	}
	c.ids()
	c.tombstones()
	if old.Service.Text != now.Service.Text {
		c.foundAt("service-renamed", now.Service.Pos, old.Service.Pos, fmt.Sprintf("the service was renamed from %s to %s, and with it the source of its events: a filter by it finds only some of them",
			finding.Quote(old.Service.Text), finding.Quote(now.Service.Text)))
	}
	if old.SchemaURI != now.SchemaURI {
		pos := now.Schema.Pos
		for _, name := range []string{"$id", "id"} {
			if at, ok := now.Schema.At[name]; ok {
				pos = at
			}
		}
		c.foundAt("schema-uri-changed", pos, old.Schema.Pos, fmt.Sprintf("the $id changed from %s to %s, and with it the envelope's data_schema_uri",
			orNone(old.SchemaURI), orNone(now.SchemaURI)))
	}
	if old.GoName != now.GoName && old.Version == now.Version {
		c.foundAt("go-name-changed", titlePlace(now), titlePlace(old), fmt.Sprintf("the Go name changed from %s to %s: code that uses the old name no longer compiles", old.GoName, now.GoName))
	}
	return c.findings
}

type comparison struct {
	now      *schema.Event
	before   Before
	findings []finding.Finding
}

// found adds a finding about a member of x-outbox.
func (c *comparison) found(id, member, message string) {
	c.foundAt(id, c.now.Place(member), c.before.Event.Place(member), message)
}

func (c *comparison) foundAt(id string, pos, old finding.Pos, message string) {
	c.findings = append(c.findings, found(id, c.now.Type, pos, c.before.pos(old), message))
}

// found returns a finding of a rule about events.
func found(id, event string, pos, old finding.Pos, message string) finding.Finding {
	r, _ := finding.Lookup(id)
	return finding.Finding{
		Pos: pos, Severity: r.Severity, ID: id, Message: message, Hint: r.Fix,
		Old: finding.Place{Pos: old}, Event: event,
	}
}

// ids compares the sources of the aggregate id, the key and the correlation id. If the
// key is the aggregate id, it changes with it and is not reported again.
func (c *comparison) ids() {
	old, now := c.before.Event, c.now
	if !same(old.AggregateID, now.AggregateID) {
		c.found("aggregate-id-changed", "aggregate.id", fmt.Sprintf("the aggregate id changed from %s to %s: the same aggregate has another id than before",
			idSource(old.AggregateID), idSource(now.AggregateID)))
	}
	before, after := key(old), key(now)
	if before != after && (old.Key != nil || now.Key != nil || old.Keyed != now.Keyed) {
		c.found("key-changed", "key", fmt.Sprintf("the key changed from %s to %s: events with the new key go to another partition and can overtake earlier ones", before, after))
	}
	switch {
	case same(old.Correlation, now.Correlation):
	case old.Correlation == nil:
		c.found("correlation-added", "correlation", fmt.Sprintf("the correlation id now comes from %s unless the caller sets one", pointed(now.Correlation)))
	case now.Correlation == nil:
		c.found("correlation-changed", "correlation", fmt.Sprintf("the correlation id no longer comes from %s", pointed(old.Correlation)))
	default:
		c.found("correlation-changed", "correlation", fmt.Sprintf("the correlation id came from %s and now comes from %s", pointed(old.Correlation), pointed(now.Correlation)))
	}
	c.correlationType()
}

// tombstones compares whether the event has tombstones.
func (c *comparison) tombstones() {
	switch old, now := c.before.Event.Tombstone, c.now.Tombstone; {
	case now && !old:
		c.found("tombstone-added", "tombstone", "the event has tombstones now: consumers get records with a null value, which they did not get before")
	case old && !now:
		c.found("tombstone-removed", "tombstone", "the event has no tombstones any more: what was published under a key can no longer be deleted")
	}
}

// correlationType compares what correlation ids can be.
func (c *comparison) correlationType() {
	if !c.before.Event.CorrelationUUID || c.now.CorrelationUUID {
		return // a UUID is a text too
	}
	c.found("correlation-changed", "correlation", "correlation ids were UUIDs and can be any text now: consumers that read them as UUIDs fail")
	c.findings[len(c.findings)-1].Hint = "write correlation_id: uuid in outboxgen.yaml again"
}

// same reports whether two pointers, each of which may be missing, are equal.
func same(old, now *schema.Name) bool {
	return (old == nil) == (now == nil) && (old == nil || old.Text == now.Text)
}

// pointed describes the target of a pointer. "" is the whole value.
func pointed(pointer *schema.Name) string {
	if pointer.Text == "" {
		return "the event data itself"
	}
	return pointer.Text + " of the data"
}

func idSource(pointer *schema.Name) string {
	if pointer == nil {
		return "a parameter of the insert function"
	}
	return pointed(pointer)
}

// key describes the source of an event's key.
func key(e *schema.Event) string {
	switch {
	case !e.Keyed:
		return "none"
	case e.Key != nil:
		return idSource(e.Key)
	case e.AggregateID != nil:
		return idSource(e.AggregateID)
	}
	return "the aggregate id, a parameter of the insert function"
}

func orNone(id string) string {
	if id == "" {
		return "nothing"
	}
	return finding.Quote(id)
}

func titlePlace(e *schema.Event) finding.Pos {
	if pos, ok := e.Schema.At["title"]; ok {
		return pos
	}
	return e.Pos
}

// Options configure Schemas.
type Options struct {
	All    bool // include compatible changes
	Frozen bool // report any change except annotations
	// Specification is true for a project with validation: spec, whose readers do not
	// check formats.
	Specification bool
}

// Schemas compares the schema of an event with earlier ones, the oldest first, at the
// event's level and policy. A change against several of them is reported only for the
// latest.
func Schemas(now *schema.Event, earlier []Before, opts Options) []finding.Finding {
	level, policy := compat.Level(now.Compat.Level), compat.Policy(now.Compat.Policy).For(opts.Specification)
	if !level.Transitive() && len(earlier) > 1 {
		earlier = earlier[len(earlier)-1:]
	}
	type key struct {
		pos                    finding.Pos
		id, message, direction string
	}
	told := map[key]bool{}
	var findings []finding.Finding
	for i := len(earlier) - 1; i >= 0; i-- {
		before := earlier[i]
		for _, change := range compat.Check(now.Schema, []*schema.Schema{before.Schema}, level, policy) {
			k := key{change.Pos, change.ID, change.Message, change.Change.Direction}
			if told[k] || change.Severity == finding.Note && !opts.All && !change.Change.Told() {
				continue
			}
			told[k] = true
			change.Old.Pos = before.pos(change.Old.Pos)
			in := "a file"
			if now.Within != nil {
				in = "a message"
			}
			change.Hint = finding.InVersion(change.Hint, in, nextVersion(now))
			change.Event, change.Change.Level, change.Change.Policy = now.Type, now.Compat.Level, now.Compat.Policy
			findings = append(findings, change)
		}
	}
	return findings
}

// nextVersion returns what x-outbox of a new version of an event says.
func nextVersion(e *schema.Event) string {
	next := e.Version + 1
	return fmt.Sprintf("x-outbox: {version: %d, type: %s.v%d, …}", next, schema.Family(e.Type, e.Version), next)
}

// Frozen reports that the schema of a released version changed, compatibly or not.
func Frozen(now *schema.Event, before Before) []finding.Finding {
	changes := compat.Check(now.Schema, []*schema.Schema{before.Schema}, compat.Full, compat.Strict)
	if len(changes) == 0 {
		return nil
	}
	c := changes[0]
	return []finding.Finding{found("released-version-changed", now.Type, c.Pos, before.pos(c.Old.Pos),
		"the event version is released and frozen, but its schema changed: "+c.ID)}
}

// Removed returns the finding for a removed event; pos is the place where it could be
// declared.
func Removed(before Before, pos finding.Pos) finding.Finding {
	e := before.Event
	return found("event-removed", e.Type, pos, before.pos(e.Pos),
		fmt.Sprintf("the event %s (%s, version %d) was removed: its consumers receive nothing more, and the remaining rows and records have no schema", finding.Quote(e.Type), e.GoName, e.Version))
}

// NowConsumed returns the finding for an event that another service publishes now, as the
// present event says.
func NowConsumed(before Before, now *schema.Event) finding.Finding {
	e := before.Event
	pos := now.Place("role")
	f := found("event-removed", e.Type, pos, before.pos(e.Pos),
		fmt.Sprintf("the project no longer publishes the event %s (%s, version %d): it only consumes it, so the generated package has no insert functions for it, and its consumers receive nothing more from this service", finding.Quote(e.Type), e.GoName, e.Version))
	f.Hint = "if another service publishes the event now, accept the change with a reason under compat.accept in the project file; otherwise write role: publish in x-outbox"
	if now.Within != nil && pos == now.Pos { // its operations say so
		f.Hint += " of the message, or let an operation send it; in AsyncAPI 2, asyncapi: {publish: …} in the project file says which operations send"
	}
	return f
}

// Found returns a finding of this package's rules that is not about an event itself.
func Found(id, event string, pos finding.Pos, message string) finding.Finding {
	return found(id, event, pos, finding.Pos{}, message)
}
