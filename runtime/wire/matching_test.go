package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// twoPatterns writes members that two patterns match; the first map has them as they
// were read.
type twoPatterns struct {
	raw    map[string]json.RawMessage
	counts map[string]int64
}

func (p twoPatterns) encode() (string, error) {
	out, err := wire.Marshal(p, "Pair", func(e *wire.Encoder, p twoPatterns) {
		e.Begin()
		wire.PutMatching(e, p.raw, (*wire.Encoder).Raw)
		wire.PutMatching(e, p.counts, (*wire.Encoder).Int)
		e.End()
	})
	return string(out), err
}

// A member that two patterns match is written once if both have the same JSON value, in
// any spelling. If the values differ, it is an error.
func TestPutMatchingTakesOneValueForAMember(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{`100`: `{"n":100}`, `1e2`: `{"n":1e2}`, `100.0`: `{"n":100.0}`} {
		got, err := twoPatterns{map[string]json.RawMessage{"n": json.RawMessage(raw)}, map[string]int64{"n": 100}}.encode()
		if err != nil || got != want {
			t.Errorf("%s: want %s, got %s %v", raw, want, got, err)
		}
	}
	_, err := twoPatterns{map[string]json.RawMessage{"n": json.RawMessage(`"100"`)}, map[string]int64{"n": 100}}.encode()
	if err == nil || !strings.Contains(err.Error(), `the member "n" matches two patterns and has two values`) {
		t.Errorf("want the two values to be an error, got %v", err)
	}
}

// A float64 has fewer digits than the text in the other map. If both were decoded from
// one number, they still encode.
func TestPutMatchingTakesTheDigitsOfAFloat(t *testing.T) {
	t.Parallel()
	encode := func(raw string, number float64) (string, error) {
		out, err := wire.Marshal(number, "Pair", func(e *wire.Encoder, number float64) {
			e.Begin()
			wire.PutMatching(e, map[string]json.RawMessage{"n": json.RawMessage(raw)}, (*wire.Encoder).Raw)
			wire.PutMatching(e, map[string]float64{"n": number}, (*wire.Encoder).Float)
			e.End()
		})
		return string(out), err
	}
	const exact = `9007199254740993` // 2^53+1
	if got, err := encode(exact, 9007199254740992); err != nil || got != `{"n":`+exact+`}` {
		t.Errorf("want the exact digits, got %s %v", got, err)
	}
	if got, err := encode(exact, 9007199254740994); err == nil {
		t.Errorf("want two values to be an error, got %s", got)
	}
}

// An integer has all digits, so another one is another value.
func TestPutMatchingComparesIntegersExactly(t *testing.T) {
	t.Parallel()
	p := twoPatterns{map[string]json.RawMessage{"n": json.RawMessage(`9007199254740993`)}, map[string]int64{"n": 9007199254740992}}
	if got, err := p.encode(); err == nil {
		t.Errorf("want two values to be an error, got %s", got)
	}
}
