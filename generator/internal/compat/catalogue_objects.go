package compat

const (
	declareAny = "declare the property without a schema ({}), which is compatible; or judge by the lenient policy when nobody writes undeclared names; or " + newVersion
	optional   = "make the property optional, or give it a default"
)

func propertyRules() []rule {
	return []rule{
		{
			id: "PROPERTY_ADDED_TO_OPEN_MODEL", allowed: leniently,
			message: "READER declares the property %s, under which WRITER allows anything",
			why: "The old schema is open: it allows properties that it does not declare, so data may hold another value under that name, which readers with the new schema refuse. " +
				"The lenient policy trusts that nobody used the name.",
			old: `{"type": "object"}`, now: `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			instead: declareAny,
		},
		{
			id: "EMPTY_PROPERTY_ADDED_TO_OPEN_MODEL", allowed: always,
			message: "READER declares the property %s without restricting it",
			why:     "An empty schema takes whatever old data holds under the name: nobody breaks.",
			old:     `{"type": "object"}`, now: `{"type": "object", "properties": {"note": {}}}`,
		},
		{
			id:      "REQUIRED_PROPERTY_ADDED_TO_OPEN_MODEL",
			message: "READER requires the property %s, which data of WRITER need not have",
			why:     "Old data does not have the property: readers with the new schema refuse it.",
			old:     `{"type": "object"}`, now: `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			instead: optional + " and judge by the lenient policy; or " + newVersion,
		},
		{
			id: "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_MODEL", allowed: leniently,
			message: "READER requires the property %s, which has a default; WRITER allows anything under that name",
			why: "The default stands in where old data lacks the property. But the old schema is open, so data may hold another value under that name, " +
				"which readers with the new schema refuse. The lenient policy trusts that nobody used it.",
			old: `{"type": "object"}`, now: `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"]}`,
			instead: declareAny,
		},
		{
			id: "PROPERTY_ADDED_TO_CLOSED_MODEL", allowed: always,
			message: "READER declares the property %s, which WRITER does not allow",
			why:     "The old schema allows no undeclared names, so no old data has the property: nobody breaks.",
			old:     `{"type": "object", "additionalProperties": false}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": false}`,
		},
		{
			id:      "REQUIRED_PROPERTY_ADDED_TO_CLOSED_MODEL",
			message: "READER requires the property %s, which data of WRITER cannot have",
			why:     "No old data has the property: readers with the new schema refuse every old event.",
			old:     `{"type": "object", "additionalProperties": false}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"], "additionalProperties": false}`,
			instead: optional + "; or " + newVersion,
		},
		{
			id: "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_CLOSED_MODEL", allowed: always,
			message: "READER requires the property %s, which has a default; WRITER does not allow it",
			why:     "The default stands in for what old data lacks, and no old data has another value there: nobody breaks.",
			old:     `{"type": "object", "additionalProperties": false}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"], "additionalProperties": false}`,
		},
		{
			id: "COVERED_PROPERTY_ADDED_TO_PARTIALLY_OPEN_MODEL", allowed: always,
			message: "READER declares the property %s, and takes there what WRITER allows",
			why:     "What the old schema allows under undeclared names is valid for the new property: nobody breaks.",
			old:     `{"type": "object", "additionalProperties": {"type": "string"}}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": {"type": "string"}}`,
		},
		{
			id: "UNCOVERED_PROPERTY_ADDED_TO_PARTIALLY_OPEN_MODEL", allowed: leniently,
			message: "READER declares the property %s, and does not take all that WRITER allows there",
			why: "Data may hold, under that name, what the old schema allows under undeclared names; readers with the new schema refuse it. " +
				"The difference itself is reported as well, which is why the lenient policy does not help.",
			old:     `{"type": "object", "additionalProperties": {"type": "string"}}`,
			now:     `{"type": "object", "properties": {"note": {"type": "number"}}, "additionalProperties": {"type": "string"}}`,
			instead: "give the property the schema that undeclared names had; or " + newVersion,
		},
		{
			id:      "REQUIRED_PROPERTY_ADDED_TO_PARTIALLY_OPEN_MODEL",
			message: "READER requires the property %s, which data of WRITER need not have",
			why:     "Old data does not have the property: readers with the new schema refuse it.",
			old:     `{"type": "object", "additionalProperties": {"type": "string"}}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"], "additionalProperties": {"type": "string"}}`,
			instead: optional + "; or " + newVersion,
		},
		{
			id: "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_PARTIALLY_OPEN_MODEL", allowed: always,
			message: "READER requires the property %s, which has a default",
			why:     "The default stands in where old data lacks the property: that it is required breaks nobody.",
			old:     `{"type": "object", "additionalProperties": {"type": "string"}}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"], "additionalProperties": {"type": "string"}}`,
		},
		{
			id: "PROPERTY_REMOVED_FROM_OPEN_MODEL", allowed: always,
			message: "READER does not declare the property %s of WRITER, and takes anything there",
			why:     "The new schema is open: readers with it take the property, and ignore it.",
			old:     `{"type": "object", "properties": {"note": {"type": "string"}}}`, now: `{"type": "object"}`,
		},
		{
			id: "PROPERTY_REMOVED_FROM_CLOSED_MODEL", allowed: leniently,
			message: "READER does not allow the property %s, which data of WRITER may have",
			why:     "The new schema refuses undeclared names, and old data has the property. The lenient policy trusts that readers skip what they do not know.",
			old:     `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": false}`,
			now:     `{"type": "object", "additionalProperties": false}`,
			instead: "keep the property, mark it deprecated and stop writing it; or " + newVersion,
		},
		{
			id: "FALSE_PROPERTY_REMOVED_FROM_CLOSED_MODEL", allowed: always,
			message: "READER does not declare the property %s, which WRITER forbids",
			why:     "No data could have the property: nobody breaks.",
			old:     `{"type": "object", "properties": {"note": false}, "additionalProperties": false}`,
			now:     `{"type": "object", "additionalProperties": false}`,
		},
		{
			id: "COVERED_PROPERTY_REMOVED_FROM_PARTIALLY_OPEN_MODEL", allowed: always,
			message: "READER does not declare the property %s, and takes what WRITER has there",
			why:     "What the new schema allows under undeclared names includes what the property held: nobody breaks.",
			old:     `{"type": "object", "properties": {"note": {"type": "string"}}, "additionalProperties": {"type": "string"}}`,
			now:     `{"type": "object", "additionalProperties": {"type": "string"}}`,
		},
		{
			id: "UNCOVERED_PROPERTY_REMOVED_FROM_PARTIALLY_OPEN_MODEL", allowed: leniently,
			message: "READER does not declare the property %s, and does not take all that WRITER has there",
			why: "Old data has the property, and the new schema refuses its value under an undeclared name. " +
				"The difference itself is reported as well, which is why the lenient policy does not help.",
			old:     `{"type": "object", "properties": {"note": {"type": "number"}}, "additionalProperties": {"type": "string"}}`,
			now:     `{"type": "object", "additionalProperties": {"type": "string"}}`,
			instead: "keep the property, mark it deprecated and stop writing it; or " + newVersion,
		},
		{
			id:      "PROPERTY_BECAME_REQUIRED",
			message: "READER requires the property %s, which data of WRITER need not have",
			why:     "Old data may lack the property: readers with the new schema refuse it.",
			old:     `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			instead: "leave it optional and always write it, or give it a default; or " + newVersion,
		},
		{
			id: "PROPERTY_WITH_DEFAULT_BECAME_REQUIRED", allowed: always,
			message: "READER requires the property %s, which has a default",
			why:     "The default stands in where old data lacks the property: nobody breaks.",
			old:     `{"type": "object", "properties": {"note": {"type": "string"}}}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string", "default": ""}}, "required": ["note"]}`,
		},
		{
			id: "PROPERTY_BECAME_OPTIONAL", allowed: always,
			message: "READER does not require the property %s, as WRITER does",
			why:     "Old data always has the property: nobody breaks. Readers with the old schema miss it where new data lacks it: under FORWARD this is PROPERTY_BECAME_REQUIRED.",
			old:     `{"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}`,
			now:     `{"type": "object", "properties": {"note": {"type": "string"}}}`,
		},
	}
}

