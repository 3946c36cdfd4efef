package finding

func lintGrowthRules() []Rule {
	return []Rule{
		{
			ID: "enum-closed", Severity: Warning,
			What: "an enum of strings that has no value for what it does not list, and does not say whether it will grow",
			Why: "A value that is added later reaches consumers that were built before it: those that handle the listed ones alone fail. " +
				"x-outbox: {grows: true} tells them to expect more, {grows: false} that the list is complete for good; " +
				"a value such as unknown or other gives producers something to say meanwhile. The first or last word of a value counts.",
			Before: "properties:\n  carrier: {description: Who ships it., enum: [post, courier]}\n",
			After:  "properties:\n  carrier: {description: Who ships it., enum: [post, courier], x-outbox: {grows: true}}\n",
			Fix:    "decide, and write it down where the enum stands",
		},
		{
			ID: "object-closed", Severity: Note,
			What: "an object that allows no properties but those it declares",
			Why: "Adding an optional property is the usual way for an event to grow. To a closed object that is not forward compatible: " +
				"consumers that are not deployed yet refuse the new events.",
			Before: "properties:\n  order_id: {type: string, description: The order.}\nadditionalProperties: false\n",
			After:  "properties:\n  order_id: {type: string, description: The order.}\n",
			Fix:    "leave additionalProperties out: unknown properties are kept and written back",
		},
	}
}

func lintSilenceRules() []Rule {
	return []Rule{
		{
			ID: "silence-without-reason", Severity: Error,
			What: "a rule that is silenced without a reason",
			Why:  "Whoever comes later cannot tell whether the silence was meant, and whether it still holds.",
			Before: "properties:\n  note:\n    type: string\n" +
				"    x-outbox: {silence: {property-undescribed: ''}}\n",
			After: "properties:\n  note:\n    type: string\n" +
				"    x-outbox: {silence: {property-undescribed: described in the handbook}}\n",
			Fix: "write why the schema is right as it is",
		},
		{
			ID: "silence-unused", Severity: Warning,
			What: "a silence under which the rule finds nothing",
			Why:  "What it was for is gone, and it would hide the next finding. A silence holds for the schema that it stands in, everything inside, and what refers to it.",
			Before: "properties:\n  note:\n    type: string\n    description: A remark.\n" +
				"    x-outbox: {silence: {property-undescribed: described in the handbook}}\n",
			After: "properties:\n  note:\n    type: string\n    description: A remark.\n",
			Fix:   "remove it",
		},
		{
			ID: "rule-unknown", Severity: Error,
			What: "an id in silence: or in lint.rules that no rule has",
			Why:  "It is misspelled or from another release, and does nothing: the rule that was meant still applies, or is still at its own level.",
			Before: "properties:\n  note:\n    type: string\n    description: A remark.\n" +
				"    x-outbox: {silence: {PROPERTY_UNDESCRIBD: described in the handbook}}\n",
			After: "properties:\n  note:\n    type: string\n    description: A remark.\n",
			Fix:   "spell it as outboxgen check --explain does",
		},
	}
}
