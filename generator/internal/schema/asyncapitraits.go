package schema

import "slices"

// withTraits returns an operation or a message with its traits, which are merged as the
// major version of the specification says: in 2 a trait replaces what the target has, in
// 3 it does not.
func (l *loader) withTraits(n node, major int) *Value {
	traits := n.value.Member("traits")
	if traits == nil {
		return n.value
	}
	if traits.Kind != Array {
		l.brokenRef(n.unit, traits, failure{id: "wrong-type", message: "traits must be an array, not " + traits.Describe()})
		return n.value
	}
	own := without(n.value, "traits")
	merged := own
	if major > 2 {
		merged = &Value{Pos: own.Pos, Kind: Object}
	}
	for i := range traits.Items {
		trait, ok := l.deref(n.inside("traits").item(i))
		if ok && trait.value.Kind == Object {
			merged = l.mergePatch(merged, without(trait.value, "payload", "traits"), patching{in: n.unit, removes: true})
		}
	}
	if major > 2 {
		merged = l.mergePatch(merged, own, patching{in: n.unit})
	}
	return merged
}

// without returns an object without some of its members.
func without(v *Value, names ...string) *Value {
	rest := *v
	rest.Members = slices.DeleteFunc(slices.Clone(v.Members), func(m Member) bool { return slices.Contains(names, m.Name) })
	return &rest
}

// patching says how a value is merged.
type patching struct {
	in      *unit
	at      string // the pointer to the value, inside the message
	removes bool   // null in the patch removes a member
}

func (p patching) inside(name string) patching {
	p.at = join(p.at, name)
	return p
}

// null reports whether null is a value of its own.
func (p patching) null() bool { return p.at == "/x-outbox/key" }

// mergePatch applies a JSON Merge Patch (RFC 7396) to a value. If one of the two is a
// reference, what it leads to is merged. A reference to a schema is not: it replaces the
// other value.
func (l *loader) mergePatch(target, patch *Value, p patching) *Value {
	if patch.Kind != Object || target.Kind != Object {
		return patch
	}
	if target.Member("$ref") != nil || patch.Member("$ref") != nil {
		if !slices.Contains([]string{"/bindings", "/bindings/kafka", "/correlationId"}, p.at) {
			return patch
		}
		below, leads := l.deref(l.nodeOf(target, p.in))
		above, ok := l.deref(l.nodeOf(patch, p.in))
		switch {
		case !ok || above.value.Kind != Object:
			return target
		case !leads || below.value.Kind != Object:
			return above.value
		}
		target, patch = below.value, above.value
	}
	merged := *target
	merged.Members = slices.Clone(target.Members)
	index := make(map[string]int, len(merged.Members))
	for i, m := range merged.Members {
		index[m.Name] = i
	}
	gone := map[string]bool{}
	for _, m := range patch.Members {
		i, there := index[m.Name]
		inner := p.inside(m.Name)
		switch {
		case p.removes && m.Value.Kind == Null && !inner.null():
			gone[m.Name] = true
		case there:
			merged.Members[i] = Member{Name: m.Name, Pos: m.Pos, Value: l.mergePatch(merged.Members[i].Value, m.Value, inner)}
		default:
			if p.removes && m.Value.Kind == Object {
				m.Value = l.mergePatch(&Value{Pos: m.Value.Pos, Kind: Object}, m.Value, inner)
			}
			index[m.Name] = len(merged.Members)
			merged.Members = append(merged.Members, m)
		}
	}
	merged.Members = slices.DeleteFunc(merged.Members, func(m Member) bool { return gone[m.Name] })
	return &merged
}
