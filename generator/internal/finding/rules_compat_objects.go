package finding

const (
	declareAny = "declare the property without a schema ({}), which is compatible; or judge by the lenient policy when nobody writes undeclared names; or " + newVersion
	optional   = "make the property optional, or give it a default"
)

func compatPropertyRules() []Rule {
	return []Rule{
		{
			ID: "property-added-to-open-model", What: "a new property of an object that allowed undeclared ones",
			Allowed: Leniently,
			Message: "READER declares the property %s, under which WRITER allows anything",
			Why: "The old schema is open: it allows properties that it does not declare, so data may hold another value under that name, which readers with the new schema refuse. " +
				"The lenient policy trusts that nobody used the name.",
			Before: `{"type": "object"}`, After: `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			Fix: declareAny,
		},
		{
			ID: "empty-property-added-to-open-model", What: "a new property without a schema, of an object that allowed undeclared ones",
			Allowed: Always,
			Message: "READER declares the property %s without restricting it",
			Why:     "An empty schema takes whatever old data holds under the name: nobody breaks.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "properties": {"note": {}}}`,
		},
		{
			ID: "required-property-added-to-open-model", What: "a new required property of an object that allowed undeclared ones",
			Message: "READER requires the property %s, which data of WRITER need not have",
			Why:     "Old data does not have the property: readers with the new schema refuse it.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			Fix: optional + " and judge by the lenient policy; or " + newVersion,
		},
		{
			ID: "required-property-with-default-added-to-open-model", What: "a new required property with a default, of an object that allowed undeclared ones",
			Allowed: Leniently,
			Message: "READER requires the property %s, which has a default; WRITER allows anything under that name",
			Why: "The default stands in where old data lacks the property. But the old schema is open, so data may hold another value under that name, " +
				"which readers with the new schema refuse. The lenient policy trusts that nobody used it.",
			Before: `{"type": "object"}`, After: `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"]}`,
			Fix: declareAny,
		},
		{
			ID: "property-added-to-closed-model", What: "a new property of an object that allowed no undeclared ones",
			Allowed: Always,
			Message: "READER declares the property %s, which WRITER does not allow",
			Why:     "The old schema allows no undeclared names, so no old data has the property: nobody breaks.",
			Before:  `{"type": "object", "additionalProperties": false}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": false}`,
		},
		{
			ID: "required-property-added-to-closed-model", What: "a new required property of an object that allowed no undeclared ones",
			Message: "READER requires the property %s, which data of WRITER cannot have",
			Why:     "No old data has the property: readers with the new schema refuse every old event.",
			Before:  `{"type": "object", "additionalProperties": false}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"], "additionalProperties": false}`,
			Fix:     optional + "; or " + newVersion,
		},
		{
			ID: "required-property-with-default-added-to-closed-model", What: "a new required property with a default, of an object that allowed no undeclared ones",
			Allowed: Always,
			Message: "READER requires the property %s, which has a default; WRITER does not allow it",
			Why:     "The default stands in for what old data lacks, and no old data has another value there: nobody breaks.",
			Before:  `{"type": "object", "additionalProperties": false}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"], "additionalProperties": false}`,
		},
		{
			ID: "covered-property-added-to-partially-open-model", What: "a new property that takes what undeclared ones could hold",
			Allowed: Always,
			Message: "READER declares the property %s, and takes there what WRITER allows",
			Why:     "What the old schema allows under undeclared names is valid for the new property: nobody breaks.",
			Before:  `{"type": "object", "additionalProperties": {"type": "string"}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": {"type": "string"}}`,
		},
		{
			ID: "uncovered-property-added-to-partially-open-model", What: "a new property that does not take all that undeclared ones could hold",
			Allowed: Leniently,
			Message: "READER declares the property %s, and does not take all that WRITER allows there",
			Why: "Data may hold, under that name, what the old schema allows under undeclared names; readers with the new schema refuse it. " +
				"The difference itself is reported as well, which is why the lenient policy does not help.",
			Before: `{"type": "object", "additionalProperties": {"type": "string"}}`,
			After:  `{"type": "object", "properties": {"note": {"type": "number"}}, "additionalProperties": {"type": "string"}}`,
			Fix:    "give the property the schema that undeclared names had; or " + newVersion,
		},
		{
			ID: "required-property-added-to-partially-open-model", What: "a new required property of an object that restricted undeclared ones",
			Message: "READER requires the property %s, which data of WRITER need not have",
			Why:     "Old data does not have the property: readers with the new schema refuse it.",
			Before:  `{"type": "object", "additionalProperties": {"type": "string"}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"], "additionalProperties": {"type": "string"}}`,
			Fix:     optional + "; or " + newVersion,
		},
		{
			ID: "required-property-with-default-added-to-partially-open-model", What: "a new required property with a default, of an object that restricted undeclared ones",
			Allowed: Always,
			Message: "READER requires the property %s, which has a default",
			Why:     "The default stands in where old data lacks the property: that it is required breaks nobody.",
			Before:  `{"type": "object", "additionalProperties": {"type": "string"}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"], "additionalProperties": {"type": "string"}}`,
		},
		{
			ID: "property-removed-from-open-model", What: "a property that is gone, of an object that allows undeclared ones",
			Allowed: Always,
			Message: "READER does not declare the property %s of WRITER, and takes anything there",
			Why:     "The new schema is open: readers with it take the property, and ignore it.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}}`, After: `{"type": "object"}`,
		},
		{
			ID: "property-removed-from-closed-model", What: "a property that is gone, of an object that allows no undeclared ones",
			Allowed: Leniently,
			Message: "READER does not allow the property %s, which data of WRITER may have",
			Why:     "The new schema refuses undeclared names, and old data has the property. The lenient policy trusts that readers skip what they do not know.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": false}`,
			After:   `{"type": "object", "additionalProperties": false}`,
			Fix:     "keep the property, mark it deprecated and stop writing it; or " + newVersion,
		},
		{
			ID: "false-property-removed-from-closed-model", What: "a forbidden property that is gone, of an object that allows no undeclared ones",
			Allowed: Always,
			Message: "READER does not declare the property %s, which WRITER forbids",
			Why:     "No data could have the property: nobody breaks.",
			Before:  `{"type": "object", "properties": {"note": false}, "additionalProperties": false}`,
			After:   `{"type": "object", "additionalProperties": false}`,
		},
		{
			ID: "covered-property-removed-from-partially-open-model", What: "a property that is gone, and undeclared ones may hold what it held",
			Allowed: Always,
			Message: "READER does not declare the property %s, and takes what WRITER has there",
			Why:     "What the new schema allows under undeclared names includes what the property held: nobody breaks.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": {"type": "string"}}`,
			After:   `{"type": "object", "additionalProperties": {"type": "string"}}`,
		},
		{
			ID: "uncovered-property-removed-from-partially-open-model", What: "a property that is gone, and undeclared ones may not hold all that it held",
			Allowed: Leniently,
			Message: "READER does not declare the property %s, and does not take all that WRITER has there",
			Why: "Old data has the property, and the new schema refuses its value under an undeclared name. " +
				"The difference itself is reported as well, which is why the lenient policy does not help.",
			Before: `{"type": "object", "properties": {"note": {"type": "number"}}, "additionalProperties": {"type": "string"}}`,
			After:  `{"type": "object", "additionalProperties": {"type": "string"}}`,
			Fix:    "keep the property, mark it deprecated and stop writing it; or " + newVersion,
		},
		{
			ID: "property-became-required", What: "a property that is required now",
			Message: "READER requires the property %s, which data of WRITER need not have",
			Why:     "Old data may lack the property: readers with the new schema refuse it.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			Fix:     "leave it optional and always write it, or give it a default; or " + newVersion,
		},
		{
			ID: "property-with-default-became-required", What: "a property with a default that is required now",
			Allowed: Always,
			Message: "READER requires the property %s, which has a default",
			Why:     "The default stands in where old data lacks the property: nobody breaks.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"]}`,
		},
		{
			ID: "property-became-optional", What: "a property that is no longer required",
			Allowed: Always,
			Message: "READER does not require the property %s, as WRITER does",
			Why:     "Old data always has the property: nobody breaks. Readers with the old schema miss it where new data lacks it: under FORWARD this is property-became-required.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}}`,
		},
	}
}

