package schemas_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// contract writes the fields of s in the notation of the Python side's
// documentation: name, ? for optional, type, |null, bounds, = default.
func contract(t *testing.T, s *jsonschema.Schema, order []string, root map[string]any) string {
	t.Helper()
	if len(order) != len(s.Properties) {
		t.Fatalf("%s: %d fields in the file, %d compiled", s.Location, len(order), len(s.Properties))
	}
	fields := make([]string, 0, len(order))
	for _, name := range order {
		p := s.Properties[name]
		text := name
		if !slices.Contains(s.Required, name) {
			text += "?"
		}
		text += " " + typeName(p)
		if value, ok := defaultOf(p); ok {
			text += " = " + value
		}
		fields = append(fields, text)
	}
	if _, ok := root["type"]; !ok {
		t.Errorf("%s: no type", s.Location)
	}
	return strings.Join(fields, ", ")
}

func typeName(s *jsonschema.Schema) string {
	switch {
	case s.Ref != nil && s.Const != nil:
		return fmt.Sprintf("const %v", *s.Const)
	case s.Ref != nil:
		return typeName(s.Ref)
	}
	if len(s.AnyOf) == 2 {
		return typeName(s.AnyOf[0]) + "|" + typeName(s.AnyOf[1])
	}
	types := s.Types.ToStrings()
	nullable := slices.Contains(types, "null") && len(types) > 1
	name := strings.Join(slices.DeleteFunc(types, func(n string) bool { return nullable && n == "null" }), "|")
	switch {
	case s.Const != nil:
		name = fmt.Sprintf("const %v", *s.Const)
	case s.Enum != nil:
		name = fmt.Sprintf("enum%d", len(s.Enum.Values))
	case s.Format != nil:
		name = s.Format.Name
	}
	if nullable {
		name += "|null"
	}
	if s.MaxLength != nil {
		name += fmt.Sprintf(" max %d", *s.MaxLength)
	}
	if s.Minimum != nil && s.Maximum != nil {
		name += fmt.Sprintf(" %s..%s", s.Minimum.RatString(), s.Maximum.RatString())
	}
	if s.ExclusiveMinimum != nil {
		name += " > " + s.ExclusiveMinimum.RatString()
	}
	return name
}

func defaultOf(s *jsonschema.Schema) (string, bool) {
	for ; s != nil; s = s.Ref {
		if s.Default == nil {
			continue
		}
		switch value := (*s.Default).(type) {
		case nil:
			return "null", true
		case map[string]any:
			return strings.Replace(fmt.Sprint(value), "map[]", "{}", 1), true
		default:
			return fmt.Sprint(value), true
		}
	}
	return "", false
}

// fieldOrder is the order of the properties in the file, which is the order
// in the generated struct.
func fieldOrder(t *testing.T, path, place string) []string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("huleedu", strings.TrimSuffix(path, ".yaml")+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties yaml.Node         `yaml:"properties"`
		Defs       map[string]object `yaml:"$defs"`
	}
	var root object
	if err := yaml.Unmarshal(source, &root); err != nil {
		t.Fatal(err)
	}
	if place != "" {
		root = root.Defs[place]
	}
	var names []string
	for i := 0; i < len(root.Properties.Content); i += 2 {
		names = append(names, root.Properties.Content[i].Value)
	}
	return names
}

// unset lists the declared fields of schema, at the top and one level down in
// inline objects, that data leaves out or sets to null.
func unset(schema map[string]any, data any) []string {
	properties, _ := schema["properties"].(map[string]any)
	members, _ := data.(map[string]any)
	var missing []string
	for name, property := range properties {
		if members[name] == nil {
			missing = append(missing, name)
			continue
		}
		for _, inner := range unset(property.(map[string]any), members[name]) {
			missing = append(missing, name+"/"+inner)
		}
	}
	slices.Sort(missing)
	return missing
}
