package crossing_test

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/crossing"
	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// legal is a schema as it occurs in real files, with documents and the verdicts that
// its type must give.
type legal struct {
	Name   string
	Schema json.RawMessage
	// Validation is the setting validation of the project. Default: strict.
	Validation string
	// Valid and Invalid are documents. Differs are documents on which the type
	// differs from the validator, as the documentation says.
	Valid, Invalid, Differs []json.RawMessage
	// Warnings are ids of findings that are expected among others.
	Warnings []string
	// Code is text that the generated package contains.
	Code []string
}

// For every schema of testdata/legal, code is generated and compiles. The generated
// type and the validator both accept the valid documents and reject the others, and
// they agree on documents that are made for the schema.
func TestLegalSchemas(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles dozens of packages")
	}
	all := legalSchemas(t)
	cases, validators := make([]verdict.Case, len(all)), make([]*jsonschema.Schema, len(all))
	for i, l := range all {
		validator, err := verdict.Validator(l.Schema, crossing.WithPatterns)
		if err != nil {
			t.Fatalf("%s: the validator: %v", l.Name, err)
		}
		made, err := crossing.Documents(l.Schema, validator)
		if err != nil {
			t.Fatal(err)
		}
		cases[i], validators[i] = verdict.ForSchema(l.Name, l.Schema, "validation: "+cmp.Or(l.Validation, "strict")), validator
		for _, d := range slices.Concat(l.Valid, l.Invalid, l.Differs) {
			cases[i].Documents = append(cases[i].Documents, verdict.Document{JSON: d})
		}
		for _, d := range made {
			cases[i].Documents = append(cases[i].Documents, verdict.Document{JSON: d})
		}
	}
	outcomes, err := verdict.Run(t.Context(), t.TempDir(), cases)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		t.Run(all[i].Name, func(t *testing.T) {
			t.Parallel()
			all[i].check(t, cases[i], o, validators[i])
		})
	}
}

// legalSchemas reads testdata/legal.
func legalSchemas(t *testing.T) []legal {
	t.Helper()
	files, err := filepath.Glob("testdata/legal/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	var all []legal
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some []legal
		if err := json.Unmarshal(text, &some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		class := strings.TrimSuffix(filepath.Base(file), ".json")
		for i := range some {
			some[i].Name = class + ": " + some[i].Name
		}
		all = append(all, some...)
	}
	return all
}

func (l legal) check(t *testing.T, c verdict.Case, o verdict.Outcome, validator *jsonschema.Schema) {
	t.Helper()
	if o.Internal != "" || len(o.Refused())+len(o.Compile)+len(o.Vet) > 0 {
		t.Fatalf("%s\n%v\n%v\n%v", o.Internal, o.Findings, o.Compile, o.Vet)
	}
	for i, a := range o.Answers {
		document := c.Documents[i].JSON
		if i < len(l.Valid)+len(l.Invalid) && verdict.Valid(validator, document) != (i < len(l.Valid)) {
			t.Errorf("the validator does not say what the test expects of %s", document)
		}
		direction, said, err := verdict.Compare(validator, document, a)
		if err != nil {
			t.Fatal(err)
		}
		differs := slices.ContainsFunc(l.Differs, func(d json.RawMessage) bool { return string(d) == string(document) })
		if (direction != verdict.Agrees) != differs && !verdict.Documented(direction, document, a) {
			t.Errorf("%s: %s", direction, said)
		}
	}
	var missing []string
	for _, id := range l.Warnings {
		if !slices.ContainsFunc(o.Findings, func(f finding.Finding) bool { return f.ID == id }) {
			missing = append(missing, id)
		}
	}
	for _, text := range l.Code {
		if !slices.ContainsFunc(o.Files, func(f emit.File) bool { return strings.Contains(string(f.Content), text) }) {
			missing = append(missing, text)
		}
	}
	if diff := gocmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("missing among %v (-want +got):\n%s", o.Findings, diff)
	}
}
