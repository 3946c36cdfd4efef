package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// closed reports objects that allow no additional properties.
func (l *linter) closed(sp *spot) {
	s := sp.schema
	if len(s.Properties) == 0 {
		return
	}
	for keyword, sub := range map[string]*schema.Schema{
		"additionalProperties": s.AdditionalProperties, "unevaluatedProperties": s.UnevaluatedProperties,
	} {
		if sub != nil && sub.Bool != nil && !*sub.Bool {
			l.found("object-closed", s, at(s, keyword),
				keyword+": false closes the object: consumers reject events with a property that a later schema adds",
				"leave "+keyword+", unless every consumer is always deployed before every producer")
		}
	}
}

// required reports required names that no properties declare.
func (l *linter) required(sp *spot) {
	s := sp.schema
	for _, name := range s.Required {
		if !l.named(sp, name.Text) {
			l.found("required-property-undeclared", s, name.Pos,
				fmt.Sprintf("%s is required, but no properties declare it: its meaning is undefined", finding.Quote(name.Text)),
				cmp.Or(finding.DidYouMean(name.Text, l.names(sp)), "declare it under properties, or remove it from required"))
		}
	}
}

// named reports whether a property that sp requires is declared anywhere. For a part
// that declares nothing and is used in several objects, this is unknown and counts as
// true.
func (l *linter) named(sp *spot, name string) bool {
	s := sp.schema
	loose := len(s.PatternProperties) > 0 || s.AdditionalProperties != nil && s.AdditionalProperties.Bool == nil
	mixin := len(s.Properties) == 0 && len(s.Types) == 0 && !sp.inPlace
	if loose || mixin || l.declared(sp, name) {
		return true
	}
	for ; ; sp = &l.spots[sp.outer] { // a sibling branch may
		if slices.ContainsFunc(unions(sp.schema), func(b *schema.Schema) bool {
			return slices.ContainsFunc(place(b), func(part *schema.Schema) bool { return declares(part, name) })
		}) {
			return true
		}
		if !sp.inPlace || sp.outer < 0 {
			return false
		}
	}
}

// unions returns the branches of the unions in the place of s.
func unions(s *schema.Schema) []*schema.Schema {
	var out []*schema.Schema
	for _, part := range place(s) {
		for _, branches := range [][]*schema.Schema{part.AnyOf, part.OneOf, {part.Then, part.Else}} {
			for _, b := range branches {
				if b != nil {
					out = append(out, b)
				}
			}
		}
	}
	return out
}

// names returns the properties that the object at sp declares.
func (l *linter) names(sp *spot) []string {
	var out []string
	for _, part := range place(sp.schema) {
		for _, p := range part.Properties {
			out = append(out, p.Name)
		}
	}
	return out
}

// escapes are words at the beginning or end of an enum value that stands for other
// values.
var escapes = []string{"unknown", "other", "others", "unspecified", "undefined", "unrecognized", "unrecognised", "unlisted", "misc", "custom", "default"}

// enum applies the rules about lists of values.
func (l *linter) enum(sp *spot) {
	s := sp.schema
	var texts []string
	var places []finding.Pos
	for _, v := range s.Enum {
		switch v.Kind {
		case schema.String:
			texts = append(texts, v.Text)
			places = append(places, v.Pos)
		case schema.Null:
		default:
			return // numbers have no style
		}
	}
	if len(texts) < 2 {
		return
	}
	if !slices.ContainsFunc(texts, isEscape) && !slices.ContainsFunc(place(s), func(part *schema.Schema) bool {
		return part.Marks != nil && part.Marks.Grows != nil
	}) {
		l.found("enum-closed", s, at(s, "enum"),
			fmt.Sprintf("the enum of %d values has no fallback value and does not say whether it will grow: consumers that handle only these values fail on a new one", len(texts)),
			"set x-outbox: {grows: true} to make consumers expect new values, or {grows: false} if the list is final; or add a value such as "+
				finding.Quote(styled("unknown", cmp.Or(common(texts, enumStyles), "snake_case"))))
	}
	l.enumStyle(s, texts, places)
}

func isEscape(value string) bool {
	parts := words(value)
	return len(parts) > 0 && (slices.Contains(escapes, parts[0]) || slices.Contains(escapes, parts[len(parts)-1]))
}

// enumStyles has schema.NameStyles in the order that applies to single words.
var enumStyles = []string{"snake_case", "UPPER_CASE", "camelCase", "kebab-case", "PascalCase"}

func (l *linter) enumStyle(s *schema.Schema, texts []string, places []finding.Pos) {
	if slices.ContainsFunc(texts, func(text string) bool { return !plain(text) }) {
		return // not names: A+, 1-day, text/plain
	}
	style, why := l.config.EnumValues, "that lint.enum_values sets"
	if style == "" {
		if style = common(texts, enumStyles); style == "" {
			return
		}
		why = "of most values beside it"
	}
	for i, text := range texts {
		if !fits(text, style) {
			l.found("enum-value-style-differs", s, places[i],
				fmt.Sprintf("the value %s is not in %s, the style %s: consumers who type the value from memory get it wrong", finding.Quote(text), style, why),
				"rename it to "+finding.Quote(styled(text, style))+" before the event is released or in its next version")
		}
	}
}

// towards are words of a description that say what to use instead.
var towards = []string{"use ", "instead", "replace", "supersede", "in favor of", "in favour of", "moved to", "renamed", "see ", "without replacement"}

func (l *linter) deprecated(sp *spot) {
	s := sp.schema
	if !s.Deprecated {
		return
	}
	text := strings.ToLower(traitsOf(s).description)
	if slices.ContainsFunc(towards, func(word string) bool { return strings.Contains(text, word) }) {
		return
	}
	l.found("deprecated-without-replacement", s, at(s, "deprecated"),
		"it is deprecated, but the description does not say what to use instead: consumers keep using it",
		"add “Use … instead” or “Without replacement” to the description")
}

// unused reports definitions of event files that nothing refers to.
func (l *linter) unused() {
	const id = "definition-unused"
	if l.off(id) {
		return
	}
	type location struct {
		doc     *schema.Document
		pointer string
	}
	// used has the locations on the path to the targets of references from outside the
	// definition.
	used := map[location]bool{}
	refer := func(from, to *schema.Schema) {
		if to == nil {
			return
		}
		for i := range len(to.Pointer) + 1 {
			inner := to.Pointer[:i]
			ends := i == len(to.Pointer) || i > 0 && to.Pointer[i] == '/'
			if ends && (from == nil || from.Doc != to.Doc || !within(from.Pointer, inner)) {
				used[location{to.Doc, inner}] = true
			}
		}
	}
	for i := range l.spots {
		s := l.spots[i].schema
		if s.Ref != nil {
			refer(s, s.Ref.Target)
		}
		if s.Discriminator != nil {
			for _, target := range s.Discriminator.Targets {
				refer(s, target)
			}
		}
	}
	for _, e := range l.project.Events {
		if e != nil && e.Schema != nil {
			refer(nil, e.Schema)
		}
	}
	for i := range l.spots {
		s := l.spots[i].schema
		if s.Doc.Root == nil || s.Doc.Root.Outbox == nil {
			continue // a library is for other files
		}
		for _, d := range s.Defs {
			if d.Schema != nil && !used[location{s.Doc, d.Schema.Pointer}] {
				l.found(id, d.Schema, d.Pos, "the definition "+finding.Quote(d.Name)+" is not used: it is not part of the event", "refer to it with $ref, or remove it")
			}
		}
	}
}
