package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// CountAll counts the events that s selects, by topic and event type.
func CountAll(ctx context.Context, h History, s Selection, after Cursor) ([]Count, error) {
	type name struct{ topic, eventType string }
	sum := map[name]Count{}
	for {
		part, err := h.Count(ctx, s, after)
		if err != nil {
			return nil, fmt.Errorf("count the events: %w", err)
		}
		for _, c := range part.Counts {
			at := name{c.Topic, c.EventType}
			if known, ok := sum[at]; ok {
				c.Events += known.Events
				if known.First.Before(c.First) {
					c.First = known.First
				}
				if known.Last.After(c.Last) {
					c.Last = known.Last
				}
			}
			sum[at] = c
		}
		if part.End {
			break
		}
		after = part.After
	}
	out := make([]Count, 0, len(sum))
	for _, c := range sum {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.EventType, b.EventType))
	})
	return out, nil
}
