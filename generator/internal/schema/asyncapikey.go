package schema

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// apiAggregate sets the key and the aggregate of the event, unless x-outbox has them.
func (l *loader) apiAggregate(m *apiMessage, x *Extension) bool {
	binding := l.keyBinding(m)
	if binding != nil && x.Key == nil && !x.NoKey && !x.seen("key") {
		x.Key = l.boundKey(m, *binding)
		switch {
		case x.Key != nil && x.AggregateID != nil && x.AggregateID.Text == x.Key.Text:
			x.Key = nil // the default
		case x.Key != nil:
			x.At["key"], x.KeyPos = x.Key.Pos, x.Key.Pos
		case x.AggregateType == nil && l.broken[binding.value.Member("$ref")] == nil:
			l.list.Warnf(binding.value.Pos, "asyncapi-key", "the Kafka binding describes a key, but not where the event data has it").
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
	l.list.Warnf(x.Pos, "asyncapi-aggregate", "the message does not say what its event is about: the aggregate type is the topic, %s, and the aggregate id is %s", finding.Quote(text), id).
		SetHint("add to the message: x-outbox: {aggregate: {type: order, id: /order_id}}")
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
// to, or to the only property whose schema it refers to; nil if there is none.
func (l *loader) boundKey(m *apiMessage, binding node) *Name {
	if binding.value.Kind != Object || binding.value.Member("$ref") == nil {
		return nil
	}
	var places []string // of the binding and what it refers to
	for n := binding; n.value.Kind == Object && n.value.Member("$ref") != nil; {
		ref := n.value.Member("$ref")
		next, f := l.apiTarget(n, ref.Text)
		if f != nil {
			l.brokenRef(n.unit, ref, *f)
		}
		if f != nil || len(places) > maxAPIRefs {
			return nil
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
					found = append(found, p.Name)
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
			return &Name{Text: found[0], Pos: binding.value.Pos}
		default:
			return nil
		}
	}
	return nil
}

// The properties in which a key is searched: how deep they are, and how many.
const (
	deepestKey = 3
	mostKeys   = 10_000
)

// apiProperties lists the properties of event data with their pointers.
func apiProperties(data *Schema) []Property {
	type at struct {
		schema  *Schema
		pointer string
	}
	var all []Property
	seen := map[at]bool{}
	above := map[*Schema]bool{} // a schema inside itself has the same properties again
	var list func(s *Schema, pointer string)
	list = func(s *Schema, pointer string) {
		if s == nil || above[s] || seen[at{s, pointer}] || len(seen) >= mostKeys {
			return
		}
		seen[at{s, pointer}] = true
		above[s] = true
		defer delete(above, s)
		if s.Ref != nil {
			list(s.Ref.Target, pointer)
		}
		for _, part := range s.AllOf {
			list(part, pointer)
		}
		for _, p := range s.Properties {
			if len(all) >= mostKeys {
				return
			}
			inner := join(pointer, p.Name)
			all = append(all, Property{Name: inner, Pos: p.Pos, Schema: p.Schema})
			if strings.Count(inner, "/") < deepestKey {
				list(p.Schema, inner)
			}
		}
	}
	list(data, "")
	return all
}
