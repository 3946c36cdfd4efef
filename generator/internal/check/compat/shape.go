package compat

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// kind is a group of keywords that the registry's rules distinguish.
type kind int

const (
	anything kind = iota // restricts nothing: true, {}, annotations alone
	nothing              // false
	stringKind
	numberKind // integers as well
	booleanKind
	nullKind
	objectKind
	arrayKind
	enumKind
	constKind
	notKind
	conditionKind
	combined
)

// What a combination combines with.
const (
	allOf = "allOf"
	anyOf = "anyOf"
	oneOf = "oneOf"
)

// shape is a schema in the form that the rules use. A schema with several kinds of
// keywords (a type and an enum, a reference and others) is an allOf of them, and a list
// of types is an anyOf. Both are made up, and marked as such.
type shape struct {
	kind    kind
	s       *schema.Schema
	of      *schema.Schema // the schema that it is a part of; nil: it is no part
	around  *schema.Schema // the object around it, if it is a variant or a part of one
	at      place
	integer bool

	op     string // of a combination
	madeUp bool   // it is not a combination in the schema
	subs   []*schema.Schema
	parts  []*shape // for a made-up one at once, else on first use

	constants map[tag]string // of an object, on first use
	tags      *tags          // of a union, on first use
	tagsKnown bool
}

// place is a part of a schema file.
type place struct {
	pos     finding.Pos
	pointer string
	// The keyword there and its schema, and the name inside the keyword; for the line
	// that a fix writes.
	s             *schema.Schema
	keyword, name string
}

func whole(s *schema.Schema) place { return place{pos: s.Pos, pointer: s.Pointer, s: s} }

// at returns the place of a keyword of s, or of s if the keyword is missing.
func at(s *schema.Schema, keyword string) place {
	if pos, ok := s.At[keyword]; ok {
		return place{pos: pos, pointer: s.Pointer + "/" + schema.EscapeToken(keyword), s: s, keyword: keyword}
	}
	return whole(s)
}

// under returns the place of a name inside a keyword of s.
func under(s *schema.Schema, keyword, name string, pos finding.Pos) place {
	pointer := s.Pointer + "/" + schema.EscapeToken(keyword) + "/" + schema.EscapeToken(name)
	return place{pos: pos, pointer: pointer, s: s, keyword: keyword, name: name}
}

// modern reports whether the registry reads the dialect of s with its newer parser,
// which differs from the older one in details.
func modern(s *schema.Schema) bool {
	return s.Doc.Dialect == schema.Draft202012 || s.Doc.Dialect == schema.Draft201909
}

// group is the keywords for one type of value.
type group struct {
	kind     kind
	keywords []string
}

