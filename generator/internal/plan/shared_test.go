package plan_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// including returns an event whose data includes other schemas.
func including(name string, refs ...string) string {
	text := "title: " + name + "\nx-outbox: {version: 1, type: " + name + ".v1, aggregate: {type: x, id: /id}}\nallOf:\n"
	for _, ref := range refs {
		text += "  - {$ref: '" + ref + "'}\n"
	}
	return text + "  - {type: object, required: [id], properties: {id: {type: string}, own: {enum: [x, y]}}}\n"
}

// The types of a schema that allOf includes are named after that schema, whatever events
// include it.
func TestNamesOfSharedProperties(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"lib/base.yaml":     "title: LabBase\ntype: object\nproperties:\n  lab: {enum: [LAB_CENTRAL, LAB_OUTSIDE]}\n  sites: {type: array, items: {type: object, properties: {kind: {enum: [a, b]}}}}\n",
		"lib/more.yaml":     "$defs:\n  audit: {type: object, properties: {by: {enum: [c, d]}}}\n",
		"mm/report.v1.yaml": including("ReportSent", "/lib/base.yaml"),
		"mm/sample.v1.yaml": including("SampleReceived", "/lib/base.yaml", "/lib/more.yaml#/$defs/audit"),
	}
	before, warned := goNames(t, files)
	got := map[string]string{}
	for place, name := range before {
		switch place {
		case "lib/base.yaml#/properties/lab", "lib/base.yaml#/properties/lab value 0", "lib/base.yaml#/properties/sites/items",
			"lib/base.yaml#/properties/sites/items/properties/kind", "lib/more.yaml#/$defs/audit/properties/by", "mm/report.v1.yaml#/allOf/1/properties/own":
			got[place] = name
		}
	}
	want := map[string]string{
		"lib/base.yaml#/properties/lab":                         "LabBaseLab",
		"lib/base.yaml#/properties/lab value 0":                 "LabBaseLabCentral",
		"lib/base.yaml#/properties/sites/items":                 "LabBaseSite",
		"lib/base.yaml#/properties/sites/items/properties/kind": "LabBaseSiteKind",
		"lib/more.yaml#/$defs/audit/properties/by":              "AuditBy",
		"mm/report.v1.yaml#/allOf/1/properties/own":             "ReportSentV1Own",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if len(warned) > 0 {
		t.Errorf("warnings: %q", warned)
	}

	more := maps.Clone(files)
	more["aa/analyser.v1.yaml"] = including("AnalyserCalibrated", "/lib/base.yaml", "/lib/more.yaml#/$defs/audit")
	after, _ := goNames(t, more)
	kept(t, before, after)
}

// Two names that look the same get a warning, and a number tells them apart.
func TestNamesThatLookTheSame(t *testing.T) {
	t.Parallel()
	names, warned := goNames(t, map[string]string{"a.v1.yaml": `title: A
x-outbox: {version: 1, type: a.v1, aggregate: {type: a}}
type: object
properties:
  unit: {enum: ["mg/l", "` + "\u00b5g/l" + `", "` + "\u03bcg/l" + `"]}
  COP: {type: string}
  "` + "\u0421\u041e\u0420" + `": {type: string}
  currency: {enum: [COP, "` + "\u0421\u041e\u0420" + `"]}
`})
	got := map[string]string{}
	for _, place := range []string{
		"#/properties/unit value 0", "#/properties/unit value 1", "#/properties/unit value 2", "#/properties/currency value 0", "#/properties/currency value 1",
		"# member COP", "# member \u0421\u041e\u0420",
	} {
		got[place] = names["a.v1.yaml"+place]
	}
	want := map[string]string{
		"#/properties/unit value 0":     "AV1UnitMgL",
		"#/properties/unit value 1":     "AV1UnitMicroGL",
		"#/properties/unit value 2":     "AV1UnitMicroGL2",
		"#/properties/currency value 0": "AV1CurrencyCop",
		"#/properties/currency value 1": "AV1Currency\u0421\u043e\u04402",
		"# member COP":                  "Cop",
		"# member \u0421\u041e\u0420":   "\u0421\u043e\u04402",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	wantWarned := []string{
		"a.v1.yaml:7:3: warning: the Go names of the properties \"COP\" and \"\u0421\u041e\u0420\" look the same, so the field of the second is called \u0421\u043e\u04402; write both names with letters of one script",
		"a.v1.yaml:8:13: warning: the Go names of the values \"COP\" and \"\u0421\u041e\u0420\" look the same, so the constant of the second is called AV1Currency\u0421\u043e\u04402; write both values with letters of one script",
	}
	if diff := cmp.Diff(wantWarned, warned); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
