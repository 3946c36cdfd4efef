package contract

import (
	"fmt"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Reading says how the readers of a project check its events.
type Reading struct {
	Validation schema.Validation
	// Pos is the place of the setting; zero: the project file does not have it.
	Pos finding.Pos
}

// Validation reports that the readers of a project check an event in another way than
// before. Readers with strict reject some of the records that a service with spec may
// have published. pos is the place for a setting that was removed.
func Validation(e *schema.Event, before, now Reading, pos finding.Pos) []finding.Finding {
	if before.Validation == now.Validation || compat.Policy(e.Compat.Policy) != compat.Generated {
		return nil
	}
	level, message := compat.Backward, "validation changed from spec to strict: generated readers now reject old records that only the specification allows"
	if now.Validation == schema.SpecValidation {
		level, message = compat.Forward, "validation changed from strict to spec: readers with the old setting reject new records that only the specification allows"
	}
	if !compat.Level(e.Compat.Level).Covers(level) || !readDifferently(e.Schema, map[*schema.Schema]bool{}) {
		return nil
	}
	if now.Pos != (finding.Pos{}) {
		pos = now.Pos
	}
	return []finding.Finding{found("validation-changed", e.Type, pos, before.Pos, fmt.Sprintf("%s: %s", finding.Quote(e.Type), message))}
}

// readDifferently reports whether readers with strict may read values of a schema in another
// way than those with spec: formats, encodings, numbers, and constraints without a type.
func readDifferently(s *schema.Schema, seen map[*schema.Schema]bool) bool {
	if s == nil || seen[s] {
		return false
	}
	seen[s] = true
	number := slices.Contains(s.Types, "number") || slices.Contains(s.Types, "integer")
	untyped := s.Bool == nil && len(s.Types) == 0 && s.SaysMore("allOf", "anyOf", "oneOf", "enum", "const")
	return s.Format != "" || s.ContentEncoding != "" || number || untyped ||
		slices.ContainsFunc(s.Parts(), func(p *schema.Schema) bool { return readDifferently(p, seen) })
}
