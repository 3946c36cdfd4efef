package lint

import "github.com/outboxgen/outboxgen/generator/internal/diag"

func descriptionRules() []rule {
	return []rule{
		{
			id: "EVENT_UNDESCRIBED", severity: diag.Warning,
			what: "an event without a description",
			why: "The description says when the event happens and becomes the doc comment of the Go type. " +
				"Without it, whoever consumes the event has to ask its authors, or guess.",
			bad: "title: OrderPlaced\n",
			good: "title: OrderPlaced\n" +
				"description: A customer confirmed an order.\n",
			instead: "say in a sentence what happened",
		},
	}
}
