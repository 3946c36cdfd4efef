package finding

func compatTypeRules() []Rule {
	return []Rule{
		{
			ID: "type-changed", What: "another type",
			Message: "READER has %[2]s where WRITER has %[1]s",
			Why:     "The two schemas describe different values. Readers with the new schema reject old data.",
			Before:  `{"type": "string"}`, After: `{"type": "number"}`,
			Fix: "add a property of the new type under another name and keep the old one; or " + NewVersion,
		},
		{
			ID: "type-narrowed", What: "a type that allows fewer values",
			Message: "READER allows %[2]s, but data of WRITER may be %[1]s",
			Why:     "Some values that were valid are not valid any more, such as a fraction or null. Readers with the new schema reject them.",
			Before:  `{"type": "number"}`, After: `{"type": "integer"}`,
			Fix: "keep the wider type and check the narrower one where the event is created; or " + NewVersion,
		},
		{
			ID: "type-widened", What: "a type that allows more values",
			Allowed: Always, Message: "READER allows %[2]s where WRITER has %[1]s",
			Why:    "Every value of the old type is valid for the new one. Readers with the old schema reject the new ones.",
			Before: `{"type": "string"}`, After: `{"type": ["string", "null"]}`,
		},
		{
			ID: "comparison-too-large", What: "two schemas that are too large to compare",
			Message: "the two schemas are too large to compare; they count as incompatible",
			Why: "The comparison has a limit on its steps. It counts as incompatible because there is no verdict. Only schemas with thousands of different " +
				"variants reach the limit.",
			Fix: "split the schema: fewer variants in one oneOf or anyOf",
		},
		{
			ID: Uncompared, What: "a changed keyword that no rule compares",
			Severity: Warning, Allowed: Always, Message: "READER has another %s than WRITER; no rule compares it, so it does not count",
			Why: "The schema registry does not compare format, contentEncoding, contentMediaType, propertyNames, patternProperties, the schema of contains, " +
				"the condition of an if, and undeclared names in required. Readers that check them may reject old data. Review the change yourself.",
			Before: `{"type": "string", "format": "date-time"}`, After: `{"type": "string", "format": "date"}`,
		},
		{
			ID: "constraint-added", What: "a new constraint",
			Message: "READER adds %s, which WRITER does not have",
			Why:     "Old data may violate the new constraint. Readers with the new schema reject it.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "x"}]}`,
			Fix: "check the constraint where the event is created; or " + NewVersion,
		},
		{
			ID: "constraint-removed", What: "a removed constraint",
			Allowed: Always, Message: "READER does not have %s, which WRITER has",
			Why:    "Old data satisfies all remaining constraints.",
			Before: `{"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "x"}]}`, After: `{"type": "string"}`,
		},
		{
			ID: "condition-added", What: "a new if",
			Message: "READER adds an if, which WRITER does not have",
			Why:     "Old data may violate the condition. Readers with the new schema reject it.",
			Before:  `{"type": "object"}`, After: `{"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}`,
			Fix: "check the condition where the event is created; or " + NewVersion,
		},
		{
			ID: "condition-removed", What: "a removed if",
			Allowed: Always, Message: "READER has no if; WRITER has one",
			Why:    "Old data stays valid without the condition.",
			Before: `{"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}}`, After: `{"type": "object"}`,
		},
		{
			ID: "not-added", What: "a new not",
			Message: "READER adds a not, which WRITER does not have",
			Why:     "Old data may be what not excludes. Readers with the new schema reject it.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "not": {"const": ""}}`,
			Fix: "exclude the values where the event is created; or " + NewVersion,
		},
		{
			ID: "not-removed", What: "a removed not",
			Allowed: Always, Message: "READER has no not; WRITER has one",
			Why:    "Old data stays valid without the exclusion.",
			Before: `{"type": "string", "not": {"const": ""}}`, After: `{"type": "string"}`,
		},
		{
			ID: "not-widened", What: "a not that excludes more",
			Message: "READER's not excludes more than WRITER's",
			Why:     "Values that were allowed are now excluded. Readers with the new schema reject them.",
			Before:  `{"not": {"type": "string", "maxLength": 5}}`, After: `{"not": {"type": "string", "maxLength": 10}}`,
			Fix: "keep the schema of not unchanged, and exclude the values where the event is created; or " + NewVersion,
		},
		{
			ID: "not-narrowed", What: "a not that excludes less",
			Allowed: Always, Message: "READER's not excludes less than WRITER's",
			Why:    "All values that were allowed are still allowed.",
			Before: `{"not": {"type": "string", "maxLength": 10}}`, After: `{"not": {"type": "string", "maxLength": 5}}`,
		},
	}
}

