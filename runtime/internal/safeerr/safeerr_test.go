package safeerr_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/internal/panicky"
	"github.com/outboxgen/outboxgen/runtime/internal/safeerr"
)

type (
	brokenIs     struct{ error }
	brokenAs     struct{ error }
	brokenUnwrap struct{ error }
)

func (brokenIs) Is(error) bool       { panic("Is") }
func (brokenAs) As(any) bool         { panic("As") }
func (brokenUnwrap) Unwrap() []error { panic("Unwrap") }

func TestUse(t *testing.T) {
	t.Parallel()
	plain := errors.New("no")
	for name, c := range map[string]struct {
		err    error
		panics bool
	}{
		"none":            {nil, false},
		"a plain one":     {fmt.Errorf("a: %w", errors.Join(plain, plain)), false},
		"a nil pointer":   {panicky.Error(), true},
		"a wrapped one":   {fmt.Errorf("a: %w", errors.Join(plain, panicky.Error())), true},
		"Is":              {brokenIs{plain}, true},
		"As":              {brokenAs{plain}, true},
		"Unwrap":          {brokenUnwrap{plain}, true},
		"a wrapped Is":    {fmt.Errorf("a: %w", brokenIs{plain}), true},
		"a wrapped Joins": {errors.Join(plain, brokenUnwrap{plain}), true},
	} {
		panicked := func() (panicked bool) {
			defer func() { panicked = recover() != nil }()
			safeerr.Use(c.err)
			return false
		}()
		if panicked != c.panics {
			t.Errorf("%s: panics is %v", name, panicked)
		}
	}
}
