package crossing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// The documented kinds: generated types intentionally differ from the validator by a
// rule. Such a difference is not a failure and only counted.
const (
	// BeyondInt64: an integer without bounds is an int64. Bounds that ask for more
	// give a uint64 or a *big.Int.
	BeyondInt64 Kind = "documented: an integer beyond 64 bits"
	// BeyondFloat64: a number is a float64 unless its format is decimal. One that
	// it would round is refused.
	BeyondFloat64 Kind = "documented: a number with more digits than a float64 holds"
	// FewerDigits: a number is written with the digits that a float64 needs.
	FewerDigits Kind = "documented: a number is written with fewer digits"
	// LeapSecond: no time of Go holds a leap second.
	LeapSecond Kind = "documented: a leap second"
	// BeyondNanoseconds: no time of Go holds more than nine digits of a second.
	BeyondNanoseconds Kind = "documented: more than nine digits of a second"
	// NoEvent: null is not an event, so nullable event data is refused when it is null.
	NoEvent Kind = "documented: null is no event"
	// ImpliedType: a constraint without a type implies its type; validation: spec
	// turns that off.
	ImpliedType Kind = "documented: a constraint without a type implies its type"
	// AssertedFormat: formats and encodings are checked, including those of integers;
	// validation: spec turns that off.
	AssertedFormat Kind = "documented: a format is asserted"
)

// Documented reports whether a kind is a documented difference.
func (k Kind) Documented() bool { return strings.HasPrefix(string(k), "documented: ") }

// refusals are the documented rules that refuse a valid document, each with words of
// its message.
var refusals = []struct {
	kind Kind
	says string
}{
	{BeyondInt64, "is an integer beyond 64 bits"},
	{BeyondFloat64, "has more digits than a float64 holds"},
	{BeyondFloat64, "is a number beyond 64 bits"},
	{LeapSecond, "is a leap second, which no time of Go can hold"},
	{BeyondNanoseconds, "has more than nine digits of a second, which no time of Go can hold"},
}

// kindOf returns the kind of a difference, as far as the answer alone tells.
func kindOf(direction verdict.Direction, document []byte, a verdict.Answer) Kind {
	switch direction {
	case verdict.RefusesValid:
		for _, rule := range refusals {
			if strings.Contains(a.Refusal(), rule.says) {
				return rule.kind
			}
		}
	case verdict.Changes:
		if a.Encode == "" && sameFloats(document, a.Encoded) {
			return FewerDigits
		}
	}
	return Kind(direction)
}

// sameFloats reports whether two texts are the same JSON value once their
// numbers are read as float64.
func sameFloats(a, b []byte) bool {
	left, err := rounded(a)
	if err != nil {
		return false
	}
	right, err := rounded(b)
	if err != nil {
		return false
	}
	same, err := verdict.Same(left, right)
	return err == nil && same
}

// rounded returns a document with each number as a float64.
func rounded(document []byte) ([]byte, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	return json.Marshal(round(value))
}

func round(value any) any {
	switch v := value.(type) {
	case json.Number:
		if f, err := strconv.ParseFloat(v.String(), 64); err == nil {
			return f
		}
	case []any:
		for i := range v {
			v[i] = round(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = round(v[name])
		}
	}
	return value
}

// specification is the setting that follows the specification exactly.
const specification = "validation: spec"

// settle finds the results that the setting changes: it generates their schemas again
// with it, and documents that then agree with a validator of the same setting differ by
// a documented rule. A rule that refuses more can also accept more: a value that two
// branches of oneOf allow, if the rule removes one of them.
func settle(ctx context.Context, dir string, failures []Failure) error {
	var cases []verdict.Case
	var open []int
	for i, f := range failures {
		if len(f.wrong) > 0 && f.byRule != "" {
			c := verdict.ForSchema(f.Schema.Name()+": "+string(f.Kind), f.Schema.Text, specification)
			c.Documents = f.wrong
			cases, open = append(cases, c), append(open, i)
		}
	}
	outcomes, err := verdict.RunSchemas(ctx, dir, cases)
	if err != nil {
		return err
	}
	for k, o := range outcomes {
		f := &failures[open[k]]
		if len(o.Answers) < len(f.wrong) { // it does not generate or compile
			continue
		}
		still, err := differs(f.Schema, f.wrong, o.Answers)
		switch {
		case err != nil:
			return err
		case still == "":
			f.Kind = f.byRule
		default:
			f.Detail = still
		}
	}
	return nil
}

// differs returns how the first of the answers that were given with the setting differs
// from a validator of the same setting, or "".
func differs(s Schema, documents []verdict.Document, answers []verdict.Answer) (string, error) {
	validator, err := verdict.SpecValidator(s.Text, WithPatterns)
	if err != nil {
		return "", fmt.Errorf("%s: the validator: %w", s.Name(), err)
	}
	for i, a := range answers {
		direction, detail, err := verdict.Compare(validator, documents[i].JSON, a)
		switch {
		case err != nil:
			return "", fmt.Errorf("%s: %w", s.Name(), err)
		case direction == verdict.Agrees || direction == verdict.Changes, direction == verdict.RefusesValid && inGo(a):
		default:
			return specification + ": " + detail, nil
		}
	}
	return "", nil
}

// inGo reports whether a document is refused because of the limits of Go's types.
func inGo(a verdict.Answer) bool {
	return kindOf(verdict.RefusesValid, nil, a) != Kind(verdict.RefusesValid)
}

// byRule returns the documented rule of validation by which a schema may differ from
// the validator, or "".
func byRule(s Schema, o verdict.Outcome) Kind {
	for _, f := range o.Findings {
		if f.ID == "type-missing" {
			return ImpliedType
		}
	}
	if bytes.Contains(s.Text, []byte(`"format"`)) || bytes.Contains(s.Text, []byte(`"contentEncoding"`)) {
		return AssertedFormat
	}
	return ""
}
