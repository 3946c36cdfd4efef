package schema

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// maxAPIRefs limits how many references in a row lead to one part of a document of
// AsyncAPI.
const maxAPIRefs = 100

// node is a part of a document of AsyncAPI, or of a file that one refers to.
type node struct {
	unit    *unit
	pointer string
	value   *Value
}

// member returns a member of an object.
func (n node) member(name string) (node, bool) {
	v := n.value.Member(name)
	return node{unit: n.unit, pointer: join(n.pointer, name), value: v}, v != nil
}

// inside is member for one that is there.
func (n node) inside(name string) node {
	inner, _ := n.member(name)
	return inner
}

// at returns a member that is listed.
func (n node) at(m Member) node {
	return node{unit: n.unit, pointer: join(n.pointer, m.Name), value: m.Value}
}

func (n node) item(i int) node {
	return node{unit: n.unit, pointer: join(n.pointer, fmt.Sprint(i)), value: n.value.Items[i]}
}

// nodeOf returns the node of a value that was merged from several files, with an unknown
// pointer.
func (l *loader) nodeOf(v *Value, otherwise *unit) node {
	if u := l.units[v.Pos.File]; u != nil {
		return node{unit: u, value: v}
	}
	return node{unit: otherwise, value: v}
}

// reading says for what a file is read.
type reading struct {
	api int // the major version of AsyncAPI, if a document of it leads to the file
	// part is true if the file is a part of a document, such as a message, and no schema.
	part bool
}

// deref follows the references of a part of a document that is no schema. ok is false if
// one does not resolve, which was reported.
func (l *loader) deref(n node) (target node, ok bool) {
	return l.derefAs(n, reading{api: n.unit.api, part: true})
}

// derefAs is deref, and says how files are read on the way.
func (l *loader) derefAs(n node, as reading) (target node, ok bool) {
	defer func(before reading) { l.reading = before }(l.reading)
	l.reading = as
	seen := map[*Value]bool{}
	for range maxAPIRefs {
		ref := n.value.Member("$ref")
		if n.value.Kind != Object || ref == nil {
			return n, true
		}
		if ref.Kind != String {
			l.brokenRef(n.unit, ref, failure{id: "wrong-type", message: "$ref must be " + uriReference + ", not " + ref.Describe()})
			return node{}, false
		}
		next, f := l.apiTarget(n, ref.Text)
		if f == nil && (seen[next.value] || next.value == n.value) {
			f = &failure{id: "reference-circle", message: "this reference leads back to itself", hint: "refer to the object itself"}
		}
		seen[n.value] = true
		if f != nil {
			l.brokenRef(n.unit, ref, *f)
			return node{}, false
		}
		if from := n.unit.doc; !slices.Contains(from.refers, next.unit.doc) {
			from.refers = append(from.refers, next.unit.doc)
		}
		n = next
	}
	l.brokenRef(n.unit, n.value, failure{id: "reference-circle", message: fmt.Sprintf("more than %d references in a row", maxAPIRefs)})
	return node{}, false
}

// brokenRef reports a reference once.
func (l *loader) brokenRef(in *unit, ref *Value, f failure) {
	if l.broken[ref] || f.message == "" {
		return
	}
	l.broken[ref] = true
	in.found.Errorf(ref.Pos, f.id, "%s", f.message).SetHint(f.hint)
}

func (l *loader) apiTarget(n node, text string) (node, *failure) {
	u, err := url.Parse(text)
	if err != nil {
		return node{}, &failure{id: "bad-reference", message: finding.Quote(text) + " is not a URI reference", hint: "percent-encode special characters"}
	}
	l.hints = true
	defer func() { l.hints = false }()
	to, f := l.resource(n.unit.resources[0], u)
	if f != nil {
		return node{}, f
	}
	if to.unit.value == nil {
		return node{}, &failure{} // the file was reported
	}
	tokens, problem := pointerTokens(u.Fragment)
	if problem != "" {
		return node{}, &failure{id: "bad-reference", message: finding.Quote("#"+u.Fragment) + ": " + problem}
	}
	v, followed, reached := to.unit.value.at(tokens)
	if v == nil {
		return node{}, &failure{id: "dangling-reference", message: fmt.Sprintf("%s has nothing at %s",
			finding.Quote(to.unit.doc.Path), finding.Quote("#"+joinTokens(tokens[:followed+1]))), hint: l.pointerHint(to.unit, tokens, followed, reached)}
	}
	return node{unit: to.unit, pointer: joinTokens(tokens), value: v}, nil
}

// withTraits returns an operation or a message with its traits, which are merged as the
// major version of the specification says: in 2 a trait replaces what the target has, in
// 3 it does not.
func (l *loader) withTraits(n node, major int) *Value {
	traits := n.value.Member("traits")
	if traits == nil {
		return n.value
	}
	if traits.Kind != Array {
		n.unit.found.Errorf(traits.Pos, "wrong-type", "traits must be an array, not %s", traits.Describe())
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
			merged = mergePatch(merged, without(trait.value, "payload", "traits"), true)
		}
	}
	if major > 2 {
		merged = mergePatch(merged, own, false)
	}
	return merged
}

// without returns an object without some of its members.
func without(v *Value, names ...string) *Value {
	rest := *v
	rest.Members = slices.DeleteFunc(slices.Clone(v.Members), func(m Member) bool { return slices.Contains(names, m.Name) })
	return &rest
}

// mergePatch applies a JSON Merge Patch (RFC 7396) to a value. removes is whether null
// in the patch removes a member.
func mergePatch(target, patch *Value, removes bool) *Value {
	if patch.Kind != Object || target.Kind != Object {
		return patch
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
		switch {
		case removes && m.Value.Kind == Null:
			gone[m.Name] = true
		case there:
			merged.Members[i] = Member{Name: m.Name, Pos: m.Pos, Value: mergePatch(merged.Members[i].Value, m.Value, removes)}
		default:
			index[m.Name] = len(merged.Members)
			merged.Members = append(merged.Members, m)
		}
	}
	merged.Members = slices.DeleteFunc(merged.Members, func(m Member) bool { return gone[m.Name] })
	return &merged
}

// apiRoots returns the outermost schemas of a file that is no schema itself.
func (u *unit) apiRoots() []*Schema {
	var roots []*Schema
	for _, s := range u.sortedSchemas() {
		if _, inner := outer(s.Pointer, func(pointer string) bool { return u.byPointer[pointer] != nil }); !inner {
			roots = append(roots, s)
		}
	}
	return roots
}

// outer returns the longest pointer around a pointer that is known.
func outer(pointer string, known func(string) bool) (string, bool) {
	for {
		cut := strings.LastIndexByte(pointer, '/')
		if cut < 0 {
			return "", false
		}
		if pointer = pointer[:cut]; known(pointer) {
			return pointer, true
		}
	}
}
