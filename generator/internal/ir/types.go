package ir

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// override is the type that the config gives a format or a reference.
func (b *builder) override(s *schema.Schema) *Type {
	for _, m := range b.project.Config.Types {
		if s.Ref != nil && s.Ref.Text == m.Match || s.Format != "" && s.Format == m.Match || isNumeric(s, m.Match) {
			t := b.mapped(s, m.Type)
			t.Nullable = t.Nullable || slices.Contains(s.Types, "null")
			return t
		}
	}
	return nil
}

// mapped is a schema as the Go type called name. Where that is one that a
// schema without a format has, the constraints hold as for such a schema.
func (b *builder) mapped(s *schema.Schema, name string) *Type {
	t := b.mappedKind(s, name)
	if target := s.Resolved(); target != nil {
		t.Place = b.placeOf(target)
	}
	return t
}

func (b *builder) mappedKind(s *schema.Schema, name string) *Type {
	if t := b.exact(s, name); t != nil {
		return t
	}
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return &Type{Kind: External, Import: name[:dot], Name: name[dot+1:]}
	}
	var plain schema.Schema
	if target := s.Resolved(); target != nil {
		plain = *target
	}
	plain.Format, plain.ContentEncoding = "", ""
	switch name {
	case "string":
		return b.text(&plain)
	case "int64":
		return b.integer(&plain)
	case "float64":
		return b.float(&plain)
	case "bool":
		return &Type{Kind: Bool}
	case "any":
		return &Type{Nullable: true}
	}
	return &Type{Kind: External, Name: name}
}

// plain is the type of a schema without references, combinations and null.
func (b *builder) plain(s *schema.Schema, at context) *Type {
	if s.Bool != nil {
		if !*s.Bool {
			b.list.Errorf(s.Pos, "never-valid", "no value is valid here, so there is no Go type for it")
		}
		return &Type{}
	}
	kind, ok := b.kind(s)
	if !ok {
		return &Type{}
	}
	b.satisfiable(s, kind)
	var t *Type
	if s.Const != nil || len(s.Enum) > 0 {
		t = b.listed(s, kind, at)
	} else if t = b.ofKind(s, kind, at); t.Kind != Struct {
		t.Rules = b.rulesOf(s, append(b.lengthsBeside(s, t), b.boundsBeside(s, t)...)...)
	}
	if t.Const != nil && s.Const == nil {
		b.renamed(s, "const", b.origin(s, "enum"))
	}
	t.Place, t.Origins = b.placeOf(s), b.origins[s]
	return t
}

// ofKind is the type of a schema of one JSON type that lists no values.
func (b *builder) ofKind(s *schema.Schema, kind string, at context) *Type {
	switch kind {
	case "object":
		return b.object(s, at)
	case "array":
		return b.array(s, at)
	case "string":
		return b.text(s)
	case "integer":
		return b.integer(s)
	case "number":
		return b.float(s)
	case "boolean":
		return &Type{Kind: Bool}
	case "null":
		return &Type{Kind: Null}
	default:
		return &Type{}
	}
}

// checkFormat warns of a format of numbers that nothing comes of.
func (b *builder) checkFormat(s *schema.Schema, kind string, known ...string) {
	if s.Format != "" && !slices.Contains(known, s.Format) {
		b.list.Warnf(at(s, "format"), "format-not-checked", "format %q is not known; any %s passes", s.Format, kind)
	}
}

// kind is the one JSON type of a schema, "" for any. Where the schema leaves
// it out, its enum, const or keywords tell.
func (b *builder) kind(s *schema.Schema) (string, bool) {
	types := slices.DeleteFunc(slices.Clone(s.Types), func(t string) bool { return t == "null" })
	switch {
	case len(types) == 2 && slices.Contains(types, "integer") && slices.Contains(types, "number"):
		return "number", true
	case len(types) > 1:
		b.unsupported(s, "type", "a union of several types")
		return "", false
	case len(types) == 1:
		return types[0], true
	case len(s.Types) == 1:
		return "null", true
	}
	if values := valuesOf(s); len(values) > 0 {
		return kindOfValues(values), true
	}
	if guess, keyword := guessed(s); guess != "" {
		b.list.Add(diag.Finding{
			Pos: s.Pos, Severity: diag.Warning, ID: "type-missing",
			Message: keyword + " without a type also allows every value of another type; taken as type: " + guess,
			Hint:    "add type: " + guess,
		})
		return guess, true
	}
	return "", true
}

