package crossing

import (
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// A documented difference has its own kind, and only the words or numbers of its rule
// give it this kind.
func TestKindsOfDifferences(t *testing.T) {
	t.Parallel()
	refusal := func(words string) verdict.Answer {
		return verdict.Answer{Decode: "error: cannot decode ThingV1: /v: " + words}
	}
	for name, test := range map[string]struct {
		direction verdict.Direction
		document  string
		answer    verdict.Answer
		want      Kind
	}{
		"beyond int64":        {verdict.RefusesValid, `1e30`, refusal("is an integer beyond 64 bits (type)"), BeyondInt64},
		"beyond float64":      {verdict.RefusesValid, `1e999`, refusal("is a number beyond 64 bits (type)"), BeyondFloat64},
		"leap second":         {verdict.RefusesValid, `""`, refusal("is a leap second, which no time of Go can hold (format)"), LeapSecond},
		"another refusal":     {verdict.RefusesValid, `1e30`, refusal("must be an integer (type)"), "refuses valid"},
		"accepts invalid":     {verdict.AcceptsInvalid, `1e30`, refusal("is an integer beyond 64 bits (type)"), "accepts invalid"},
		"fewer digits":        {verdict.Changes, `{"v":[9223372036854775808]}`, verdict.Answer{Encoded: []byte(`{"v":[9223372036854776000]}`)}, FewerDigits},
		"another number":      {verdict.Changes, `{"v":9007199254740993}`, verdict.Answer{Encoded: []byte(`{"v":9007199254740990}`)}, "changes"},
		"digits and a member": {verdict.Changes, `{"v":9223372036854775808}`, verdict.Answer{Encoded: []byte(`{"v":9223372036854776000,"w":1}`)}, "changes"},
		"it does not encode":  {verdict.Changes, `1`, verdict.Answer{Encode: "error: no"}, "changes"},
	} {
		if got := kindOf(test.direction, []byte(test.document), test.answer); got != test.want {
			t.Errorf("%s: want %q, got %q", name, test.want, got)
		}
	}
}
