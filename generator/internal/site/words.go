package site

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// rule is a constraint in words, perhaps with a code after them.
type rule struct{ Words, Code string }

// rules returns the constraints of a value, except its type and its enum.
func (f *facts) rules() []rule {
	var all []rule
	add := func(words, code string) {
		if r := (rule{words, code}); words != "" && !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	for _, s := range f.parts {
		add(counted(s.MinLength, s.MaxLength, "character"), "")
		add(between(s), "")
		if s.MultipleOf != nil {
			add("a multiple of "+shorten(s.MultipleOf.Text, 40), "")
		}
		if s.Pattern != nil {
			add("matches the pattern", s.Pattern.Text)
		}
		add(content(s), "")
		add(counted(s.MinItems, s.MaxItems, "item"), "")
		if s.UniqueItems {
			add("all items are different", "")
		}
		if s.Contains != nil {
			add("some items match a schema of their own: see the JSON Schema", "")
		}
		add(counted(s.MinProperties, s.MaxProperties, "entry"), "")
		if closed(s.AdditionalProperties) || closed(s.UnevaluatedProperties) {
			add("no other properties", "")
		}
		if names := s.PropertyNames; names != nil {
			if names.Pattern != nil {
				add("all names match the pattern", names.Pattern.Text)
			} else {
				add("the names match a schema of their own: see the JSON Schema", "")
			}
		}
		for _, d := range s.DependentRequired {
			add("with "+shorten(d.Name.Text, 60)+" also required:", strings.Join(schema.Texts(d.Required), ", "))
		}
		if s.Not != nil {
			add("some values are excluded: see the JSON Schema", "")
		}
		if s.If != nil || len(s.DependentSchemas) > 0 {
			add("more rules apply to some values: see the JSON Schema", "")
		}
	}
	return all
}

func closed(s *schema.Schema) bool { return s != nil && s.Bool != nil && !*s.Bool }

// content says what a string holds.
func content(s *schema.Schema) string {
	var words []string
	if s.ContentMediaType != "" {
		words = append(words, "contains "+shorten(s.ContentMediaType, 60))
	}
	if s.ContentEncoding != "" {
		words = append(words, "encoded as "+shorten(s.ContentEncoding, 60))
	}
	return strings.Join(words, ", ")
}

// counted says how many of something there are.
func counted(least, most *schema.Number, what string) string {
	plural := what + "s"
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		plural = stem + "ies"
	}
	of := func(n *schema.Number) string {
		if n.Text == "1" {
			return "1 " + what
		}
		return shorten(n.Text, 40) + " " + plural
	}
	switch {
	case least == nil && most == nil, most == nil && least.Text == "0":
		return ""
	case most == nil:
		return "at least " + of(least)
	case least == nil || least.Text == "0":
		return "at most " + of(most)
	case least.Text == most.Text:
		return "exactly " + of(least)
	default:
		return shorten(least.Text, 40) + " to " + of(most)
	}
}

// between says in which range a number is.
func between(s *schema.Schema) string {
	if s.Minimum != nil && s.Maximum != nil && s.ExclusiveMinimum == nil && s.ExclusiveMaximum == nil {
		return "from " + shorten(s.Minimum.Text, 40) + " to " + shorten(s.Maximum.Text, 40)
	}
	var words []string
	for _, bound := range []struct {
		is string
		n  *schema.Number
	}{{"at least", s.Minimum}, {"greater than", s.ExclusiveMinimum}, {"at most", s.Maximum}, {"less than", s.ExclusiveMaximum}} {
		if bound.n != nil {
			words = append(words, bound.is+" "+shorten(bound.n.Text, 40))
		}
	}
	return strings.Join(words, " and ")
}

// keyWords says where the key of an event's records comes from.
func keyWords(e *schema.Event) string {
	switch {
	case !e.Keyed:
		return "none, so the order of records is not guaranteed"
	case e.Key != nil:
		return pointed(e.Key)
	case e.AggregateID != nil:
		return pointed(e.AggregateID) + ", the id of the " + e.AggregateType
	default:
		return "the id of the " + e.AggregateType
	}
}

// pointed says where in the data a value is.
func pointed(pointer *schema.Name) string {
	if pointer.Text == "" {
		return "the event data itself"
	}
	return "the field " + fieldName(pointer.Text)
}

// fieldName returns the name by which the table of fields has what a pointer leads to.
func fieldName(pointer string) string {
	var name strings.Builder
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = schema.UnescapeToken(token)
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			name.WriteString("[" + token + "]")
			continue
		case name.Len() > 0:
			name.WriteString(".")
		}
		name.WriteString(token)
	}
	return name.String()
}

// aggregateWords says which aggregate an event belongs to.
func aggregateWords(e *schema.Event) string {
	if e.AggregateID == nil {
		return e.AggregateType + "; its id is not in the data"
	}
	return e.AggregateType + "; its id is " + pointed(e.AggregateID)
}

func correlationWords(e *schema.Event) string {
	words := "set by the service; the id of the event if it sets none"
	if e.Correlation != nil {
		words = pointed(e.Correlation) + ", unless the service sets another"
	}
	if e.CorrelationUUID {
		words += "; a UUID"
	}
	return words
}

func envelopeWords(e *schema.Event) string {
	switch e.Envelope {
	case "cloudevents":
		return "CloudEvents 1.0 in structured mode"
	case "none":
		return "none: the value of the record is the data; its headers have id, type, time and source"
	default:
		return "the outbox envelope, version 1: id, type, time and source around the data"
	}
}

func tombstoneWords(e *schema.Event) string {
	if e.Tombstone {
		return "yes: a record without a value deletes what was published under its key"
	}
	return ""
}
