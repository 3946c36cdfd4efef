package site

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/example"
	"github.com/outboxgen/outboxgen/generator/internal/record"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// Description is what the page of an event says about it.
type Description struct {
	// ID ends the ids of the sections, and Of their headings, if the event has several
	// descriptions.
	ID, Of      string
	About       prose
	Attributes  []attribute
	Root        field
	Fields      []field
	FieldsLeft  bool
	Example     *sample // nil: none was found
	Record      *sent   // nil: without an example
	OtherData   bool    // the record has other data than the example
	Changes     *changes
	Schema      string
	Deprecated  bool
	LongSchema  bool
	SearchNames []string // of its fields
	SearchTexts []string // descriptions of its fields
}

// attribute is something that a page says of an event besides its data.
type attribute struct {
	Name, Text string
	Word       string // its place in the glossary
	Links      []link
}

// sent is an example of the event as a Kafka record.
type sent struct {
	*record.Record

	Shown string // the value with line breaks
}

// sample is an example of the data.
type sample struct {
	JSON string // indented
	From string // who made it, and whether it is valid
}

// describe fills in the descriptions of all events.
func (b *builder) describe() {
	validators := map[bool]*validator.Validator{}
	for _, e := range b.list {
		for i, d := range e.Definitions {
			v := validators[d.project.Formats]
			if v == nil {
				v = validator.New(d.project.Formats)
				validators[d.project.Formats] = v
			}
			d.SchemaPath = "schemas/" + strings.TrimSuffix(strings.TrimPrefix(e.Path, "events/"), ".html") + ".json"
			d.Description = b.description(e, d, v)
			if len(e.Definitions) > 1 {
				d.ID, d.Of = "-"+strconv.Itoa(i+1), " by "+e.author(d)
				// The path is unique: a slug has no ~, or it has a long hash after it.
				d.SchemaPath = strings.TrimSuffix(d.SchemaPath, ".json") + "~" + strconv.Itoa(i+1) + ".json"
			}
		}
	}
}

// author returns a name for a description of an event that no other one has: those of
// its services, with their project files if a service has several descriptions.
func (e *event) author(d *defined) string {
	shared := false
	for _, other := range e.Definitions {
		shared = shared || other != d && slices.ContainsFunc(d.names(), func(name string) bool { return slices.Contains(other.names(), name) })
	}
	if !shared {
		return strings.Join(d.names(), ", ")
	}
	var all []string
	for _, p := range d.Publishers {
		all = append(all, p.Text+" ("+p.Project+")")
	}
	return strings.Join(all, ", ")
}

// names returns the services that publish an event, each once.
func (d *defined) names() []string {
	var all []string
	for _, p := range d.Publishers {
		if len(all) == 0 || all[len(all)-1] != p.Text {
			all = append(all, p.Text)
		}
	}
	return all
}

func (b *builder) description(e *event, d *defined, v *validator.Validator) Description {
	root, rows, left := fieldsOf(d.event)
	const long = 3000
	out := Description{
		About: proseOf(d.description()), Attributes: b.attributes(d), Root: root, Fields: rows, FieldsLeft: left,
		Schema: string(d.document), LongSchema: len(d.document) > long, Deprecated: d.deprecated(),
	}
	whatever := func(*schema.Value) bool { return true }
	if found := example.Find(d.event.Schema, v, d.event.Examples, whatever); found != nil {
		out.Example = &sample{JSON: indented(found.Value.JSON()), From: fromWords(found)}
		if slices.Contains(d.event.Examples, found.Value) {
			out.Example.From = strings.Replace(out.Example.From, "From the schema", "From the message in the document of AsyncAPI", 1)
		}
		fits := func(data *schema.Value) bool { return record.CanBeSent(d.event, data) }
		if data := example.Find(d.event.Schema, v, d.event.Examples, fits); data != nil {
			service := d.Publishers[0].Text
			if e.Foreign {
				service = record.OtherService
			}
			r := record.Of(d.event, service, data.Value, d.project.Formats)
			out.Record, out.OtherData = &sent{r, indented(r.Value)}, data.Value.Canonical() != found.Value.Canonical()
		}
	}
	if old := b.predecessor(e, d); old != nil {
		out.Changes = b.changes(old, d)
	}
	for _, row := range rows {
		out.SearchNames = append(out.SearchNames, row.Within+row.Name)
		out.SearchTexts = append(out.SearchTexts, row.Description.Texts...)
	}
	return out
}

