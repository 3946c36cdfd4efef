package crossing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// Place is where a constraint is.
type Place struct {
	Name string
	// around is the schema around a constraint, which replaces THIS.
	around string
	// root is true if around can be event data; another place is put into a required
	// property of an object.
	root bool
	// defs are definitions of the place, which may also contain THIS.
	defs string
}

// Places returns every place.
func Places() []Place {
	return []Place{
		{Name: "event-root", around: `THIS`, root: true},
		{Name: "required", around: `{"type":"object","properties":{"v":THIS},"required":["v"]}`, root: true},
		{Name: "optional", around: `{"type":"object","properties":{"v":THIS,"w":{"type":"string"}}}`, root: true},
		{Name: "optional-closed", around: `{"type":"object","properties":{"v":THIS},"additionalProperties":false}`, root: true},
		{Name: "items", around: `{"type":"array","items":THIS}`},
		{Name: "items-of-items", around: `{"type":"array","items":{"type":"array","items":THIS}}`},
		{Name: "map-value", around: `{"type":"object","additionalProperties":THIS}`},
		{Name: "additional", around: `{"type":"object","properties":{"w":{"type":"string"}},"additionalProperties":THIS}`, root: true},
		{Name: "pattern-value", around: `{"type":"object","patternProperties":{"^x":THIS}}`},
		{Name: "pattern-value-closed", around: `{"type":"object","patternProperties":{"^x":THIS},"additionalProperties":false}`},
		{Name: "oneOf-beside-string", around: `{"oneOf":[{"type":"string","pattern":"^only$"},THIS]}`},
		{Name: "oneOf-beside-null", around: `{"oneOf":[THIS,{"type":"null"}]}`},
		{Name: "oneOf-beside-object", around: `{"oneOf":[THIS,{"type":"object","properties":{"other":{"const":"o"}},"required":["other"],"additionalProperties":false}]}`},
		{Name: "oneOf-beside-integer", around: `{"oneOf":[{"type":"integer"},THIS]}`},
		{Name: "anyOf-beside-string", around: `{"anyOf":[THIS,{"type":"string"}]}`},
		{Name: "anyOf-beside-null", around: `{"anyOf":[THIS,{"type":"null"}]}`},
		{Name: "anyOf-beside-object", around: `{"anyOf":[THIS,{"type":"object","properties":{"other":{"type":"string"}},"required":["other"]}]}`},
		{Name: "anyOf-beside-array", around: `{"anyOf":[{"type":"array","items":{"type":"boolean"}},THIS]}`},
		{Name: "anyOf-alone", around: `{"anyOf":[THIS]}`},
		{Name: "branch-member", around: `{"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"v":THIS},"required":["kind","v"]},{"type":"object","properties":{"kind":{"const":"b"}},"required":["kind"]}]}`},
		{Name: "reference", around: `{"$ref":"#/$defs/placed"}`, defs: `{"placed":THIS}`},
		{Name: "reference-twice", around: `{"type":"object","properties":{"v":{"$ref":"#/$defs/placed"},"w":{"type":"array","items":{"$ref":"#/$defs/placed"}}},"required":["v"]}`, root: true, defs: `{"placed":THIS}`},
		{Name: "reference-with-description", around: `{"$ref":"#/$defs/placed","description":"A placed one."}`, defs: `{"placed":THIS}`},
		{Name: "recursive-member", around: `{"$ref":"#/$defs/tree"}`, defs: `{"tree":{"type":"object","properties":{"v":THIS,"below":{"type":"array","items":{"$ref":"#/$defs/tree"}}}}}`},
		{Name: "tuple-position", around: `{"type":"array","prefixItems":[{"type":"string"},THIS],"items":false}`},
		{Name: "tuple-rest", around: `{"type":"array","prefixItems":[{"type":"string"}],"items":THIS}`},
		{Name: "contains", around: `{"type":"array","contains":THIS}`},
		{Name: "unevaluated-item", around: `{"type":"array","prefixItems":[{"type":"string"}],"unevaluatedItems":THIS}`},
		{Name: "unevaluated-property", around: `{"type":"object","properties":{"w":{"type":"string"}},"unevaluatedProperties":THIS}`, root: true},
		{Name: "allOf-alone", around: `{"allOf":[THIS]}`},
		{Name: "allOf-beside-true", around: `{"allOf":[THIS,{"description":"Nothing more."}]}`},
		{Name: "allOf-beside-object", around: `{"allOf":[{"type":"object","properties":{"v":true,"w":{"type":"string"}}},{"properties":{"v":THIS},"required":["v"]}]}`, root: true},
		{Name: "then", around: `{"type":"object","properties":{"w":{"type":"string"}},"if":{"properties":{"w":{"const":"a"}},"required":["w"]},"then":{"properties":{"v":THIS},"required":["v"]}}`, root: true},
		{Name: "else", around: `{"if":{"type":"string","maxLength":1},"else":THIS}`},
		{Name: "dependentSchemas", around: `{"type":"object","properties":{"w":{"type":"string"}},"dependentSchemas":{"w":{"properties":{"v":THIS},"required":["v"]}}}`, root: true},
		{Name: "not", around: `{"not":THIS}`},
		{Name: "propertyNames", around: `{"type":"object","propertyNames":THIS}`},
	}
}

