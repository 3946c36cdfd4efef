package finding

const (
	useGenerated = "if no data has undeclared properties, write policy: generated under compat in outboxgen.yaml; or " + NewVersion
	optional     = "make the property optional"
	noDefaults   = " Readers that outboxgen generates do not fill in defaults: under the policy generated, the change is incompatible."
)

func compatPropertyRules() []Rule {
	return []Rule{
		{
			ID: "property-added-to-open-model", What: "a new property in an object that allows undeclared properties",
			Allowed: Leniently,
			Message: "READER declares the property %s, and WRITER allows any value under that name",
			Why: "Old data may already have an undeclared property with this name and another value. Readers with the new schema reject such data. The policies generated, " +
				"the default, and lenient assume that no data has one.",
			Before: `{"type": "object"}`, After: `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			Fix: useGenerated,
		},
		{
			ID: "empty-property-added-to-open-model", What: "a new property with an empty schema in an object that allows undeclared properties",
			Allowed: Always,
			Message: "READER declares the property %s without restricting it",
			Why:     "An empty schema allows every value that old data may have under this name.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "properties": {"note": {}}}`,
		},
		{
			ID: "required-property-added-to-open-model", What: "a new required property in an object that allows undeclared properties",
			Message: "READER requires the property %s, which data of WRITER may lack",
			Why:     "Old data lacks the property. Readers with the new schema reject it.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			Fix: optional + "; or " + NewVersion,
		},
		{
			ID: "required-property-with-default-added-to-open-model", What: "a new required property with a default in an object that allows undeclared properties",
			Allowed: Leniently,
			Message: "READER requires the property %s, which has a default; WRITER allows any value under that name",
			Why: "Readers use the default if old data lacks the property. But old data may already have an undeclared property with this name and another " +
				"value, which readers with the new schema reject. The lenient policy assumes that no data has one." + noDefaults,
			Before: `{"type": "object"}`, After: `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"]}`,
			Fix: "make the property optional; or " + NewVersion,
		},
		{
			ID: "property-added-to-closed-model", What: "a new property in an object that forbids undeclared properties",
			Allowed: Always,
			Message: "READER declares the property %s, which WRITER does not allow",
			Why:     "The old schema forbids undeclared properties, so no old data has this one.",
			Before:  `{"type": "object", "additionalProperties": false}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": false}`,
		},
		{
			ID: "required-property-added-to-closed-model", What: "a new required property in an object that forbids undeclared properties",
			Message: "READER requires the property %s, which data of WRITER cannot have",
			Why:     "No old data has the property. Readers with the new schema reject every old event.",
			Before:  `{"type": "object", "additionalProperties": false}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"], "additionalProperties": false}`,
			Fix:     optional + "; or " + NewVersion,
		},
		{
			ID: "required-property-with-default-added-to-closed-model", What: "a new required property with a default in an object that forbids undeclared properties",
			Allowed: Always,
			Message: "READER requires the property %s, which has a default; WRITER does not allow it",
			Why:     "No old data has the property, and readers use the default." + noDefaults,
			Before:  `{"type": "object", "additionalProperties": false}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"], "additionalProperties": false}`,
			Fix:     "make the property optional; or " + NewVersion,
		},
		{
			ID: "covered-property-added-to-partially-open-model", What: "a new property that allows all values that undeclared properties could have",
			Allowed: Always,
			Message: "READER declares the property %s and allows every value that WRITER allows there",
			Why:     "All values that the old schema allows under undeclared names are valid for the new property.",
			Before:  `{"type": "object", "additionalProperties": {"type": "string"}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": {"type": "string"}}`,
		},
		{
			ID: "uncovered-property-added-to-partially-open-model", What: "a new property that forbids some values that undeclared properties could have",
			Allowed: Leniently,
			Message: "READER declares the property %s and does not allow every value that WRITER allows there",
			Why: "Old data may have such a value under this name. Readers with the new schema reject it. The difference is also reported by its own rule, so " +
				"the lenient policy does not help.",
			Before: `{"type": "object", "additionalProperties": {"type": "string"}}`,
			After:  `{"type": "object", "properties": {"note": {"type": "number"}}, "additionalProperties": {"type": "string"}}`,
			Fix:    "give the property the schema of the undeclared properties; or " + NewVersion,
		},
		{
			ID: "required-property-added-to-partially-open-model", What: "a new required property in an object that restricts undeclared properties",
			Message: "READER requires the property %s, which data of WRITER may lack",
			Why:     "Old data lacks the property. Readers with the new schema reject it.",
			Before:  `{"type": "object", "additionalProperties": {"type": "string"}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"], "additionalProperties": {"type": "string"}}`,
			Fix:     optional + "; or " + NewVersion,
		},
		{
			ID: "required-property-with-default-added-to-partially-open-model", What: "a new required property with a default in an object that restricts undeclared properties",
			Allowed: Always,
			Message: "READER requires the property %s, which has a default",
			Why:     "Readers use the default if old data lacks the property." + noDefaults,
			Before:  `{"type": "object", "additionalProperties": {"type": "string"}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"], "additionalProperties": {"type": "string"}}`,
			Fix:     "make the property optional; or " + NewVersion,
		},
		{
			ID: "property-removed-from-open-model", What: "a removed property in an object that allows undeclared properties",
			Allowed: Always,
			Message: "READER does not declare the property %s of WRITER and allows any value there",
			Why:     "Readers with the new schema accept the property and ignore it.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}}`, After: `{"type": "object"}`,
		},
		{
			ID: "property-removed-from-closed-model", What: "a removed property in an object that forbids undeclared properties",
			Allowed: Leniently,
			Message: "READER forbids the property %s, which data of WRITER may have",
			Why:     "Old data has the property, and the new schema forbids undeclared properties. The lenient policy assumes that readers ignore unknown properties.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": false}`,
			After:   `{"type": "object", "additionalProperties": false}`,
			Fix:     "keep the property, mark it deprecated and stop writing it; or " + NewVersion,
		},
		{
			ID: "false-property-removed-from-closed-model", What: "a removed forbidden property in an object that forbids undeclared properties",
			Allowed: Always,
			Message: "READER does not declare the property %s, which WRITER forbids",
			Why:     "No old data has the property.",
			Before:  `{"type": "object", "properties": {"note": false}, "additionalProperties": false}`,
			After:   `{"type": "object", "additionalProperties": false}`,
		},
		{
			ID: "covered-property-removed-from-partially-open-model", What: "a removed property whose values undeclared properties may have",
			Allowed: Always,
			Message: "READER does not declare the property %s and allows every value that WRITER allows there",
			Why:     "The new schema allows all values of the property under an undeclared name.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": {"type": "string"}}`,
			After:   `{"type": "object", "additionalProperties": {"type": "string"}}`,
		},
		{
			ID: "uncovered-property-removed-from-partially-open-model", What: "a removed property with values that undeclared properties may not have",
			Allowed: Leniently,
			Message: "READER does not declare the property %s and does not allow every value that WRITER allows there",
			Why: "Old data has the property, and the new schema rejects some of its values under an undeclared name. The difference is also reported by its " +
				"own rule, so the lenient policy does not help.",
			Before: `{"type": "object", "properties": {"note": {"type": "number"}}, "additionalProperties": {"type": "string"}}`,
			After:  `{"type": "object", "additionalProperties": {"type": "string"}}`,
			Fix:    "keep the property, mark it deprecated and stop writing it; or " + NewVersion,
		},
		{
			ID: "property-renamed", What: "a renamed property: one is gone, and another one has the same schema",
			Allowed: Leniently,
			Message: "READER calls the property %[1]s of WRITER %[2]s",
			Why: "Readers look for one name and writers write the other, so readers miss the value. Where the policy allows the change, " +
				"this is a warning.",
			Before: `{"type": "object", "properties": {"teacher": {"type": "string"}}}`,
			After:  `{"type": "object", "properties": {"grader": {"type": "string"}}}`,
			Fix:    "keep the old property, mark it deprecated, add the new one beside it, and write both; or " + NewVersion,
		},
		{
			ID: "property-became-required", What: "an optional property that became required",
			Message: "READER requires the property %s, which data of WRITER may lack",
			Why:     "Old data may lack the property. Readers with the new schema reject it.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			Fix:     "keep it optional and always write it; or " + NewVersion,
		},
		{
			ID: "property-with-default-became-required", What: "a property with a default that became required",
			Allowed: Always,
			Message: "READER requires the property %s, which has a default",
			Why:     "Readers use the default if old data lacks the property." + noDefaults,
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"]}`,
			Fix:     "make the property optional; or " + NewVersion,
		},
		{
			ID: "property-became-optional", What: "a required property that became optional",
			Allowed: Always,
			Message: "READER does not require the property %s, but WRITER does",
			Why:     "Old data always has the property. Readers with the old schema reject new data without it.",
			Before:  `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			After:   `{"type": "object", "properties": {"note": {"type": "string"}}}`,
		},
	}
}

func compatObjectRules() []Rule {
	rules := remainderRules("additional-properties", "additionalProperties", "undeclared properties", Leniently, `{"type": "object"`)
	rules = append(rules, remainderRules("unevaluated-properties", "unevaluatedProperties", "unevaluated properties", Leniently, `{"type": "object"`)...)
	return append(rules, []Rule{
		{
			ID: "dependent-required-added", What: "properties that another property now requires",
			Message: "READER requires other properties beside %s; WRITER does not",
			Why:     "Old data may have one property without the others. Readers with the new schema reject it.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "dependentRequired": {"a": ["b"]}}`,
			Fix: "write the properties together, without this rule in the schema; or " + NewVersion,
		},
		{
			ID: "dependent-required-removed", What: "properties that another property no longer requires",
			Allowed: Always, Message: "READER does not require other properties beside %s; WRITER does",
			Why:    "Old data satisfies the remaining constraints.",
			Before: `{"type": "object", "dependentRequired": {"a": ["b"]}}`, After: `{"type": "object"}`,
		},
		{
			ID: "dependent-required-extended", What: "a property that requires more other properties",
			Message: "READER requires more properties beside %s than WRITER does",
			Why:     "Old data may lack the additional properties. Readers with the new schema reject it.",
			Before:  `{"type": "object", "dependentRequired": {"a": ["b"]}}`, After: `{"type": "object", "dependentRequired": {"a": ["b", "c"]}}`,
			Fix: "write the properties together, without this rule in the schema; or " + NewVersion,
		},
		{
			ID: "dependent-required-narrowed", What: "a property that requires fewer other properties",
			Allowed: Always, Message: "READER requires fewer properties beside %s than WRITER does",
			Why:    "Old data satisfies the remaining constraints.",
			Before: `{"type": "object", "dependentRequired": {"a": ["b", "c"]}}`, After: `{"type": "object", "dependentRequired": {"a": ["b"]}}`,
		},
		{
			ID: "dependent-required-changed", What: "a property that requires different other properties",
			Message: "READER requires other properties beside %s than WRITER does",
			Why:     "Old data may lack the new ones. Readers with the new schema reject it.",
			Before:  `{"type": "object", "dependentRequired": {"a": ["b"]}}`, After: `{"type": "object", "dependentRequired": {"a": ["c"]}}`,
			Fix: "write the properties together, without this rule in the schema; or " + NewVersion,
		},
		{
			ID: "dependent-schema-added", What: "a new schema for objects that have a certain property",
			Message: "READER adds a schema for objects that have %s, which WRITER does not have",
			Why:     "Old data may have the property but violate the schema. Readers with the new schema reject it.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "dependentSchemas": {"a": {"minProperties": 2}}}`,
			Fix: "check it where the event is created; or " + NewVersion,
		},
		{
			ID: "dependent-schema-removed", What: "a removed schema for objects that have a certain property",
			Allowed: Always, Message: "READER has no schema for objects that have %s; WRITER has one",
			Why:    "Old data satisfies the remaining constraints.",
			Before: `{"type": "object", "dependentSchemas": {"a": {"minProperties": 2}}}`, After: `{"type": "object"}`,
		},
	}...)
}

