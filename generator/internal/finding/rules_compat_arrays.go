package finding

import "fmt"

func compatItemRules() []Rule {
	rules := remainderRules("additional-items", "items", "items after the first positions", Never, `{"type": "array", "prefixItems": [{"type": "string"}]`)
	rules = append(rules, remainderRules("unevaluated-items", "unevaluatedItems", "unevaluated items", Never, `{"type": "array"`)...)
	tuple := func(first, rest string) string {
		if rest == "" {
			return fmt.Sprintf(`{"type": "array", "prefixItems": [%s]}`, first)
		}
		return fmt.Sprintf(`{"type": "array", "prefixItems": [%s], "items": %s}`, first, rest)
	}
	const (
		text   = `{"type": "string"}`
		number = `{"type": "number"}`
		texts  = text + ", " + text
		keep   = "keep the schema of the item; or " + NewVersion
	)
	return append(rules, []Rule{
		{
			ID: "items-added", What: "a new schema for all items",
			Message: "READER has a schema for all items (items), which WRITER does not have",
			Why:     "Old data may have any items. Readers with the new schema reject items that are not valid.",
			Before:  `{"type": "array"}`, After: `{"type": "array", "items": {"type": "string"}}`,
			Fix: "check the items where the event is created; or " + NewVersion,
		},
		{
			ID: "items-removed", What: "a removed schema for all items",
			Allowed: Always, Message: "READER has no schema for all items; WRITER has one",
			Why:    "All old items stay valid.",
			Before: `{"type": "array", "items": {"type": "string"}}`, After: `{"type": "array"}`,
		},
		{
			ID: "unique-items-added", What: "a new uniqueItems",
			Message: "READER requires unique items; WRITER does not",
			Why:     "Old data may have the same item twice. Readers with the new schema reject it.",
			Before:  `{"type": "array"}`, After: `{"type": "array", "uniqueItems": true}`,
			Fix: "remove duplicates where the event is created; or " + NewVersion,
		},
		{
			ID: "unique-items-removed", What: "a removed uniqueItems",
			Allowed: Always, Message: "READER does not require unique items; WRITER does",
			Why:    "Unique items stay valid.",
			Before: `{"type": "array", "uniqueItems": true}`, After: `{"type": "array"}`,
		},
		{
			ID: "item-added-to-open-model", What: "a new item position in an array that allows any further items",
			Message: "READER has a schema for item %d, where WRITER allows any value",
			Why:     "Old data may have any item at this position. Readers with the new schema reject it.",
			Before:  tuple(text, ""), After: tuple(texts, ""),
			Fix: "give the item an empty schema ({}); or " + NewVersion,
		},
		{
			ID: "empty-item-added-to-open-model", What: "a new item position with an empty schema in an array that allows any further items",
			Allowed: Always, Message: "READER has a schema for item %d that restricts nothing",
			Why:    "An empty schema allows every item that old data may have at this position.",
			Before: tuple(text, ""), After: tuple(text+", {}", ""),
		},
		{
			ID: "item-added-to-closed-model", What: "a new item position in an array that forbids further items",
			Allowed: Always, Message: "READER has a schema for item %d, which WRITER forbids",
			Why:    "No old data has an item at this position.",
			Before: tuple(text, "false"), After: tuple(texts, "false"),
		},
		{
			ID: "covered-item-added-to-partially-open-model", What: "a new item position that allows all values that further items could have",
			Allowed: Always, Message: "READER has a schema for item %d and allows every value that WRITER allows there",
			Why:    "All items that the old schema allows at this position stay valid.",
			Before: tuple(text, text), After: tuple(texts, text),
		},
		{
			ID: "uncovered-item-added-to-partially-open-model", What: "a new item position that forbids some values that further items could have",
			Message: "READER has a schema for item %d and does not allow every value that WRITER allows there",
			Why:     "Old data may have such an item at this position. Readers with the new schema reject it.",
			Before:  tuple(text, text), After: tuple(text+", "+number, text),
			Fix: "give the item the schema of the further items; or " + NewVersion,
		},
		{
			ID: "item-removed-from-open-model", What: "a removed item position in an array that allows any further items",
			Allowed: Always, Message: "READER has no schema for item %d and allows any value there",
			Why:    "The new schema allows any item at this position.",
			Before: tuple(texts, ""), After: tuple(text, ""),
		},
		{
			ID: "item-removed-from-closed-model", What: "a removed item position in an array that forbids further items",
			Message: "READER forbids item %d, which data of WRITER may have",
			Why:     "Old data has an item at this position. Readers with the new schema reject it.",
			Before:  tuple(texts, "false"), After: tuple(text, "false"),
			Fix: keep,
		},
		{
			ID: "false-item-removed-from-closed-model", What: "a removed forbidden item position in an array that forbids further items",
			Allowed: Always, Message: "READER has no schema for item %d, which WRITER forbids",
			Why:    "No old data has an item at this position.",
			Before: tuple(text+", false", "false"), After: tuple(text, "false"),
		},
		{
			ID: "covered-item-removed-from-partially-open-model", What: "a removed item position whose values further items may have",
			Allowed: Always, Message: "READER has no schema for item %d and allows every value that WRITER allows there",
			Why:    "The new schema allows all old items at this position.",
			Before: tuple(texts, text), After: tuple(text, text),
		},
		{
			ID: "uncovered-item-removed-from-partially-open-model", What: "a removed item position with values that further items may not have",
			Message: "READER has no schema for item %d and does not allow every value that WRITER allows there",
			Why:     "Old data may have an item at this position that the new schema does not allow there. Readers with the new schema reject it.",
			Before:  tuple(text+", "+number, text), After: tuple(text, text),
			Fix: keep,
		},
	}...)
}
