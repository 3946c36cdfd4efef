// Package bundle writes the schemas of events as self-contained documents.
//
// Document and Record write one event as a JSON Schema document of 2020-12. Referenced
// schemas, of any file and dialect, are under $defs. Keywords that 2020-12 does not have
// are translated, as far as package schema reads them; other annotations are dropped.
//
// AsyncAPI writes all events of a project as one document of AsyncAPI 3.0. Its schemas
// are in draft-07, under components.
package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Document returns the schema of the event's data as indented JSON. The same schema
// and comment give the same bytes. comment becomes its $comment, which says who wrote it.
func Document(e *schema.Event, comment string) ([]byte, error) {
	b := &bundler{root: e.Schema, names: map[*schema.Schema]string{}}
	b.collect(e.Schema)
	b.assign()
	doc := &object{}
	doc.text("$schema", "https://json-schema.org/draft/2020-12/schema")
	doc.optional("$id", e.SchemaURI)
	doc.text("$comment", comment)
	b.keywords(doc, e.Schema)
	return b.finish(doc, e)
}

// Has reports whether a file is a document with this comment.
func Has(content []byte, comment string) bool {
	return bytes.Contains(content, []byte("\n  \"$comment\": \""+comment+"\""))
}

// finish adds the event and the definitions to a document, and returns its bytes.
func (b *bundler) finish(doc *object, e *schema.Event) ([]byte, error) {
	doc.add("x-event", event(e))
	if len(b.targets) > 0 {
		defs := &object{}
		for _, target := range b.targets {
			defs.add(b.names[target], b.schema(target))
		}
		doc.add("$defs", defs.String())
	}
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(doc.String()), "", "  "); err != nil {
		return nil, fmt.Errorf("the schema of %s is not valid JSON: %w", e.Type, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// event returns the content of x-outbox with all defaults. It has another name, because
// a document is no source of events.
func event(e *schema.Event) string {
	x := &object{}
	x.add("version", strconv.Itoa(e.Version))
	x.text("type", e.Type)
	x.text("topic", e.Topic)
	x.text("envelope", e.Envelope)
	aggregate := &object{}
	aggregate.text("type", e.AggregateType)
	if e.AggregateID != nil {
		aggregate.text("id", e.AggregateID.Text)
	}
	x.add("aggregate", aggregate.String())
	switch {
	case !e.Keyed:
		x.add("key", "null")
	case e.Key != nil:
		x.text("key", e.Key.Text)
	}
	if e.Correlation != nil {
		x.text("correlation", e.Correlation.Text)
	}
	x.flag("tombstone", e.Tombstone)
	return x.String()
}

type bundler struct {
	root    *schema.Schema
	targets []*schema.Schema // of references, except the root; sorted by name once they have names
	names   map[*schema.Schema]string
	// under is the pointer of the schemas in targets; "": /$defs.
	under string
	// discriminated are the schemas with a discriminator.
	discriminated []*schema.Schema
	// evaluates is true if a schema depends on the items that another one evaluates.
	evaluates bool
}

// collect finds what s refers to, directly or through others.
func (b *bundler) collect(s *schema.Schema) {
	if s == nil {
		return
	}
	if s.UnevaluatedItems != nil {
		b.evaluates = true
	}
	if s.Ref != nil {
		b.target(s.Ref.Target)
	}
	if d := s.Discriminator; d != nil {
		b.discriminated = append(b.discriminated, s)
		for _, target := range d.Targets {
			b.target(target)
		}
	}
	for _, sub := range subschemas(s) {
		b.collect(sub)
	}
}

func (b *bundler) target(s *schema.Schema) {
	if s == nil || s == b.root || slices.Contains(b.targets, s) {
		return
	}
	b.targets = append(b.targets, s)
	b.collect(s)
}

// subschemas returns the schemas inside s that have a meaning for values.
func subschemas(s *schema.Schema) []*schema.Schema {
	all := []*schema.Schema{
		s.AdditionalProperties, s.UnevaluatedProperties, s.PropertyNames, s.Items, s.Contains, s.UnevaluatedItems,
		s.ContentSchema, s.Not, s.If, s.Then, s.Else,
	}
	for _, list := range [][]*schema.Schema{s.PrefixItems, s.AllOf, s.AnyOf, s.OneOf} {
		all = append(all, list...)
	}
	for _, list := range [][]schema.Property{s.Properties, s.PatternProperties, s.DependentSchemas} {
		for _, p := range list {
			all = append(all, p.Schema)
		}
	}
	return all
}

// schema returns s as JSON.
func (b *bundler) schema(s *schema.Schema) string {
	if s.Bool != nil {
		return strconv.FormatBool(*s.Bool)
	}
	o := &object{}
	b.keywords(o, s)
	return o.String()
}

// keywords adds what s says.
func (b *bundler) keywords(o *object, s *schema.Schema) {
	o.optional("title", s.Title)
	o.optional("description", s.Description)
	o.flag("deprecated", s.Deprecated)
	o.flag("readOnly", s.ReadOnly)
	o.flag("writeOnly", s.WriteOnly)
	if s.Ref != nil {
		o.text("$ref", b.reference(s.Ref.Target))
	}
	switch len(s.Types) {
	case 0:
	case 1:
		o.text("type", s.Types[0])
	default:
		o.add("type", texts(s.Types))
	}
	if s.Enum != nil {
		o.add("enum", values(s.Enum))
		o.enumNames(s)
	}
	if s.Const != nil {
		o.add("const", s.Const.JSON())
	}
	b.strings(o, s)
	o.number("minimum", s.Minimum)
	o.number("exclusiveMinimum", s.ExclusiveMinimum)
	o.number("maximum", s.Maximum)
	o.number("exclusiveMaximum", s.ExclusiveMaximum)
	o.number("multipleOf", s.MultipleOf)
	b.objects(o, s)
	b.arrays(o, s)
	b.combinations(o, s)
	if s.Default != nil {
		o.add("default", s.Default.JSON())
	}
	if len(s.Examples) > 0 {
		o.add("examples", values(s.Examples))
	}
}

func (b *bundler) strings(o *object, s *schema.Schema) {
	o.optional("format", s.Format)
	o.optional("contentEncoding", s.ContentEncoding)
	o.optional("contentMediaType", s.ContentMediaType)
	b.sub(o, "contentSchema", s.ContentSchema)
	o.number("minLength", s.MinLength)
	o.number("maxLength", s.MaxLength)
	if s.Pattern != nil {
		o.text("pattern", s.Pattern.Text)
	}
}

func (b *bundler) objects(o *object, s *schema.Schema) {
	if len(s.Required) > 0 {
		o.add("required", texts(schema.Texts(s.Required)))
	}
	b.named(o, "properties", s.Properties)
	b.named(o, "patternProperties", s.PatternProperties)
	b.sub(o, "additionalProperties", s.AdditionalProperties)
	b.sub(o, "unevaluatedProperties", s.UnevaluatedProperties)
	b.sub(o, "propertyNames", s.PropertyNames)
	o.number("minProperties", s.MinProperties)
	o.number("maxProperties", s.MaxProperties)
	if len(s.DependentRequired) > 0 {
		dependent := &object{}
		for _, d := range s.DependentRequired {
			dependent.add(d.Name.Text, texts(schema.Texts(d.Required)))
		}
		o.add("dependentRequired", dependent.String())
	}
	b.named(o, "dependentSchemas", s.DependentSchemas)
}

func (b *bundler) arrays(o *object, s *schema.Schema) {
	b.list(o, "prefixItems", s.PrefixItems)
	b.sub(o, "items", s.Items)
	if !b.hidesContains(s) {
		b.contains(o, s)
	}
	b.sub(o, "unevaluatedItems", s.UnevaluatedItems)
	o.number("minItems", s.MinItems)
	o.number("maxItems", s.MaxItems)
	o.flag("uniqueItems", s.UniqueItems)
}

// hidesContains reports whether contains of s must not evaluate items, as before
// 2020-12, and that matters.
func (b *bundler) hidesContains(s *schema.Schema) bool {
	return s.Contains != nil && s.ContainsCounts && b.evaluates
}

func (b *bundler) contains(o *object, s *schema.Schema) {
	b.sub(o, "contains", s.Contains)
	o.number("minContains", s.MinContains)
	o.number("maxContains", s.MaxContains)
}

func (b *bundler) combinations(o *object, s *schema.Schema) {
	var also []string
	if b.hidesContains(s) {
		hidden := &object{}
		b.contains(hidden, s)
		also = append(also, `{"not":{"not":`+hidden.String()+`}}`) // not hides what was evaluated inside it
	}
	b.list(o, "allOf", s.AllOf, also...)
	b.list(o, "anyOf", s.AnyOf)
	b.list(o, "oneOf", s.OneOf)
	b.sub(o, "not", s.Not)
	b.sub(o, "if", s.If)
	b.sub(o, "then", s.Then)
	b.sub(o, "else", s.Else)
	d := s.Discriminator
	if d == nil {
		return
	}
	told := &object{}
	told.text("propertyName", d.PropertyName.Text)
	mapping := &object{}
	for i, value := range d.Mapping {
		if i < len(d.Targets) && d.Targets[i] != nil {
			mapping.text(value.Text, b.reference(d.Targets[i]))
		}
	}
	if len(mapping.members) > 0 {
		told.add("mapping", mapping.String())
	}
	o.add("discriminator", told.String())
}