// remainderRules returns the four rules about values beyond those that a schema declares.
func remainderRules(subject, keyword, noun string, tighter Allowance, base string) []Rule {
	with := func(schema string) string { return base + `, "` + keyword + `": ` + schema + `}` }
	lenient := ""
	if tighter == Leniently {
		lenient = " The lenient policy assumes that no data has any."
	}
	return []Rule{
		{
			ID: subject + "-allowed", What: noun + " that became allowed", Allowed: Always, Message: "READER allows " + noun + ", which WRITER forbids",
			Why: "Old data has none.", Before: with("false"), After: with("true"),
		},
		{
			ID: subject + "-forbidden", What: noun + " that became forbidden", Allowed: tighter, Message: "READER forbids " + noun + " (" + keyword + "), which WRITER allows",
			Why:    "Old data may have " + noun + ". Readers with the new schema reject it." + lenient,
			Before: base + "}", After: with("false"),
			Fix: "keep them allowed; or " + NewVersion,
		},
		{
			ID: subject + "-widened", What: noun + " that may now have any value", Allowed: Always, Message: "READER allows any " + noun + "; WRITER restricts them",
			Why:    "Values that satisfy the old restriction stay valid.",
			Before: with(`{"type": "string"}`), After: base + "}",
		},
		{
			ID: subject + "-narrowed", What: noun + " that became restricted", Allowed: tighter, Message: "READER restricts " + noun + " (" + keyword + "); WRITER does not",
			Why:    "Old data may have any value there. Readers with the new schema reject some of them." + lenient,
			Before: base + "}", After: with(`{"type": "string"}`),
			Fix: "keep them allowed; or " + NewVersion,
		},
	}
}