// text returns the first text of those that describe the data.
func (d *defined) text(of func(*schema.Schema) string) string {
	for _, s := range d.event.Schema.Described() {
		if text := of(s); strings.TrimSpace(text) != "" {
			return text
		}
	}
	return ""
}

// description returns the description of the event: that of its message, or of its data.
func (d *defined) description() string {
	if strings.TrimSpace(d.event.Description) != "" {
		return d.event.Description
	}
	return d.text(func(s *schema.Schema) string { return s.Description })
}

// title returns the title of the event: that of its message, or of its data.
func (d *defined) title() string {
	if strings.TrimSpace(d.event.Title) != "" {
		return d.event.Title
	}
	return d.text(func(s *schema.Schema) string { return s.Title })
}

func (d *defined) deprecated() bool {
	return slices.ContainsFunc(d.event.Schema.Described(), func(s *schema.Schema) bool { return s.Deprecated })
}

// fromWords says where an example is from, and whether it is valid.
func fromWords(e *example.Example) string {
	switch {
	case e.Made:
		return "Generated by outboxgen from the schema; valid."
	case e.Unchecked:
		return "From the schema; not validated, because the schema has a pattern that outboxgen cannot check, or too many paths lead through it."
	default:
		return "From the schema; valid."
	}
}

// indented returns JSON with line breaks.
func indented(text string) string {
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
		return text
	}
	return out.String()
}

func (b *builder) attributes(d *defined) []attribute {
	e := d.event
	all := []attribute{
		{Name: "Topic", Word: "topic", Links: []link{{e.Topic, b.topics[e.Topic].Path}}},
		{Name: "Record key", Word: "key", Text: keyWords(e)},
		{Name: "Aggregate", Word: "aggregate", Text: aggregateWords(e)},
		{Name: "Correlation id", Word: "correlation", Text: correlationWords(e)},
		{Name: "Envelope", Word: "envelope", Text: envelopeWords(e)},
	}
	if e.Consumed { // only the publisher knows the others
		all = []attribute{all[0], all[4]}
	}
	for _, more := range []attribute{
		{Name: "Tombstones", Word: "tombstone", Text: tombstoneWords(e)},
		{Name: "Schema URI", Word: "uri", Text: e.SchemaURI},
		{Name: "Compatibility", Word: "compatibility", Text: compatWords(e)},
	} {
		if more.Text != "" {
			all = append(all, more)
		}
	}
	return all
}

// compatWords says which changes of an event outboxgen check allows.
func compatWords(e *schema.Event) string {
	if e.Consumed {
		return "" // the publisher decides it
	}
	switch level, all := strings.CutSuffix(e.Compat.Level, "_TRANSITIVE"); {
	case level == "BACKWARD" && all:
		return "after a change of the schema, new code can still read all older records (BACKWARD_TRANSITIVE)"
	case level == "BACKWARD":
		return "after a change of the schema, new code can still read records from before it (BACKWARD)"
	case level == "FORWARD" && all:
		return "after a change of the schema, all older code can read the new records (FORWARD_TRANSITIVE)"
	case level == "FORWARD":
		return "after a change of the schema, code from before it can read the new records (FORWARD)"
	case level == "FULL" && all:
		return "after a change of the schema, new code can read all older records, and all older code the new ones (FULL_TRANSITIVE)"
	case level == "FULL":
		return "after a change of the schema, new code can read records from before it, and code from before it the new records (FULL)"
	case level == "NONE":
		return "changes are not checked (NONE)"
	}
	return ""
}
