package lint

import "github.com/outboxgen/outboxgen/generator/internal/diag"

func valueRules() []rule {
	return []rule{
		{
			id: "MONEY_AS_FLOAT", severity: diag.Warning,
			what: "money in a number",
			why: "JSON numbers with a fraction are binary floats for nearly every reader, and in Go float64: 0.1 + 0.2 is not 0.3, and sums of many drift. " +
				"Names such as amount, price, cost and fee are taken for money; total, balance, tax and the like are where a currency stands beside them.",
			bad: "properties:\n" +
				"  unit_price: {type: number, description: Price of one.}\n" +
				"  currency: {type: string, description: ISO 4217.}\n",
			good: "properties:\n" +
				"  unit_price_cents: {type: integer, description: Price of one.}\n" +
				"  currency: {type: string, description: ISO 4217.}\n",
			instead: "an integer of the smallest unit, or a decimal in a string with a pattern; either with a currency",
		},
		{
			id: "PERSONAL_DATA_UNMARKED", severity: diag.Warning,
			what: "a property that looks like personal data, without a mark",
			why: "An event is copied into the outbox, Kafka, and the store of every consumer, and cannot be taken back when a person asks for it. " +
				"The mark x-outbox: {personal: true} says that this was decided, for whoever looks for such data; it holds for everything inside the schema that has it. " +
				"{personal: false} says that the name misleads. What has a name such as email, phone, address, birth_date or iban is taken for personal; name is in an object called after a person.",
			bad:     "properties:\n  email: {type: string, description: Where the receipt went.}\n",
			good:    "properties:\n  email: {type: string, description: Where the receipt went., x-outbox: {personal: true}}\n",
			instead: "send the person's id and leave the data where it is; where it has to travel, mark it",
		},
		{
			id: "DEFAULT_INVALID", severity: diag.Error,
			what:    "a default that its own schema does not allow",
			why:     "Constructors and every reader that fills in what is missing make data that fails validation. A default of null is as good as none, and passes.",
			bad:     "properties:\n  priority: {type: integer, description: 1 is first., minimum: 1, default: 0}\n",
			good:    "properties:\n  priority: {type: integer, description: 1 is first., minimum: 1, default: 1}\n",
			instead: "fix the value, or the schema if the value is what producers send",
		},
		{
			id: "EXAMPLE_INVALID", severity: diag.Warning,
			what:    "an example that its own schema does not allow",
			why:     "Examples are what people copy into tests and producers: this one is refused by the first consumer that validates. Formats are checked as well.",
			bad:     "properties:\n  code: {type: string, description: A code., pattern: '^[A-Z]{3}$', examples: [ab]}\n",
			good:    "properties:\n  code: {type: string, description: A code., pattern: '^[A-Z]{3}$', examples: [ABC]}\n",
			instead: "fix the example, or the schema if the example is what producers send",
		},
		{
			id: "REQUIRED_PROPERTY_NULLABLE", severity: diag.Warning,
			what: "a property that is required and may be null",
			why: "Required promises a value, and null takes the promise back: every consumer needs a branch for an event that says nothing, and many forget it. " +
				"There is good use for it where null itself says something, such as “cleared”.",
			bad: "required: [coupon]\n" +
				"properties:\n  coupon: {type: [string, 'null'], description: The coupon used.}\n",
			good:    "properties:\n  coupon: {type: string, description: The coupon used.}\n",
			instead: "make it optional without null; or required without null",
		},
	}
}

func timeRules() []rule {
	return []rule{
		{
			id: "TIMESTAMP_FORMAT_MISSING", severity: diag.Warning,
			what: "a string that is called a time and has no format",
			why: "Any string is valid: producers write local times, other orders of day and month, or milliseconds, and consumers parse what they saw first. " +
				"With a format the Go type is time.Time. Names that end in at, time, timestamp or date are looked at.",
			bad:     "properties:\n  shipped_at: {type: string, description: When it left.}\n",
			good:    "properties:\n  shipped_at: {type: string, format: date-time, description: When it left.}\n",
			instead: "add format: date-time, date, time or duration",
		},
		{
			id: "TIME_UNIT_UNSAID", severity: diag.Warning,
			what:    "a number that is called a time and does not say its unit",
			why:     "Seconds and milliseconds look alike and differ by a thousand. The unit counts when the name or the description has it.",
			bad:     "properties:\n  processing_time: {type: integer, description: How long it took.}\n",
			good:    "properties:\n  processing_time_ms: {type: integer, description: How long it took.}\n",
			instead: "a string with format: date-time for an instant; for a length of time, the unit in the name",
		},
	}
}

func keyRules() []rule {
	const head = "x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order, id: /order_id}}\n"
	return []rule{
		{
			id: "KEY_UNBOUNDED", severity: diag.Note,
			what:    "a key or an aggregate id that may be of any length",
			why:     "The columns event_key and aggregate_id hold 255 characters. Nothing is cut off: inserting a longer one fails, and with it the transaction.",
			bad:     head + "required: [order_id]\nproperties:\n  order_id: {type: string, description: The order.}\n",
			good:    head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 255, description: The order.}\n",
			instead: "add maxLength, a pattern that bounds it, or format: uuid",
		},
		{
			id: "KEY_TOO_LONG", severity: diag.Warning,
			what:    "a key or an aggregate id that may be longer than its column",
			why:     "The columns event_key and aggregate_id hold 255 characters. Nothing is cut off: inserting a longer one fails, and with it the transaction.",
			bad:     head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 300, description: The order.}\n",
			good:    head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 255, description: The order.}\n",
			instead: "lower maxLength to 255",
		},
		{
			id: "KEY_MISSABLE", severity: diag.Warning,
			what:    "a key or an aggregate id that may be missing or null",
			why:     "An event without its key has no place in an order, and one without its aggregate id belongs to nothing: inserting it fails, and with it the transaction. No compiler sees that coming.",
			bad:     head + "properties:\n  order_id: {type: string, maxLength: 36, description: The order.}\n",
			good:    head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 36, description: The order.}\n",
			instead: "require the property, without null; or name another, or key: null for events without an order",
		},
	}
}
