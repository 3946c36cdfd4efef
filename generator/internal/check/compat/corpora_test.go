package compat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Pairs of schemas with the verdicts of another registry. If a verdict differs from
// ours, the reason is a rule of Confluent's registry.
func TestCompatibilityCorpus(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("OUTBOXGEN_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpora")
	}
	src, err := os.ReadFile(filepath.Join(dir, "compatibility", "apicurio-jsonschema.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the corpus of compatibility verdicts is not here; OUTBOXGEN_CORPORA names the folder of the corpora")
	}
	if err != nil {
		t.Fatal(err)
	}
	var corpus struct {
		Tests []struct {
			ID, Compatibility string
			Original, Updated json.RawMessage
		}
	}
	if err := json.Unmarshal(src, &corpus); err != nil {
		t.Fatal(err)
	}

	got := map[string]string{}
	for i, pair := range corpus.Tests {
		old, now := load(t, "old.json", string(pair.Original)), load(t, "new.json", string(pair.Updated))
		verdict := "none"
		switch {
		case compat.Compatible(compat.Check(now, []*schema.Schema{old}, compat.Full, compat.Strict)):
			verdict = "both"
		case compat.Compatible(compat.Check(now, []*schema.Schema{old}, compat.Backward, compat.Strict)):
			verdict = "backward"
		}
		if verdict != pair.Compatibility {
			got[fmt.Sprintf("%d %s", i, pair.ID)] = pair.Compatibility + ", here " + verdict
		}
	}
	want := map[string]string{}
	for id, difference := range corpusDifferences {
		want[id] = difference.verdicts
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if len(corpus.Tests) != 145 {
		t.Errorf("%d pairs, want 145", len(corpus.Tests))
	}
}

// Why Confluent's registry judges otherwise.
const (
	unseen = "the rules do not look at this keyword"
	bounds = "the rules compare each bound with the one of the same name only"
	undecl = "the rules look at required for declared properties only"
)

var corpusDifferences = map[string]struct{ verdicts, reason string }{
	"13 String: format 1":            {"backward, here both", unseen},
	"14 String: format 2":            {"none, here both", unseen},
	"27 Number: exclusiveMinimum 2":  {"backward, here none", bounds},
	"28 Number: exclusiveMinimum 3":  {"backward, here none", bounds},
	"30 Number: exclusiveMinimum 5":  {"both, here none", bounds},
	"32 Number: exclusiveMaximum 2":  {"backward, here none", bounds},
	"33 Number: exclusiveMaximum 3":  {"backward, here none", bounds},
	"35 Number: exclusiveMaximum 5":  {"both, here none", bounds},
	"41 Object: required":            {"backward, here both", undecl},
	"42 Object: required":            {"none, here both", undecl},
	"44 Object: propertyNames":       {"backward, here both", unseen},
	"52 Object: patternProperties 1": {"backward, here both", "the rules use patternProperties to cover properties and do not compare them"},
	"53 Object: patternProperties 2": {"none, here both", "the rules use patternProperties to cover properties and do not compare them"},
	"62 Array: contains":             {"backward, here both", unseen},
	"98 Const: Enum equivalency":     {"both, here none", "the rules do not compare a const with an enum"},
	"100 String: contentEncoding 2":  {"backward, here both", unseen},
	"101 String: contentEncoding 3":  {"none, here both", unseen},
	"103 String: contentMediaType 2": {"backward, here both", unseen},
	"104 String: contentMediaType 3": {"none, here both", unseen},
	"124 Conditional: if":            {"none, here both", "the rules see that there is an if, and not what it says"},
	"125 Conditional: then":          {"backward, here both", "the rules see that there is an if, and not what it says"},
	"126 Conditional: else":          {"backward, here both", "the rules see that there is an if, and not what it says"},
}