// Schema is one schema of the crossing.
type Schema struct {
	// Constraint is the name of the constraint.
	Constraint string
	// Place is the name of the place; of two, "outer>inner".
	Place string
	// Text is the schema itself.
	Text []byte
}

// Name identifies the schema.
func (s Schema) Name() string { return s.Constraint + " in " + s.Place }

// Schemas returns the crossing: every constraint in every place, and every pair of
// places with some constraints.
func Schemas() ([]Schema, error) {
	constraints, places := Constraints(), Places()
	var out []Schema
	add := func(c Constraint, outer, inner Place) error {
		name := outer.Name
		if inner.around != `THIS` {
			name += ">" + inner.Name
		}
		text, err := built(c, outer, inner)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", c.Name, name, err)
		}
		out = append(out, Schema{Constraint: c.Name, Place: name, Text: text})
		return nil
	}
	for _, c := range constraints {
		for _, p := range places {
			if err := add(c, p, places[0]); err != nil {
				return nil, err
			}
		}
	}
	n := 0
	for i, outer := range places {
		for j, inner := range places {
			if i == 0 || j == 0 || outer.defs != "" && inner.defs != "" {
				continue // the first is not a separate place, and two would share one definition
			}
			// The steps are prime, so that every constraint meets many pairs.
			if err := add(constraints[(n*67+29)%len(constraints)], outer, inner); err != nil {
				return nil, err
			}
			n++
		}
	}
	return out, nil
}

// built returns the schema with c in inner, and that in outer.
func built(c Constraint, outer, inner Place) ([]byte, error) {
	fill := func(text, with string) string {
		return string(bytes.ReplaceAll([]byte(text), []byte("THIS"), []byte(with)))
	}
	defs := map[string]json.RawMessage{}
	within := c.Schema
	for _, text := range []string{c.Defs, fill(inner.defs, within), fill(outer.defs, fill(inner.around, within))} {
		if text == "" {
			continue
		}
		var more map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &more); err != nil {
			return nil, err
		}
		maps.Copy(defs, more)
	}
	text := fill(outer.around, fill(inner.around, within))
	if !outer.root {
		text = `{"type":"object","properties":{"v":` + text + `},"required":["v"]}`
	}
	if len(defs) == 0 {
		return compact(text)
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return nil, err
	}
	var err error
	if whole["$defs"], err = json.Marshal(defs); err != nil {
		return nil, err
	}
	out, err := json.Marshal(whole)
	return out, err
}

func compact(text string) ([]byte, error) {
	var out bytes.Buffer
	err := json.Compact(&out, []byte(text))
	return out.Bytes(), err
}
