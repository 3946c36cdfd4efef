package schema

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// keyword says how one keyword is read, and in which dialects it exists.
type keyword struct {
	read        func(b *builder, s *Schema, m Member)
	first, last int // dialect levels
	// annotation is true if the keyword does not affect validation.
	annotation bool
}

// vocabulary returns every keyword that exists in some dialect.
func vocabulary() map[string]keyword {
	words := map[string]keyword{
		"$schema":     {read: text(nil), annotation: true},
		"$comment":    {read: text(nil), annotation: true},
		"$vocabulary": {read: ignored, annotation: true},
		"title":       {read: text(func(s *Schema) *string { return &s.Title }), annotation: true},
		"description": {read: text(func(s *Schema) *string { return &s.Description }), annotation: true},
		"default":     {read: func(_ *builder, s *Schema, m Member) { s.Default = m.Value }, annotation: true},
		"examples":    {read: needs(Array, "an array of values", examples), annotation: true},
		"example":     {read: func(_ *builder, s *Schema, m Member) { s.Examples = append(s.Examples, m.Value) }, annotation: true},
		"deprecated":  {read: flag(func(s *Schema) *bool { return &s.Deprecated }), annotation: true},
		"readOnly":    {read: flag(func(s *Schema) *bool { return &s.ReadOnly }), annotation: true},
		"writeOnly":   {read: flag(func(s *Schema) *bool { return &s.WriteOnly }), annotation: true},

		"$ref":           {read: needs(String, uriReference, (*builder).ref)},
		"$id":            {read: needs(String, uriReference, (*builder).id), first: level6, annotation: true},
		"$anchor":        {read: (*builder).anchor, first: level2019, annotation: true},
		"$defs":          {read: named(func(s *Schema) *[]Property { return &s.Defs }), annotation: true},
		"definitions":    {read: named(func(s *Schema) *[]Property { return &s.Defs }), annotation: true},
		"$dynamicRef":    {read: needs(String, uriReference, (*builder).ref), first: level2020},
		"$dynamicAnchor": {read: (*builder).anchor, first: level2020, annotation: true},
		"x-outbox":       {read: (*builder).extension, annotation: true},

		"type":  {read: types},
		"enum":  {read: needs(Array, "an array of values", enum)},
		"const": {read: func(_ *builder, s *Schema, m Member) { s.Const = m.Value }, first: level6},

		"properties":            {read: named(func(s *Schema) *[]Property { return &s.Properties })},
		"patternProperties":     {read: named(func(s *Schema) *[]Property { return &s.PatternProperties })},
		"additionalProperties":  {read: sub(func(s *Schema) **Schema { return &s.AdditionalProperties })},
		"unevaluatedProperties": {read: sub(func(s *Schema) **Schema { return &s.UnevaluatedProperties }), first: level2019},
		"propertyNames":         {read: sub(func(s *Schema) **Schema { return &s.PropertyNames }), first: level6},
		"required":              {read: required},
		"minProperties":         {read: count(func(s *Schema) **Number { return &s.MinProperties })},
		"maxProperties":         {read: count(func(s *Schema) **Number { return &s.MaxProperties })},
		"dependentRequired":     {read: needs(Object, "an object whose members are arrays of names", dependentRequired), first: level2019},
		"dependentSchemas":      {read: named(func(s *Schema) *[]Property { return &s.DependentSchemas }), first: level2019},

		"prefixItems":      {read: subs(func(s *Schema) *[]*Schema { return &s.PrefixItems }), first: level2020},
		"items":            {read: items},
		"contains":         {read: sub(func(s *Schema) **Schema { return &s.Contains }), first: level6},
		"minContains":      {read: count(func(s *Schema) **Number { return &s.MinContains }), first: level2019},
		"maxContains":      {read: count(func(s *Schema) **Number { return &s.MaxContains }), first: level2019},
		"unevaluatedItems": {read: sub(func(s *Schema) **Schema { return &s.UnevaluatedItems }), first: level2019},
		"minItems":         {read: count(func(s *Schema) **Number { return &s.MinItems })},
		"maxItems":         {read: count(func(s *Schema) **Number { return &s.MaxItems })},
		"uniqueItems":      {read: flag(func(s *Schema) *bool { return &s.UniqueItems })},

		"minLength":        {read: count(func(s *Schema) **Number { return &s.MinLength })},
		"maxLength":        {read: count(func(s *Schema) **Number { return &s.MaxLength })},
		"pattern":          {read: needs(String, "a regular expression, as a string", pattern)},
		"format":           {read: text(func(s *Schema) *string { return &s.Format })},
		"contentEncoding":  {read: text(func(s *Schema) *string { return &s.ContentEncoding })},
		"contentMediaType": {read: text(func(s *Schema) *string { return &s.ContentMediaType })},
		"contentSchema":    {read: sub(func(s *Schema) **Schema { return &s.ContentSchema }), first: level2019, annotation: true},

		"minimum":          {read: bound(func(s *Schema) **Number { return &s.Minimum })},
		"maximum":          {read: bound(func(s *Schema) **Number { return &s.Maximum })},
		"exclusiveMinimum": {read: exclusive(func(s *Schema) **Number { return &s.ExclusiveMinimum })},
		"exclusiveMaximum": {read: exclusive(func(s *Schema) **Number { return &s.ExclusiveMaximum })},
		"multipleOf":       {read: multipleOf},

		"allOf":         {read: subs(func(s *Schema) *[]*Schema { return &s.AllOf })},
		"anyOf":         {read: subs(func(s *Schema) *[]*Schema { return &s.AnyOf })},
		"oneOf":         {read: subs(func(s *Schema) *[]*Schema { return &s.OneOf })},
		"not":           {read: sub(func(s *Schema) **Schema { return &s.Not })},
		"if":            {read: sub(func(s *Schema) **Schema { return &s.If }), first: level7},
		"then":          {read: sub(func(s *Schema) **Schema { return &s.Then }), first: level7},
		"else":          {read: sub(func(s *Schema) **Schema { return &s.Else }), first: level7},
		"discriminator": {read: discriminator, annotation: true},

		// OpenAPI's annotations, which schemas copied from there still have.
		"externalDocs": {read: ignored, annotation: true},
		"xml":          {read: ignored, annotation: true},
	}
	for name, word := range words {
		if word.last == 0 {
			word.last = level2020
			words[name] = word
		}
	}
	olderWords(words)
	return words
}

