package wire

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// place returns the place of the keyword rule in the schema of the value at a path, or
// "" if the places of schemas are not known.
func (c *Checker) place(rule string, at []any) string {
	if c.schema.schema == "" {
		return ""
	}
	path := c.inSchema(at)
	if at := c.schema.keyword(path, rule); at != "" {
		return at
	}
	schema, known := c.schema.schema, 0
	for n := len(path); n >= 0; n-- {
		if found := c.schema.keyword(path[:n], ""); found != "" {
			schema, known = found, n
			break
		}
	}
	place := []byte(schema)
	for _, s := range path[known:] {
		if s.item {
			place = append(place, "/items"...)
		} else {
			place = appendSegment(append(place, "/properties"...), s.name)
		}
	}
	return string(appendSegment(place, rule))
}

// inSchema returns a path from the value whose schema's place is known.
func (c *Checker) inSchema(at []any) []segment {
	return along(slices.Clip(c.path[c.schema.length:]), at)
}

// keyword returns the place of a keyword of the part at a path, or of the part's schema
// if rule is "". It is "" if it follows from the outer schema.
func (p place) keyword(path []segment, rule string) string {
	for _, part := range p.parts {
		if part[1] == rule && leads(part[0], path) {
			return part[2]
		}
	}
	return ""
}

// fits reports whether a token of Places matches s.
func (s segment) fits(token string) bool {
	token = unescaper.Replace(token)
	pattern, wild := strings.CutPrefix(token, "*")
	switch {
	case wild && pattern == "":
		return true
	case s.item:
		return token == strconv.Itoa(s.index)
	case wild:
		p, err := ecma.CompilePattern(pattern)
		return err == nil && p.MatchString(s.name)
	default:
		return token == s.name
	}
}

// unescaper reads a reference token of a JSON Pointer.
var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// leads reports whether a path of Places matches the path of a part.
func leads(at string, path []segment) bool {
	for _, s := range path {
		if at == "" {
			return false
		}
		var token string
		token, at = cutToken(at)
		if !s.fits(token) {
			return false
		}
	}
	return at == ""
}
