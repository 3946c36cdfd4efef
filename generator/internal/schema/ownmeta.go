package schema

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// ownMetaSchema is a meta-schema in the project, which describes a custom dialect.
type ownMetaSchema struct{ *Value }

// projectMetaSchema returns the meta-schema in the project with that address, nil if
// there is none.
func (l *loader) projectMetaSchema(address string) *ownMetaSchema {
	file, ok := l.fileWithID(strings.TrimSuffix(address, "#"))
	if !ok {
		return nil
	}
	src, err := l.readFile(file)
	if err != nil {
		return nil
	}
	v, _ := readValue(file, src, &finding.List{})
	if v == nil {
		return nil
	}
	return &ownMetaSchema{v}
}

// vocabularies returns the URIs of the dialect's vocabularies; ok is false if the
// meta-schema does not list them.
func (v *ownMetaSchema) vocabularies() (uris []string, ok bool) {
	m := v.Member("$vocabulary")
	if m == nil {
		return nil, false
	}
	return m.names(), true
}

// dialect returns the dialect that v is based on: from its own $schema, its
// vocabularies, or the schema that it extends.
func (v *ownMetaSchema) dialect() (Dialect, bool) {
	var uris []string
	if m := v.Member("$schema"); m != nil && m.Kind == String {
		uris = append(uris, m.Text)
	}
	vocabularies, said := v.vocabularies()
	for _, name := range vocabularies {
		uris = append(uris, strings.Replace(name, "/vocab/core", "/schema", 1))
	}
	if m := v.Member("$ref"); m != nil {
		uris = append(uris, m.Text)
	}
	if m := v.Member("allOf"); m != nil {
		for _, part := range m.Items {
			if ref := part.Member("$ref"); ref != nil {
				uris = append(uris, ref.Text)
			}
		}
	}
	for _, uri := range uris {
		if d, _, ok := standardDialect(uri); ok {
			return d, true
		}
	}
	return Draft202012, said
}

// validates reports whether the dialect has the vocabulary for validation. If it lists
// vocabularies without it, those keywords are annotations.
func (v *ownMetaSchema) validates() bool {
	uris, said := v.vocabularies()
	return !said || slices.ContainsFunc(uris, func(uri string) bool { return strings.HasSuffix(plainAddress(uri), "/vocab/validation") })
}

// unknown returns what is unknown about the dialect, for a message.
func (v *ownMetaSchema) unknown() string {
	if v.validates() {
		return "what else it adds or removes is unknown"
	}
	return "it has no validation vocabulary, so type, enum, bounds and so on have no effect; what else it adds is unknown"
}

// validating are the keywords of the vocabulary for validation.
var validating = []string{
	"type", "const", "enum", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
	"minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains",
	"minProperties", "maxProperties", "required", "dependentRequired",
}
