package compat

import "fmt"

func itemRules() []rule {
	rules := remainderRules("ADDITIONAL_ITEMS", "items", "items behind the first ones", never, `{"type": "array", "prefixItems": [{"type": "string"}]`)
	rules = append(rules, remainderRules("UNEVALUATED_ITEMS", "unevaluatedItems", "items that no part of the schema looks at", never, `{"type": "array"`)...)
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
	return append(rules, []rule{
		{
			id: "ITEMS_ADDED", message: "READER has a schema for all items (items), which WRITER does not have",
			why: "Old data may hold anything in the array: readers with the new schema refuse items that do not fit.",
			old: `{"type": "array"}`, now: `{"type": "array", "items": {"type": "string"}}`,
			instead: "check the items where the event is made; or " + newVersion,
		},
		{
			id: "ITEMS_REMOVED", allowed: always, message: "READER has no schema for all items, as WRITER has",
			why: "Whatever the items were, they are allowed: nobody breaks.",
			old: `{"type": "array", "items": {"type": "string"}}`, now: `{"type": "array"}`,
		},
		{
			id: "UNIQUE_ITEMS_ADDED", message: "READER asks for unique items, which WRITER does not",
			why: "Old data may hold an item twice: " + refused,
			old: `{"type": "array"}`, now: `{"type": "array", "uniqueItems": true}`,
			instead: "remove duplicates where the event is made; or " + newVersion,
		},
		{
			id: "UNIQUE_ITEMS_REMOVED", allowed: always, message: "READER does not ask for unique items, as WRITER does",
			why: "Unique items are still valid: nobody breaks.",
			old: `{"type": "array", "uniqueItems": true}`, now: `{"type": "array"}`,
		},
		{
			id: "ITEM_ADDED_TO_OPEN_MODEL", message: "READER has a schema for item %d, where WRITER allows anything",
			why: "Old data may hold anything in that place: " + refused,
			old: tuple(text, ""), now: tuple(texts, ""),
			instead: "give the item no schema ({}); or " + newVersion,
		},
		{
			id: "EMPTY_ITEM_ADDED_TO_OPEN_MODEL", allowed: always, message: "READER has a schema for item %d that restricts nothing",
			why: "An empty schema takes whatever old data holds in that place: nobody breaks.",
			old: tuple(text, ""), now: tuple(text+", {}", ""),
		},
		{
			id: "ITEM_ADDED_TO_CLOSED_MODEL", allowed: always, message: "READER has a schema for item %d, which WRITER does not allow",
			why: "No old data has an item in that place: nobody breaks.",
			old: tuple(text, "false"), now: tuple(texts, "false"),
		},
		{
			id: "COVERED_ITEM_ADDED_TO_PARTIALLY_OPEN_MODEL", allowed: always, message: "READER has a schema for item %d, and takes there what WRITER allows",
			why: "What the old schema allows in that place is valid: nobody breaks.",
			old: tuple(text, text), now: tuple(texts, text),
		},
		{
			id: "UNCOVERED_ITEM_ADDED_TO_PARTIALLY_OPEN_MODEL", message: "READER has a schema for item %d, and does not take all that WRITER allows there",
			why: "Old data may hold, in that place, what the old schema allows there: " + refused,
			old: tuple(text, text), now: tuple(text+", "+number, text),
			instead: "give the item the schema that it had among the rest; or " + newVersion,
		},
		{
			id: "ITEM_REMOVED_FROM_OPEN_MODEL", allowed: always, message: "READER has no schema for item %d, and takes anything there",
			why: "The new schema allows anything in that place: nobody breaks.",
			old: tuple(texts, ""), now: tuple(text, ""),
		},
		{
			id: "ITEM_REMOVED_FROM_CLOSED_MODEL", message: "READER does not allow item %d, which data of WRITER may have",
			why: "Old data has an item in that place, and the new schema allows none: " + refused,
			old: tuple(texts, "false"), now: tuple(text, "false"),
			instead: keep,
		},
		{
			id: "FALSE_ITEM_REMOVED_FROM_CLOSED_MODEL", allowed: always, message: "READER has no schema for item %d, which WRITER forbids",
			why: "No data could have an item in that place: nobody breaks.",
			old: tuple(text+", false", "false"), now: tuple(text, "false"),
		},
		{
			id: "COVERED_ITEM_REMOVED_FROM_PARTIALLY_OPEN_MODEL", allowed: always, message: "READER has no schema for item %d, and takes what WRITER has there",
			why: "What the new schema allows there includes what the item held: nobody breaks.",
			old: tuple(texts, text), now: tuple(text, text),
		},
		{
			id: "UNCOVERED_ITEM_REMOVED_FROM_PARTIALLY_OPEN_MODEL", message: "READER has no schema for item %d, and does not take all that WRITER has there",
			why: "Old data has an item in that place that the new schema refuses there: " + refused,
			old: tuple(text+", "+number, text), now: tuple(text, text),
			instead: keep,
		},
	}...)
}
