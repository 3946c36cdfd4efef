package site

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/example"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// field is a row of the table of fields.
type field struct {
	Depth       int    // 0 to deepestRow
	Within      string // the path of what contains it, with what separates them
	Name        string
	Type        string
	Required    string // required, optional, or "" where that has no meaning
	Marks       []string
	Description prose
	Rules       []rule
	Values      []enumValue
	MoreValues  int // that are not shown
	Default     *string
	Examples    []string
}

// enumValue is a value of an enum.
type enumValue struct{ Value, Name string }

const (
	// deepestRow is how far rows are indented, and deepestField how far they go.
	deepestRow, deepestField = 6, 12
	// mostFields and mostValues limit the table; the JSON Schema has the rest.
	mostFields, mostValues = 1500, 60
)

// fields writes the table of one event.
type fields struct {
	event *schema.Event
	rows  []field
	left  bool // some rows are left out
	// above has the schemas that contain the current one, with their paths.
	above []container
}

type container struct {
	schema *schema.Schema
	path   string
}

// fieldsOf returns the rows for the data of an event: first the data itself. left is
// whether there are more.
func fieldsOf(e *schema.Event) (root field, rows []field, left bool) {
	w := &fields{event: e}
	f := gather(e.Schema)
	root = w.value(f, "")
	w.children(f, "", "", 0)
	return root, w.rows, w.left
}

// add adds the row of a value and those inside it. pointer is the JSON Pointer of the
// value in the data, or "-" for none.
func (w *fields) add(within, name, pointer string, s *schema.Schema, required string, depth int) {
	if len(w.rows) >= mostFields || depth > deepestField {
		w.left = true
		return
	}
	f := gather(s)
	row := w.value(f, pointer)
	row.Within, row.Name, row.Required, row.Depth = within, name, required, min(depth, deepestRow)
	path := within + name
	again := w.inside(f)
	if again != nil {
		row.Rules = append(row.Rules, rule{"has the same fields as", again.shown()})
	}
	if isItem(name) && again == nil && row.plain() && hasChildren(f) {
		w.children(f, path, pointer, depth) // the array has said what its items are
		return
	}
	w.rows = append(w.rows, row)
	if again == nil {
		w.children(f, path, pointer, depth+1)
	}
}

// value returns the row of a value, without its name. pointer leads to it.
func (w *fields) value(f *facts, pointer string) field {
	row := w.describe(f)
	row.Marks = append(w.roles(pointer), row.Marks...)
	if f.nullable && !slices.Equal(f.types(), []string{"null"}) {
		row.Marks = append([]string{"may be null"}, row.Marks...)
	}
	return row
}

// isItem reports whether the name of a row is that of all items of an array.
func isItem(name string) bool { return name == "[]" }

// plain reports whether a row says nothing but a type.
func (row field) plain() bool {
	return len(row.Marks)+len(row.Description.HTML)+len(row.Rules)+len(row.Values)+len(row.Examples) == 0 && row.Default == nil
}

func hasChildren(f *facts) bool {
	return f.any(func(s *schema.Schema) bool { return len(s.Properties) > 0 })
}

// inside returns what contains a value and has the same structure, or nil.
func (w *fields) inside(f *facts) *container {
	for i := range w.above {
		if slices.Contains(f.parts, w.above[i].schema) {
			return &w.above[i]
		}
	}
	return nil
}

func (c *container) shown() string {
	if c.path == "" {
		return "the event data"
	}
	return c.path
}

// children adds the rows inside a value.
func (w *fields) children(f *facts, path, pointer string, depth int) {
	before := len(w.above)
	for _, s := range f.parts {
		if hasStructure(s) {
			w.above = append(w.above, container{s, path})
		}
	}
	w.properties(f, path, pointer, depth)
	w.items(f, path, pointer, depth)
	for _, u := range f.unions {
		if u.required() == nil {
			w.variants(u, path, pointer, depth)
		}
	}
	w.above = w.above[:before]
}

func hasStructure(s *schema.Schema) bool {
	return len(s.Properties)+len(s.PatternProperties)+len(s.PrefixItems)+len(s.OneOf)+len(s.AnyOf) > 0 || s.Items != nil || s.AdditionalProperties != nil && s.AdditionalProperties.Bool == nil
}

