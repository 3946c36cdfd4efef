package finding

func lintGrowthRules() []Rule {
	return []Rule{
		{
			ID: "enum-closed", Severity: Warning,
			What: "an enum of strings without a fallback value that does not say whether it will grow",
			Why: "A value that is added later reaches consumers that were built before it. They fail if they handle only the listed values. x-outbox: {grows: " +
				"true} tells consumers to expect new values; {grows: false} says that the list is final. A fallback value such as unknown or other, as the " +
				"first or last word, also satisfies the rule.",
			Before: "properties:\n  carrier: {description: Who ships it., enum: [post, courier]}\n",
			After:  "properties:\n  carrier: {description: Who ships it., enum: [post, courier], x-outbox: {grows: true}}\n",
			Fix:    "add grows: true or grows: false to x-outbox of the enum",
		},
		{
			ID: "object-closed", Severity: Note,
			What:   "an object that forbids undeclared properties",
			Why:    "Events usually grow by optional properties. In a closed object that is not forward compatible: consumers with the old schema reject the new events.",
			Before: "properties:\n  order_id: {type: string, description: The order.}\nadditionalProperties: false\n",
			After:  "properties:\n  order_id: {type: string, description: The order.}\n",
			Fix:    "remove additionalProperties: false; unknown properties are kept and written back",
		},
	}
}

func lintSuppressionRules() []Rule {
	return []Rule{
		{
			ID: "suppression-without-reason", Severity: Error,
			What: "a suppressed rule without a reason",
			Why:  "Later readers cannot tell whether the exception was intended and still applies.",
			Before: "properties:\n  note:\n    type: string\n" +
				"    x-outbox: {suppress: {property-undescribed: ''}}\n",
			After: "properties:\n  note:\n    type: string\n" +
				"    x-outbox: {suppress: {property-undescribed: described in the handbook}}\n",
			Fix: "write the reason",
		},
		{
			ID: "suppression-unused", Severity: Warning,
			What: "a suppressed rule that finds nothing",
			Why: "The problem is gone, and the entry would hide the next one. An entry under suppress applies to its schema, everything inside it, and every " +
				"schema that refers to it.",
			Before: "properties:\n  note:\n    type: string\n    description: A remark.\n" +
				"    x-outbox: {suppress: {property-undescribed: described in the handbook}}\n",
			After: "properties:\n  note:\n    type: string\n    description: A remark.\n",
			Fix:   "remove the entry",
		},
		{
			ID: "rule-unknown", Severity: Error,
			What: "an unknown rule id under suppress: or in lint.rules",
			Why:  "The id is misspelled or belongs to another release. The entry has no effect.",
			Before: "properties:\n  note:\n    type: string\n    description: A remark.\n" +
				"    x-outbox: {suppress: {PROPERTY_UNDESCRIBD: described in the handbook}}\n",
			After: "properties:\n  note:\n    type: string\n    description: A remark.\n",
			Fix:   "look up the id: outboxgen explain --list lists all rules",
		},
	}
}
