package schema

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// standardDialect returns the dialect of an address of the standard. latest is true if
// the address names no version.
func standardDialect(uri string) (d Dialect, latest, ok bool) {
	address := plainAddress(uri)
	switch address {
	case "json-schema.org/schema", "json-schema.org/draft/schema", "json-schema.org/latest", "json-schema.org/latest/schema":
		return Draft202012, true, true
	case "json-schema.org/draft-05/schema":
		return Draft4, false, true // the same keywords under another number
	}
	address = strings.TrimSuffix(strings.TrimSuffix(address, "/schema"), "/hyper-schema")
	for _, d := range dialects {
		if address == "json-schema.org/"+string(d) || address == "json-schema.org/draft/"+string(d) {
			return d, false, true
		}
	}
	// OpenAPI's dialects from 3.1 on are 2020-12 with annotations of their own.
	if version, found := strings.CutPrefix(address, "spec.openapis.org/oas/"); found && !strings.HasPrefix(version, "3.0") && strings.HasPrefix(version, "3.") {
		return Draft202012, false, true
	}
	return "", false, false
}

// dialectOf returns the dialect that begins at the schema v; false if it continues the
// outer one, or the loader's. In order: the config, $schema, the project's meta-schema
// that $schema names and, in a file that users cannot edit, the keywords.
func (b *builder) dialectOf(v *Value, root bool) (Dialect, bool) {
	address := ""
	m := v.member("$schema")
	if m != nil && m.Value.Kind == String {
		address = m.Value.Text
	}
	if d, ok := b.load.configured(b.unit, address, root); ok {
		return d, true
	}
	if address == "" {
		if root && b.unit.foreign && !b.load.alone && b.unit.handed.dialect == "" {
			if d := guessDialect(v); d != Draft202012 {
				b.list.Warnf(v.Pos, "dialect-guessed", "without $schema this file is read as %s, because of its keywords; to change that, set dialect: under events:, or dialects: in the project file", d)
				return d, true
			}
		}
		return "", false
	}
	if d, latest, ok := standardDialect(address); ok {
		if latest {
			b.list.Warnf(m.Value.Pos, "dialect-latest", "$schema %s names no version; the file is read as %s", finding.Quote(address), d)
		}
		b.unvalidated = false
		return d, true
	}
	if meta := b.load.projectMetaSchema(address); meta != nil {
		if d, ok := meta.dialect(); ok {
			b.unvalidated = !meta.validates()
			b.list.Warnf(m.Value.Pos, "custom-dialect", "$schema %s is a custom dialect and is read as %s, on which its meta-schema builds; %s", finding.Quote(address), d, meta.unknown())
			return d, true
		}
	}
	if b.unit.foreign {
		d := dialects[b.level]
		if root {
			d = guessDialect(v)
		}
		b.list.Warnf(m.Value.Pos, "custom-dialect", "$schema %s is not a standard dialect; because of its keywords the file is read as %s; to change that, set dialect: under events:, or dialects: in the project file", finding.Quote(address), d)
		return d, true
	}
	b.load.strange = append(b.load.strange, m.Value) // its meta-schema may be in a file that is loaded later
	return "", false
}

// configured returns the dialect that the config sets for a file or for an address in
// $schema.
func (l *loader) configured(u *unit, address string, root bool) (Dialect, bool) {
	if root {
		if d, ok := l.dialects.files[u.doc.Path]; ok {
			return d, true
		}
	}
	d, ok := l.dialects.addresses[plainAddress(address)]
	return d, ok && address != ""
}

// guessDialect returns the newest dialect that has all keywords of v or, if none has,
// the one that has most.
func guessDialect(v *Value) Dialect {
	words := vocabulary()
	foreign := make([]int, len(dialects))
	strangers(v, words, foreign)
	best := len(dialects) - 1
	for level := best; level >= 0; level-- {
		if foreign[level] < foreign[best] {
			best = level
		}
	}
	return dialects[best]
}

// hasAllWords reports whether a dialect has all keywords of a schema that any dialect has.
func (l *loader) hasAllWords(d Dialect, v *Value) bool {
	foreign := make([]int, len(dialects))
	strangers(v, l.words, foreign)
	return foreign[d.level()] == 0
}

// strangers counts, for each dialect, the keywords of v and below that it does not
// have, or has in another form.
func strangers(v *Value, words map[string]keyword, count []int) {
	if v.Kind != Object {
		return
	}
	definitions := !slices.ContainsFunc(v.Members, func(m Member) bool { _, known := words[m.Name]; return known })
	for _, m := range v.Members {
		word, known := words[m.Name]
		if !known {
			if definitions && !strings.HasPrefix(m.Name, "x-") { // a file of schemas by name, such as a part of an OpenAPI document
				for _, item := range slices.Concat([]*Value{m.Value}, m.Value.Items) {
					strangers(item, words, count)
				}
			}
			continue
		}
		first, last := word.first, word.last
		switch m.Name {
		case "items":
			if m.Value.Kind == Array {
				last = level2019
			}
		case "exclusiveMinimum", "exclusiveMaximum":
			if m.Value.Kind == Bool {
				last = level4
			} else {
				first = level6
			}
		case "id":
			if m.Value.Kind != String || !slices.ContainsFunc(v.Members, likeSchema) {
				continue // a property of that name, or data
			}
		case "$id":
			if m.Value.Kind == String && strings.HasPrefix(m.Value.Text, "#") {
				last = level7 // later, a name inside the file is $anchor
			}
		case "$defs":
			first = level2019
		}
		for level := range count {
			if level < first || level > last {
				count[level]++
			}
		}
		switch m.Name {
		case "properties", "patternProperties", "definitions", "$defs", "dependencies", "dependentSchemas":
			for _, p := range m.Value.Members {
				strangers(p.Value, words, count)
			}
		case "enum", "const", "default", "examples", "example":
		default:
			for _, item := range slices.Concat([]*Value{m.Value}, m.Value.Items) {
				strangers(item, words, count)
			}
		}
	}
}

// likeSchema reports whether a member is in most schemas, and seldom in data.
func likeSchema(m Member) bool {
	return slices.Contains([]string{"$schema", "$ref", "type", "properties", "items", "enum", "allOf", "anyOf", "oneOf", "definitions"}, m.Name)
}

// strangeDialects reports each $schema with an unknown dialect.
func (l *loader) strangeDialects() {
	for _, v := range l.strange {
		l.list.Errorf(v.Pos, "unknown-dialect", "$schema %s is not a known dialect", finding.Quote(v.Text)).
			SetHint("write https://json-schema.org/draft/2020-12/schema, draft/2019-09/schema, or http://json-schema.org/draft-07/schema#, draft-06, draft-04; " +
				"or map it in outboxgen.yaml, as in dialects: {" + finding.Quote(v.Text) + ": draft-07}")
	}
}
