package compat

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// advise returns the fix with the line to write in the new schema behind its first
// part, if one line does it.
func advise(fix, edit string, old, now place) string {
	first, rest, more := strings.Cut(fix, "; or ")
	if edit == "property-added-to-closed-model" && old.keyword == "unevaluatedProperties" {
		fix = strings.Replace(fix, "additionalProperties", old.keyword, 1)
	}
	line := lineFor(edit, old, now)
	if strings.HasSuffix(edit, "-changed") && strings.HasPrefix(first, "remove ") {
		line = remove(now)
	}
	if line == "" || fix == "" {
		return fix
	}
	first += ": " + line
	if more {
		first += "; or " + rest
	}
	return first
}

// lineFor returns what to write in the new schema, or what to remove from it, so that
// the edit does not break anybody.
func lineFor(edit string, old, now place) string {
	switch edit {
	case "enum-value-removed":
		if old.s == nil || now.s == nil {
			return ""
		}
		return write(now, "enum", values(append(slices.Clone(now.s.Enum), missing(old.s.Enum, now.s.Enum)...)))
	case "enum-value-added", "property-added-to-open-model", "property-added-to-closed-model", "property-renamed", "const-changed":
		return "" // the fix says what to write
	case "property-became-required", "required-property-added-to-open-model", "required-property-added-to-closed-model",
		"required-property-added-to-partially-open-model", "undeclared-required-added":
		return without(now)
	case "property-became-optional":
		return with(old, now)
	case "property-removed-from-open-model", "property-removed-from-closed-model", "covered-property-removed-from-partially-open-model",
		"uncovered-property-removed-from-partially-open-model":
		return deprecated(old, now)
	case "number-type-narrowed", "number-type-widened":
		if old.keyword != "format" {
			return ""
		}
	}
	if strings.HasSuffix(edit, "-added") && !has(old.s, now.keyword) {
		if (now.keyword == "not" || now.keyword == "if") && has(now.s, now.keyword) {
			return "remove " + now.keyword
		}
		return remove(now)
	}
	if text := textOf(old); text != "" {
		return write(now, old.keyword, text)
	}
	if now.keyword == "type" {
		return "" // without it, any type is allowed
	}
	return remove(now)
}

// remove returns the line that removes the keyword at a place, if it is known what it
// is.
func remove(now place) string {
	if text := textOf(now); text != "" {
		return "remove " + member(now, now.keyword, text)
	}
	return ""
}

func has(s *schema.Schema, keyword string) bool {
	if s == nil {
		return false
	}
	_, there := s.At[keyword]
	return there
}

func write(at place, name, text string) string {
	if text == "" {
		return ""
	}
	return "write " + member(at, name, text)
}

// member returns a member of an object as the file of a place writes it.
func member(at place, name, text string) string {
	if path.Ext(at.pos.File) == ".json" || !plainName(name) {
		name = strconv.Quote(name)
	}
	return name + ": " + text
}

func plainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '$'
	})
}

// textOf returns the value of the keyword at a place, if it fits in a line.
func textOf(p place) string {
	if p.name != "" || !has(p.s, p.keyword) {
		return ""
	}
	s := p.s
	if n := numberOf(s, p.keyword); n != nil {
		return n.Text
	}
	switch p.keyword {
	case "pattern":
		return strconv.Quote(s.Pattern.Text)
	case "enum":
		return values(s.Enum)
	case "const":
		return short(s.Const.Canonical())
	case "uniqueItems":
		return strconv.FormatBool(s.UniqueItems)
	case "type":
		return typesOf(s)
	case "format":
		return strconv.Quote(s.Format)
	case "contentEncoding":
		return strconv.Quote(s.ContentEncoding)
	case "additionalProperties":
		return boolean(s.AdditionalProperties)
	case "unevaluatedProperties":
		return boolean(s.UnevaluatedProperties)
	case "unevaluatedItems":
		return boolean(s.UnevaluatedItems)
	}
	return ""
}

func numberOf(s *schema.Schema, keyword string) *schema.Number {
	return map[string]*schema.Number{
		"minLength": s.MinLength, "maxLength": s.MaxLength, "minimum": s.Minimum, "maximum": s.Maximum,
		"exclusiveMinimum": s.ExclusiveMinimum, "exclusiveMaximum": s.ExclusiveMaximum, "multipleOf": s.MultipleOf,
		"minItems": s.MinItems, "maxItems": s.MaxItems, "minProperties": s.MinProperties, "maxProperties": s.MaxProperties,
		"minContains": s.MinContains, "maxContains": s.MaxContains,
	}[keyword]
}

func boolean(s *schema.Schema) string {
	if s == nil || s.Bool == nil {
		return ""
	}
	return strconv.FormatBool(*s.Bool)
}

// longestLine is how long a value may be that is written out.
const longestLine = 120

// values returns a list of values as JSON, if it fits in a line.
func values(list []*schema.Value) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.Canonical()
	}
	return short("[" + strings.Join(texts, ", ") + "]")
}

func short(text string) string {
	if len(text) > longestLine {
		return ""
	}
	return text
}

func typesOf(s *schema.Schema) string {
	if len(s.Types) == 1 {
		return strconv.Quote(s.Types[0])
	}
	return listed(s.Types)
}

func listed(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// without returns the line that requires what the schema at a place requires, but for
// the name there.
func without(now place) string {
	if now.s == nil {
		return ""
	}
	var rest []string
	for i, n := range now.s.Required {
		if n.Text != now.name && strconv.Itoa(i) != now.name {
			rest = append(rest, n.Text)
		}
	}
	if len(rest) == 0 {
		return "remove required"
	}
	return write(now, "required", listed(rest))
}

// with returns the line that requires one name more, that at the old place.
func with(old, now place) string {
	i, err := strconv.Atoi(old.name)
	if old.s == nil || now.s == nil || err != nil || i >= len(old.s.Required) {
		return ""
	}
	var all []string
	for _, n := range now.s.Required {
		all = append(all, n.Text)
	}
	return write(now, "required", listed(append(all, old.s.Required[i].Text)))
}

// deprecated returns the property at the old place, marked as deprecated unless it was
// required, if its schema fits in a line.
func deprecated(old, now place) string {
	if old.s == nil || old.name == "" {
		return ""
	}
	i := slices.IndexFunc(old.s.Properties, func(p schema.Property) bool { return p.Name == old.name })
	if i < 0 {
		return ""
	}
	s := old.s.Properties[i].Schema
	var mark []string
	if !old.s.Requires(old.name) {
		mark = []string{member(now, "deprecated", "true")}
	}
	for keyword := range s.At {
		if !slices.Contains([]string{"type", "format", "title", "description", "default", "examples"}, keyword) {
			return write(now, old.name, "{"+strings.Join(append([]string{"…"}, mark...), ", ")+"}")
		}
	}
	var members []string
	if len(s.Types) > 0 {
		members = append(members, member(now, "type", typesOf(s)))
	}
	if s.Format != "" {
		members = append(members, member(now, "format", strconv.Quote(s.Format)))
	}
	return write(now, old.name, "{"+strings.Join(append(members, mark...), ", ")+"}")
}
