package schema

import (
	"net/url"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// resource is a schema with its own base URI: a file, or a schema with an $id inside
// one.
type resource struct {
	unit    *unit
	base    *url.URL
	name    *url.URL // the base without the path of the file; see byName
	root    *Schema
	level   int // of its dialect
	anchors map[string]*Schema
	// recursive is true if the root has $recursiveAnchor: true.
	recursive bool
}

// builder turns the values of one file into schemas.
type builder struct {
	load   *loader
	list   *finding.List
	unit   *unit
	level  int // of the dialect
	within *resource
	older  *older
	// unvalidated means that the dialect has no keywords for validation: they are
	// annotations.
	unvalidated bool
	// ignored are the keywords, by the positions of their names, that are ignored in a
	// file that users cannot edit, because their values are of the wrong type.
	ignored map[finding.Pos]bool
}

// schema reads the schema v at pointer. nil: a problem was reported.
func (b *builder) schema(v *Value, pointer string) *Schema {
	if v.Kind != Object && v.Kind != Bool {
		b.list.Errorf(v.Pos, "wrong-type", "a schema must be an object, true or false, not %s", v.Describe())
		return nil
	}
	if !b.load.countSchema(v.Pos, pointer) {
		return nil
	}
	s := &Schema{Pos: v.Pos, Doc: b.unit.doc, Pointer: pointer}
	b.unit.byPointer[pointer] = s
	if pointer == "" {
		b.within.root = s
		b.unit.doc.Root = s
		b.unit.doc.Dialect = dialects[b.level]
	}
	if v.Kind == Bool {
		value := v.Bool
		s.Bool = &value
		return s
	}
	defer func(level int, within *resource, o *older, unvalidated bool) {
		b.level, b.within, b.older, b.unvalidated = level, within, o, unvalidated
	}(b.level, b.within, b.older, b.unvalidated)
	b.older = &older{}
	b.open(s, v)

	refOnly := b.level <= level7 && v.member("$ref") != nil
	s.At = make(map[string]finding.Pos, len(v.Members))
	for _, m := range v.Members {
		if refOnly && !besideRef(m.Name) {
			b.list.Warnf(m.Pos, "ignored-keyword", "%s has no effect: %s ignores keywords beside $ref", m.Name, dialects[b.level])
			continue
		}
		b.member(s, m)
	}
	b.enumNames(s, v)
	b.translate(s)
	b.sense(s)
	return s
}

// open sets the dialect and the base URI from s on, which are needed before its other
// keywords are read.
func (b *builder) open(s *Schema, v *Value) {
	if d, ok := b.dialectOf(v, s.Pointer == ""); ok {
		b.level = d.level()
	}
	if s.Pointer == "" {
		b.unit.doc.Dialect = dialects[b.level]
		b.within.level = b.level
	}
	name := "$id"
	if b.level == level4 {
		name = "id"
	}
	m := v.member(name)
	b.alias(s, v, name)
	if m == nil || m.Value.Kind != String || b.level <= level7 && s.Pointer != "" && v.member("$ref") != nil {
		return
	}
	id, fragment, _ := strings.Cut(m.Value.Text, "#")
	if id == "" {
		return
	}
	u, err := url.Parse(id)
	if err != nil {
		return // reported when the keyword is read
	}
	base, called := b.within.base.ResolveReference(u), b.within.name.ResolveReference(u)
	r := b.within
	if b.unit.api != 0 { // the tools of AsyncAPI resolve references by the file alone
		r = &resource{unit: b.unit, base: base, name: called, root: s, level: b.level, anchors: map[string]*Schema{}}
		b.load.identify(r, m.Value)
		return
	}
	if s.Pointer != "" {
		r = &resource{unit: b.unit, root: s, level: b.level, anchors: map[string]*Schema{}}
		b.unit.resources = append(b.unit.resources, r)
		b.within = r
	}
	r.base, r.name = base, called
	b.load.identify(r, m.Value)
	if s.Pointer == "" {
		b.load.nameFile(r)
	}
	if fragment != "" && b.level <= level7 {
		b.addAnchor(s, fragment, m.Value.Pos)
	}
}

// alias registers a file that users cannot edit also under the id keyword of another
// dialect.
func (b *builder) alias(s *Schema, v *Value, name string) {
	other := map[string]string{"$id": "id", "id": "$id"}[name]
	m := v.Member(other)
	if !b.unit.foreign || s.Pointer != "" || v.Member(name) != nil || m == nil || m.Kind != String {
		return
	}
	u, err := url.Parse(strings.TrimSuffix(m.Text, "#"))
	if err != nil || u.Fragment != "" || m.Text == "" {
		return
	}
	if id := b.within.base.ResolveReference(u).String(); b.load.ids[id] == nil {
		b.load.ids[id] = b.within
	}
}

func (b *builder) member(s *Schema, m Member) {
	word, ok := b.load.words[m.Name]
	switch {
	case b.unvalidated && slices.Contains(validating, m.Name):
	case ok && word.first <= b.level && b.level <= word.last:
		s.At[m.Name] = m.Pos
		word.read(b, s, m)
		if b.ignored[m.Pos] {
			delete(s.At, m.Name)
		}
	case strings.HasPrefix(m.Name, "x-"):
		s.At[m.Name] = m.Pos
		if m.Name != "x-outbox" && finding.Closest(m.Name, []string{"x-outbox"}) != "" {
			b.unit.mayDescribe = true
			b.list.Errorf(m.Pos, "unknown-keyword", "unknown keyword %s", finding.Quote(m.Name)).
				SetHint(finding.DidYouMean(m.Name, []string{"x-outbox"}))
		}
	case ok:
		b.unknown(m.Pos, "other-dialect", otherDialect(m.Name, b.level), "%s is ignored: it is not a keyword of %s", m.Name, dialects[b.level])
	case b.unit.unknown >= maxUnknown:
		if b.unit.unknown == maxUnknown {
			b.unit.unknown++
			b.unknown(m.Pos, "unknown-keyword", "", "more unknown keywords from here on are ignored")
		}
	default:
		b.unit.unknown++
		hint := finding.DidYouMean(m.Name, known(b.load.words, b.level))
		b.unknown(m.Pos, "unknown-keyword", hint, "unknown keyword %s, which is ignored", finding.Quote(m.Name))
	}
}

// unknown reports a keyword that the dialect does not have. JSON Schema allows it, and
// it has no effect.
func (b *builder) unknown(pos finding.Pos, id, hint, format string, args ...any) {
	if hint == "" && b.unit.owned {
		hint = "start custom annotations with x-"
	}
	b.list.Warnf(pos, id, format, args...).SetHint(hint)
}

func (b *builder) id(s *Schema, m Member) {
	text := m.Value.Text
	u, err := url.Parse(text)
	if err != nil {
		b.list.Errorf(m.Value.Pos, "bad-id", "%s %s is not a URI reference", m.Name, finding.Quote(text))
		return
	}
	name := strings.TrimPrefix(text, "#")
	if b.unit.foreign && b.level >= level2019 && name != text && isAnchor(name) {
		b.list.Warnf(m.Value.Pos, "bad-id", "%s %s has a fragment, as in draft-07; it is read as $anchor: %s", m.Name, finding.Quote(text), name)
		s.Anchor = name
		b.addAnchor(s, name, m.Value.Pos)
		return
	}
	if u.Fragment != "" && b.level >= level2019 {
		b.list.Errorf(m.Value.Pos, "bad-id", "%s %s has a fragment", m.Name, finding.Quote(text)).
			SetHint("write $anchor for a name inside the file")
		return
	}
	if strings.HasPrefix(text, "#") && len(text) > 1 {
		s.Anchor = text[1:]
		b.addAnchor(s, text[1:], m.Value.Pos)
		return
	}
	s.ID = strings.TrimSuffix(text, "#")
}

func (b *builder) anchor(s *Schema, m Member) {
	if m.Value.Kind != String || !isAnchor(m.Value.Text) {
		b.wrong(m, "a name of letters, digits, _, - and . that begins with a letter or _")
		return
	}
	if m.Name == "$dynamicAnchor" {
		s.DynamicAnchor = m.Value.Text
	} else {
		s.Anchor = m.Value.Text
	}
	b.addAnchor(s, m.Value.Text, m.Value.Pos)
}

func (b *builder) addAnchor(s *Schema, name string, pos finding.Pos) {
	other, dup := b.within.anchors[name]
	if dup && other != s && !b.load.repeats(s, other) {
		b.list.Errorf(pos, "duplicate-anchor", "the anchor %s is also at line %d, column %d", finding.Quote(name), other.Pos.Line, other.Pos.Col)
		return
	}
	if !dup {
		b.within.anchors[name] = s
	}
}

// repeats reports whether a schema in a document of AsyncAPI has the place or the content of
// another one there: an alias, or the payload of a message that a tool writes in each
// operation. The first one then has the ids of both.
func (l *loader) repeats(s, other *Schema) bool {
	u := l.units[s.Doc.Path]
	if u == nil || u.api == 0 || s.Doc != other.Doc {
		return false
	}
	value := func(s *Schema) *Value {
		tokens, _ := pointerTokens(s.Pointer)
		v, _, _ := u.value.at(tokens)
		return v
	}
	one, two := value(s), value(other)
	return one != nil && two != nil && (one == two || one.Canonical() == two.Canonical())
}

func isAnchor(name string) bool {
	for i, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.') {
			return false
		}
	}
	return name != ""
}

func (b *builder) ref(s *Schema, m Member) {
	ref := &Ref{Text: m.Value.Text, Pos: m.Value.Pos}
	if s.Ref == nil {
		s.Ref = ref
	} else {
		b.older.second, b.older.secondRef = &m, ref // both apply
	}
	b.refer(ref, s, false)
	if m.Name != "$ref" {
		b.load.dynamic = append(b.load.dynamic, dynamicRef{ref: ref, keyword: m.Name})
	}
}

// refer stores a reference of s until every file is loaded. byName means that it may be
// the bare name of a definition, as in a discriminator.
func (b *builder) refer(ref *Ref, s *Schema, byName bool) {
	b.load.pending = append(b.load.pending, pendingRef{ref: ref, at: s, from: b.within, byName: byName})
}
