package generator_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator"
)

// What the generator warns of and lint finds too is said once, by lint; without
// lint the warnings are there.
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

// Nobody here writes the standard's own schemas, so that nothing is said of them.
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
		if f.Severity != generator.Error { // those are files that are not there yet
			got = append(got, f.Pos.File+": "+f.ID)
		}
	}
	if diff := cmp.Diff([]string(nil), got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