var groups = []group{
	{stringKind, []string{"minLength", "maxLength", "pattern"}},
	{numberKind, []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
	{arrayKind, []string{
		"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minItems", "maxItems", "uniqueItems",
	}},
	{objectKind, []string{
		"properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames", "required",
		"minProperties", "maxProperties", "dependencies", "dependentRequired", "dependentSchemas",
	}},
}

// costOfPart is the work of making a part of another schema, in looks at a pair. With
// mostWork, it limits their memory to about a third of a GB.
const costOfPart = 20

// shape returns the shape of s, always the same one. It follows references.
func (c *comparison) shape(s *schema.Schema) *shape { return c.part(s, nil, nil) }

// part returns the shape of s as a part of another schema, always the same one.
func (c *comparison) part(s, of, around *schema.Schema) *shape {
	key := shapeKey{s.Resolved(), of, around}
	if known, ok := c.shapes[key]; ok {
		return known
	}
	if of != nil || around != nil {
		// Each schema that refers to a chain of bases has all of them as its parts.
		if c.work += costOfPart; c.work > mostWork {
			return &shape{kind: anything, s: key.s, of: of, around: around, at: whole(key.s)} // the comparison is too large
		}
	}
	made := c.build(key.s, of, around)
	c.shapes[key] = made
	return made
}

// within returns what the base of a schema, or a branch of its allOf, is a part of; nil if
// that does not matter.
func (c *comparison) within(s, of *schema.Schema) *schema.Schema {
	if of == nil && c.generated() {
		return s
	}
	return of
}

func (c *comparison) build(s, of, around *schema.Schema) *shape {
	if s.Bool != nil {
		k := nothing
		if *s.Bool {
			k = anything
		}
		return &shape{kind: k, s: s, of: of, around: around, at: whole(s)}
	}
	parts := c.parts(s, of, around)
	switch len(parts) {
	case 0:
		return &shape{kind: anything, s: s, of: of, around: around, at: whole(s)}
	case 1:
		return parts[0]
	}
	return &shape{kind: combined, s: s, of: of, around: around, at: whole(s), op: allOf, madeUp: true, parts: parts}
}

// parts returns everything in s that restricts values.
func (c *comparison) parts(s, of, around *schema.Schema) []*shape {
	var parts []*shape
	add := func(k kind, keyword string) *shape {
		p := &shape{kind: k, s: s, of: of, around: around, at: at(s, keyword)}
		parts = append(parts, p)
		return p
	}
	if s.Ref != nil {
		parts = append(parts, c.part(s.Ref.Target, c.within(s, of), around))
	}
	parts = append(parts, c.typed(s, of, around)...)
	if s.Enum != nil {
		add(enumKind, "enum")
	}
	if s.Const != nil {
		add(constKind, "const")
	}
	if s.Not != nil {
		add(notKind, "not")
	}
	if s.If != nil {
		add(conditionKind, "if")
	}
	for _, combination := range []struct {
		op   string
		subs []*schema.Schema
	}{{allOf, s.AllOf}, {anyOf, s.AnyOf}, {oneOf, s.OneOf}} {
		if len(combination.subs) > 0 {
			p := add(combined, combination.op)
			p.op, p.subs = combination.op, combination.subs
		}
	}
	return parts
}

// typed returns what s says about single types: by type, and by keywords for one type
// without a type keyword.
func (c *comparison) typed(s, of, around *schema.Schema) []*shape {
	var parts []*shape
	var said []kind
	for _, name := range s.Types {
		p := &shape{kind: kindOf(name), s: s, of: of, around: around, at: at(s, "type"), integer: name == "integer"}
		parts = append(parts, p)
		said = append(said, p.kind)
	}
	if len(parts) > 1 {
		parts = []*shape{{kind: combined, s: s, of: of, around: around, at: at(s, "type"), op: anyOf, madeUp: true, parts: parts}}
	}
	for _, g := range groups {
		if slices.Contains(said, g.kind) {
			continue
		}
		i := slices.IndexFunc(g.keywords, func(keyword string) bool { return has(s, keyword) })
		switch {
		case i >= 0:
			parts = append(parts, &shape{kind: g.kind, s: s, of: of, around: around, at: at(s, g.keywords[i])})
		case g.kind == stringKind && s.Format != "" && !modern(s):
			parts = append(parts, &shape{kind: g.kind, s: s, of: of, around: around, at: at(s, "format")})
		case g.kind == stringKind && len(said) == 0 && c.policy == Generated && checkedFormat(s)+checkedEncoding(s) != "":
			parts = append(parts, &shape{kind: g.kind, s: s, of: of, around: around, at: encodingPlace(s)})
		}
	}
	return parts
}

func kindOf(name string) kind {
	return map[string]kind{
		"string": stringKind, "integer": numberKind, "number": numberKind, "boolean": booleanKind,
		"null": nullKind, "object": objectKind, "array": arrayKind,
	}[name]
}

// branches returns the schemas that a combination combines, each once.
func (c *comparison) branches(s *shape) []*shape {
	if s.parts == nil {
		s.subs = c.distinct(s.subs)
		var of *schema.Schema // a variant is no part: not all data fits it
		around := s.around
		if s.op == allOf {
			of = c.within(s.s, s.of)
		} else if whole := c.whole(s); c.generated() && len(whole.Properties)+len(c.besideOf(whole).always) > 0 {
			around = whole
		}
		for _, sub := range s.subs {
			s.parts = append(s.parts, c.part(sub, of, around))
		}
	}
	return s.parts
}

// branchPlace returns the place of branch i of a combination: its reference, not the
// target.
func branchPlace(s *shape, i int) place {
	if s.subs != nil {
		return whole(s.subs[i])
	}
	return s.parts[i].at
}

// empty reports whether s itself, without its reference, restricts nothing.
func (c *comparison) empty(s *schema.Schema) bool {
	return s.Ref == nil && c.shape(s).kind == anything
}

func isFalse(s *schema.Schema) bool { return s.Bool != nil && !*s.Bool }
func isTrue(s *schema.Schema) bool  { return s.Bool != nil && *s.Bool }

// nullable returns what a shape accepts besides null, if it is written as a combination
// of two: anyOf: [..., {type: "null"}], as Pydantic does. It returns nil for any other
// shape.
func (c *comparison) nullable(s *shape) *shape {
	if s.kind != combined || s.madeUp || s.op == allOf {
		return nil
	}
	switch of := c.branches(s); {
	case len(of) != 2:
		return nil
	case of[1].kind == nullKind:
		return of[0]
	case of[0].kind == nullKind:
		return of[1]
	}
	return nil
}

// describe returns a shape for a sentence.
func (c *comparison) describe(s *shape) string {
	switch s.kind {
	case anything:
		return "any value"
	case nothing:
		return "no value"
	case numberKind:
		if s.integer {
			return "an integer"
		}
		return "a number"
	case enumKind:
		return "an enum"
	case constKind:
		return "a const"
	case notKind:
		return "a not"
	case conditionKind:
		return "an if"
	case combined:
		if of := c.nullable(s); of != nil && of.kind != combined {
			return c.describe(of) + " or null"
		}
		if !s.madeUp {
			return "a combination by " + s.op
		}
		if s.op == anyOf {
			return schema.TypeText(s.s.Types...)
		}
		if len(s.parts) > 3 {
			return "a schema of several keywords"
		}
		var names []string
		for _, part := range s.parts {
			names = append(names, c.describe(part))
		}
		return strings.Join(names, " with ")
	}
	return schema.TypeText(map[kind]string{
		stringKind: "string", booleanKind: "boolean", nullKind: "null", objectKind: "object", arrayKind: "array",
	}[s.kind])
}
