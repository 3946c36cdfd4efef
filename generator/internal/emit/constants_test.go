package emit_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Constants have the names that the schema gives the values, and do not repeat the name
// of their type.
func TestNamesOfConstants(t *testing.T) {
	t.Parallel()
	for property, want := range map[string][]string{
		`{type: integer, enum: [0, 1], x-enumNames: [Low, VeryHigh]}`:               {"ThingV1XLow", "ThingV1XVeryHigh"},
		`{type: integer, enum: [0, 1], x-enum-varnames: [X_LOW, "1 high*/"]}`:       {"ThingV1XLow", "ThingV1X1High"},
		`{title: Light, type: string, enum: [LIGHT_ON, LIGHT_OFF, lighter, LIGHT]}`: {"LightOn", "LightOff", "LightLighter", "LightLight"},
		`{title: Light, type: string, enum: [LIGHT_ON, "ON"]}`:                      {"LightLightOn", "LightOn"},
		`{oneOf: [{const: 1, title: Low}, {const: 2, title: High}]}`:                {"ThingV1XLow", "ThingV1XHigh"},
		`{type: integer, enum: [0, 1, 2], x-enumNames: [same, same, same]}`:         {"ThingV1XSame", "ThingV1XSame2", "ThingV1XSame3"},
		`{type: integer, enum: [0, 1], x-enumNames: [Low]}`:                         {"ThingV1X0", "ThingV1X1"},
		`{type: integer, enum: [0, 1], x-enumNames: [Low, 1]}`:                      {"ThingV1XLow", "ThingV1X1"},
	} {
		t.Run(property, func(t *testing.T) {
			t.Parallel()
			generated, found := run(t, "", map[string]string{"thing.yaml": head + "  x: " + property + "\n"})
			if diff := cmp.Diff([]string(nil), found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			var names []string
			for _, m := range regexp.MustCompile(`(?m)^\t(\w+) +\w+ += `).FindAllStringSubmatch(generated["thing_v1.go"], -1) {
				names = append(names, m[1])
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("constants (-want +got):\n%s", diff)
			}
		})
	}
}