func compatObjectRules() []Rule {
	rules := remainderRules("additional-properties", "additionalProperties", "undeclared properties", Leniently, `{"type": "object"`)
	rules = append(rules, remainderRules("unevaluated-properties", "unevaluatedProperties", "properties that no part of the schema looks at", Leniently, `{"type": "object"`)...)
	return append(rules, []Rule{
		{
			ID: "dependent-required-added", What: "properties that are required beside another one now",
			Message: "READER requires other properties beside %s, which WRITER does not",
			Why:     "Old data may have the one without the others: readers with the new schema refuse it.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "dependentRequired": {"a": ["b"]}}`,
			Fix: "write them together, and leave that out of the schema; or " + newVersion,
		},
		{
			ID: "dependent-required-removed", What: "properties that are no longer required beside another one",
			Allowed: Always, Message: "READER does not require other properties beside %s, as WRITER does",
			Why:    "What satisfied more satisfies less: nobody breaks.",
			Before: `{"type": "object", "dependentRequired": {"a": ["b"]}}`, After: `{"type": "object"}`,
		},
		{
			ID: "dependent-required-extended", What: "more properties that are required beside another one",
			Message: "READER requires more properties beside %s than WRITER does",
			Why:     "Old data may lack the additional ones: readers with the new schema refuse it.",
			Before:  `{"type": "object", "dependentRequired": {"a": ["b"]}}`, After: `{"type": "object", "dependentRequired": {"a": ["b", "c"]}}`,
			Fix: "write them together, and leave that out of the schema; or " + newVersion,
		},
		{
			ID: "dependent-required-narrowed", What: "fewer properties that are required beside another one",
			Allowed: Always, Message: "READER requires fewer properties beside %s than WRITER does",
			Why:    "What satisfied more satisfies less: nobody breaks.",
			Before: `{"type": "object", "dependentRequired": {"a": ["b", "c"]}}`, After: `{"type": "object", "dependentRequired": {"a": ["b"]}}`,
		},
		{
			ID: "dependent-required-changed", What: "other properties that are required beside another one",
			Message: "READER requires other properties beside %s than WRITER does",
			Why:     "Old data may lack the new ones: readers with the new schema refuse it.",
			Before:  `{"type": "object", "dependentRequired": {"a": ["b"]}}`, After: `{"type": "object", "dependentRequired": {"a": ["c"]}}`,
			Fix: "write them together, and leave that out of the schema; or " + newVersion,
		},
		{
			ID: "dependent-schema-added", What: "a schema for objects that have a property, which was not there",
			Message: "READER adds a schema for objects that have %s, which WRITER does not have",
			Why:     "Old data may have the property without satisfying the schema: readers with the new schema refuse it.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "dependentSchemas": {"a": {"minProperties": 2}}}`,
			Fix: "check it where the event is made; or " + newVersion,
		},
		{
			ID: "dependent-schema-removed", What: "a schema for objects that have a property, which is gone",
			Allowed: Always, Message: "READER has no schema for objects that have %s, as WRITER has",
			Why:    "What satisfied more satisfies less: nobody breaks.",
			Before: `{"type": "object", "dependentSchemas": {"a": {"minProperties": 2}}}`, After: `{"type": "object"}`,
		},
	}...)
}

