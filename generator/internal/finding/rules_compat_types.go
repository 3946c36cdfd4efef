package finding

func compatTypeRules() []Rule {
	return []Rule{
		{
			ID: "type-changed", What: "a schema of another type",
			Message: "READER has %[2]s where WRITER has %[1]s",
			Why:     "The two describe different values: readers with the new schema refuse data written with the old one.",
			Before:  `{"type": "string"}`, After: `{"type": "number"}`,
			Fix: "add a property of the new type under another name and keep the old one; or " + newVersion,
		},
		{
			ID: "type-narrowed", What: "a type that takes fewer values",
			Message: "READER takes %[2]s, where data of WRITER may be %[1]s",
			Why:     "Some values that were valid no longer are, a fraction or a null for example: readers with the new schema refuse them.",
			Before:  `{"type": "number"}`, After: `{"type": "integer"}`,
			Fix: "keep the wider type and check the narrower one where the event is made; or " + newVersion,
		},
		{
			ID: "type-widened", What: "a type that takes more values",
			Allowed: Always, Message: "READER takes %[2]s where WRITER has %[1]s",
			Why:    "Every value of the old type is one of the new type: nobody breaks. Readers with the old schema may, under FORWARD.",
			Before: `{"type": "string"}`, After: `{"type": ["string", "null"]}`,
		},
		{
			ID: "comparison-too-large", What: "two schemas that are too large to compare",
			Message: "the two schemas are too large and too entangled to be compared, and count as incompatible",
			Why:     "Judging the two takes more steps than the comparison allows itself; no verdict is not a good one. Only schemas with thousands of variants that all differ come to this.",
			Fix:     "split the schema: fewer variants in one oneOf or anyOf",
		},
		{
			ID: Uncompared, What: "a changed keyword that no rule compares",
			Severity: Warning, Allowed: Always, Message: "READER has another %s than WRITER; no rule compares that, so the verdict leaves it out",
			Why: "The registry does not compare format, contentEncoding, contentMediaType, propertyNames, patternProperties, the schema of contains, " +
				"what an if says, and names in required that are not declared. Readers with the new schema that do look at them may refuse old data: look yourself.",
			Before: `{"type": "string", "format": "date-time"}`, After: `{"type": "string", "format": "date"}`,
		},
		{
			ID: "constraint-added", What: "a constraint that was not there",
			Message: "READER asks for %s in addition, which WRITER does not",
			Why:     "Data had to satisfy less: readers with the new schema refuse what does not satisfy the addition.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "x"}]}`,
			Fix: "check the addition where the event is made; or " + newVersion,
		},
		{
			ID: "constraint-removed", What: "a constraint that is gone",
			Allowed: Always, Message: "READER no longer asks for %s, as WRITER does",
			Why:    "What satisfied more satisfies less: nobody breaks.",
			Before: `{"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "x"}]}`, After: `{"type": "string"}`,
		},
		{
			ID: "condition-added", What: "an if that was not there",
			Message: "READER adds an if, which WRITER does not have",
			Why:     "Data was written without the condition: readers with the new schema refuse what does not satisfy it.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}`,
			Fix: "check the condition where the event is made; or " + newVersion,
		},
		{
			ID: "condition-removed", What: "an if that is gone",
			Allowed: Always, Message: "READER has no if, as WRITER has",
			Why:    "What satisfied the condition is still valid without it: nobody breaks.",
			Before: `{"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}`, After: `{"type": "object"}`,
		},
		{
			ID: "not-added", What: "a not that was not there",
			Message: "READER adds a not, which WRITER does not have",
			Why:     "Data was written without the exclusion: readers with the new schema refuse what falls under it.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "not": {"const": ""}}`,
			Fix: "exclude the values where the event is made; or " + newVersion,
		},
		{
			ID: "not-removed", What: "a not that is gone",
			Allowed: Always, Message: "READER has no not, as WRITER has",
			Why:    "What was not excluded is still valid: nobody breaks.",
			Before: `{"type": "string", "not": {"const": ""}}`, After: `{"type": "string"}`,
		},
		{
			ID: "not-widened", What: "a not that excludes more",
			Message: "READER excludes more by not than WRITER does",
			Why:     "Values that were allowed are now excluded: readers with the new schema refuse them.",
			Before:  `{"not": {"type": "string", "maxLength": 5}}`, After: `{"not": {"type": "string", "maxLength": 10}}`,
			Fix: "leave not as it is and exclude the values where the event is made; or " + newVersion,
		},
		{
			ID: "not-narrowed", What: "a not that excludes less",
			Allowed: Always, Message: "READER excludes less by not than WRITER does",
			Why:    "Whatever was allowed is still allowed: nobody breaks.",
			Before: `{"not": {"type": "string", "maxLength": 10}}`, After: `{"not": {"type": "string", "maxLength": 5}}`,
		},
	}
}

