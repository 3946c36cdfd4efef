package finding

func lintValueRules() []Rule {
	return []Rule{
		{
			ID: "money-as-float", Severity: Warning,
			What: "an amount of money in a JSON number",
			Why: "Most readers parse JSON numbers with a fraction as binary floating point, in Go float64: 0.1 + 0.2 is not 0.3, and sums drift. Names such " +
				"as amount, price, cost and fee count as money; total, balance and tax count if a currency stands beside them.",
			Before: "properties:\n" +
				"  unit_price: {type: number, description: Price of one.}\n" +
				"  currency: {type: string, description: ISO 4217.}\n",
			After: "properties:\n" +
				"  unit_price_cents: {type: integer, description: Price of one.}\n" +
				"  currency: {type: string, description: ISO 4217.}\n",
			Fix: "use an integer of the smallest unit, or a decimal in a string with a pattern; add a currency in both cases",
		},
		{
			ID: "personal-data-unmarked", Severity: Warning,
			What: "a property that looks like personal data and has no mark",
			Why: "An event is copied to the outbox, to Kafka and to the store of every consumer, and those copies cannot be deleted on request. The mark " +
				"x-outbox: {personal: true} records that this was decided; it applies to everything inside its schema. {personal: false} says that the name " +
				"is misleading. Names such as email, phone, address, birth_date and iban count as personal; name counts in an object named after a person.",
			Before: "properties:\n  email: {type: string, description: Where the receipt went.}\n",
			After:  "properties:\n  email: {type: string, description: Where the receipt went., x-outbox: {personal: true}}\n",
			Fix:    "send the person's id instead of the data; if the event needs the data, mark it",
		},
		{
			ID: "default-invalid", Severity: Error,
			What:   "a default that its own schema does not allow",
			Why:    "Constructors, and readers that apply defaults, produce data that fails validation. A default of null counts as no default and is allowed.",
			Before: "properties:\n  priority: {type: integer, description: 1 is first., minimum: 1, default: 0}\n",
			After:  "properties:\n  priority: {type: integer, description: 1 is first., minimum: 1, default: 1}\n",
			Fix:    "fix the value, or fix the schema if producers send that value",
		},
		{
			ID: "example-invalid", Severity: Warning,
			What:   "an example that its own schema does not allow",
			Why:    "People copy examples into tests and producers. The first consumer that validates rejects this one. Formats are checked too.",
			Before: "properties:\n  code: {type: string, description: A code., pattern: '^[A-Z]{3}$', examples: [ab]}\n",
			After:  "properties:\n  code: {type: string, description: A code., pattern: '^[A-Z]{3}$', examples: [ABC]}\n",
			Fix:    "fix the example, or fix the schema if producers send that value",
		},
		{
			ID: "required-property-nullable", Severity: Warning,
			What: "a property that is required and may be null",
			Why: "A required property promises a value, but null is not one. Every consumer has to handle null, and many forget it. It is fine if null has " +
				"its own meaning, such as “cleared”.",
			Before: "required: [coupon]\n" +
				"properties:\n  coupon: {type: [string, 'null'], description: The coupon used.}\n",
			After: "properties:\n  coupon: {type: string, description: The coupon used.}\n",
			Fix:   "make it optional without null, or required without null",
		},
	}
}

func lintTimeRules() []Rule {
	return []Rule{
		{
			ID: "timestamp-format-missing", Severity: Warning,
			What: "a string with the name of a time and without a format",
			Why: "Any string is valid. Producers write local times, swap day and month, or write milliseconds, and each consumer parses the form that it saw " +
				"first. With a format, the Go type is time.Time. The rule looks at names that end in at, time, timestamp or date.",
			Before: "properties:\n  shipped_at: {type: string, description: When it left.}\n",
			After:  "properties:\n  shipped_at: {type: string, format: date-time, description: When it left.}\n",
			Fix:    "add format: date-time, date, time or duration",
		},
		{
			ID: "time-unit-unsaid", Severity: Warning,
			What:   "a number with the name of a time and without a unit",
			Why:    "Seconds and milliseconds look alike and differ by a factor of 1,000. The unit can be in the name or in the description.",
			Before: "properties:\n  processing_time: {type: integer, description: How long it took.}\n",
			After:  "properties:\n  processing_time_ms: {type: integer, description: How long it took.}\n",
			Fix:    "for a point in time, use a string with format: date-time; for a duration, put the unit into the name",
		},
	}
}

func lintKeyRules() []Rule {
	const head = "x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order, id: /order_id}}\n"
	return []Rule{
		{
			ID: "key-unbounded", Severity: Note,
			What:   "a key or an aggregate id without a maximum length",
			Why:    "The columns event_key and aggregate_id hold 255 characters. A longer value is not truncated: the insert fails, and with it the transaction.",
			Before: head + "required: [order_id]\nproperties:\n  order_id: {type: string, description: The order.}\n",
			After:  head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 255, description: The order.}\n",
			Fix:    "add maxLength, a pattern that limits the length, or format: uuid",
		},
		{
			ID: "key-too-long", Severity: Warning,
			What:   "a key or an aggregate id that may be longer than its column",
			Why:    "The columns event_key and aggregate_id hold 255 characters. A longer value is not truncated: the insert fails, and with it the transaction.",
			Before: head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 300, description: The order.}\n",
			After:  head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 255, description: The order.}\n",
			Fix:    "lower maxLength to 255",
		},
		{
			ID: "key-missable", Severity: Warning,
			What: "a key or an aggregate id that may be missing or null",
			Why: "Without its key an event has no order, and without its aggregate id it belongs to nothing. The insert fails, and with it the transaction. " +
				"The Go compiler cannot detect this.",
			Before: head + "properties:\n  order_id: {type: string, maxLength: 36, description: The order.}\n",
			After:  head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 36, description: The order.}\n",
			Fix:    "require the property and do not allow null; or use another property, or key: null for events without an order",
		},
	}
}
