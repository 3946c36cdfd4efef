package compat

func typeRules() []rule {
	return []rule{
		{
			id: "TYPE_CHANGED", message: "READER has %[2]s where WRITER has %[1]s",
			why: "The two describe different values: readers with the new schema refuse data written with the old one.",
			old: `{"type": "string"}`, now: `{"type": "number"}`,
			instead: "add a property of the new type under another name and keep the old one; or " + newVersion,
		},
		{
			id: "TYPE_NARROWED", message: "READER takes %[2]s, where data of WRITER may be %[1]s",
			why: "Some values that were valid no longer are, a fraction or a null for example: readers with the new schema refuse them.",
			old: `{"type": "number"}`, now: `{"type": "integer"}`,
			instead: "keep the wider type and check the narrower one where the event is made; or " + newVersion,
		},
		{
			id: "TYPE_WIDENED", allowed: always, message: "READER takes %[2]s where WRITER has %[1]s",
			why: "Every value of the old type is one of the new type: nobody breaks. Readers with the old schema may, under FORWARD.",
			old: `{"type": "string"}`, now: `{"type": ["string", "null"]}`,
		},
		{
			id: "COMPARISON_TOO_LARGE", message: "the two schemas are too large and too entangled to be compared, and count as incompatible",
			why:     "Judging the two takes more steps than the comparison allows itself; no verdict is not a good one. Only schemas with thousands of variants that all differ come to this.",
			instead: "split the schema: fewer variants in one oneOf or anyOf",
		},
		{
			id: unseen, allowed: always, message: "READER has another %s than WRITER; no rule compares that, so the verdict leaves it out",
			why: "The registry does not compare format, contentEncoding, contentMediaType, propertyNames, patternProperties, the schema of contains, " +
				"what an if says, and names in required that are not declared. Readers with the new schema that do look at them may refuse old data: look yourself.",
			old: `{"type": "string", "format": "date-time"}`, now: `{"type": "string", "format": "date"}`,
		},
		{
			id: "CONSTRAINT_ADDED", message: "READER asks for %s in addition, which WRITER does not",
			why: "Data had to satisfy less: readers with the new schema refuse what does not satisfy the addition.",
			old: `{"type": "string"}`, now: `{"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "x"}]}`,
			instead: "check the addition where the event is made; or " + newVersion,
		},
		{
			id: "CONSTRAINT_REMOVED", allowed: always, message: "READER no longer asks for %s, as WRITER does",
			why: "What satisfied more satisfies less: nobody breaks.",
			old: `{"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "x"}]}`, now: `{"type": "string"}`,
		},
		{
			id: "CONDITION_ADDED", message: "READER adds an if, which WRITER does not have",
			why: "Data was written without the condition: readers with the new schema refuse what does not satisfy it.",
			old: `{"type": "object"}`, now: `{"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}`,
			instead: "check the condition where the event is made; or " + newVersion,
		},
		{
			id: "CONDITION_REMOVED", allowed: always, message: "READER has no if, as WRITER has",
			why: "What satisfied the condition is still valid without it: nobody breaks.",
			old: `{"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}`, now: `{"type": "object"}`,
		},
		{
			id: "NOT_ADDED", message: "READER adds a not, which WRITER does not have",
			why: "Data was written without the exclusion: readers with the new schema refuse what falls under it.",
			old: `{"type": "string"}`, now: `{"type": "string", "not": {"const": ""}}`,
			instead: "exclude the values where the event is made; or " + newVersion,
		},
		{
			id: "NOT_REMOVED", allowed: always, message: "READER has no not, as WRITER has",
			why: "What was not excluded is still valid: nobody breaks.",
			old: `{"type": "string", "not": {"const": ""}}`, now: `{"type": "string"}`,
		},
		{
			id: "NOT_WIDENED", message: "READER excludes more by not than WRITER does",
			why: "Values that were allowed are now excluded: readers with the new schema refuse them.",
			old: `{"not": {"type": "string", "maxLength": 5}}`, now: `{"not": {"type": "string", "maxLength": 10}}`,
			instead: "leave not as it is and exclude the values where the event is made; or " + newVersion,
		},
		{
			id: "NOT_NARROWED", allowed: always, message: "READER excludes less by not than WRITER does",
			why: "Whatever was allowed is still allowed: nobody breaks.",
			old: `{"not": {"type": "string", "maxLength": 10}}`, now: `{"not": {"type": "string", "maxLength": 5}}`,
		},
	}
}