func (w *fields) properties(f *facts, path, pointer string, depth int) {
	within := path
	if path != "" {
		within += "."
	}
	var names []string
	for _, s := range f.parts {
		for _, p := range s.Properties {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	for _, name := range names {
		var all []*schema.Schema
		for _, s := range f.parts {
			for _, p := range s.Properties {
				if p.Name == name {
					all = append(all, p.Schema)
				}
			}
		}
		required := "optional"
		if f.requires(name) {
			required = "required"
		}
		w.add(within, name, below(pointer, name), together(all), required, depth)
	}
	for _, s := range f.parts {
		for _, name := range s.Required {
			if !slices.Contains(names, name.Text) {
				names = append(names, name.Text)
				w.add(within, name.Text, below(pointer, name.Text), &schema.Schema{}, "required", depth)
			}
		}
	}
	for _, s := range f.parts {
		for _, p := range s.PatternProperties {
			w.add(within, "names that match "+p.Name, "-", p.Schema, "optional", depth)
		}
		for _, others := range []*schema.Schema{s.AdditionalProperties, s.UnevaluatedProperties} {
			if others == nil || others.Bool != nil {
				continue
			}
			name := "any other name"
			if f.isMap() {
				name = "each entry"
			}
			w.add(within, name, "-", others, "", depth)
		}
	}
}

// together returns one schema for several that a value has to match.
func together(all []*schema.Schema) *schema.Schema {
	if len(all) == 1 {
		return all[0]
	}
	return &schema.Schema{AllOf: all}
}

// below returns the pointer of a member.
func below(pointer, name string) string {
	if pointer == "-" {
		return pointer
	}
	return pointer + "/" + schema.EscapeToken(name)
}

func (w *fields) items(f *facts, path, pointer string, depth int) {
	for _, s := range f.parts {
		for i, item := range s.PrefixItems {
			number := strconv.Itoa(i)
			w.add(path, "["+number+"]", below(pointer, number), item, "", depth)
		}
		if s.Items == nil || s.Items.Bool != nil {
			continue
		}
		name := "[]"
		if len(s.PrefixItems) > 0 {
			name = "[…]"
		}
		// An item that only has a type is in the type of the array.
		if of := gather(s.Items); len(of.parts) == 1 && !s.Items.SaysMore("type") && s.Items.Title == "" && w.value(of, "-").plain() {
			continue
		}
		w.add(path, name, "-", s.Items, "", depth)
	}
}

func (w *fields) variants(u union, path, pointer string, depth int) {
	within := path
	if path != "" {
		within += " "
	}
	for i, branch := range u.branches {
		name := "variant " + strconv.Itoa(i+1)
		if title := gather(branch).title(); title != "" {
			name += ": " + shorten(title, 80)
		}
		at := len(w.rows)
		w.add(within, name, pointer, branch, "", depth)
		if tags := example.Tags(u.by, branch); len(tags) > 0 && at < len(w.rows) {
			w.rows[at].Rules = slices.Insert(w.rows[at].Rules, 0, chosenBy(u.by, tags))
		}
	}
}

// chosenBy says which values of a discriminator choose a variant.
func chosenBy(d *schema.Discriminator, tags []*schema.Value) rule {
	is := " is always"
	if len(tags) > 1 {
		is = " is"
	}
	var texts []string
	for _, tag := range tags {
		texts = append(texts, shorten(tag.JSON(), 200))
	}
	return rule{shorten(d.PropertyName.Text, 80) + is, strings.Join(texts, " or ")}
}

// describe returns the row of a value, without its name.
func (w *fields) describe(f *facts) field {
	row := field{
		Type:        f.typeWords(0),
		Description: proseOf(f.first(func(s *schema.Schema) string { return s.Description })),
		Rules:       f.rules(),
	}
	values := f.enum()
	for i, v := range values {
		if i == mostValues {
			row.MoreValues = len(values) - mostValues
			break
		}
		row.Values = append(row.Values, enumValue{Value: shorten(v.JSON(), 200), Name: shorten(f.enumName(v), 200)})
	}
	for _, u := range f.unions {
		names, words := u.required(), "matches one or more of the variants"
		switch {
		case names != nil && u.one:
			words = "exactly one of these is required:"
		case names != nil:
			words = "at least one of these is required:"
		case u.one:
			words = "matches exactly one of the variants"
		}
		row.Rules = append(row.Rules, rule{words, strings.Join(names, " | ")})
	}
	own := w.event.Schema.Described() // their examples have their own section
	for _, s := range f.parts {
		if s.Default != nil && row.Default == nil {
			text := shorten(s.Default.JSON(), 200)
			row.Default = &text
		}
		for _, v := range s.Examples {
			const most = 3
			if len(row.Examples) < most && !slices.Contains(own, s) {
				row.Examples = append(row.Examples, shorten(v.JSON(), 200))
			}
		}
	}
	for _, mark := range []struct {
		text string
		has  func(*schema.Schema) bool
	}{
		{"deprecated", func(s *schema.Schema) bool { return s.Deprecated }},
		{"read only", func(s *schema.Schema) bool { return s.ReadOnly }},
		{"write only", func(s *schema.Schema) bool { return s.WriteOnly }},
		{"personal data", func(s *schema.Schema) bool { return s.Marks != nil && s.Marks.Personal != nil && *s.Marks.Personal }},
		{"may get more values", func(s *schema.Schema) bool { return s.Marks != nil && s.Marks.Grows != nil && *s.Marks.Grows }},
	} {
		if f.any(mark.has) {
			row.Marks = append(row.Marks, mark.text)
		}
	}
	return row
}

// roles says what a value is for the record.
func (w *fields) roles(pointer string) []string {
	e := w.event
	is := func(p *schema.Name) bool { return p != nil && p.Text == pointer }
	var all []string
	if e.Keyed && (is(e.Key) || e.Key == nil && is(e.AggregateID)) {
		all = append(all, "record key")
	}
	if is(e.AggregateID) {
		all = append(all, "aggregate id")
	}
	if is(e.Correlation) {
		all = append(all, "correlation id")
	}
	return all
}
