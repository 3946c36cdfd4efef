package contract

import (
	"fmt"

	"github.com/outboxgen/outboxgen/generator/internal/compat"
	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/report"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Compare says what changed between an event as it was and as it is, other than
// in its schema.
func Compare(now *schema.Event, before Before) []report.Finding {
	old := before.Event
	c := &comparison{now: now, before: before}
	if old.Type != now.Type {
		c.found("EVENT_TYPE_CHANGED", "type", fmt.Sprintf("the type of the event was %s and is %s: consumers that know the one do not know the other",
			diag.Quote(old.Type), diag.Quote(now.Type)))
	}
	if old.Version != now.Version {
		c.found("EVENT_VERSION_CHANGED", "version", fmt.Sprintf("the version under the type %s was %d and is %d: consumers cannot tell the two apart",
			diag.Quote(now.Type), old.Version, now.Version))
	}
	// A topic that is the type is another one with it, and is not told twice.
	if old.Topic != now.Topic && (old.Type == now.Type || old.Topic != old.Type || now.Topic != now.Type) {
		member := "topic"
		if c.now.Place(member) == c.now.Pos {
			member = "type"
		}
		c.found("TOPIC_CHANGED", member, fmt.Sprintf("the topic was %s and is %s: consumers of the old one get nothing any more",
			diag.Quote(old.Topic), diag.Quote(now.Topic)))
	}
	if old.Envelope != now.Envelope {
		c.found("ENVELOPE_CHANGED", "envelope", fmt.Sprintf("the envelope was %s and is %s: consumers that decode the one cannot decode the other", old.Envelope, now.Envelope))
	}
	if old.AggregateType != now.AggregateType {
		c.found("AGGREGATE_TYPE_CHANGED", "aggregate.type", fmt.Sprintf("the aggregate type was %s and is %s: who selects by it finds half of the events",
			diag.Quote(old.AggregateType), diag.Quote(now.AggregateType)))
	}
	c.ids()
	if old.Schema.ID != now.Schema.ID {
		pos := now.Schema.Pos
		for _, name := range []string{"$id", "id"} {
			if at, ok := now.Schema.At[name]; ok {
				pos = at
			}
		}
		c.foundAt("SCHEMA_URI_CHANGED", pos, old.Schema.Pos, fmt.Sprintf("the $id was %s and is %s, so that the envelope's data_schema_uri is another",
			orNone(old.Schema.ID), orNone(now.Schema.ID)))
	}
	if old.GoName != now.GoName && old.Version == now.Version {
		c.foundAt("GO_NAME_CHANGED", titlePlace(now), titlePlace(old), fmt.Sprintf("the Go name was %s and is %s: code that uses it no longer compiles", old.GoName, now.GoName))
	}
	return c.findings
}

type comparison struct {
	now      *schema.Event
	before   Before
	findings []report.Finding
}

// found adds a finding about a member of x-outbox.
func (c *comparison) found(id, member, message string) {
	c.foundAt(id, c.now.Place(member), c.before.Event.Place(member), message)
}

func (c *comparison) foundAt(id string, pos, old diag.Pos, message string) {
	c.findings = append(c.findings, finding(id, c.now.Type, pos, c.before.pos(old), message))
}

// finding is one of this package's own.
func finding(id, event string, pos, old diag.Pos, message string) report.Finding {
	r := rules[id]
	f := report.Finding{
		Finding: diag.Finding{Pos: pos, Severity: r.severity, ID: id, Message: message, Hint: r.instead},
		Old:     report.Place{Pos: old}, Details: map[string]any{},
	}
	if event != "" {
		f.Details["event"] = event
	}
	return f
}

// ids compares where the aggregate id, the key and the correlation id come
// from. A key that is the aggregate id changes with it, and is not told twice.
func (c *comparison) ids() {
	old, now := c.before.Event, c.now
	if !same(old.AggregateID, now.AggregateID) {
		c.found("AGGREGATE_ID_CHANGED", "aggregate.id", fmt.Sprintf("the aggregate id was %s and is %s: the same thing has another id than before",
			idSource(old.AggregateID), idSource(now.AggregateID)))
	}
	before, after := key(old), key(now)
	if before != after && (old.Key != nil || now.Key != nil || old.Keyed != now.Keyed) {
		c.found("KEY_CHANGED", "key", fmt.Sprintf("the key was %s and is %s: events about the same thing go to another partition and may overtake earlier ones", before, after))
	}
	switch {
	case same(old.Correlation, now.Correlation):
	case old.Correlation == nil:
		c.found("CORRELATION_ADDED", "correlation", fmt.Sprintf("the correlation id comes from %s now, where nobody gives another", pointed(now.Correlation)))
	case now.Correlation == nil:
		c.found("CORRELATION_CHANGED", "correlation", fmt.Sprintf("the correlation id came from %s, and no longer does", pointed(old.Correlation)))
	default:
		c.found("CORRELATION_CHANGED", "correlation", fmt.Sprintf("the correlation id came from %s and comes from %s", pointed(old.Correlation), pointed(now.Correlation)))
	}
}

// same reports whether two pointers, either of which may be left out, are one.
func same(old, now *schema.Name) bool {
	return (old == nil) == (now == nil) && (old == nil || old.Text == now.Text)
}

// pointed says what a pointer leads to. "" is the whole value.
func pointed(pointer *schema.Name) string {
	if pointer.Text == "" {
		return "the event data itself"
	}
	return pointer.Text + " of the data"
}

func idSource(pointer *schema.Name) string {
	switch {
	case pointer == nil:
		return "a parameter of the insert function"
	case pointer.Text == "":
		return "the event data itself"
	}
	return "at " + pointer.Text
}

// key says where the key of an event comes from.
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
		return "not there"
	}
	return diag.Quote(id)
}

