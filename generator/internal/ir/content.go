package ir

import "github.com/outboxgen/outboxgen/generator/internal/schema"

// warnContent warns of what a schema says about the document inside a string: it is
// an annotation, which nothing checks.
func (b *builder) warnContent(s *schema.Schema) {
	if s.ContentSchema == nil || isTrue(s.ContentSchema) {
		return
	}
	b.list.Warnf(at(s, "contentSchema"), "content-not-checked", "contentSchema describes the document inside this string, which is not decoded; the Go value is the string, and what is in it is not checked")
}
