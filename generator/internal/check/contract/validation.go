package contract

import (
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
	if !compat.Level(e.Compat.Level).Covers(level) {
		return nil
	}
	if now.Pos != (finding.Pos{}) {
		pos = now.Pos
	}
	return []finding.Finding{found("validation-changed", e.Type, pos, before.Pos, message)}
}