func compatCombinationRules() []Rule {
	return []Rule{
		{
			ID: "combination-changed", What: "allOf, anyOf or oneOf in the place of another",
			Message: "READER combines by %[2]s what WRITER combines by %[1]s",
			Why:     "The branches count in another way, so values that were valid may not be any more: readers with the new schema refuse them.",
			Before:  `{"anyOf": [{"type": "string"}, {"type": "null"}]}`, After: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`,
			Fix: "keep the keyword; only a change to anyOf is safe, or one between combinations of a single branch",
		},
		{
			ID: "combination-widened", What: "a combination that asks for less",
			Allowed: Always, Message: "READER has %[2]s where WRITER has %[1]s, which asks for as much or more",
			Why:    "What satisfies all branches, or exactly one, satisfies any: nobody breaks as long as the branches pair up.",
			Before: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`, After: `{"anyOf": [{"type": "string"}, {"type": "null"}]}`,
		},
		{
			ID: "variant-added", What: "a new variant of anyOf or oneOf",
			Allowed: Always, Message: "READER has a variant in %s that WRITER does not have",
			Why:    "Old data never is of the new variant: readers with the new schema know all that comes. Readers with the old schema do not know the new variant: under FORWARD this is variant-removed.",
			Before: `{"oneOf": [{"type": "string"}]}`, After: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`,
		},
		{
			ID: "variant-removed", What: "a variant of anyOf or oneOf that is gone",
			Message: "READER has no counterpart of this variant of WRITER's %s",
			Why:     "Data of the variant exists: readers with the new schema refuse it.",
			Before:  `{"oneOf": [{"type": "string"}, {"type": "null"}]}`, After: `{"oneOf": [{"type": "string"}]}`,
			Fix: "keep the variant, mark it deprecated and stop writing it; or " + newVersion,
		},
		{
			ID: "variant-changed", What: "a variant of anyOf or oneOf that takes less than before",
			Message: "no variant of READER's %s can read all data of this variant of WRITER",
			Why:     "Variants are paired so that as many as possible read what their partner wrote; this one found none. Data of it is refused by readers with the new schema.",
			Before:  `{"oneOf": [{"type": "string"}, {"type": "null"}]}`, After: `{"oneOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]}`,
			Fix: "keep the variant as it was and add the changed one beside it; or " + newVersion,
		},
		{
			ID: "all-of-branch-added", What: "a new branch of allOf",
			Message: "READER asks for another branch in allOf, which WRITER does not have",
			Why:     "Data had to satisfy fewer branches: readers with the new schema refuse what does not satisfy the new one.",
			Before:  `{"allOf": [{"type": "string"}]}`, After: `{"allOf": [{"type": "string"}, {"minLength": 1}]}`,
			Fix: "check the branch where the event is made; or " + newVersion,
		},
		{
			ID: "all-of-branch-removed", What: "a branch of allOf that is gone",
			Allowed: Always, Message: "READER has no counterpart of this branch of WRITER's allOf",
			Why:    "What satisfied all branches satisfies those that are left: nobody breaks.",
			Before: `{"allOf": [{"type": "string"}, {"minLength": 1}]}`, After: `{"allOf": [{"type": "string"}]}`,
		},
		{
			ID: "all-of-branch-changed", What: "a branch of allOf that asks for more",
			Message: "READER's %s asks for something here that WRITER does not",
			Why:     "Branches are paired so that as many as possible ask for no more than their partner; this one found none.",
			Before:  `{"allOf": [{"type": "string"}, {"minLength": 1}]}`, After: `{"allOf": [{"type": "string"}, {"minLength": 2}]}`,
			Fix: "keep the branch as it was; or " + newVersion,
		},
	}
}

func compatValueRules() []Rule {
	return []Rule{
		{
			ID: "enum-value-added", What: "an enum with a new value",
			Allowed: Always, Message: "READER's enum has %s, which WRITER's has not",
			Why:    "Old data never holds the new values: readers with the new schema know all that comes. Readers with the old schema do not: under FORWARD this is enum-value-removed.",
			Before: `{"enum": ["a"]}`, After: `{"enum": ["a", "b"]}`,
		},
		{
			ID: "enum-value-removed", What: "an enum that lost a value",
			Message: "READER's enum has no %s, which data of WRITER may hold",
			Why:     "Data with the value exists: readers with the new schema refuse it.",
			Before:  `{"enum": ["a", "b"]}`, After: `{"enum": ["a"]}`,
			Fix: "keep the value, say in the description that it is no longer written, and stop writing it; or " + newVersion,
		},
		{
			ID: "enum-added", What: "an enum that was not there",
			Message: "READER adds an enum, which WRITER does not have",
			Why:     "Data was written without the list: readers with the new schema refuse values that are not in it.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "enum": ["a"]}`,
			Fix: "list the known values in the description or under examples, and check them where the event is made; or " + newVersion,
		},
		{
			ID: "enum-removed", What: "an enum that is gone",
			Allowed: Always, Message: "READER has no enum, as WRITER has",
			Why:    "Every listed value is still valid: nobody breaks.",
			Before: `{"type": "string", "enum": ["a"]}`, After: `{"type": "string"}`,
		},
		{
			ID: "const-changed", What: "another const",
			Message: "READER has the const %[2]s where WRITER has %[1]s",
			Why:     "All data written so far holds the old constant: readers with the new schema refuse every event.",
			Before:  `{"const": "a"}`, After: `{"const": "b"}`,
			Fix: newVersion,
		},
		{
			ID: "const-added", What: "a const that was not there",
			Message: "READER adds a const, which WRITER does not have",
			Why:     "Data may hold any value: readers with the new schema refuse all but one.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "const": "a"}`,
			Fix: "set the value where the event is made, and leave const out of the schema; or " + newVersion,
		},
		{
			ID: "const-removed", What: "a const that is gone",
			Allowed: Always, Message: "READER has no const, as WRITER has",
			Why:    "The constant is still a valid value: nobody breaks.",
			Before: `{"type": "string", "const": "a"}`, After: `{"type": "string"}`,
		},
		{
			ID: "pattern-added", What: "a pattern that was not there",
			Message: "READER adds the pattern %s, which WRITER does not have",
			Why:     "Data was written without the pattern: readers with the new schema refuse strings that do not match.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "pattern": "^[a-z]+$"}`,
			Fix: "check the pattern where the event is made; or " + newVersion,
		},
		{
			ID: "pattern-changed", What: "another pattern",
			Message: "READER has the pattern %[2]s where WRITER has %[1]s; the rules do not ask which of them matches more",
			Why:     "Strings that matched the old pattern may not match the new one: readers with the new schema refuse them. No rule compares what two patterns match, so any change counts.",
			Before:  `{"type": "string", "pattern": "^[a-z]+$"}`, After: `{"type": "string", "pattern": "^[a-z]*$"}`,
			Fix: "remove the pattern instead, which is compatible, and check it where the event is made; or " + newVersion,
		},
		{
			ID: "pattern-removed", What: "a pattern that is gone",
			Allowed: Always, Message: "READER has no pattern; WRITER has %s",
			Why:    "What matched is still valid: nobody breaks.",
			Before: `{"type": "string", "pattern": "^[a-z]+$"}`, After: `{"type": "string"}`,
		},
		{
			ID: "multiple-of-added", What: "a multipleOf that was not there",
			Message: "READER adds multipleOf %s, which WRITER does not have",
			Why:     "Data was written without it: readers with the new schema refuse numbers that are no multiple.",
			Before:  `{"type": "number"}`, After: `{"type": "number", "multipleOf": 5}`,
			Fix: "check it where the event is made; or " + newVersion,
		},
		{
			ID: "multiple-of-removed", What: "a multipleOf that is gone",
			Allowed: Always, Message: "READER has no multipleOf; WRITER has %s",
			Why:    "Every multiple is still a number: nobody breaks.",
			Before: `{"type": "number", "multipleOf": 5}`, After: `{"type": "number"}`,
		},
		{
			ID: "multiple-of-increased", What: "a larger multipleOf, a multiple of the old one",
			Message: "READER raises multipleOf from %s to %s: not all data of WRITER is a multiple of that",
			Why:     "Only some multiples of the old number are multiples of the new one: readers with the new schema refuse the others.",
			Before:  `{"type": "number", "multipleOf": 5}`, After: `{"type": "number", "multipleOf": 10}`,
			Fix: "keep the smaller number; or " + newVersion,
		},
		{
			ID: "multiple-of-reduced", What: "a smaller multipleOf, which divides the old one",
			Allowed: Always, Message: "READER reduces multipleOf from %s to %s, which divides it",
			Why:    "Every multiple of the old number is one of the new number: nobody breaks.",
			Before: `{"type": "number", "multipleOf": 10}`, After: `{"type": "number", "multipleOf": 5}`,
		},
		{
			ID: "multiple-of-changed", What: "another multipleOf, and neither divides the other",
			Message: "READER changes multipleOf from %s to %s, and neither divides the other",
			Why:     "Multiples of the old number need not be multiples of the new one: readers with the new schema refuse them.",
			Before:  `{"type": "number", "multipleOf": 5}`, After: `{"type": "number", "multipleOf": 7}`,
			Fix: "remove multipleOf instead, which is compatible; or " + newVersion,
		},
	}
}