// besideRef reports whether a keyword next to $ref does not affect validation.
func besideRef(name string) bool {
	switch name {
	case "$ref", "$dynamicRef", "$recursiveRef", "$schema", "$comment", "$vocabulary", "title", "description", "default",
		"examples", "example", "deprecated", "readOnly", "writeOnly", "$id", "id", "$anchor", "$dynamicAnchor",
		"$recursiveAnchor", "$defs", "definitions", "x-outbox", "externalDocs", "xml", "contentSchema", "discriminator":
		return true
	}
	return strings.HasPrefix(name, "x-")
}

func ignored(*builder, *Schema, Member) {}

// ignore drops the keyword m in a file that users cannot edit.
func (b *builder) ignore(m Member) {
	if b.unit.foreign {
		b.ignored[m.Pos] = true
	}
}

// wrong reports a keyword whose value has the wrong type.
func (b *builder) wrong(m Member, wanted string) {
	b.ignore(m)
	b.unit.annotations[m.Value.Pos] = b.load.words[m.Name].annotation
	b.list.Errorf(m.Value.Pos, "wrong-type", "%s must be %s, not %s", m.Name, wanted, m.Value.Describe())
}

// Describe returns a value for a message.
func (v *Value) Describe() string {
	switch v.Kind {
	case Null:
		return "null"
	case Bool:
		return fmt.Sprint(v.Bool)
	case NumberKind:
		return "the number " + v.Text
	case String:
		return "the string " + finding.Quote(v.Text)
	case Array:
		return "an array"
	}
	return "an object"
}

// uriReference describes the values of keywords with a reference or an id.
const uriReference = "a URI reference, as a string"