func compatCombinationRules() []Rule {
	return []Rule{
		{
			ID: "combination-changed", What: "another of allOf, anyOf and oneOf",
			Message: "READER has %[2]s where WRITER has %[1]s",
			Why:     "The branches are combined in another way, so old data may become invalid. Readers with the new schema reject it.",
			Before:  `{"anyOf": [{"type": "string"}, {"type": "null"}]}`, After: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`,
			Fix: "keep the keyword; only a change to anyOf, or of a combination with one branch, is compatible",
		},
		{
			ID: "combination-widened", What: "a less strict combination of the same branches",
			Allowed: Always, Message: "READER has %[2]s where WRITER has %[1]s, which is as strict or stricter",
			Why:    "Data that satisfies all branches, or exactly one, also satisfies anyOf. The branches have to match in pairs.",
			Before: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`, After: `{"anyOf": [{"type": "string"}, {"type": "null"}]}`,
		},
		{
			ID: "variant-added", What: "a new variant of anyOf or oneOf",
			Allowed: Always, Message: "READER has a variant in %s that WRITER does not have",
			Why:    "Old data never has the new variant. Readers with the old schema reject it.",
			Before: `{"oneOf": [{"type": "string"}]}`, After: `{"oneOf": [{"type": "string"}, {"type": "null"}]}`,
		},
		{
			ID: "variant-removed", What: "a removed variant of anyOf or oneOf",
			Message: "READER lacks this variant of WRITER's %s",
			Why:     "Readers with the new schema reject old data of the variant.",
			Before:  `{"oneOf": [{"type": "string"}, {"type": "null"}]}`, After: `{"oneOf": [{"type": "string"}]}`,
			Fix: "keep the variant, mark it deprecated and stop writing it; or " + NewVersion,
		},
		{
			ID: "variant-changed", What: "a variant of anyOf or oneOf that allows less than before",
			Message: "no variant of READER's %s can read all data of this variant of WRITER",
			Why: "The variants of both schemas are matched in pairs so that as many as possible are compatible. This one has no match. Readers with the new " +
				"schema reject its data.",
			Before: `{"oneOf": [{"type": "string"}, {"type": "boolean"}]}`, After: `{"oneOf": [{"type": "string", "maxLength": 5}, {"type": "boolean"}]}`,
			Fix: "keep the variant and add the changed one beside it; or " + NewVersion,
		},
		{
			ID: "all-of-branch-added", What: "a new branch of allOf",
			Message: "READER has another branch in allOf, which WRITER does not have",
			Why:     "Old data may violate the new branch. Readers with the new schema reject it.",
			Before:  `{"allOf": [{"type": "string"}]}`, After: `{"allOf": [{"type": "string"}, {"minLength": 1}]}`,
			Fix: "check the branch where the event is created; or " + NewVersion,
		},
		{
			ID: "all-of-branch-removed", What: "a removed branch of allOf",
			Allowed: Always, Message: "READER lacks this branch of WRITER's allOf",
			Why:    "Old data satisfies the remaining branches.",
			Before: `{"allOf": [{"type": "string"}, {"minLength": 1}]}`, After: `{"allOf": [{"type": "string"}]}`,
		},
		{
			ID: "all-of-branch-changed", What: "a stricter branch of allOf",
			Message: "READER's %s is stricter here than WRITER's",
			Why:     "The branches of both schemas are matched in pairs so that as many as possible are compatible. This one has no match.",
			Before:  `{"allOf": [{"type": "string"}, {"minLength": 1}]}`, After: `{"allOf": [{"type": "string"}, {"minLength": 2}]}`,
			Fix: "keep the branch; or " + NewVersion,
		},
	}
}

