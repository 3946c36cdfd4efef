package lint_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/check/lint"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// thousand returns a project of a thousand event schemas of two kilobytes each, with
// defaults, examples and shared definitions.
func thousand() fstest.MapFS {
	var properties strings.Builder
	for i := range 18 {
		fmt.Fprintf(&properties, "  field_%d: {type: [string, 'null'], description: One of the fields., maxLength: 100, default: null}\n", i)
	}
	files := fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: bench\nschemas: [schemas/*.yaml]\nout: events\n")},
		"common.yaml":    {Data: []byte("$defs:\n  status: {description: Where it is., enum: [unknown, paid, shipped], default: unknown}\n")},
	}
	for i := range 1000 {
		files[fmt.Sprintf("schemas/e%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, `$id: https://example.com/e%[1]d.v1
title: Event%[1]d
description: Something happened.
x-outbox: {version: 1, type: shop.e%[1]d.v1, aggregate: {type: thing, id: /id}}
type: object
required: [id]
properties:
  id: {type: string, format: uuid, description: The thing., examples: [1d0a7b0e-6a53-4c0e-8a57-5b4a0f6f2f6c]}
  status: {$ref: '../common.yaml#/$defs/status', default: paid}
  count: {type: integer, minimum: 0, description: How many., default: 1}
%[2]s`, i, properties.String())}
	}
	return files
}

// Lint should take a small part of the time of loading.
func BenchmarkLint1000(b *testing.B) {
	files := thousand()
	p, list, err := schema.LoadFS(files, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		b.Fatal(err, list.Sorted())
	}
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := schema.LoadFS(files, "outboxgen.yaml"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("lint", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if found := lint.Lint(p); len(found) != 0 {
				b.Fatalf("%d findings, the first %v", len(found), found[0])
			}
		}
	})
}