// needs calls read for a keyword whose value is of a kind, and reports any other value.
func needs(kind ValueKind, wanted string, read func(*builder, *Schema, Member)) func(*builder, *Schema, Member) {
	return func(b *builder, s *Schema, m Member) {
		if m.Value.Kind != kind {
			b.wrong(m, wanted)
			return
		}
		read(b, s, m)
	}
}

func text(field func(*Schema) *string) func(*builder, *Schema, Member) {
	return needs(String, "a string", func(_ *builder, s *Schema, m Member) {
		if field != nil {
			*field(s) = m.Value.Text
		}
	})
}

func flag(field func(*Schema) *bool) func(*builder, *Schema, Member) {
	return needs(Bool, "true or false", func(_ *builder, s *Schema, m Member) { *field(s) = m.Value.Bool })
}

func sub(field func(*Schema) **Schema) func(*builder, *Schema, Member) {
	return func(b *builder, s *Schema, m Member) {
		if *field(s) = b.schema(m.Value, join(s.Pointer, m.Name)); *field(s) == nil {
			b.ignore(m)
		}
	}
}

func subs(field func(*Schema) *[]*Schema) func(*builder, *Schema, Member) {
	return func(b *builder, s *Schema, m Member) {
		*field(s) = b.schemas(s, m)
	}
}

// schemas reads a non-empty array of schemas. In a file that users cannot edit, an
// invalid array is ignored.
func (b *builder) schemas(s *Schema, m Member) []*Schema {
	if m.Value.Kind != Array {
		b.wrong(m, "an array of schemas")
		return nil
	}
	if len(m.Value.Items) == 0 {
		b.ignore(m)
		b.list.Errorf(m.Value.Pos, "empty-list", "%s needs at least one schema", m.Name)
		return nil
	}
	var out []*Schema
	at := join(s.Pointer, m.Name)
	for i, item := range m.Value.Items {
		if b.load.full {
			return nil // a limit is exceeded, and no more pointers are made
		}
		if sub := b.schema(item, join(at, fmt.Sprint(i))); sub != nil {
			out = append(out, sub)
			continue
		}
		b.ignore(m)
	}
	if b.ignored[m.Pos] {
		return nil
	}
	return out
}

func named(field func(*Schema) *[]Property) func(*builder, *Schema, Member) {
	return needs(Object, "an object whose members are schemas", func(b *builder, s *Schema, m Member) {
		at := join(s.Pointer, m.Name)
		definitions := m.Name == "$defs" || m.Name == "definitions"
		for _, p := range m.Value.Members {
			if definitions && p.Value.Kind != Object && p.Value.Kind != Bool {
				b.list.Warnf(p.Value.Pos, "wrong-type", "a schema must be an object, true or false, not %s; it is ignored", p.Value.Describe())
				continue
			}
			if b.load.full {
				return
			}
			sub := b.schema(p.Value, join(at, p.Name))
			if sub == nil && b.unit.foreign && !definitions {
				sub = b.schema(&Value{Pos: p.Value.Pos, Kind: Bool, Bool: true}, join(at, p.Name)) // the property exists nevertheless
			}
			if sub != nil {
				*field(s) = append(*field(s), Property{Name: p.Name, Pos: p.Pos, Schema: sub})
			}
		}
	})
}

func (b *builder) number(m Member) *Number {
	if m.Value.Kind != NumberKind {
		b.wrong(m, "a number")
		return nil
	}
	return &Number{Text: plainExponent(m.Value.Text), Pos: m.Value.Pos}
}

func bound(field func(*Schema) **Number) func(*builder, *Schema, Member) {
	return func(b *builder, s *Schema, m Member) { *field(s) = b.number(m) }
}

// count reads a non-negative integer.
func count(field func(*Schema) **Number) func(*builder, *Schema, Member) {
	return func(b *builder, s *Schema, m Member) {
		if m.Value.Kind == NumberKind {
			whole, ok := jsonvalue.Whole(m.Value.Text)
			if !ok && jsonvalue.IsWhole(m.Value.Text) && !strings.HasPrefix(m.Value.Text, "-") {
				whole, ok = strconv.Itoa(math.MaxInt), true // no value is as long
			}
			if ok && !strings.HasPrefix(whole, "-") {
				*field(s) = &Number{Text: whole, Pos: m.Value.Pos}
				return
			}
		}
		b.wrong(m, "a whole number, zero or more")
	}
}

