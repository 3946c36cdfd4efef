package site

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/example"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// Description is what the page of an event says about it.
type Description struct {
	// ID ends the ids of the sections, and Of their headings, if the event has several
	// descriptions.
	ID, Of      string
	Paragraphs  []string
	Facts       []fact
	Root        field
	Fields      []field
	FieldsLeft  bool
	Example     *sample // nil: none was found
	Record      *record // nil: without an example
	Changes     *changes
	Schema      string
	Deprecated  bool
	LongSchema  bool
	SearchNames []string // of its fields
	SearchTexts []string // descriptions of its fields
}

// fact is a line of the list of facts.
type fact struct {
	Name, Text string
	Links      []link
}

// sample is an example of the data.
type sample struct {
	JSON string // indented
	Made bool   // by outboxgen, and not by the author of the schema
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
				// A slug has no ~ or a long hash after it, so this is no other event's.
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
	s := d.event.Schema
	root, rows, left := fieldsOf(d.event)
	const long = 3000
	out := Description{
		Paragraphs: paragraphs(s.Description), Facts: b.facts(d), Root: root, Fields: rows, FieldsLeft: left,
		Schema: string(d.document), LongSchema: len(d.document) > long, Deprecated: s.Deprecated,
	}
	if found := example.Of(s, v); found != nil {
		out.Example = &sample{JSON: indented(found.Value.JSON()), Made: found.Made}
		out.Record = recordOf(d.event, d.Publishers[0].Text, found.Value)
	}
	if old := b.predecessor(e, d); old != nil {
		out.Changes = b.changes(old, d)
	}
	for _, row := range rows {
		out.SearchNames = append(out.SearchNames, row.Within+row.Name)
		out.SearchTexts = append(out.SearchTexts, row.Description...)
	}
	return out
}

// indented returns JSON with line breaks.
func indented(text string) string {
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
		return text
	}
	return out.String()
}

// facts returns what is known of an event besides its data.
func (b *builder) facts(d *defined) []fact {
	e := d.event
	all := []fact{
		{Name: "Topic", Links: []link{{e.Topic, b.topics[e.Topic].Path}}},
		{Name: "Record key", Text: keyWords(e)},
		{Name: "Aggregate", Text: aggregateWords(e)},
		{Name: "Correlation id", Text: correlationWords(e)},
		{Name: "Envelope", Text: envelopeWords(e)},
	}
	for _, more := range []fact{
		{Name: "Tombstones", Text: tombstoneWords(e)},
		{Name: "Schema URI", Text: e.Schema.ID},
		{Name: "Compatibility", Text: compatWords(e.Compat)},
	} {
		if more.Text != "" {
			all = append(all, more)
		}
	}
	return all
}

// compatWords says which changes of an event outboxgen check allows.
func compatWords(c schema.CompatRule) string {
	switch level, all := strings.CutSuffix(c.Level, "_TRANSITIVE"); {
	case level == "BACKWARD" && all:
		return "a changed schema can read the records of every earlier one (BACKWARD_TRANSITIVE)"
	case level == "BACKWARD":
		return "a changed schema can read the records of the one before (BACKWARD)"
	case level == "FORWARD" && all:
		return "every earlier schema can read the records of a changed one (FORWARD_TRANSITIVE)"
	case level == "FORWARD":
		return "the schema before can read the records of a changed one (FORWARD)"
	case level == "FULL" && all:
		return "a changed schema and every earlier one can read the records of each other (FULL_TRANSITIVE)"
	case level == "FULL":
		return "a changed schema and the one before can read the records of each other (FULL)"
	case level == "NONE":
		return "changes are not checked (NONE)"
	}
	return ""
}
