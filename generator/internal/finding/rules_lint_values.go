package finding

func lintValueRules() []Rule {
	return []Rule{
		{
			ID: "money-as-float", Severity: Warning,
			What: "money in a number",
			Why: "JSON numbers with a fraction are binary floats for nearly every reader, and in Go float64: 0.1 + 0.2 is not 0.3, and sums of many drift. " +
				"Names such as amount, price, cost and fee are taken for money; total, balance, tax and the like are where a currency stands beside them.",
			Before: "properties:\n" +
				"  unit_price: {type: number, description: Price of one.}\n" +
				"  currency: {type: string, description: ISO 4217.}\n",
			After: "properties:\n" +
				"  unit_price_cents: {type: integer, description: Price of one.}\n" +
				"  currency: {type: string, description: ISO 4217.}\n",
			Fix: "an integer of the smallest unit, or a decimal in a string with a pattern; either with a currency",
		},
		{
			ID: "personal-data-unmarked", Severity: Warning,
			What: "a property that looks like personal data, without a mark",
			Why: "An event is copied into the outbox, Kafka, and the store of every consumer, and cannot be taken back when a person asks for it. " +
				"The mark x-outbox: {personal: true} says that this was decided, for whoever looks for such data; it holds for everything inside the schema that has it. " +
				"{personal: false} says that the name misleads. What has a name such as email, phone, address, birth_date or iban is taken for personal; name is in an object called after a person.",
			Before: "properties:\n  email: {type: string, description: Where the receipt went.}\n",
			After:  "properties:\n  email: {type: string, description: Where the receipt went., x-outbox: {personal: true}}\n",
			Fix:    "send the person's id and leave the data where it is; where it has to travel, mark it",
		},
		{
			ID: "default-invalid", Severity: Error,
			What:   "a default that its own schema does not allow",
			Why:    "Constructors and every reader that fills in what is missing make data that fails validation. A default of null is as good as none, and passes.",
			Before: "properties:\n  priority: {type: integer, description: 1 is first., minimum: 1, default: 0}\n",
			After:  "properties:\n  priority: {type: integer, description: 1 is first., minimum: 1, default: 1}\n",
			Fix:    "fix the value, or the schema if the value is what producers send",
		},
		{
			ID: "example-invalid", Severity: Warning,
			What:   "an example that its own schema does not allow",
			Why:    "Examples are what people copy into tests and producers: this one is refused by the first consumer that validates. Formats are checked as well.",
			Before: "properties:\n  code: {type: string, description: A code., pattern: '^[A-Z]{3}$', examples: [ab]}\n",
			After:  "properties:\n  code: {type: string, description: A code., pattern: '^[A-Z]{3}$', examples: [ABC]}\n",
			Fix:    "fix the example, or the schema if the example is what producers send",
		},
		{
			ID: "required-property-nullable", Severity: Warning,
			What: "a property that is required and may be null",
			Why: "Required promises a value, and null takes the promise back: every consumer needs a branch for an event that says nothing, and many forget it. " +
				"There is good use for it where null itself says something, such as “cleared”.",
			Before: "required: [coupon]\n" +
				"properties:\n  coupon: {type: [string, 'null'], description: The coupon used.}\n",
			After: "properties:\n  coupon: {type: string, description: The coupon used.}\n",
			Fix:   "make it optional without null; or required without null",
		},
	}
}

func lintTimeRules() []Rule {
	return []Rule{
		{
			ID: "timestamp-format-missing", Severity: Warning,
			What: "a string that is called a time and has no format",
			Why: "Any string is valid: producers write local times, other orders of day and month, or milliseconds, and consumers parse what they saw first. " +
				"With a format the Go type is time.Time. Names that end in at, time, timestamp or date are looked at.",
			Before: "properties:\n  shipped_at: {type: string, description: When it left.}\n",
			After:  "properties:\n  shipped_at: {type: string, format: date-time, description: When it left.}\n",
			Fix:    "add format: date-time, date, time or duration",
		},
		{
			ID: "time-unit-unsaid", Severity: Warning,
			What:   "a number that is called a time and does not say its unit",
			Why:    "Seconds and milliseconds look alike and differ by a thousand. The unit counts when the name or the description has it.",
			Before: "properties:\n  processing_time: {type: integer, description: How long it took.}\n",
			After:  "properties:\n  processing_time_ms: {type: integer, description: How long it took.}\n",
			Fix:    "a string with format: date-time for an instant; for a length of time, the unit in the name",
		},
	}
}

func lintKeyRules() []Rule {
	const head = "x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order, id: /order_id}}\n"
	return []Rule{
		{
			ID: "key-unbounded", Severity: Note,
			What:   "a key or an aggregate id that may be of any length",
			Why:    "The columns event_key and aggregate_id hold 255 characters. Nothing is cut off: inserting a longer one fails, and with it the transaction.",
			Before: head + "required: [order_id]\nproperties:\n  order_id: {type: string, description: The order.}\n",
			After:  head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 255, description: The order.}\n",
			Fix:    "add maxLength, a pattern that bounds it, or format: uuid",
		},
		{
			ID: "key-too-long", Severity: Warning,
			What:   "a key or an aggregate id that may be longer than its column",
			Why:    "The columns event_key and aggregate_id hold 255 characters. Nothing is cut off: inserting a longer one fails, and with it the transaction.",
			Before: head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 300, description: The order.}\n",
			After:  head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 255, description: The order.}\n",
			Fix:    "lower maxLength to 255",
		},
		{
			ID: "key-missable", Severity: Warning,
			What:   "a key or an aggregate id that may be missing or null",
			Why:    "An event without its key has no place in an order, and one without its aggregate id belongs to nothing: inserting it fails, and with it the transaction. No compiler sees that coming.",
			Before: head + "properties:\n  order_id: {type: string, maxLength: 36, description: The order.}\n",
			After:  head + "required: [order_id]\nproperties:\n  order_id: {type: string, maxLength: 36, description: The order.}\n",
			Fix:    "require the property, without null; or name another, or key: null for events without an order",
		},
	}
}