func objectRules() []rule {
	rules := remainderRules("ADDITIONAL_PROPERTIES", "additionalProperties", "undeclared properties", leniently, `{"type": "object"`)
	rules = append(rules, remainderRules("UNEVALUATED_PROPERTIES", "unevaluatedProperties", "properties that no part of the schema looks at", leniently, `{"type": "object"`)...)
	return append(rules, []rule{
		{
			id: "DEPENDENT_REQUIRED_ADDED", message: "READER requires other properties beside %s, which WRITER does not",
			why: "Old data may have the one without the others: readers with the new schema refuse it.",
			old: `{"type": "object"}`, now: `{"type": "object", "dependentRequired": {"a": ["b"]}}`,
			instead: "write them together, and leave that out of the schema; or " + newVersion,
		},
		{
			id: "DEPENDENT_REQUIRED_REMOVED", allowed: always, message: "READER does not require other properties beside %s, as WRITER does",
			why: "What satisfied more satisfies less: nobody breaks.",
			old: `{"type": "object", "dependentRequired": {"a": ["b"]}}`, now: `{"type": "object"}`,
		},
		{
			id: "DEPENDENT_REQUIRED_EXTENDED", message: "READER requires more properties beside %s than WRITER does",
			why: "Old data may lack the additional ones: readers with the new schema refuse it.",
			old: `{"type": "object", "dependentRequired": {"a": ["b"]}}`, now: `{"type": "object", "dependentRequired": {"a": ["b", "c"]}}`,
			instead: "write them together, and leave that out of the schema; or " + newVersion,
		},
		{
			id: "DEPENDENT_REQUIRED_NARROWED", allowed: always, message: "READER requires fewer properties beside %s than WRITER does",
			why: "What satisfied more satisfies less: nobody breaks.",
			old: `{"type": "object", "dependentRequired": {"a": ["b", "c"]}}`, now: `{"type": "object", "dependentRequired": {"a": ["b"]}}`,
		},
		{
			id: "DEPENDENT_REQUIRED_CHANGED", message: "READER requires other properties beside %s than WRITER does",
			why: "Old data may lack the new ones: readers with the new schema refuse it.",
			old: `{"type": "object", "dependentRequired": {"a": ["b"]}}`, now: `{"type": "object", "dependentRequired": {"a": ["c"]}}`,
			instead: "write them together, and leave that out of the schema; or " + newVersion,
		},
		{
			id: "DEPENDENT_SCHEMA_ADDED", message: "READER adds a schema for objects that have %s, which WRITER does not have",
			why: "Old data may have the property without satisfying the schema: readers with the new schema refuse it.",
			old: `{"type": "object"}`, now: `{"type": "object", "dependentSchemas": {"a": {"minProperties": 2}}}`,
			instead: "check it where the event is made; or " + newVersion,
		},
		{
			id: "DEPENDENT_SCHEMA_REMOVED", allowed: always, message: "READER has no schema for objects that have %s, as WRITER has",
			why: "What satisfied more satisfies less: nobody breaks.",
			old: `{"type": "object", "dependentSchemas": {"a": {"minProperties": 2}}}`, now: `{"type": "object"}`,
		},
	}...)
}

