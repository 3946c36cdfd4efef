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

// The places of a message in which merging is special: null is a value of x-outbox/key, and
// a reference in the others is followed. Values of all other places are merged alike.
const (
	wholeMessage     = ""
	outboxPlace      = "/x-outbox"
	keyPlace         = "/x-outbox/key"
	bindingsPlace    = "/bindings"
	kafkaPlace       = "/bindings/kafka"
	correlationPlace = "/correlationId"
	elsewhere        = "/elsewhere"
)

// patching says how a value is merged.
type patching struct {
	in      *unit
	at      string // the place of the value, inside the message
	removes bool   // null in the patch removes a member
}

func (p patching) inside(name string) patching {
	switch at := join(p.at, name); at {
	case outboxPlace, keyPlace, bindingsPlace, kafkaPlace, correlationPlace:
		p.at = at
	default:
		p.at = elsewhere
	}
	return p
}

// null reports whether null is a value of its own.
func (p patching) null() bool { return p.at == keyPlace }

// follows reports whether a reference is replaced by what it leads to.
func (p patching) follows() bool {
	return p.at == bindingsPlace || p.at == kafkaPlace || p.at == correlationPlace
}

func hasRef(v *Value) bool { return v.Member("$ref") != nil }

// merging identifies what is merged. Traits and aliases have the same values in many
// messages: these are merged once, because they may be large.
type merging struct {
	patching

	target, patch *Value // target is nil if null is removed from patch
	needed        bool   // what is broken in a reference is needed now
}

// merged returns what merge returns, which is called once.
func (l *loader) merged(target, patch *Value, p patching, merge func() *Value) *Value {
	at := merging{p, target, patch, l.needed}
	result, known := l.merges[at]
	if !known {
		result = merge()
		l.merges[at] = result
	}
	return result
}

// mergePatch applies a JSON Merge Patch (RFC 7396) to a value. If one of the two is a
// reference, what it leads to is merged. A reference to a schema is not: it replaces the
// other value.
func (l *loader) mergePatch(target, patch *Value, p patching) *Value {
	if patch.Kind != Object || target.Kind != Object {
		return l.pruned(patch, p)
	}
	if p.at == wholeMessage {
		return l.mergeObjects(target, patch, p)
	}
	return l.merged(target, patch, p, func() *Value {
		if !hasRef(target) && !hasRef(patch) {
			return l.mergeObjects(target, patch, p)
		}
		if !p.follows() {
			return patch
		}
		below, leads := l.deref(l.nodeOf(target, p.in))
		above, ok := l.deref(l.nodeOf(patch, p.in))
		switch {
		case !ok || above.value.Kind != Object:
			return target
		case !leads || below.value.Kind != Object:
			return l.pruned(above.value, p)
		}
		return l.mergeObjects(below.value, above.value, p)
	})
}

// mergeObjects is mergePatch for two objects that are no references.
func (l *loader) mergeObjects(target, patch *Value, p patching) *Value {
	if !l.countValues(len(target.Members)+len(patch.Members), patch.Pos) {
		return target
	}
	merged := *target
	merged.Members = slices.Clone(target.Members)
	find := finder(target, len(patch.Members))
	gone := map[string]bool{}
	for _, m := range patch.Members {
		i, there := find(m.Name)
		inner := p.inside(m.Name)
		switch {
		case p.removes && m.Value.Kind == Null && !inner.null():
			gone[m.Name] = true
		case there:
			merged.Members[i] = Member{Name: m.Name, Pos: m.Pos, Value: l.mergePatch(merged.Members[i].Value, m.Value, inner)}
		default:
			m.Value = l.pruned(m.Value, inner)
			merged.Members = append(merged.Members, m)
		}
	}
	if len(gone) > 0 {
		merged.Members = slices.DeleteFunc(merged.Members, func(m Member) bool { return gone[m.Name] })
	}
	return &merged
}

// finder returns a function that finds members of an object, which is called often times.
func finder(v *Value, often int) func(name string) (i int, ok bool) {
	const few = 8 // an index of a large object costs more
	if often <= few {
		return func(name string) (int, bool) {
			i := slices.IndexFunc(v.Members, func(m Member) bool { return m.Name == name })
			return i, i >= 0
		}
	}
	index := make(map[string]int, len(v.Members))
	for i, m := range v.Members {
		index[m.Name] = i
	}
	return func(name string) (int, bool) {
		i, ok := index[name]
		return i, ok
	}
}

// pruned returns a patch for a member that does not exist: without its members that are
// null, if p removes them. What has none is the same value.
func (l *loader) pruned(patch *Value, p patching) *Value {
	if !p.removes || patch.Kind != Object || hasRef(patch) && !p.follows() {
		return patch
	}
	return l.merged(nil, patch, p, func() *Value {
		if hasRef(patch) {
			to, ok := l.deref(l.nodeOf(patch, p.in))
			if !ok || to.value.Kind != Object {
				return &Value{Pos: patch.Pos, Kind: Object}
			}
			return l.pruned(to.value, p)
		}
		rest, same := *patch, true
		rest.Members = nil
		for _, m := range patch.Members {
			inner := p.inside(m.Name)
			if m.Value.Kind == Null && !inner.null() {
				same = false
				continue
			}
			whole := m.Value
			m.Value = l.pruned(whole, inner)
			same = same && m.Value == whole
			rest.Members = append(rest.Members, m)
		}
		if same || !l.countValues(len(rest.Members), patch.Pos) {
			return patch
		}
		return &rest
	})
}