func multipleOf(b *builder, s *Schema, m Member) {
	n := b.number(m)
	if n == nil {
		return
	}
	if strings.HasPrefix(n.Text, "-") || jsonvalue.CanonicalNumber(n.Text) == "0" {
		b.wrong(m, "greater than zero")
		return
	}
	s.MultipleOf = n
}

func pattern(_ *builder, s *Schema, m Member) {
	s.Pattern = &Name{Text: m.Value.Text, Pos: m.Value.Pos}
}

func examples(_ *builder, s *Schema, m Member) {
	s.Examples = append(s.Examples, m.Value.Items...)
}

func enum(b *builder, s *Schema, m Member) {
	s.Enum = []*Value{}
	if len(m.Value.Items) == 0 {
		b.list.Warnf(m.Value.Pos, "empty-list", "the enum lists no values, so no value is valid").SetHint("list the valid values")
		return
	}
	seen := map[string]finding.Pos{}
	for _, v := range m.Value.Items {
		key := v.Canonical()
		if other, dup := seen[key]; dup {
			b.list.Warnf(v.Pos, "duplicate-enum", "the enum lists %s twice; the first is at line %d, column %d", v.Describe(), other.Line, other.Col)
			continue
		}
		seen[key] = v.Pos
		s.Enum = append(s.Enum, v)
	}
}

// names reads an array of unique strings.
func (b *builder) names(m Member) []Name {
	if m.Value.Kind != Array {
		b.wrong(m, "an array of names")
		return nil
	}
	var out []Name
	seen := map[string]bool{}
	for _, v := range m.Value.Items {
		switch {
		case v.Kind != String:
			b.list.Errorf(v.Pos, "wrong-type", "%s must list names, not %s", m.Name, v.Describe())
		case seen[v.Text]:
			b.list.Errorf(v.Pos, "duplicate-name", "%s is listed twice", finding.Quote(v.Text))
		default:
			seen[v.Text] = true
			out = append(out, Name{Text: v.Text, Pos: v.Pos})
		}
	}
	return out
}

// quoted returns m with a name that is safe for messages.
func quoted(m Member) Member {
	m.Name = finding.Quote(m.Name)
	return m
}

func required(b *builder, s *Schema, m Member) {
	if m.Value.Kind == Bool {
		b.ignore(m)
		b.list.Errorf(m.Value.Pos, "wrong-type", "required must be an array of names, not %s", m.Value.Describe()).
			SetHint("list the property in the required array of the enclosing object")
		return
	}
	s.Required = b.names(m)
}

func dependentRequired(b *builder, s *Schema, m Member) {
	for _, p := range m.Value.Members {
		s.DependentRequired = append(s.DependentRequired, Dependent{
			Name: Name{Text: p.Name, Pos: p.Pos}, Required: b.names(quoted(p)),
		})
	}
}

func types(b *builder, s *Schema, m Member) {
	values := []*Value{m.Value}
	if m.Value.Kind == Array {
		values = m.Value.Items
		if len(values) == 0 {
			b.ignore(m)
			b.list.Errorf(m.Value.Pos, "empty-list", "type needs at least one type")
		}
	}
	for _, v := range values {
		if name, ok := b.typeName(m, v); ok {
			if slices.Contains(s.Types, name) {
				b.list.Errorf(v.Pos, "duplicate-name", "the type %s is listed twice", name)
				continue
			}
			s.Types = append(s.Types, name)
		} else {
			b.ignore(m)
		}
	}
	if b.ignored[m.Pos] {
		s.Types = nil // the rest would allow less than is meant
	}
}

var typeNames = []string{"array", "boolean", "integer", "null", "number", "object", "string"}