// remainderRules is the four rules about what is allowed beyond what a schema
// declares.
func remainderRules(subject, keyword, noun string, tighter Allowance, base string) []Rule {
	with := func(schema string) string { return base + `, "` + keyword + `": ` + schema + `}` }
	lenient := ""
	if tighter == Leniently {
		lenient = " The lenient policy trusts that nobody writes them."
	}
	return []Rule{
		{
			ID: subject + "-allowed", What: noun + " that are allowed now", Allowed: Always, Message: "READER allows " + noun + ", which WRITER forbids",
			Why: "Old data has none: nobody breaks.", Before: with("false"), After: with("true"),
		},
		{
			ID: subject + "-forbidden", What: noun + " that are forbidden now", Allowed: tighter, Message: "READER forbids " + noun + " (" + keyword + "), which WRITER allows",
			Why:    "Old data may have " + noun + ": readers with the new schema refuse it." + lenient,
			Before: base + "}", After: with("false"),
			Fix: "leave it open; or " + newVersion,
		},
		{
			ID: subject + "-widened", What: noun + " that may hold anything now", Allowed: Always, Message: "READER allows any " + noun + "; WRITER restricts them",
			Why:    "What was allowed under a restriction is allowed without: nobody breaks.",
			Before: with(`{"type": "string"}`), After: base + "}",
		},
		{
			ID: subject + "-narrowed", What: noun + " that are restricted now", Allowed: tighter, Message: "READER restricts " + noun + " (" + keyword + "), which WRITER does not",
			Why:    "Old data may hold anything there: readers with the new schema refuse what does not fit." + lenient,
			Before: base + "}", After: with(`{"type": "string"}`),
			Fix: "leave it open; or " + newVersion,
		},
	}
}
