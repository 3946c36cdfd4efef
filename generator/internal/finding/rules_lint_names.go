package finding

func lintNamingRules() []Rule {
	return []Rule{
		{
			ID: "property-name-style-differs", Severity: Warning,
			What: "a property name in another style than the rest",
			Why: "A project uses one style: the one that lint.property_names in outboxgen.yaml sets, or the one that most properties have. A consumer who " +
				"types the odd name from memory reads a property that does not exist.",
			Before: "properties:\n" +
				"  order_id: {type: string, description: The order.}\n" +
				"  customerId: {type: string, description: Who ordered.}\n",
			After: "properties:\n" +
				"  order_id: {type: string, description: The order.}\n" +
				"  customer_id: {type: string, description: Who ordered.}\n",
			Fix: "rename it before the event is released or in its next version; suppress the rule if the name is fixed",
		},
		{
			ID: "event-type-unusual", Severity: Warning,
			What:   "an event type that is not dot-separated words with the event version at the end, or that does not match lint.event_types",
			Why:    "Consumers select the handler by the type, and topics are named after it. Without the version in the type, the next version cannot run beside this one.",
			Before: "x-outbox: {version: 1, type: order-placed, aggregate: {type: order}}\n",
			After:  "x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order}}\n",
			Fix:    "change the type before the event is released; or set lint.event_types in outboxgen.yaml to your company's pattern",
		},
		{
			ID: "enum-value-style-differs", Severity: Warning,
			What: "an enum value in another style than the values beside it, or than lint.enum_values",
			Why:  "Values are compared exactly. A value in an odd style is easily mistyped in consumers that use no generated code.",
			Before: "properties:\n" +
				"  status: {description: How far it is., enum: [in_progress, shippedOut, unknown]}\n",
			After: "properties:\n" +
				"  status: {description: How far it is., enum: [in_progress, shipped_out, unknown]}\n",
			Fix: "rename it before the event is released or in its next version; suppress the rule if the value is fixed",
		},
		{
			ID: "schema-id-missing", Severity: Warning,
			What:   "an event without $id",
			Why:    "Envelopes carry the $id as data_schema_uri. It tells a consumer or an archive years later which schema the data has. Nothing is ever fetched from it.",
			Before: "$id:\n", After: "$id: https://schemas.example.com/order_placed.v1\n",
			Fix: "add $id: a URI that your company controls, with the event version at its end",
		},
		{
			ID: "schema-id-unversioned", Severity: Warning,
			What:   "an event whose $id does not contain its version",
			Why:    "Versions exist side by side. If two of them share an $id, neither a registry nor a reader of old envelopes can tell them apart.",
			Before: "$id: https://schemas.example.com/order_placed\n",
			After:  "$id: https://schemas.example.com/order_placed.v1\n",
			Fix:    "end the $id in .v and the version in x-outbox",
		},
	}
}

func lintDescriptionRules() []Rule {
	return []Rule{
		{
			ID: "event-undescribed", Severity: Warning,
			What:   "an event without a description",
			Why:    "The description says when the event happens and becomes the doc comment of the Go type. Without it, developers of consumers have to guess or ask.",
			Before: "description:\n", After: "description: A customer confirmed an order.\n",
			Fix: "describe in one sentence what happened",
		},
		{
			ID: "property-undescribed", Severity: Warning,
			What: "a property without a description",
			Why: "The description becomes the doc comment of the field. A description in the schema that $ref refers to counts; a const needs none. Without a " +
				"description, every consumer guesses the meaning.",
			Before: "properties:\n  total_items: {type: integer}\n",
			After:  "properties:\n  total_items: {type: integer, description: Items ordered; gifts do not count.}\n",
			Fix:    "describe what the name does not say: unit, source, what it means when the property is absent",
		},
		{
			ID: "deprecated-without-replacement", Severity: Warning,
			What:   "deprecated: true without a description of the replacement",
			Why:    "Consumers see that they should stop using it, but not what to use instead. They keep using it, and it can never be removed.",
			Before: "properties:\n  note: {type: string, description: A remark., deprecated: true}\n",
			After:  "properties:\n  note: {type: string, description: A remark. Use remarks instead., deprecated: true}\n",
			Fix:    "add “Use … instead” or “Without replacement” to the description",
		},
		{
			ID: "definition-unused", Severity: Warning,
			What: "an unused definition in an event's file",
			Why: "It is not part of the event, but readers of the schema believe that it is. In files without an event, definitions may be unused: other " +
				"files can refer to them.",
			Before: "$defs:\n  money: {type: integer, description: Cents.}\n",
			After:  "properties:\n  paid: {$ref: '#/$defs/money'}\n$defs:\n  money: {type: integer, description: Cents.}\n",
			Fix:    "refer to it with $ref, or remove it",
		},
		{
			ID: "required-property-undeclared", Severity: Warning,
			What: "a name in required that no properties declare",
			Why:  "Every event must have the property, but no schema describes it. Most often the name is misspelled, so the intended property is not required at all.",
			Before: "required: [oder_id]\n" +
				"properties:\n  order_id: {type: string, description: The order.}\n",
			After: "required: [order_id]\n" +
				"properties:\n  order_id: {type: string, description: The order.}\n",
			Fix: "spell it as under properties, or declare it there",
		},
	}
}
