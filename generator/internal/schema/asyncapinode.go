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

// apiPlace identifies a node. Two places may have the same value, because of an alias in
// YAML.
type apiPlace struct {
	unit    *unit
	pointer string
}

func (n node) place() apiPlace { return apiPlace{n.unit, n.pointer} }

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
	// dialect is that of a schema file without $schema; "": the usual one. given is true
	// if a schemaFormat says it.
	dialect Dialect
	given   bool
}

// readingSchemas says how the schema files are read to which the schema at a pointer
// into u refers: those of AsyncAPI have its dialect, and those of a schemaFormat that one.
func (u *unit) readingSchemas(pointer string) reading {
	as := reading{api: u.api, dialect: u.handed.dialect, given: u.handed.given}
	if u.api != 0 {
		as.dialect = dialects[u.resources[0].level]
		if level, given := u.doc.givenLevel(pointer); given {
			as.dialect, as.given = dialects[level], true
		}
	}
	return as
}

// deref follows the references of a part of a document that is no schema. ok is false if
// one does not resolve, which was reported.
func (l *loader) deref(n node) (target node, ok bool) {
	return l.derefAs(n, reading{api: n.unit.api, part: true})
}

// following identifies a reference that is followed.
type following struct {
	node

	as     reading
	needed bool // what is broken on the way is needed
}

// followed is where a reference leads.
type followed struct {
	to   node
	ok   bool
	open bool // it is being followed now
}

// derefAs is deref, and says how files are read on the way. Each reference is followed
// once: the ways to it, through other references, may double with each of them.
func (l *loader) derefAs(n node, as reading) (target node, ok bool) {
	if !refers(n.value) {
		to, ok, _ := l.followAll(n, as)
		return to, ok
	}
	at := following{n, as, l.needed}
	if known := l.followed[at]; known != nil {
		return known.to, known.ok
	}
	l.followed[at] = &followed{open: true}
	to, ok, final := l.followAll(n, as)
	if l.followed[at] = (&followed{to: to, ok: ok}); !final {
		delete(l.followed, at)
	}
	return to, ok
}

// isFollowed reports whether a reference is being followed now.
func (l *loader) isFollowed(n node, as reading) bool {
	known := l.followed[following{n, as, l.needed}]
	return known != nil && known.open
}

// followAll follows the references at n. final is false if that may lead further later, when
// other files have been read.
func (l *loader) followAll(n node, as reading) (target node, ok, final bool) {
	defer func(before reading) { l.reading = before }(l.reading)
	l.reading = as
	seen := map[*Value]bool{}
	for range maxAPIRefs {
		ref := n.value.Member("$ref")
		if n.value.Kind != Object || ref == nil {
			return n, true, true
		}
		if ref.Kind != String {
			l.brokenRef(n.unit, ref, failure{id: "wrong-type", message: "$ref must be " + uriReference + ", not " + ref.Describe()})
			return node{}, false, true
		}
		next, f := l.apiTarget(n, ref.Text)
		if f != nil && f.id == "unknown-anchor" && !as.part {
			return n, true, false // it may be in a schema that was not read yet; resolve reports it
		}
		if f == nil && (seen[next.value] || next.value == n.value) {
			f = circle()
		}
		seen[n.value] = true
		if f != nil {
			l.brokenRef(n.unit, ref, *f)
			return node{}, false, true
		}
		if from := n.unit.doc; !slices.Contains(from.refers, next.unit.doc) {
			from.refers = append(from.refers, next.unit.doc)
		}
		next.unit.needed = next.unit.needed || l.needed
		n = next
	}
	l.brokenRef(n.unit, n.value, *tooManyRefs())
	return node{}, false, true
}

// brokenPart is a problem of a part of a document of AsyncAPI: mostly of a reference.
type brokenPart struct {
	failure

	in     *unit
	needed bool // the message of an event may depend on it
}

// brokenRef remembers the problem of a part, which reportBroken reports once.
func (l *loader) brokenRef(in *unit, part *Value, f failure) {
	if f.message == "" {
		return
	}
	if l.broken[part] == nil {
		l.broken[part] = &brokenPart{failure: f, in: in}
	}
	l.broken[part].needed = l.broken[part].needed || l.needed
}

