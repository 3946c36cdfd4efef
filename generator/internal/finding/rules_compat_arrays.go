package finding

import "fmt"

func compatItemRules() []Rule {
	rules := remainderRules("additional-items", "items", "items behind the first ones", Never, `{"type": "array", "prefixItems": [{"type": "string"}]`)
	rules = append(rules, remainderRules("unevaluated-items", "unevaluatedItems", "items that no part of the schema looks at", Never, `{"type": "array"`)...)
	tuple := func(first, rest string) string {
		if rest == "" {
			return fmt.Sprintf(`{"type": "array", "prefixItems": [%s]}`, first)
		}
		return fmt.Sprintf(`{"type": "array", "prefixItems": [%s], "items": %s}`, first, rest)
	}
	const (
		text    = `{"type": "string"}`
		number  = `{"type": "number"}`
		texts   = text + ", " + text
		keep    = "keep the schema of the item; or " + newVersion
		refused = "readers with the new schema refuse it."
	)
	return append(rules, []Rule{
		{
			ID: "items-added", What: "a schema for all items that was not there",
			Message: "READER has a schema for all items (items), which WRITER does not have",
			Why:     "Old data may hold anything in the array: readers with the new schema refuse items that do not fit.",
			Before:  `{"type": "array"}`, After: `{"type": "array", "items": {"type": "string"}}`,
			Fix: "check the items where the event is made; or " + newVersion,
		},
		{
			ID: "items-removed", What: "a schema for all items that is gone",
			Allowed: Always, Message: "READER has no schema for all items, as WRITER has",
			Why:    "Whatever the items were, they are allowed: nobody breaks.",
			Before: `{"type": "array", "items": {"type": "string"}}`, After: `{"type": "array"}`,
		},
		{
			ID: "unique-items-added", What: "uniqueItems that was not there",
			Message: "READER asks for unique items, which WRITER does not",
			Why:     "Old data may hold an item twice: " + refused,
			Before:  `{"type": "array"}`, After: `{"type": "array", "uniqueItems": true}`,
			Fix: "remove duplicates where the event is made; or " + newVersion,
		},
		{
			ID: "unique-items-removed", What: "uniqueItems that is gone",
			Allowed: Always, Message: "READER does not ask for unique items, as WRITER does",
			Why:    "Unique items are still valid: nobody breaks.",
			Before: `{"type": "array", "uniqueItems": true}`, After: `{"type": "array"}`,
		},
		{
			ID: "item-added-to-open-model", What: "a new schema of one position, of an array that allowed any further items",
			Message: "READER has a schema for item %d, where WRITER allows anything",
			Why:     "Old data may hold anything in that place: " + refused,
			Before:  tuple(text, ""), After: tuple(texts, ""),
			Fix: "give the item no schema ({}); or " + newVersion,
		},
		{
			ID: "empty-item-added-to-open-model", What: "a new, empty schema of one position, of an array that allowed any further items",
			Allowed: Always, Message: "READER has a schema for item %d that restricts nothing",
			Why:    "An empty schema takes whatever old data holds in that place: nobody breaks.",
			Before: tuple(text, ""), After: tuple(text+", {}", ""),
		},
		{
			ID: "item-added-to-closed-model", What: "a new schema of one position, of an array that allowed no further items",
			Allowed: Always, Message: "READER has a schema for item %d, which WRITER does not allow",
			Why:    "No old data has an item in that place: nobody breaks.",
			Before: tuple(text, "false"), After: tuple(texts, "false"),
		},
		{
			ID: "covered-item-added-to-partially-open-model", What: "a new schema of one position that takes what further items could be",
			Allowed: Always, Message: "READER has a schema for item %d, and takes there what WRITER allows",
			Why:    "What the old schema allows in that place is valid: nobody breaks.",
			Before: tuple(text, text), After: tuple(texts, text),
		},
		{
			ID: "uncovered-item-added-to-partially-open-model", What: "a new schema of one position that does not take all that further items could be",
			Message: "READER has a schema for item %d, and does not take all that WRITER allows there",
			Why:     "Old data may hold, in that place, what the old schema allows there: " + refused,
			Before:  tuple(text, text), After: tuple(text+", "+number, text),
			Fix: "give the item the schema that it had among the rest; or " + newVersion,
		},
		{
			ID: "item-removed-from-open-model", What: "a schema of one position that is gone, of an array that allows any further items",
			Allowed: Always, Message: "READER has no schema for item %d, and takes anything there",
			Why:    "The new schema allows anything in that place: nobody breaks.",
			Before: tuple(texts, ""), After: tuple(text, ""),
		},
		{
			ID: "item-removed-from-closed-model", What: "a schema of one position that is gone, of an array that allows no further items",
			Message: "READER does not allow item %d, which data of WRITER may have",
			Why:     "Old data has an item in that place, and the new schema allows none: " + refused,
			Before:  tuple(texts, "false"), After: tuple(text, "false"),
			Fix: keep,
		},
		{
			ID: "false-item-removed-from-closed-model", What: "a forbidden position that is gone, of an array that allows no further items",
			Allowed: Always, Message: "READER has no schema for item %d, which WRITER forbids",
			Why:    "No data could have an item in that place: nobody breaks.",
			Before: tuple(text+", false", "false"), After: tuple(text, "false"),
		},
		{
			ID: "covered-item-removed-from-partially-open-model", What: "a schema of one position that is gone, and further items may be what it was",
			Allowed: Always, Message: "READER has no schema for item %d, and takes what WRITER has there",
			Why:    "What the new schema allows there includes what the item held: nobody breaks.",
			Before: tuple(texts, text), After: tuple(text, text),
		},
		{
			ID: "uncovered-item-removed-from-partially-open-model", What: "a schema of one position that is gone, and further items may not be all that it was",
			Message: "READER has no schema for item %d, and does not take all that WRITER has there",
			Why:     "Old data has an item in that place that the new schema refuses there: " + refused,
			Before:  tuple(text+", "+number, text), After: tuple(text, text),
			Fix: keep,
		},
	}...)
}