func titlePlace(e *schema.Event) diag.Pos {
	if pos, ok := e.Schema.At["title"]; ok {
		return pos
	}
	return e.Pos
}

// Options say how schemas are compared.
type Options struct {
	All    bool // tell of compatible changes as well
	Frozen bool // any change beyond annotations is a finding
}

// Schemas holds the schema of an event against earlier ones, the oldest first,
// by the event's own level and policy. What is found against several of them is
// told of the latest alone.
func Schemas(now *schema.Event, earlier []Before, opts Options) []report.Finding {
	level, policy := compat.Level(now.Compat.Level), compat.Policy(now.Compat.Policy)
	if !level.Transitive() && len(earlier) > 1 {
		earlier = earlier[len(earlier)-1:]
	}
	type key struct {
		pos         diag.Pos
		id, message string
		direction   compat.Direction
	}
	told := map[key]bool{}
	var findings []report.Finding
	for i := len(earlier) - 1; i >= 0; i-- {
		before := earlier[i]
		for _, change := range compat.Check(now.Schema, []*schema.Schema{before.Schema}, level, policy) {
			k := key{change.Pos, change.ID, change.Message, change.Direction}
			if told[k] || change.Compatible && !change.Unseen && !opts.All {
				continue
			}
			told[k] = true
			findings = append(findings, changed(now, before, change))
		}
	}
	return findings
}

// changed is a change of a schema as a finding.
func changed(now *schema.Event, before Before, c compat.Change) report.Finding {
	return report.Finding{
		Finding: c.Finding(), Pointer: c.Pointer, HasPointer: true,
		Old: report.Place{Pos: before.pos(c.OldPos), Pointer: c.OldPointer},
		Details: map[string]any{
			"compatible": c.Compatible, "direction": c.Direction,
			"event": now.Type, "level": now.Compat.Level, "policy": now.Compat.Policy,
		},
	}
}

// Frozen finds that the schema of a released version changed, compatibly or not.
func Frozen(now *schema.Event, before Before) []report.Finding {
	changes := compat.Check(now.Schema, []*schema.Schema{before.Schema}, compat.Full, compat.Strict)
	if len(changes) == 0 {
		return nil
	}
	c := changes[0]
	return []report.Finding{finding("RELEASED_VERSION_CHANGED", now.Type, c.Pos, before.pos(c.OldPos),
		"the event version is released and frozen, and its schema changed: "+c.ID)}
}

// Removed is the finding about an event that is gone; pos is where it could be
// named.
func Removed(before Before, pos diag.Pos) report.Finding {
	e := before.Event
	return finding("EVENT_REMOVED", e.Type, pos, before.pos(e.Pos),
		fmt.Sprintf("the event %s (%s, version %d) is gone: its consumers wait in vain, and rows and records that are left have no schema", diag.Quote(e.Type), e.GoName, e.Version))
}

// Found is a finding of one of this package's rules about what surrounds the
// events.
func Found(id, event string, pos diag.Pos, message string) report.Finding {
	return finding(id, event, pos, diag.Pos{}, message)
}
