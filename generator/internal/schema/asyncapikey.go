package schema

import (
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// apiAggregate sets the key and the aggregate of the event, unless x-outbox has them.
func (l *loader) apiAggregate(c *Config, m *apiMessage, x *Extension) bool {
	binding, consumed := l.keyBinding(m), m.consumed(x)
	if binding != nil && x.Key == nil && !x.NoKey && !x.seen("key") {
		var optional bool
		x.Key, optional = l.boundKey(m, *binding)
		reason := ", but not where the event data has it"
		switch {
		case x.Key != nil && optional:
			x.Key, reason = nil, fmt.Sprintf("; only the property %s has its schema, but it is optional, so it is not the key", finding.Quote(x.Key.Text))
		case x.Key != nil:
			if problem := l.pointerProblem(c, m.payload, "key", x.Key); problem != "" {
				x.Key, reason = nil, " that cannot be the key of an event: "+problem
			}
		}
		switch {
		case x.Key != nil && x.AggregateID != nil && x.AggregateID.Text == x.Key.Text:
			x.Key = nil // the default
		case x.Key != nil:
			x.At["key"], x.KeyPos = x.Key.Pos, x.Key.Pos
		case consumed: // the publisher knows the key
		case (x.AggregateType == nil || optional) && l.broken[binding.value.Member("$ref")] == nil:
			l.list.Warnf(binding.value.Pos, "asyncapi-key", "the Kafka binding describes a key%s", reason).
				SetHint("refer to the schema of a property of the payload with $ref, or set key: in x-outbox")
		}
	}
	if x.AggregateType != nil || x.seen("aggregate") {
		return x.AggregateType != nil
	}
	name := x.Topic
	if name == nil {
		name = x.Type
	}
	text := name.Text
	text = text[:min(len(text), maxAggregateType)]
	x.AggregateType = &Name{Text: text, Pos: name.Pos}
	id := "a parameter of the insert function"
	if x.Key != nil {
		x.AggregateID, x.Key, id = x.Key, nil, "the key, "+finding.Quote(x.Key.Text)
	}
	if consumed {
		return true
	}
	hint := "add to the message: x-outbox: {aggregate: {type: order, id: /order_id}}"
	if m.entry != nil {
		hint = "add to this entry: aggregate: {type: order, id: /order_id}"
	}
	l.list.Warnf(x.Pos, "asyncapi-aggregate", "the message does not say what its event is about: the aggregate type is the topic, %s, and the aggregate id is %s", finding.Quote(text), id).
		SetHint(hint)
	return true
}

// keyBinding returns the schema of the key in the Kafka binding of a message, or nil.
func (l *loader) keyBinding(m *apiMessage) *node {
	n := l.nodeOf(m.merged, m.at.unit)
	for _, member := range []string{"bindings", "kafka", "key"} {
		v := n.value.Member(member)
		if v == nil {
			return nil
		}
		n = l.nodeOf(v, n.unit)
		if member == "key" {
			return &n
		}
		var ok bool
		if n, ok = l.deref(n); !ok || n.value.Kind != Object {
			return nil
		}
	}
	return nil
}

// boundKey returns the pointer to the property of the event data that the binding refers
// to, or to the only property whose schema it refers to; nil if there is none. optional
// is true for such a property that event data may not have.
func (l *loader) boundKey(m *apiMessage, binding node) (key *Name, optional bool) {
	if binding.value.Kind != Object || binding.value.Member("$ref") == nil {
		return nil, false
	}
	var places []string // of the binding and what it refers to
	for n := binding; n.value.Kind == Object && n.value.Member("$ref") != nil; {
		ref := n.value.Member("$ref")
		next, f := l.apiTarget(n, ref.Text)
		if f != nil {
			l.brokenRef(n.unit, ref, *f)
		}
		if f != nil || len(places) > maxAPIRefs {
			return nil, false
		}
		n = next
		places = append(places, n.unit.doc.Path+"#"+n.pointer)
	}
	properties := apiProperties(m.payload)
	for _, place := range places { // a property itself is before the schema that it shares
		var found []string
		for _, p := range properties {
			for s := p.Schema; s != nil; s = s.Ref.Target {
				if place == s.Doc.Path+"#"+s.Pointer {
					found, optional = append(found, p.Name), p.optional && s != p.Schema
					break
				}
				if s.Ref == nil {
					break
				}
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return &Name{Text: found[0], Pos: binding.value.Pos}, optional
		default:
			return nil, false
		}
	}
	return nil, false
}

// The properties in which a key is searched: how deep they are, and how many.
const (
	deepestKey = 3
	mostKeys   = 10_000
)

// apiProperty is a property of event data. Its name is a pointer.
type apiProperty struct {
	Property

	optional bool // it, or one around it
}

// apiProperties lists the properties of event data with their pointers.
func apiProperties(data *Schema) []apiProperty {
	type at struct {
		schema  *Schema
		pointer string
	}
	var all []apiProperty
	seen := map[at]bool{}
	above := map[*Schema]bool{} // a schema inside itself has the same properties again
	var list func(s *Schema, pointer string, required map[string]bool)
	list = func(s *Schema, pointer string, required map[string]bool) {
		if s == nil || above[s] || seen[at{s, pointer}] || len(seen) >= mostKeys {
			return
		}
		seen[at{s, pointer}] = true
		above[s] = true
		defer delete(above, s)
		if s.Ref != nil {
			list(s.Ref.Target, pointer, required)
		}
		for _, part := range s.AllOf {
			list(part, pointer, required)
		}
		for _, p := range s.Properties {
			if len(all) >= mostKeys {
				return
			}
			inner := join(pointer, p.Name)
			all = append(all, apiProperty{Property{Name: inner, Pos: p.Pos, Schema: p.Schema}, !required[p.Name]})
			if strings.Count(inner, "/") < deepestKey {
				below := map[string]bool{}
				if required[p.Name] {
					below = requiredOf(p.Schema)
				}
				list(p.Schema, inner, below)
			}
		}
	}
	list(data, "", requiredOf(data))
	return all
}

// requiredOf returns the names that a schema requires, with what it refers to and its
// allOf.
func requiredOf(s *Schema) map[string]bool {
	names := map[string]bool{}
	seen := map[*Schema]bool{}
	var add func(s *Schema)
	add = func(s *Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		for _, name := range s.Required {
			names[name.Text] = true
		}
		if s.Ref != nil {
			add(s.Ref.Target)
		}
		for _, part := range s.AllOf {
			add(part)
		}
	}
	add(s)
	return names
}
