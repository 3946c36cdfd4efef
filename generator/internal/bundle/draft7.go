package bundle

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// draft7 returns s as a schema of AsyncAPI: in draft-07, which ignores what is beside
// $ref, with the keywords that AsyncAPI adds.
func (a *asyncAPI) draft7(s *schema.Schema) string {
	if s.Bool != nil {
		return strconv.FormatBool(*s.Bool)
	}
	var parts []string // of allOf
	if s.Ref != nil {
		parts = append(parts, reference(a.reference(s.Ref.Target)))
	}
	for _, part := range s.AllOf {
		parts = append(parts, a.draft7(part))
	}
	o := &object{}
	o.optional("title", s.Title)
	o.optional("description", s.Description)
	o.flag("deprecated", s.Deprecated)
	o.flag("readOnly", s.ReadOnly)
	o.flag("writeOnly", s.WriteOnly)
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
	o.optional("format", s.Format)
	o.optional("contentEncoding", s.ContentEncoding)
	o.optional("contentMediaType", s.ContentMediaType)
	o.number("minLength", s.MinLength)
	o.number("maxLength", s.MaxLength)
	if s.Pattern != nil {
		o.text("pattern", s.Pattern.Text)
	}
	o.number("minimum", s.Minimum)
	o.number("exclusiveMinimum", s.ExclusiveMinimum)
	o.number("maximum", s.Maximum)
	o.number("exclusiveMaximum", s.ExclusiveMaximum)
	o.number("multipleOf", s.MultipleOf)
	a.objects7(o, s)
	a.arrays7(o, s)
	a.combinations7(o, s, parts)
	if s.Default != nil {
		o.add("default", s.Default.JSON())
	}
	if len(s.Examples) > 0 {
		o.add("examples", values(s.Examples))
	}
	marks(o, s)
	if s.Ref != nil && len(o.members) == 1 && len(s.AllOf) == 0 {
		return parts[0]
	}
	return o.String()
}

func (a *asyncAPI) objects7(o *object, s *schema.Schema) {
	if len(s.Required) > 0 {
		o.add("required", texts(schema.Texts(s.Required)))
	}
	a.named7(o, "properties", s.Properties)
	a.named7(o, "patternProperties", s.PatternProperties)
	rest := s.AdditionalProperties
	if s.UnevaluatedProperties != nil {
		if rest == nil && !inPlace(s) {
			rest = s.UnevaluatedProperties
		} else if rest == nil {
			a.loses(s, "unevaluatedProperties")
		}
	}
	a.sub7(o, "additionalProperties", rest)
	a.sub7(o, "propertyNames", s.PropertyNames)
	o.number("minProperties", s.MinProperties)
	o.number("maxProperties", s.MaxProperties)
	a.dependencies(o, s)
}

// dependencies writes what 2020-12 has in two keywords.
func (a *asyncAPI) dependencies(o *object, s *schema.Schema) {
	if len(s.DependentRequired)+len(s.DependentSchemas) == 0 {
		return
	}
	all := &object{}
	also := map[string]string{}
	for _, d := range s.DependentRequired {
		needed := texts(schema.Texts(d.Required))
		if slices.ContainsFunc(s.DependentSchemas, func(p schema.Property) bool { return p.Name == d.Name.Text }) {
			also[d.Name.Text] = `{"required":` + needed + `}`
			continue
		}
		all.add(d.Name.Text, needed)
	}
	for _, p := range s.DependentSchemas {
		text := a.draft7(p.Schema)
		if more := also[p.Name]; more != "" {
			text = `{"allOf":[` + text + `,` + more + `]}`
		}
		all.add(p.Name, text)
	}
	o.add("dependencies", all.String())
}

func (a *asyncAPI) arrays7(o *object, s *schema.Schema) {
	rest := s.Items
	if s.UnevaluatedItems != nil {
		if rest == nil && !inPlace(s) && s.Contains == nil {
			rest = s.UnevaluatedItems
		} else if rest == nil {
			a.loses(s, "unevaluatedItems")
		}
	}
	if len(s.PrefixItems) > 0 {
		o.add("items", array(s.PrefixItems, a.draft7))
		a.sub7(o, "additionalItems", rest)
	} else {
		a.sub7(o, "items", rest)
	}
	if s.Contains != nil {
		least, most := s.MinContains.Count(), s.MaxContains
		if least != nil && *least > 1 {
			a.loses(s, "minContains")
		}
		if most != nil {
			a.loses(s, "maxContains")
		}
		if least == nil || *least > 0 {
			a.sub7(o, "contains", s.Contains)
		}
	}
	o.number("minItems", s.MinItems)
	o.number("maxItems", s.MaxItems)
	o.flag("uniqueItems", s.UniqueItems)
}

// inPlace reports whether other schemas apply to the values of s, whose properties and
// items count as evaluated.
func inPlace(s *schema.Schema) bool {
	return s.Ref != nil || len(s.AllOf)+len(s.AnyOf)+len(s.OneOf)+len(s.DependentSchemas) > 0 || s.If != nil || s.Not != nil
}

func (a *asyncAPI) combinations7(o *object, s *schema.Schema, parts []string) {
	if len(parts) > 0 {
		o.add("allOf", "["+strings.Join(parts, ",")+"]")
	}
	for _, c := range []struct {
		name string
		all  []*schema.Schema
	}{{"anyOf", s.AnyOf}, {"oneOf", s.OneOf}} {
		if len(c.all) > 0 {
			o.add(c.name, array(c.all, a.draft7))
		}
	}
	a.sub7(o, "not", s.Not)
	a.sub7(o, "if", s.If)
	a.sub7(o, "then", s.Then)
	a.sub7(o, "else", s.Else)
	if d := s.Discriminator; d != nil {
		o.text("discriminator", d.PropertyName.Text)
		if a.otherBranches(s) {
			a.loses(s, "discriminator")
		}
	}
}

func (a *asyncAPI) sub7(o *object, name string, s *schema.Schema) {
	if s != nil {
		o.add(name, a.draft7(s))
	}
}

func (a *asyncAPI) named7(o *object, name string, all []schema.Property) {
	if len(all) == 0 {
		return
	}
	members := &object{}
	for _, p := range all {
		members.add(p.Name, a.draft7(p.Schema))
	}
	o.add(name, members.String())
}

// marks adds the marks of a schema.
func marks(o *object, s *schema.Schema) {
	if s.Marks == nil {
		return
	}
	x := &object{}
	for _, mark := range []struct {
		name  string
		value *bool
	}{{"personal", s.Marks.Personal}, {"grows", s.Marks.Grows}} {
		if mark.value != nil {
			x.add(mark.name, strconv.FormatBool(*mark.value))
		}
	}
	if len(x.members) > 0 {
		o.add("x-outbox", x.String())
	}
}

// loses reports a constraint that the document does not have.
func (a *asyncAPI) loses(s *schema.Schema, keyword string) {
	pos, ok := s.At[keyword]
	if !ok {
		pos = s.Pos
	}
	text := "AsyncAPI has no " + keyword + ", so the exported document omits it, and describes more values than are valid"
	if keyword == "discriminator" {
		text = "the discriminator of AsyncAPI has no mapping, so the exported document does not say which value of the property is for which branch"
	}
	a.list.Add(finding.Finding{Pos: pos, Severity: finding.Warning, ID: "asyncapi-export-loses", Message: text})
}
