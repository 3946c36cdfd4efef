package jsonvalue_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// number is what the package says of a number.
type number struct{ Canonical, Whole, Int64 string }

func TestNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]number{
		"1": {"1", "1", "1"}, "1.0": {"1", "1", "1"}, "1e3": {"1000", "1000", "1000"}, "1E+2": {"100", "100", "100"}, "120e-1": {"12", "12", "12"},
		"-0": {"0", "0", "0"}, "0.00": {"0", "0", "0"}, "0e999": {"0", "0", "0"}, "-2.50": {"-2.5", "", ""}, "1.5": {"1.5", "", ""}, "0.0012": {"0.0012", "", ""},
		"5e-7": {"5e-7", "", ""}, "15e-8": {"15e-8", "", ""},
		"9223372036854775807": {"9223372036854775807", "9223372036854775807", "9223372036854775807"},
		"9223372036854775808": {"9223372036854775808", "9223372036854775808", ""},
		"1e39":                {"1" + zeros(39), "1" + zeros(39), ""}, "1e41": {"1e41", "1" + zeros(41), ""}, "-12e400": {"-12e400", "-12" + zeros(400), ""},
		"1e400": {"1e400", "1" + zeros(400), ""}, "1e-400": {"1e-400", "", ""}, "1e99999": {"1e99999", "", ""}, "1e-999999999": {"1e-999999999", "", ""},
	} {
		got := number{Canonical: jsonvalue.CanonicalNumber(text)}
		got.Whole, _ = jsonvalue.Whole(text)
		got.Int64, _ = jsonvalue.Int64(text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if _, whole := jsonvalue.Whole(text); whole != (want.Whole != "") {
			t.Errorf("%s: whole is %t", text, whole)
		}
	}
}

func zeros(n int) string { return strings.Repeat("0", n) }
