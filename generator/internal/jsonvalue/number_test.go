package jsonvalue_test

import (
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

func TestInt64(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1": "1", "1.0": "1", "1e3": "1000", "9223372036854775807": "9223372036854775807", "-0": "0",
		"1.5": "", "9223372036854775808": "", "1e400": "", "1e-999999999": "", "0e999": "0",
	} {
		if got, _ := jsonvalue.Int64(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