func combinationRules() []rule {
	return []rule{
		{
			id: "COMBINATION_CHANGED", message: "READER combines by %[2]s what WRITER combines by %[1]s",
			why: "The branches count in another way, so values that were valid may not be any more: readers with the new schema refuse them.",
			old: `{"anyOf": [{"type": "string"}, {"type": "null"}]}`, now: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`,
			instead: "keep the keyword; only a change to anyOf is safe, or one between combinations of a single branch",
		},
		{
			id: "COMBINATION_WIDENED", allowed: always, message: "READER has %[2]s where WRITER has %[1]s, which asks for as much or more",
			why: "What satisfies all branches, or exactly one, satisfies any: nobody breaks as long as the branches pair up.",
			old: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`, now: `{"anyOf": [{"type": "string"}, {"type": "null"}]}`,
		},
		{
			id: "VARIANT_ADDED", allowed: always, message: "READER has a variant in %s that WRITER does not have",
			why: "Old data never is of the new variant: readers with the new schema know all that comes. Readers with the old schema do not know the new variant: under FORWARD this is VARIANT_REMOVED.",
			old: `{"oneOf": [{"type": "string"}]}`, now: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`,
		},
		{
			id: "VARIANT_REMOVED", message: "READER has no counterpart of this variant of WRITER's %s",
			why: "Data of the variant exists: readers with the new schema refuse it.",
			old: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`, now: `{"oneOf": [{"type": "string"}]}`,
			instead: "keep the variant, mark it deprecated and stop writing it; or " + newVersion,
		},
		{
			id: "VARIANT_CHANGED", message: "no variant of READER's %s can read all data of this variant of WRITER",
			why: "Variants are paired so that as many as possible read what their partner wrote; this one found none. Data of it is refused by readers with the new schema.",
			old: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`, now: `{"oneOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]}`,
			instead: "keep the variant as it was and add the changed one beside it; or " + newVersion,
		},
		{
			id: "ALL_OF_BRANCH_ADDED", message: "READER asks for another branch in allOf, which WRITER does not have",
			why: "Data had to satisfy fewer branches: readers with the new schema refuse what does not satisfy the new one.",
			old: `{"allOf": [{"type": "string"}]}`, now: `{"allOf": [{"type": "string"}, {"minLength": 1}]}`,
			instead: "check the branch where the event is made; or " + newVersion,
		},
		{
			id: "ALL_OF_BRANCH_REMOVED", allowed: always, message: "READER has no counterpart of this branch of WRITER's allOf",
			why: "What satisfied all branches satisfies those that are left: nobody breaks.",
			old: `{"allOf": [{"type": "string"}, {"minLength": 1}]}`, now: `{"allOf": [{"type": "string"}]}`,
		},
		{
			id: "ALL_OF_BRANCH_CHANGED", message: "READER's %s asks for something here that WRITER does not",
			why: "Branches are paired so that as many as possible ask for no more than their partner; this one found none.",
			old: `{"allOf": [{"type": "string"}, {"minLength": 1}]}`, now: `{"allOf": [{"type": "string"}, {"minLength": 2}]}`,
			instead: "keep the branch as it was; or " + newVersion,
		},
	}
}

func valueRules() []rule {
	return []rule{
		{
			id: "ENUM_VALUE_ADDED", allowed: always, message: "READER's enum has %s, which WRITER's has not",
			why: "Old data never holds the new values: readers with the new schema know all that comes. Readers with the old schema do not: under FORWARD this is ENUM_VALUE_REMOVED.",
			old: `{"enum": ["a"]}`, now: `{"enum": ["a", "b"]}`,
		},
		{
			id: "ENUM_VALUE_REMOVED", message: "READER's enum has no %s, which data of WRITER may hold",
			why: "Data with the value exists: readers with the new schema refuse it.",
			old: `{"enum": ["a", "b"]}`, now: `{"enum": ["a"]}`,
			instead: "keep the value, say in the description that it is no longer written, and stop writing it; or " + newVersion,
		},
		{
			id: "ENUM_ADDED", message: "READER adds an enum, which WRITER does not have",
			why: "Data was written without the list: readers with the new schema refuse values that are not in it.",
			old: `{"type": "string"}`, now: `{"type": "string", "enum": ["a"]}`,
			instead: "list the known values in the description or under examples, and check them where the event is made; or " + newVersion,
		},
		{
			id: "ENUM_REMOVED", allowed: always, message: "READER has no enum, as WRITER has",
			why: "Every listed value is still valid: nobody breaks.",
			old: `{"type": "string", "enum": ["a"]}`, now: `{"type": "string"}`,
		},
		{
			id: "CONST_CHANGED", message: "READER has the const %[2]s where WRITER has %[1]s",
			why: "All data written so far holds the old constant: readers with the new schema refuse every event.",
			old: `{"const": "a"}`, now: `{"const": "b"}`,
			instead: newVersion,
		},
		{
			id: "CONST_ADDED", message: "READER adds a const, which WRITER does not have",
			why: "Data may hold any value: readers with the new schema refuse all but one.",
			old: `{"type": "string"}`, now: `{"type": "string", "const": "a"}`,
			instead: "set the value where the event is made, and leave const out of the schema; or " + newVersion,
		},
		{
			id: "CONST_REMOVED", allowed: always, message: "READER has no const, as WRITER has",
			why: "The constant is still a valid value: nobody breaks.",
			old: `{"type": "string", "const": "a"}`, now: `{"type": "string"}`,
		},
		{
			id: "PATTERN_ADDED", message: "READER adds the pattern %s, which WRITER does not have",
			why: "Data was written without the pattern: readers with the new schema refuse strings that do not match.",
			old: `{"type": "string"}`, now: `{"type": "string", "pattern": "^[a-z]+$"}`,
			instead: "check the pattern where the event is made; or " + newVersion,
		},
		{
			id: "PATTERN_CHANGED", message: "READER has the pattern %[2]s where WRITER has %[1]s; the rules do not ask which of them matches more",
			why: "Strings that matched the old pattern may not match the new one: readers with the new schema refuse them. No rule compares what two patterns match, so any change counts.",
			old: `{"type": "string", "pattern": "^[a-z]+$"}`, now: `{"type": "string", "pattern": "^[a-z]*$"}`,
			instead: "remove the pattern instead, which is compatible, and check it where the event is made; or " + newVersion,
		},
		{
			id: "PATTERN_REMOVED", allowed: always, message: "READER has no pattern; WRITER has %s",
			why: "What matched is still valid: nobody breaks.",
			old: `{"type": "string", "pattern": "^[a-z]+$"}`, now: `{"type": "string"}`,
		},
		{
			id: "MULTIPLE_OF_ADDED", message: "READER adds multipleOf %s, which WRITER does not have",
			why: "Data was written without it: readers with the new schema refuse numbers that are no multiple.",
			old: `{"type": "number"}`, now: `{"type": "number", "multipleOf": 5}`,
			instead: "check it where the event is made; or " + newVersion,
		},
		{
			id: "MULTIPLE_OF_REMOVED", allowed: always, message: "READER has no multipleOf; WRITER has %s",
			why: "Every multiple is still a number: nobody breaks.",
			old: `{"type": "number", "multipleOf": 5}`, now: `{"type": "number"}`,
		},
		{
			id: "MULTIPLE_OF_INCREASED", message: "READER raises multipleOf from %s to %s: not all data of WRITER is a multiple of that",
			why: "Only some multiples of the old number are multiples of the new one: readers with the new schema refuse the others.",
			old: `{"type": "number", "multipleOf": 5}`, now: `{"type": "number", "multipleOf": 10}`,
			instead: "keep the smaller number; or " + newVersion,
		},
		{
			id: "MULTIPLE_OF_REDUCED", allowed: always, message: "READER reduces multipleOf from %s to %s, which divides it",
			why: "Every multiple of the old number is one of the new number: nobody breaks.",
			old: `{"type": "number", "multipleOf": 10}`, now: `{"type": "number", "multipleOf": 5}`,
		},
		{
			id: "MULTIPLE_OF_CHANGED", message: "READER changes multipleOf from %s to %s, and neither divides the other",
			why: "Multiples of the old number need not be multiples of the new one: readers with the new schema refuse them.",
			old: `{"type": "number", "multipleOf": 5}`, now: `{"type": "number", "multipleOf": 7}`,
			instead: "remove multipleOf instead, which is compatible; or " + newVersion,
		},
	}
}
