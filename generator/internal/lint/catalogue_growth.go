package lint

import "github.com/outboxgen/outboxgen/generator/internal/diag"

func growthRules() []rule {
	return []rule{
		{
			id: "ENUM_CLOSED", severity: diag.Warning,
			what: "an enum of strings that has no value for what it does not list, and does not say whether it will grow",
			why: "A value that is added later reaches consumers that were built before it: those that handle the listed ones alone fail. " +
				"x-outbox: {grows: true} tells them to expect more, {grows: false} that the list is complete for good; " +
				"a value such as unknown or other gives producers something to say meanwhile. The first or last word of a value counts.",
			bad:     "properties:\n  carrier: {description: Who ships it., enum: [post, courier]}\n",
			good:    "properties:\n  carrier: {description: Who ships it., enum: [post, courier], x-outbox: {grows: true}}\n",
			instead: "decide, and write it down where the enum stands",
		},
		{
			id: "OBJECT_CLOSED", severity: diag.Note,
			what: "an object that allows no properties but those it declares",
			why: "Adding an optional property is the usual way for an event to grow. To a closed object that is not forward compatible: " +
				"consumers that are not deployed yet refuse the new events.",
			bad:     "properties:\n  order_id: {type: string, description: The order.}\nadditionalProperties: false\n",
			good:    "properties:\n  order_id: {type: string, description: The order.}\n",
			instead: "leave additionalProperties out: unknown properties are kept and written back",
		},
	}
}

func silenceRules() []rule {
	return []rule{
		{
			id: "SILENCE_WITHOUT_REASON", severity: diag.Error,
			what: "a rule that is silenced without a reason",
			why:  "Whoever comes later cannot tell whether the silence was meant, and whether it still holds.",
			bad: "properties:\n  note:\n    type: string\n" +
				"    x-outbox: {silence: {PROPERTY_UNDESCRIBED: ''}}\n",
			good: "properties:\n  note:\n    type: string\n" +
				"    x-outbox: {silence: {PROPERTY_UNDESCRIBED: described in the handbook}}\n",
			instead: "write why the schema is right as it is",
		},
		{
			id: "SILENCE_UNUSED", severity: diag.Warning,
			what: "a silence under which the rule finds nothing",
			why:  "What it was for is gone, and it would hide the next finding. A silence holds for the schema that it stands in, everything inside, and what refers to it.",
			bad: "properties:\n  note:\n    type: string\n    description: A remark.\n" +
				"    x-outbox: {silence: {PROPERTY_UNDESCRIBED: described in the handbook}}\n",
			good:    "properties:\n  note:\n    type: string\n    description: A remark.\n",
			instead: "remove it",
		},
		{
			id: "RULE_UNKNOWN", severity: diag.Error,
			what: "an id in silence: or in lint.rules that no rule has",
			why:  "It is misspelled or from another release, and does nothing: the rule that was meant still applies, or is still at its own level.",
			bad: "properties:\n  note:\n    type: string\n    description: A remark.\n" +
				"    x-outbox: {silence: {PROPERTY_UNDESCRIBD: described in the handbook}}\n",
			good:    "properties:\n  note:\n    type: string\n    description: A remark.\n",
			instead: "spell it as outboxgen check --explain does",
		},
	}
}
