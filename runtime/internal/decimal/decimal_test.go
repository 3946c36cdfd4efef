package decimal_test

import (
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/internal/decimal"
)

func parse(t *testing.T, text string) decimal.Number {
	t.Helper()
	n, ok := decimal.Parse(text)
	if !ok {
		t.Fatalf("%s is not a number", text)
	}
	return n
}

// Equal numbers have one text, however they are written.
func TestString(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.00": "0", "0e999999999999999999999": "0",
		"1": "1", "-1.0": "-1", "10e-1": "1", "1e2": "100", "12.50": "12.5", "0.00001": "0.00001", "-0.5E+0": "-0.5",
		"0.000001": "0.000001", "1e-7": "1e-7", "1e39": "1" + zeros(39), "1e40": "1e40", "1e-999999999999999999999": "1e-1152921504606846976", "12e4611686018427387904": "12e1152921504606846976",
	} {
		if got := parse(t, text).String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "-", ".5", "1x", "1e", "1e+x", "--1"} {
		if n, ok := decimal.Parse(text); ok {
			t.Errorf("%q is taken for %s", text, n)
		}
	}
}

func zeros(n int) string {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil).String()[1:]
}

func TestIntegers(t *testing.T) {
	t.Parallel()
	type integer struct {
		Whole bool
		Int   string // "": it has more than 20 digits
	}
	for text, want := range map[string]integer{
		"0":                    {true, "0"},
		"-12.0":                {true, "-12"},
		"1e3":                  {true, "1000"},
		"9223372036854775807":  {true, "9223372036854775807"},
		"-9223372036854775808": {true, "-9223372036854775808"},
		"9223372036854775808":  {true, "9223372036854775808"},
		"1e19":                 {true, "1" + zeros(19)},
		"1e20":                 {true, ""},
		"1e40":                 {true, ""},
		"1.5":                  {false, ""},
		"1e-1":                 {false, ""},
	} {
		n := parse(t, text)
		got := integer{Whole: n.Whole()}
		if got.Whole {
			if value, ok := n.Int(20); ok {
				got.Int = value.String()
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// Comparing and dividing agree with the exact numbers of package big.
func TestArithmetic(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		return strconv.Itoa(random.IntN(41)-20) + "e" + strconv.Itoa(random.IntN(7)-3)
	}
	for range 20_000 {
		x, y := text(), text()
		a, b := parse(t, x), parse(t, y)
		p, _ := new(big.Rat).SetString(x)
		q, _ := new(big.Rat).SetString(y)
		if got, want := a.Compare(b), p.Cmp(q); got != want {
			t.Fatalf("compare %s with %s: got %d, want %d", x, y, got, want)
		}
		if q.Sign() == 0 {
			continue
		}
		if got, want := a.Multiple(b), new(big.Rat).Quo(p, q).IsInt(); got != want {
			t.Fatalf("%s is a multiple of %s: got %t, want %t", x, y, got, want)
		}
	}
}

func TestFloat(t *testing.T) {
	t.Parallel()
	if got, want := decimal.Float(0.1), parse(t, "1e-1"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
