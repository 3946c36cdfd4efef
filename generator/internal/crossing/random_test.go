package crossing_test

import (
	"bytes"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/generator/internal/crossing"
	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

var (
	duration = flag.Duration("duration", 0, "how long to run random schemas; 0: not at all, unless -seed is given")
	seed     = flag.Uint64("seed", 0, "the seed of the first random schema; each one more is the seed of the next. 0: by the clock. Without -duration, only this one is run")
)

// A seed gives the same schema every time, the validator accepts it, and together the
// schemas have all keywords.
func TestRandomSchemasAreLegalAndHaveAllKeywords(t *testing.T) {
	t.Parallel()
	var all bytes.Buffer
	both := 0
	const seeds = 200
	for seed := range uint64(seeds) {
		s, again := random(t, seed), random(t, seed)
		if !bytes.Equal(s.Text, again.Text) {
			t.Fatalf("seed %d gives %s and %s", seed, s.Text, again.Text)
		}
		validator, err := verdict.Validator(s.Text, crossing.WithPatterns)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, s.Text)
		}
		documents, err := crossing.Documents(s.Text, validator)
		if err != nil {
			t.Fatal(err)
		}
		if verdict.Valid(validator, documents[0]) && !verdict.Valid(validator, documents[len(documents)-1]) {
			both++
		}
		all.Write(s.Text)
	}
	if both < seeds*7/10 {
		t.Errorf("only %d of %d schemas have valid and invalid documents", both, seeds)
	}
	for word := range strings.FieldsSeq(`$ref $defs type const enum minLength maxLength pattern format minimum maximum exclusiveMinimum multipleOf
		properties required additionalProperties patternProperties propertyNames minProperties maxProperties dependentRequired dependentSchemas
		unevaluatedProperties items prefixItems minItems maxItems uniqueItems contains minContains maxContains unevaluatedItems
		allOf anyOf oneOf not if then else`) {
		if !strings.Contains(all.String(), `"`+word+`":`) {
			t.Errorf("no schema has %s", word)
		}
	}
}

func random(t *testing.T, seed uint64) crossing.Schema {
	t.Helper()
	s, err := crossing.Random(seed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Code for random schemas is generated, compiles, and gives the verdicts of the
// validator.
func TestRandomSchemas(t *testing.T) {
	t.Parallel()
	if *duration == 0 && *seed == 0 {
		t.Skip("run on demand: make random-schemas DURATION=1h SEED=1")
	}
	from, size := *seed, uint64(200)
	if from == 0 {
		from = uint64(time.Now().Unix())
	}
	if *duration == 0 {
		size = 1
	}
	var failures []crossing.Failure
	var count crossing.Count
	unknown := 0
	for until := time.Now().Add(*duration); ; from += size {
		fmt.Printf("random schemas: seeds %d to %d; so far %v: %d failures, and %d of documented kinds\n", from, from+size-1, count, unknown, len(failures)-unknown)
		var schemas []crossing.Schema
		for next := range size {
			schemas = append(schemas, random(t, from+next))
		}
		found, n, err := crossing.Run(t.Context(), t.TempDir(), schemas)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.Kind.Documented() {
				continue
			}
			unknown++
			fmt.Printf("random schemas: %s: %s\n", f.Schema.Constraint, f.Kind)
			t.Errorf("%s: %s\n%s\n\t%s", f.Schema.Constraint, f.Kind, f.Schema.Text, f.Detail)
		}
		failures, count = append(failures, found...), count.Add(n)
		if !time.Now().Before(until) {
			break
		}
	}
	tally(t, count, failures)
}