func compatValueRules() []Rule {
	return []Rule{
		{
			ID: "enum-value-added", What: "a new enum value",
			Allowed: Always, Message: "READER's enum has %s, which WRITER's does not have",
			Why:    "Old data never has the new value. Readers with the old schema reject it, unless the enum had x-outbox: {grows: true}: then they expect new values.",
			Before: `{"enum": ["a"]}`, After: `{"enum": ["a", "b"]}`,
		},
		{
			ID: "enum-value-removed", What: "a removed enum value",
			Message: "READER's enum does not have %s, but data of WRITER may",
			Why:     "Readers with the new schema reject old data with this value.",
			Before:  `{"enum": ["a", "b"]}`, After: `{"enum": ["a"]}`,
			Fix: "keep the value, stop writing it, and say so in the description; or " + NewVersion,
		},
		{
			ID: "enum-added", What: "a new enum",
			Message: "READER adds an enum, which WRITER does not have",
			Why:     "Old data may have other values. Readers with the new schema reject them.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "enum": ["a"]}`,
			Fix: "list the known values in the description or under examples, and check them where the event is created; or " + NewVersion,
		},
		{
			ID: "enum-removed", What: "a removed enum",
			Allowed: Always, Message: "READER has no enum; WRITER has one",
			Why:    "Every value of the enum stays valid.",
			Before: `{"type": "string", "enum": ["a"]}`, After: `{"type": "string"}`,
		},
		{
			ID: "const-changed", What: "another const",
			Message: "READER has the const %[2]s where WRITER has %[1]s",
			Why:     "All old data has the old constant. Readers with the new schema reject every old event.",
			Before:  `{"const": "a"}`, After: `{"const": "b"}`,
			Fix: NewVersion,
		},
		{
			ID: "const-added", What: "a new const",
			Message: "READER adds a const, which WRITER does not have",
			Why:     "Old data may have any value. Readers with the new schema reject all but one.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "const": "a"}`,
			Fix: "set the value where the event is created, without const in the schema; or " + NewVersion,
		},
		{
			ID: "const-removed", What: "a removed const",
			Allowed: Always, Message: "READER has no const; WRITER has one",
			Why:    "The constant stays valid.",
			Before: `{"type": "string", "const": "a"}`, After: `{"type": "string"}`,
		},
		{
			ID: "pattern-added", What: "a new pattern",
			Message: "READER adds the pattern %s, which WRITER does not have",
			Why:     "Old data may not match. Readers with the new schema reject strings that do not match.",
			Before:  `{"type": "string"}`, After: `{"type": "string", "pattern": "^[a-z]+$"}`,
			Fix: "check the pattern where the event is created; or " + NewVersion,
		},
		{
			ID: "pattern-changed", What: "another pattern",
			Message: "READER has the pattern %[2]s where WRITER has %[1]s; every change of a pattern counts as incompatible",
			Why: "A string that matches the old pattern may not match the new one. Readers with the new schema reject it. Patterns are not compared with each " +
				"other, so every change counts.",
			Before: `{"type": "string", "pattern": "^[a-z]+$"}`, After: `{"type": "string", "pattern": "^[a-z]*$"}`,
			Fix: "remove the pattern, which is compatible, and check it where the event is created; or " + NewVersion,
		},
		{
			ID: "pattern-removed", What: "a removed pattern",
			Allowed: Always, Message: "READER has no pattern; WRITER has %s",
			Why:    "Strings that matched stay valid.",
			Before: `{"type": "string", "pattern": "^[a-z]+$"}`, After: `{"type": "string"}`,
		},
		{
			ID: "multiple-of-added", What: "a new multipleOf",
			Message: "READER adds multipleOf %s, which WRITER does not have",
			Why:     "Old data may have other numbers. Readers with the new schema reject them.",
			Before:  `{"type": "number"}`, After: `{"type": "number", "multipleOf": 5}`,
			Fix: "check it where the event is created; or " + NewVersion,
		},
		{
			ID: "multiple-of-removed", What: "a removed multipleOf",
			Allowed: Always, Message: "READER has no multipleOf; WRITER has %s",
			Why:    "All old numbers stay valid.",
			Before: `{"type": "number", "multipleOf": 5}`, After: `{"type": "number"}`,
		},
		{
			ID: "multiple-of-increased", What: "a larger multipleOf, a multiple of the old one",
			Message: "READER raises multipleOf from %s to %s: not all data of WRITER is a multiple of that",
			Why:     "Only some multiples of the old number are multiples of the new one. Readers with the new schema reject the others.",
			Before:  `{"type": "number", "multipleOf": 5}`, After: `{"type": "number", "multipleOf": 10}`,
			Fix: "keep the smaller number; or " + NewVersion,
		},
		{
			ID: "multiple-of-reduced", What: "a smaller multipleOf that divides the old one",
			Allowed: Always, Message: "READER lowers multipleOf from %s to %s, which divides it",
			Why:    "Every multiple of the old number is a multiple of the new one.",
			Before: `{"type": "number", "multipleOf": 10}`, After: `{"type": "number", "multipleOf": 5}`,
		},
		{
			ID: "multiple-of-changed", What: "another multipleOf, where neither divides the other",
			Message: "READER changes multipleOf from %s to %s, and neither divides the other",
			Why:     "Multiples of the old number may not be multiples of the new one. Readers with the new schema reject them.",
			Before:  `{"type": "number", "multipleOf": 5}`, After: `{"type": "number", "multipleOf": 7}`,
			Fix: "remove multipleOf, which is compatible; or " + NewVersion,
		},
	}
}