func (b *builder) typeName(m Member, v *Value) (string, bool) {
	if v.Kind == String && slices.Contains(typeNames, v.Text) {
		return v.Text, true
	}
	switch v.Kind {
	case Null:
		b.list.Errorf(v.Pos, "unknown-type", "this is the value null, not the type name").SetHint(`quote it: "null"`)
	case String:
		b.list.Errorf(v.Pos, "unknown-type", "%s is not a type of JSON Schema", finding.Quote(v.Text)).SetHint(typeHint(v.Text))
	default:
		b.wrong(Member{Name: m.Name, Pos: m.Pos, Value: v}, "the name of a type, or an array of them")
	}
	return "", false
}

// otherNames are the names of types in other languages.
var otherNames = map[string]string{
	"int": "integer", "int32": "integer", "int64": "integer", "long": "integer", "bool": "boolean",
	"float": "number", "double": "number", "decimal": "number", "str": "string", "text": "string",
	"list": "array", "tuple": "array", "map": "object", "dict": "object", "struct": "object",
}

func typeHint(text string) string {
	if meant := otherNames[strings.ToLower(text)]; meant != "" {
		return "use " + meant
	}
	switch strings.ToLower(text) {
	case "date", "time", "date-time", "datetime", "uuid", "uri", "email":
		return "use type: string with format: " + strings.Replace(strings.ToLower(text), "datetime", "date-time", 1)
	case "none", "nil":
		return "quote null"
	}
	if hint := finding.DidYouMean(text, typeNames); hint != "" {
		return hint
	}
	return "the types are " + strings.Join(typeNames, ", ")
}

// discriminator reads OpenAPI's keyword. In AsyncAPI it is the name of a property.
func discriminator(b *builder, s *Schema, m Member) {
	d := &Discriminator{}
	switch {
	case (b.unit.api != 0 || b.unit.handed.dialect != "" || version(b.unit.value, "swagger") != "") && m.Value.Kind == String && m.Value.Text != "":
		d.PropertyName = Name{Text: m.Value.Text, Pos: m.Value.Pos}
	case m.Value.Kind != Object:
		b.wrong(m, "an object with propertyName")
		return
	}
	for _, p := range m.Value.Members {
		switch {
		case p.Name == "propertyName" && p.Value.Kind == String:
			d.PropertyName = Name{Text: p.Value.Text, Pos: p.Value.Pos}
		case p.Name == "propertyName":
			b.wrong(p, "a string")
		case p.Name == "mapping" && p.Value.Kind == Object:
			b.mapping(s, d, p.Value)
		case p.Name == "mapping":
			b.wrong(p, "an object from values to references")
		case strings.HasPrefix(p.Name, "x-"):
		default:
			b.list.Errorf(p.Pos, "unknown-member", "discriminator has no member %s", finding.Quote(p.Name)).
				SetHint(finding.DidYouMean(p.Name, []string{"propertyName", "mapping"}))
		}
	}
	if d.PropertyName.Text == "" {
		b.ignore(m)
		b.list.Errorf(m.Pos, "missing-member", "discriminator needs propertyName")
		return
	}
	s.Discriminator = d
	b.load.discriminators = append(b.load.discriminators, d)
}

func (b *builder) mapping(s *Schema, d *Discriminator, v *Value) {
	for _, p := range v.Members {
		if p.Value.Kind != String {
			b.wrong(quoted(p), "a reference, as a string")
			continue
		}
		ref := &Ref{Text: p.Value.Text, Pos: p.Value.Pos}
		d.Mapping = append(d.Mapping, Name{Text: p.Name, Pos: p.Pos})
		d.Refs = append(d.Refs, ref)
		b.refer(ref, s, true)
	}
}

func join(pointer, name string) string {
	return pointer + "/" + EscapeToken(name)
}

var (
	escaper   = strings.NewReplacer("~", "~0", "/", "~1")
	unescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// EscapeToken writes a name as a reference token of a JSON Pointer.
func EscapeToken(name string) string { return escaper.Replace(name) }

// UnescapeToken reads a reference token of a JSON Pointer.
func UnescapeToken(token string) string { return unescaper.Replace(token) }

// known lists the keywords of a dialect, for suggestions.
func known(words map[string]keyword, level int) []string {
	var out []string
	for name, word := range words {
		if word.first <= level && level <= word.last {
			out = append(out, name)
		}
	}
	return out
}
