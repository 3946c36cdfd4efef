package generator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator"
)

// If the generator warns of something that lint finds too, only lint reports it.
// Without lint the generator's warnings remain.
func TestCheckSaysOnceWhatLintFinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":         "module example.com/shop\n",
		"outboxgen.yaml": "version: 1\nservice: shop\nschemas: [a.yaml]\nout: events\nsqlc: {mode: queries, package: example.com/shop/db, queries: q.sql}\n",
		"a.yaml": "$id: https://example.com/a.v1\ntitle: A\ndescription: d\n" +
			"x-outbox: {version: 1, type: shop.a.v1, aggregate: {type: a, id: /id}}\ntype: object\nrequired: [missing]\n" +
			"properties:\n  id: {type: string, maxLength: 9, description: d}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		skip []generator.Part
		want []string
	}{
		{nil, []string{"key-missable", "required-property-undeclared"}},
		{[]generator.Part{generator.PartLint}, []string{"pointer-optional", "required-undescribed"}},
	} {
		result, err := generator.Check(t.Context(), generator.CheckConfig{
			Config: generator.Config{Dir: dir}, Against: generator.AgainstNothing, Skip: tc.skip,
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range result.Findings() {
			if f.Severity == generator.Warning {
				got = append(got, f.ID)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("warnings without %v (-want +got):\n%s", tc.skip, diff)
		}
	}
}

// The project does not write the standard's own schemas, so nothing is reported about
// them.
func TestCheckSaysNothingOfTheStandard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/shop\n",
		"outboxgen.yaml": "version: 1\nservice: shop\nschemas: []\nout: events\nenvelope: none\nsqlc: {mode: queries, package: example.com/shop/db, queries: q.sql}\n" +
			"events: [{schema: a.json, name: A, version: 1, type: shop.a.v1, aggregate: {type: a}}]\n",
		"a.json": `{"$id": "https://example.com/a.v1", "$schema": "http://json-schema.org/draft-07/schema#", "description": "d", "type": "object", "properties": {
			"new": {"description": "d", "$ref": "http://json-schema.org/draft-07/schema#"}, "old": {"description": "d", "$ref": "http://json-schema.org/draft-04/schema#"}}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	result, err := generator.Check(t.Context(), generator.CheckConfig{Config: generator.Config{Dir: dir}, Against: generator.AgainstNothing})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range result.Findings() {
		if f.Severity != generator.Error { // these files do not exist yet
			got = append(got, f.Pos.File+": "+f.ID)
		}
	}
	if diff := cmp.Diff([]string(nil), got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Writing the baseline never overwrites another file, and never empties the baseline
// because the project has errors.
func TestCheckKeepsFiles(t *testing.T) {
	t.Parallel()
	write := func(c *generator.CheckConfig) {
		c.Skip, c.WriteBaseline = []generator.Part{generator.PartGenerated, generator.PartCompat}, true
	}
	r := &repo{t, t.TempDir()}
	r.write("outboxgen.yaml", project+"lint: {baseline: outboxgen.yaml}\n")
	r.write(v1, strings.Replace(placed, ", x-outbox: {grows: true}", "", 1))
	_, err := r.check(generator.AgainstNothing, write)
	want := `lint.baseline names outboxgen.yaml, which is another file: it does not begin with "# Findings of lint that are accepted. outboxgen check reports only others."; ` +
		"nothing was written; name a file of its own, as in lint: {baseline: outboxgen.lint}"
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("the project file (-want +got):\n%s", diff)
	}

	r.write("outboxgen.yaml", project+"lint: {baseline: accepted}\n")
	if _, err := r.check(generator.AgainstNothing, write); err != nil {
		t.Fatal(err)
	}
	accepted := r.read("accepted")
	if !strings.Contains(accepted, "\nenum-closed "+v1+"#/properties/state\n") {
		t.Errorf("accepted:\n%s", accepted)
	}
	r.replace(v1, "type: object", "type: objekt")
	result, err := r.check(generator.AgainstNothing, write)
	if err != nil || !result.Failed(false) {
		t.Errorf("a project with an error: %v, %v", result, err)
	}
	if diff := cmp.Diff(accepted, r.read("accepted")); diff != "" {
		t.Errorf("with an error in the project (-before +after):\n%s", diff)
	}

	_, err = r.check(generator.AgainstNothing, write, func(c *generator.CheckConfig) { c.Skip = append(c.Skip, generator.PartLint) })
	if diff := cmp.Diff("--write-baseline accepts what lint finds, but --skip leaves lint out; remove one of them", fmt.Sprint(err)); diff != "" {
		t.Errorf("without lint (-want +got):\n%s", diff)
	}
}

// A part that an alias of YAML repeats has one finding, not one for each place.
func TestCheckSaysOnceWhatAnAliasRepeats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":         "module example.com/shop\n",
		"outboxgen.yaml": "version: 1\nservice: shop\nschemas: [a.yaml]\nout: events\nsqlc: {mode: queries, package: example.com/shop/db, queries: q.sql}\n",
		"a.yaml": "title: A\ndescription: d\nx-outbox: {version: 1, type: shop.a.v1, aggregate: {type: a}}\ntype: object\n" +
			"properties:\n  from: {description: d, type: object, properties: &inner {id: {type: string}}}\n  to: {description: d, type: object, properties: *inner}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	result, err := generator.Check(t.Context(), generator.CheckConfig{Config: generator.Config{Dir: dir}, Against: generator.AgainstNothing})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range result.Findings() {
		if f.ID == "property-undescribed" {
			got = append(got, f.Pos.String())
		}
	}
	if diff := cmp.Diff([]string{"a.yaml:6:60"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// A project can accept a warning of the generator as one of lint: by its level, at the
// schema, or in the baseline.
func TestCheckAcceptsWarningsOfTheGenerator(t *testing.T) {
	t.Parallel()
	const id = "discriminator-trusted"
	union := strings.Replace(placed, "properties:\n", "properties:\n  payer: {description: Who pays., oneOf: [{$ref: '#/$defs/Person'}, {$ref: '#/$defs/Company'}], "+
		"discriminator: {propertyName: kind, mapping: {person: '#/$defs/Person', company: '#/$defs/Company'}}}\n", 1) +
		"$defs:\n  Person: {type: object, properties: {kind: {description: Its kind., type: string}}}\n" +
		"  Company: {type: object, properties: {kind: {description: Its kind., type: string}}}\n"
	suppressed := strings.Replace(union, "description: Who pays.", "description: Who pays., x-outbox: {suppress: {"+id+": the mapping is the contract}}", 1)
	for name, tc := range map[string]struct {
		config, schema string
		baseline       bool
		want           bool
	}{
		"as it is":        {"", union, false, true},
		"off":             {"lint: {rules: {" + id + ": \"off\"}}\n", union, false, false},
		"a note":          {"lint: {rules: {" + id + ": note}}\n", union, false, false},
		"suppressed":      {"", suppressed, false, false},
		"in the baseline": {"lint: {baseline: accepted}\n", union, true, false},
	} {
		r := &repo{t, t.TempDir()}
		r.write("go.mod", "module example.com/shop\n")
		r.write("outboxgen.yaml", project+"sqlc: {mode: queries, package: example.com/shop/db, queries: q.sql}\n"+tc.config)
		r.write(v1, tc.schema)
		result, err := r.check(generator.AgainstNothing, func(c *generator.CheckConfig) { c.Skip, c.WriteBaseline = nil, tc.baseline })
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, f := range result.Findings() {
			got = got || f.Severity == generator.Warning && f.ID == id
			if f.ID == "rule-unknown" || f.ID == "suppression-unused" {
				t.Errorf("%s: %s", name, f)
			}
		}
		if got != tc.want {
			t.Errorf("%s: the warning is reported %v, want %v: %v", name, got, tc.want, result.Findings())
		}
	}
}