// reportBroken reports the broken parts of documents: as errors, because a message would
// be missing. If no event needs a part that users cannot edit, it is a warning.
func (l *loader) reportBroken() {
	for part, b := range l.broken {
		f := finding.Finding{Pos: part.Pos, ID: b.id, Message: b.message, Hint: b.hint}
		if b.in.foreign && !b.needed {
			f.Severity, f.Hint = finding.Warning, ""
		} else {
			b.in.needed = true
		}
		l.list.Add(f)
	}
}

func (l *loader) apiTarget(n node, text string) (node, *failure) {
	u, err := url.Parse(text)
	if err != nil {
		return node{}, &failure{id: "bad-reference", message: finding.Quote(text) + " is not a URI reference", hint: "percent-encode special characters"}
	}
	defer func(before bool) { l.hints = before }(l.hints)
	l.hints = true
	to, f := l.resource(n.unit.enclosing(n.pointer), u)
	if f != nil {
		return node{}, f
	}
	if to.unit.value == nil {
		to.unit.needed = to.unit.needed || l.needed
		return node{}, &failure{} // the file was reported
	}
	tokens, problem := to.tokens(u.Fragment)
	if u.Fragment != "" && u.Fragment[0] != '/' {
		s := to.anchors[u.Fragment]
		if s == nil {
			return node{}, &failure{id: "unknown-anchor", message: fmt.Sprintf("%s has no anchor %s", finding.Quote(to.unit.doc.Path), finding.Quote(u.Fragment)),
				hint: l.anchorHint(to, u.Fragment)}
		}
		tokens, problem = pointerTokens(s.Pointer)
	}
	if problem != "" {
		return node{}, &failure{id: "bad-reference", message: finding.Quote("#"+u.Fragment) + ": " + problem}
	}
	return l.reach(to.unit, tokens)
}

// reach returns the part at a pointer into a file. In the files of a document of AsyncAPI,
// a reference on the way is followed, as the tools of AsyncAPI do: a channel that is a
// reference to another file has the messages of that file.
func (l *loader) reach(u *unit, tokens []string) (node, *failure) {
	l.reaching++
	defer func() { l.reaching-- }()
	for range maxAPIRefs {
		v, followed, reached := u.value.at(tokens)
		switch {
		case v != nil:
			return node{unit: u, pointer: joinTokens(tokens), value: v}, nil
		case u.api == 0 || !refers(reached):
			return node{}, &failure{id: "dangling-reference", message: fmt.Sprintf("%s has nothing at %s",
				finding.Quote(u.doc.Path), finding.Quote("#"+joinTokens(tokens[:followed+1]))), hint: l.pointerHint(u, tokens, followed, reached)}
		case l.reaching > maxAPIRefs:
			return node{}, tooManyRefs()
		}
		way := tokens[:followed]
		at, as := node{unit: u, pointer: joinTokens(way), value: reached}, reading{api: u.api, part: true}
		if toSchema(way) {
			as = u.readingSchemas(at.pointer)
		}
		if l.isFollowed(at, as) {
			return node{}, circle()
		}
		next, ok := l.derefAs(at, as)
		if !ok || refers(next.value) {
			return node{}, &failure{} // it was reported, or will be
		}
		start, _ := pointerTokens(next.pointer)
		u, tokens = next.unit, slices.Concat(start, tokens[followed:])
	}
	return node{}, tooManyRefs()
}

// toSchema reports whether a way into a document of AsyncAPI leads to a schema. The names
// that authors give to channels and the like do not count.
func toSchema(way []string) bool {
	for i := 0; i < len(way); i++ {
		switch way[i] {
		case "payload", "headers", "schemas":
			return true
		case "channels", "messages", "messageTraits", "operations", "operationTraits", "parameters":
			i++ // a name
		}
	}
	return false
}

// refers reports whether v is a reference.
func refers(v *Value) bool {
	return v.Kind == Object && v.Member("$ref") != nil && v.Member("$ref").Kind == String
}

func circle() *failure {
	return &failure{id: "reference-circle", message: "this reference leads back to itself", hint: "refer to the object itself"}
}

func tooManyRefs() *failure {
	return &failure{id: "reference-circle", message: fmt.Sprintf("more than %d references in a row", maxAPIRefs), hint: "refer to the object itself"}
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
