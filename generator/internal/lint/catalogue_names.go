package lint

import "github.com/outboxgen/outboxgen/generator/internal/diag"

func namingRules() []rule {
	return []rule{
		{
			id: "PROPERTY_NAME_STYLE_DIFFERS", severity: diag.Warning,
			what: "a property whose name is written otherwise than the rest",
			why: "A project has one style: that of lint.property_names in outboxgen.yaml, else the one that most properties have. " +
				"A consumer who writes the odd name from memory reads a property that is never there.",
			bad: "properties:\n" +
				"  order_id: {type: string, description: The order.}\n" +
				"  customerId: {type: string, description: Who ordered.}\n",
			good: "properties:\n" +
				"  order_id: {type: string, description: The order.}\n" +
				"  customer_id: {type: string, description: Who ordered.}\n",
			instead: "rename it before the event is released, or in its next version; silence it where the name is the contract",
		},
		{
			id: "EVENT_TYPE_UNUSUAL", severity: diag.Warning,
			what:    "a type that is not words with dots between them and the event version at the end, or that lint.event_types does not match",
			why:     "Consumers choose what to do by the type, and topics are named after it. Without the version in it the next version cannot run beside this one.",
			bad:     "x-outbox: {version: 1, type: order-placed, aggregate: {type: order}}\n",
			good:    "x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order}}\n",
			instead: "choose another type before the event is released; or set lint.event_types in outboxgen.yaml to the pattern that holds in your company",
		},
		{
			id: "ENUM_VALUE_STYLE_DIFFERS", severity: diag.Warning,
			what: "a value of an enum that is written otherwise than those beside it, or than lint.enum_values says",
			why:  "Values are compared letter by letter, also by consumers that were not generated: one in another style is mistyped there.",
			bad: "properties:\n" +
				"  status: {description: How far it is., enum: [in_progress, shippedOut, unknown]}\n",
			good: "properties:\n" +
				"  status: {description: How far it is., enum: [in_progress, shipped_out, unknown]}\n",
			instead: "rename it before the event is released, or in its next version; silence it where the value is the contract",
		},
		{
			id: "SCHEMA_ID_MISSING", severity: diag.Warning,
			what: "an event without $id",
			why: "Envelopes carry the $id as data_schema_uri, which is how a consumer or an archive finds out years later what the data means. " +
				"Nothing is ever fetched from it.",
			bad: "$id:\n", good: "$id: https://schemas.example.com/order_placed.v1\n",
			instead: "add $id: a URI that your company controls, with the event version at its end",
		},
		{
			id: "SCHEMA_ID_UNVERSIONED", severity: diag.Warning,
			what:    "an event whose $id does not name its version",
			why:     "Versions live side by side: with one address for two of them, neither a registry nor a reader of old envelopes knows which is meant.",
			bad:     "$id: https://schemas.example.com/order_placed\n",
			good:    "$id: https://schemas.example.com/order_placed.v1\n",
			instead: "end the $id in .v and the version that x-outbox has",
		},
	}
}

func descriptionRules() []rule {
	return []rule{
		{
			id: "EVENT_UNDESCRIBED", severity: diag.Warning,
			what: "an event without a description",
			why: "The description says when the event happens and becomes the doc comment of the Go type. " +
				"Without it, whoever consumes the event has to ask its authors, or guess.",
			bad: "description:\n", good: "description: A customer confirmed an order.\n",
			instead: "say in a sentence what happened",
		},
		{
			id: "PROPERTY_UNDESCRIBED", severity: diag.Warning,
			what: "a property without a description",
			why: "The description becomes the doc comment of the field. One that stands where the $ref leads counts, and a const needs none. " +
				"Without it consumers guess what the property means, and each in another way.",
			bad:     "properties:\n  total_items: {type: integer}\n",
			good:    "properties:\n  total_items: {type: integer, description: Items ordered; gifts do not count.}\n",
			instead: "say what the name does not say: unit, source, what the absence means",
		},
		{
			id: "DEPRECATED_WITHOUT_REPLACEMENT", severity: diag.Warning,
			what:    "deprecated: true without a description that says what to use instead",
			why:     "Consumers see that they should stop, and not what to do: they stay, and the property can never go.",
			bad:     "properties:\n  note: {type: string, description: A remark., deprecated: true}\n",
			good:    "properties:\n  note: {type: string, description: A remark. Use remarks instead., deprecated: true}\n",
			instead: "write “Use … instead” or “Without replacement” into the description",
		},
		{
			id: "DEFINITION_UNUSED", severity: diag.Warning,
			what:    "a definition in an event's file that nothing refers to",
			why:     "It says nothing about the event, and whoever reads the schema takes it for a part of the contract. In files without an event definitions are for others, and may wait.",
			bad:     "$defs:\n  money: {type: integer, description: Cents.}\n",
			good:    "properties:\n  paid: {$ref: '#/$defs/money'}\n$defs:\n  money: {type: integer, description: Cents.}\n",
			instead: "refer to it with $ref, or remove it",
		},
		{
			id: "REQUIRED_PROPERTY_UNDECLARED", severity: diag.Warning,
			what: "a name in required that no properties declare",
			why:  "Every event must have it and nothing says what it is: most are misspelled, and then the real property is not required at all.",
			bad: "required: [oder_id]\n" +
				"properties:\n  order_id: {type: string, description: The order.}\n",
			good: "required: [order_id]\n" +
				"properties:\n  order_id: {type: string, description: The order.}\n",
			instead: "spell it as under properties, or declare it there",
		},
	}
}
