package emit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// part is a part of a value that a check method checks directly, at a path of
// wire.Places.
type part struct {
	path string
	t    *ir.Type
	// follows is the place of its schema if it follows from the outer one: package wire
	// computes that.
	follows string
}

// parts returns the parts of a value that its check method checks directly, outer ones
// first, exact paths before those with a *.
func (c *coder) parts(n *ir.Named) []part {
	var all []part
	var walk func(t *ir.Type, path, follows string)
	walk = func(t *ir.Type, path, follows string) {
		if t != nil && t.Kind == ir.Enum && t.Named.Open != nil {
			t = t.Named.Open
		}
		if t == nil || t.Place == "" || !c.needsCheck(t) {
			return
		}
		all = append(all, part{path, t, follows})
		if t.Elem != nil {
			token := "/items"
			if t.Kind == ir.Map {
				token = "/properties/*"
			}
			walk(t.Elem, path+"/*", t.Place+token)
		}
	}
	for _, f := range n.Fields {
		if f.Conditional {
			continue
		}
		walk(f.Type, "/"+schema.EscapeToken(f.JSON), n.Place+"/properties/"+schema.EscapeToken(f.JSON))
	}
	for _, m := range n.Matching {
		walk(m.Type, "/*"+schema.EscapeToken(m.Pattern.Source), "")
	}
	if n.Extra != nil {
		walk(n.Extra, "/*", n.Place+"/properties/*")
	}
	if n.Of != nil {
		walk(n.Of, "", n.Place)
	}
	if n.Holds != nil {
		walk(n.Holds, "", n.Place)
	}
	return slices.DeleteFunc(all, func(p part) bool { return len(c.keywords(p.t)) == 0 && p.t.Elem == nil })
}

// places returns the entries of a type's wire.Places, or "".
func (c *coder) places(n *ir.Named) string {
	var entries []string
	entry := func(path, keyword, place string) {
		if strings.Contains(path, `\\`) {
			path = raw(path)
		} else {
			path = quote(path)
		}
		entries = append(entries, fmt.Sprintf("{%s, %s, %s}", path, quote(keyword), quote(place)))
	}
	origins := func(path string, keywords []string, all map[string]string, place string) {
		for _, keyword := range keywords {
			if at := all[keyword]; at != "" && at != place+"/"+keyword {
				entry(path, keyword, at)
			}
		}
	}
	var keywords []string
	if n.Union != nil {
		keywords = append(keywords, n.Union.Keyword)
	}
	if n.MinProperties != nil {
		keywords = append(keywords, "minProperties")
	}
	if n.MaxProperties != nil {
		keywords = append(keywords, "maxProperties")
	}
	if typedMatching(n) {
		keywords = append(keywords, "patternProperties")
	}
	origins("", keywords, n.Origins, n.Place)
	for _, p := range c.parts(n) {
		if p.t.Place != p.follows || c.shadowed(n, p.path) {
			entry(p.path, "", p.t.Place)
		}
		if strings.HasPrefix(p.path, "/*") && overlapping(n) {
			for _, keyword := range c.keywords(p.t) { // the path of another map may match as well
				if p.t.Origins[keyword] == "" {
					entry(p.path, keyword, p.t.Place+"/"+keyword)
				}
			}
		}
		origins(p.path, c.keywords(p.t), p.t.Origins, p.t.Place)
	}
	for _, f := range n.Fields {
		if !n.Tuple && len(c.given(f, "")) > 0 {
			if at := requiredAt(n.Schema, f.JSON, map[*schema.Schema]bool{}); at != "" && at != n.Place+"/required" {
				entry("/"+schema.EscapeToken(f.JSON), "required", at)
			}
		}
	}
	if len(entries) == 0 {
		return ""
	}
	return "wire.Places{\n" + strings.Join(entries, ",\n") + ",\n}"
}

// shadowed reports whether a path with a * matches the property at a path as well.
func (c *coder) shadowed(n *ir.Named, path string) bool {
	name, deeper, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if deeper != "" || n.Tuple || strings.HasPrefix(name, "*") || name == "" {
		return false
	}
	if n.Extra != nil && c.needsCheck(n.Extra) {
		return true
	}
	name = schema.UnescapeToken(name)
	return slices.ContainsFunc(n.Matching, func(m *ir.Matching) bool {
		return m.Type != nil && matches(m.Source, name)
	})
}

// matches reports whether a pattern of the schema is found in a name.
func matches(pattern, name string) bool {
	p, err := ecma.Translate(pattern)
	return err == nil && p.Matcher().MatchString(name)
}

// keywords returns the keywords that the checks of a value itself may report.
func (c *coder) keywords(t *ir.Type) []string {
	var all []string
	add := func(there bool, keyword string) {
		if there {
			all = append(all, keyword)
		}
	}
	add(t.Const != nil, "const")
	add(t.Kind == ir.Enum, "enum")
	for _, k := range constraints(t) {
		all = append(all, k.keyword)
	}
	add(t.UniqueItems, "uniqueItems")
	add(t.Keys != nil, "patternProperties")
	return all
}

// standing returns the first statements of a check method, which set the schema's
// place, if the method itself reports violations.
func (c *coder) standing(n *ir.Named) []string {
	finds := n.Union != nil || c.givenFields(n) || n.MinProperties != nil || n.MaxProperties != nil || typedMatching(n) ||
		slices.ContainsFunc(c.parts(n), func(p part) bool { return len(c.keywords(p.t)) > 0 })
	switch {
	case !finds:
		return nil
	case c.places(n) != "":
		return []string{fmt.Sprintf("c.Schema(%s, %s...)", quote(n.Place), n.PlacesVar)}
	default:
		return []string{fmt.Sprintf("c.Schema(%s)", quote(n.Place))}
	}
}

// placeTables declares the places of the file's types.
func (c *coder) placeTables() string {
	var b strings.Builder
	for _, n := range c.file.Types {
		if table := c.places(n); table != "" && len(c.standing(n)) > 0 {
			fmt.Fprintf(&b, "var %s = %s\n\n", n.PlacesVar, table)
		}
	}
	return b.String()
}