// guessed is the JSON type that the keywords of a schema are about, with the
// keyword that says so.
func guessed(s *schema.Schema) (kind, keyword string) {
	for _, guess := range []struct {
		kind     string
		keywords []string
	}{
		{"object", []string{"properties", "additionalProperties", "required", "minProperties", "maxProperties", "patternProperties", "propertyNames", "unevaluatedProperties"}},
		{"array", []string{"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"}},
		{"string", []string{"minLength", "maxLength", "pattern", "format", "contentEncoding"}},
		{"number", []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
	} {
		for _, keyword := range guess.keywords {
			if _, ok := s.At[keyword]; ok {
				return guess.kind, keyword
			}
		}
	}
	return "", ""
}

// text is the type of a string: a real one where its format has one.
func (b *builder) text(s *schema.Schema) *Type {
	t := &Type{Kind: String, MinLength: b.count(s.MinLength), MaxLength: b.count(s.MaxLength)}
	switch s.Format {
	case "date-time":
		t.Kind = DateTime
	case "date":
		t.Kind = Date
	case "time":
		t.Kind = TimeOfDay
	case "duration":
		t.Kind = Duration
	case "uuid", "guid":
		t.Kind = UUID
	case "byte":
		t.Kind = Bytes
	case "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "json-pointer", "relative-json-pointer", "regex":
		t.Format = s.Format
	case "base64url":
		t.Kind = Base64URL
	case "", "password", "binary", "char":
	default:
		b.list.Warnf(at(s, "format"), "format-not-checked", "format %q is not known; any string passes", s.Format)
	}
	switch strings.ToLower(s.ContentEncoding) {
	case "base64":
		t.Kind = Bytes
	case "base64url":
		t.Kind = Base64URL
	case "base32":
		t.Kind = Base32
	case "base16", "hex":
		t.Kind = Base16
	case "7bit", "quoted-printable":
		if t.Kind == String && t.Format == "" {
			t.Format = strings.ToLower(s.ContentEncoding)
		}
	case "", "8bit", "binary", "identity":
	default:
		b.list.Warnf(at(s, "contentEncoding"), "encoding-not-decoded", "contentEncoding %q is not decoded; the value is the encoded string", s.ContentEncoding)
	}
	b.warnContent(s)
	if s.Pattern != nil {
		if problem := brokenPattern(s.Pattern.Text); problem != "" {
			b.list.Errorf(s.Pattern.Pos, "bad-pattern", "the pattern %s is no regular expression: %s", diag.Quote(s.Pattern.Text), problem)
		} else if source, err := goPattern(s.Pattern.Text); err != "" {
			b.list.Warnf(s.Pattern.Pos, "pattern-not-checked", "Go's regular expressions cannot say this pattern (%s); Validate does not check it", err)
		} else {
			t.Pattern = &Pattern{Source: source}
		}
	}
	if t.Kind != String {
		t.MinLength, t.MaxLength, t.Pattern = nil, nil, nil // rules, see lengthsBeside
	}
	return t
}

// lengthsBeside is the rule for the text of a value whose format has a Go type
// of its own.
func (b *builder) lengthsBeside(s *schema.Schema, t *Type) []*Rule {
	switch t.Kind {
	case DateTime, Date, TimeOfDay, Duration, UUID, Bytes, Base64URL, Base32, Base16:
		r := &Rule{Place: b.placeOf(s)}
		(&ruleMaker{builder: b}).lengths(r, s)
		if len(r.Words) > 0 {
			return []*Rule{r}
		}
	}
	return nil
}

// object is the type of an object: a struct, a map, or free-form.
func (b *builder) object(s *schema.Schema, at context) *Type {
	if n := b.named[s]; n != nil && len(n.Enum) == 0 {
		return &Type{Kind: Struct, Named: n} // event data is a struct, also where it could be a map
	}
	if len(b.matchers(s)) == 1 && len(s.Properties)+len(s.Required) == 0 {
		if t := b.collect(s, at, func() *Type { return b.matchingMap(s, at) }); t != nil {
			return t
		}
	}
	if len(s.Properties) > 0 || len(s.Required) > 0 || closes(s) || len(b.matchers(s)) > 0 || len(b.mentions(s)) > 0 {
		return &Type{Kind: Struct, Named: b.structOf(s, at)}
	}
	return b.collect(s, at, func() *Type { return b.mapOf(s, at) })
}

// mapOf is the type of an object whose members are alike.
func (b *builder) mapOf(s *schema.Schema, at context) *Type {
	t := &Type{Kind: Object, MinProperties: b.count(s.MinProperties), MaxProperties: b.count(s.MaxProperties)}
	extra := b.restMembers(s)
	if extra == nil || extra.Bool != nil {
		return t
	}
	if elem := b.typeOf(extra, at.inside("value")); elem.Kind != Any {
		t.Kind, t.Elem = Map, elem
	}
	return t
}

// closes reports whether a schema forbids the members that it does not describe.
// Beside additionalProperties, which describes them all, none is unevaluated.
func closes(s *schema.Schema) bool {
	rest := s.AdditionalProperties
	if rest == nil {
		rest = s.UnevaluatedProperties
	}
	return isFalse(rest)
}

// structOf is the struct of a schema, made once.
func (b *builder) structOf(s *schema.Schema, at context) *Named {
	if n := b.named[s]; n != nil {
		return n
	}
	key := b.key(s, at)
	if n := b.byKey[key]; n != nil {
		b.named[s] = n
		return n
	}
	n := &Named{Schema: s, joins: at.joins}
	b.named[s], b.byKey[key] = n, n
	b.order = append(b.order, b.request(n, at))
	if b.combined[s] > 0 && tooNested(n) {
		b.tooManyCombinations(s)
		return n
	}
	b.depth++
	defer func() { b.depth-- }()
	if len(s.PrefixItems) > 0 {
		b.fillTuple(n, s)
	} else {
		b.fill(n, s)
	}
	return n
}

// tooNested reports whether a type is written inside more types than any file
// nests.
func tooNested(n *Named) bool {
	const most = 100
	depth := 0
	for ; n.Parent != nil; n = n.Parent {
		depth++
	}
	return depth > most
}
