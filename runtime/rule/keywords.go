package rule

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/runtime/internal/decimal"
)

// value checks the keywords that apply to every type.
func (e *evaluation) value(n *node, v any) bool {
	ok := true
	if n.Type != nil && !slices.ContainsFunc(n.Type, func(name string) bool { return isType(v, name) }) {
		ok = e.fail(n, "type", "must be of type "+strings.Join(n.Type, " or "))
	}
	if n.enum != nil && !n.enum[canonical(v)] {
		ok = e.fail(n, "enum", "is not one of the "+strconv.Itoa(len(n.Enum))+" values that the schema lists")
	}
	if n.Const != "" && canonical(v) != n.constant {
		ok = e.fail(n, "const", "must be "+string(n.Const))
	}
	return ok
}

func (e *evaluation) text(n *node, v string) bool {
	ok := true
	if n.MinLength > 0 || n.MaxLength != nil {
		length := utf8.RuneCountInString(v)
		if length < n.MinLength {
			ok = e.fail(n, "minLength", "must have at least "+count(n.MinLength, "character"))
		}
		if n.MaxLength != nil && length > *n.MaxLength {
			ok = e.fail(n, "maxLength", "must have at most "+count(*n.MaxLength, "character"))
		}
	}
	if n.pattern != nil && !n.pattern.MatchString(v) {
		ok = e.fail(n, "pattern", "must match "+n.Pattern)
	}
	if n.Format != "" && e.format != nil && !e.format(v, n.Format) {
		ok = e.fail(n, "format", "must have the format "+n.Format)
	}
	return ok
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

func (e *evaluation) number(n *node, v any) bool {
	text, is := v.(json.Number)
	if !is || n.minimum == nil && n.maximum == nil && n.above == nil && n.below == nil && n.step == nil {
		return true
	}
	x, is := decimal.Parse(string(text))
	if !is {
		return true
	}
	ok := true
	if n.minimum != nil && x.Compare(*n.minimum) < 0 {
		ok = e.fail(n, "minimum", "must be at least "+n.Minimum)
	}
	if n.maximum != nil && x.Compare(*n.maximum) > 0 {
		ok = e.fail(n, "maximum", "must be at most "+n.Maximum)
	}
	if n.above != nil && x.Compare(*n.above) <= 0 {
		ok = e.fail(n, "exclusiveMinimum", "must be greater than "+n.ExclusiveMinimum)
	}
	if n.below != nil && x.Compare(*n.below) >= 0 {
		ok = e.fail(n, "exclusiveMaximum", "must be less than "+n.ExclusiveMaximum)
	}
	if n.step != nil && !x.Multiple(*n.step) {
		ok = e.fail(n, "multipleOf", "must be a multiple of "+n.MultipleOf)
	}
	return ok
}

func (e *evaluation) object(n *node, v map[string]any, s *seen) bool {
	ok := true
	if len(v) < n.MinProperties {
		ok = e.fail(n, "minProperties", "must have at least "+count(n.MinProperties, "member"))
	}
	if n.MaxProperties != nil && len(v) > *n.MaxProperties {
		ok = e.fail(n, "maxProperties", "must have at most "+count(*n.MaxProperties, "member"))
	}
	for _, name := range n.Required {
		if _, there := v[name]; !there {
			ok = e.fail(n, "required", "is required and missing", name)
		}
	}
	if n.DependentRequired != nil {
		ok = e.dependentRequired(n, v) && ok
	}
	if n.names != nil || n.additional != nil || len(n.properties) > 0 || n.patterns != nil {
		for _, name := range names(v) {
			ok = e.member(n, name, v[name], s) && ok
		}
	}
	return ok
}

func (e *evaluation) dependentRequired(n *node, v map[string]any) bool {
	ok, keyword := true, "dependentRequired"
	if n.Dependencies {
		keyword = "dependencies"
	}
	for _, name := range slices.Sorted(maps.Keys(n.DependentRequired)) {
		if _, there := v[name]; !there {
			continue
		}
		for _, needed := range n.DependentRequired[name] {
			if _, there := v[needed]; !there {
				ok = e.fail(n, within(keyword, name), "is required beside "+strconv.Quote(name)+" and missing", needed)
			}
		}
	}
	return ok
}

// member checks one property of an object.
func (e *evaluation) member(n *node, name string, v any, s *seen) bool {
	ok := true
	if n.names != nil && !e.tryBelow(n.names, name) {
		ok = e.fail(n, "propertyNames", "is called what the schema does not allow", name)
	}
	known := false
	if p := n.properties[name]; p != nil {
		known = true
		ok = e.below(escape(name), p, v) && ok
	}
	for _, p := range n.patterns {
		if p.expr.MatchString(name) {
			known = true
			ok = e.below(escape(name), p.node, v) && ok
		}
	}
	if !known && n.additional != nil {
		known = true
		ok = e.part(n, n.additional, "additionalProperties", "a member", name, v) && ok
	}
	if known && e.annotates {
		s.name(name)
	}
	return ok
}

func (e *evaluation) array(n *node, v []any, s *seen) bool {
	ok := true
	if len(v) < n.MinItems {
		ok = e.fail(n, "minItems", "must have at least "+count(n.MinItems, "item"))
	}
	if n.MaxItems != nil && len(v) > *n.MaxItems {
		ok = e.fail(n, "maxItems", "must have at most "+count(*n.MaxItems, "item"))
	}
	if n.UniqueItems && len(v) > 1 {
		different := map[string]bool{}
		for _, item := range v {
			different[canonical(item)] = true
		}
		if len(different) < len(v) {
			ok = e.fail(n, "uniqueItems", "must not hold the same item twice")
		}
	}
	for i, item := range v {
		switch {
		case i < len(n.prefix):
			ok = e.below(strconv.Itoa(i), n.prefix[i], item) && ok
			s.first = max(s.first, i+1)
		case n.items != nil:
			ok = e.part(n, n.items, "items", "an item", strconv.Itoa(i), item) && ok
			s.everything = true
		}
	}
	if n.contains != nil {
		ok = e.containing(n, v, s) && ok
	}
	return ok
}

func (e *evaluation) containing(n *node, v []any, s *seen) bool {
	found := 0
	for i, item := range v {
		if e.tryBelow(n.contains, item) {
			found++
			if !n.ContainsCounts {
				s.item(i)
			}
		}
	}
	least := 1
	if n.MinContains != nil {
		least = *n.MinContains
	}
	ok := true
	if found < least {
		keyword := "contains"
		if n.MinContains != nil {
			keyword = "minContains"
		}
		ok = e.fail(n, keyword, "must hold at least "+count(least, "item")+" that the schema under contains allows")
	}
	if n.MaxContains != nil && found > *n.MaxContains {
		ok = e.fail(n, "maxContains", "must hold at most "+count(*n.MaxContains, "item")+" that the schema under contains allows")
	}
	return ok
}
