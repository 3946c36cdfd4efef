package finding

func lintNamingRules() []Rule {
	return []Rule{
		{
			ID: "property-name-style-differs", Severity: Warning,
			What: "a property whose name is written otherwise than the rest",
			Why: "A project has one style: that of lint.property_names in outboxgen.yaml, else the one that most properties have. " +
				"A consumer who writes the odd name from memory reads a property that is never there.",
			Before: "properties:\n" +
				"  order_id: {type: string, description: The order.}\n" +
				"  customerId: {type: string, description: Who ordered.}\n",
			After: "properties:\n" +
				"  order_id: {type: string, description: The order.}\n" +
				"  customer_id: {type: string, description: Who ordered.}\n",
			Fix: "rename it before the event is released, or in its next version; silence it where the name is the contract",
		},
		{
			ID: "event-type-unusual", Severity: Warning,
			What:   "a type that is not words with dots between them and the event version at the end, or that lint.event_types does not match",
			Why:    "Consumers choose what to do by the type, and topics are named after it. Without the version in it the next version cannot run beside this one.",
			Before: "x-outbox: {version: 1, type: order-placed, aggregate: {type: order}}\n",
			After:  "x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order}}\n",
			Fix:    "choose another type before the event is released; or set lint.event_types in outboxgen.yaml to the pattern that holds in your company",
		},
		{
			ID: "enum-value-style-differs", Severity: Warning,
			What: "a value of an enum that is written otherwise than those beside it, or than lint.enum_values says",
			Why:  "Values are compared letter by letter, also by consumers that were not generated: one in another style is mistyped there.",
			Before: "properties:\n" +
				"  status: {description: How far it is., enum: [in_progress, shippedOut, unknown]}\n",
			After: "properties:\n" +
				"  status: {description: How far it is., enum: [in_progress, shipped_out, unknown]}\n",
			Fix: "rename it before the event is released, or in its next version; silence it where the value is the contract",
		},
		{
			ID: "schema-id-missing", Severity: Warning,
			What: "an event without $id",
			Why: "Envelopes carry the $id as data_schema_uri, which is how a consumer or an archive finds out years later what the data means. " +
				"Nothing is ever fetched from it.",
			Before: "$id:\n", After: "$id: https://schemas.example.com/order_placed.v1\n",
			Fix: "add $id: a URI that your company controls, with the event version at its end",
		},
		{
			ID: "schema-id-unversioned", Severity: Warning,
			What:   "an event whose $id does not name its version",
			Why:    "Versions live side by side: with one address for two of them, neither a registry nor a reader of old envelopes knows which is meant.",
			Before: "$id: https://schemas.example.com/order_placed\n",
			After:  "$id: https://schemas.example.com/order_placed.v1\n",
			Fix:    "end the $id in .v and the version that x-outbox has",
		},
	}
}

func lintDescriptionRules() []Rule {
	return []Rule{
		{
			ID: "event-undescribed", Severity: Warning,
			What: "an event without a description",
			Why: "The description says when the event happens and becomes the doc comment of the Go type. " +
				"Without it, whoever consumes the event has to ask its authors, or guess.",
			Before: "description:\n", After: "description: A customer confirmed an order.\n",
			Fix: "say in a sentence what happened",
		},
		{
			ID: "property-undescribed", Severity: Warning,
			What: "a property without a description",
			Why: "The description becomes the doc comment of the field. One that stands where the $ref leads counts, and a const needs none. " +
				"Without it consumers guess what the property means, and each in another way.",
			Before: "properties:\n  total_items: {type: integer}\n",
			After:  "properties:\n  total_items: {type: integer, description: Items ordered; gifts do not count.}\n",
			Fix:    "say what the name does not say: unit, source, what the absence means",
		},
		{
			ID: "deprecated-without-replacement", Severity: Warning,
			What:   "deprecated: true without a description that says what to use instead",
			Why:    "Consumers see that they should stop, and not what to do: they stay, and the property can never go.",
			Before: "properties:\n  note: {type: string, description: A remark., deprecated: true}\n",
			After:  "properties:\n  note: {type: string, description: A remark. Use remarks instead., deprecated: true}\n",
			Fix:    "write “Use … instead” or “Without replacement” into the description",
		},
		{
			ID: "definition-unused", Severity: Warning,
			What:   "a definition in an event's file that nothing refers to",
			Why:    "It says nothing about the event, and whoever reads the schema takes it for a part of the contract. In files without an event definitions are for others, and may wait.",
			Before: "$defs:\n  money: {type: integer, description: Cents.}\n",
			After:  "properties:\n  paid: {$ref: '#/$defs/money'}\n$defs:\n  money: {type: integer, description: Cents.}\n",
			Fix:    "refer to it with $ref, or remove it",
		},
		{
			ID: "required-property-undeclared", Severity: Warning,
			What: "a name in required that no properties declare",
			Why:  "Every event must have it and nothing says what it is: most are misspelled, and then the real property is not required at all.",
			Before: "required: [oder_id]\n" +
				"properties:\n  order_id: {type: string, description: The order.}\n",
			After: "required: [order_id]\n" +
				"properties:\n  order_id: {type: string, description: The order.}\n",
			Fix: "spell it as under properties, or declare it there",
		},
	}
}