// remainderRules is the four rules about what is allowed beyond what a schema
// declares.
func remainderRules(subject, keyword, noun string, tighter allowance, base string) []rule {
	with := func(schema string) string { return base + `, "` + keyword + `": ` + schema + `}` }
	lenient := ""
	if tighter == leniently {
		lenient = " The lenient policy trusts that nobody writes them."
	}
	return []rule{
		{
			id: subject + "_ALLOWED", allowed: always, message: "READER allows " + noun + ", which WRITER forbids",
			why: "Old data has none: nobody breaks.", old: with("false"), now: with("true"),
		},
		{
			id: subject + "_FORBIDDEN", allowed: tighter, message: "READER forbids " + noun + " (" + keyword + "), which WRITER allows",
			why: "Old data may have " + noun + ": readers with the new schema refuse it." + lenient,
			old: base + "}", now: with("false"),
			instead: "leave it open; or " + newVersion,
		},
		{
			id: subject + "_WIDENED", allowed: always, message: "READER allows any " + noun + "; WRITER restricts them",
			why: "What was allowed under a restriction is allowed without: nobody breaks.",
			old: with(`{"type": "string"}`), now: base + "}",
		},
		{
			id: subject + "_NARROWED", allowed: tighter, message: "READER restricts " + noun + " (" + keyword + "), which WRITER does not",
			why: "Old data may hold anything there: readers with the new schema refuse what does not fit." + lenient,
			old: base + "}", now: with(`{"type": "string"}`),
			instead: "leave it open; or " + newVersion,
		},
	}
}
