package jsonvalue_test

import (
	"cmp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// number has the results of the package for a number.
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
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if _, whole := jsonvalue.Whole(text); whole != (want.Whole != "") {
			t.Errorf("%s: whole is %t", text, whole)
		}
	}
}

func zeros(n int) string { return strings.Repeat("0", n) }

// Numbers are compared exactly, with any exponents.
func TestCompare(t *testing.T) {
	t.Parallel()
	ascending := []string{
		"-1e99999999999999999999", "-1e999999999999", "-2e500", "-1e500", "-1e308", "-1.5", "-1", "-1e-500", "-1e-999999999999",
		"0", "1e-999999999999", "1e-500", "1e-400", "0.1", "0.10001", "1", "1.5", "10", "1e400", "1.0000000001e400", "1e500", "2e500", "1e999999999999", "1e99999999999999999999",
	}
	for i, x := range ascending {
		for j, y := range ascending {
			if got, want := jsonvalue.Compare(x, y), cmp.Compare(i, j); got != want {
				t.Errorf("%s and %s: %d, want %d", x, y, got, want)
			}
		}
	}
	for _, equal := range [][2]string{{"1", "1.0"}, {"100", "1e2"}, {"0", "-0e999999"}, {"1e500", "10e499"}, {"0.1e501", "100e498"}, {"1e-500", "0.01e-498"}} {
		if got := jsonvalue.Compare(equal[0], equal[1]); got != 0 {
			t.Errorf("%v: %d", equal, got)
		}
	}
}

// The substitute for a number with a large exponent has the same sign.
func TestBounded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1.50": "1.50", "1e300": "1e300", "-12e999999999": "-12e1000", "1e-999999999": "1e-1000", "0e999999999": "0", "1e400": "1e400",
	} {
		if got := jsonvalue.Bounded(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
