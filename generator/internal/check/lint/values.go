package lint

import (
	"fmt"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// values checks defaults and examples against the schemas that they stand in.
func (l *linter) values() {
	strict := l.project.Config == nil || l.project.Config.Validation != schema.SpecValidation
	v := validator.New(strict)
	for i := range l.spots {
		s := l.spots[i].schema
		// A default of null is as good as none, wherever it stands.
		if s.Default != nil && s.Default.Kind != schema.Null && !l.off("default-invalid") {
			l.value(v, s, s.Default, "default-invalid", "the default", "readers that apply it produce invalid data")
		}
		if l.off("example-invalid") {
			continue
		}
		for _, example := range s.Examples {
			l.value(v, s, example, "example-invalid", "the example", "data copied from it is rejected by consumers")
		}
	}
}

func (l *linter) value(v *validator.Validator, s *schema.Schema, value *schema.Value, id, what, why string) {
	if !s.SaysMore("type") && s.Ref == nil || len(s.Types) > 0 && !value.Is(s.Types) {
		return // the loader looks at the type
	}
	if at, problem := v.Problem(s, value); problem != "" {
		l.found(id, s, at, fmt.Sprintf("%s %s is not valid here: %s; %s", what, value.Short(), finding.Printable(problem), why), "fix the value or the schema")
	}
}
