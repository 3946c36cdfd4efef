package outbox

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/baggage"
)

// maxBaggageBytes and maxBaggageMembers are what W3C Baggage requires each party to
// pass on. OpenTelemetry drops a longer header when it reads it.
const (
	maxBaggageBytes   = 8192
	maxBaggageMembers = 64
)

// baggageOf returns the header baggage of W3C Baggage for the context, with its members
// in the order of their names. It returns "" if there is no baggage, or more than the
// limits allow: a part of it could mislead a reader.
func baggageOf(ctx context.Context) string {
	bag := baggage.FromContext(ctx)
	if n := bag.Len(); n == 0 || n > maxBaggageMembers {
		return ""
	}
	members := bag.Members()
	slices.SortFunc(members, func(a, b baggage.Member) int { return cmp.Compare(a.Key(), b.Key()) })
	var header strings.Builder
	for _, m := range members {
		text := m.String()
		if text == "" { // a name that the header cannot hold
			continue
		}
		if header.Len() > 0 {
			header.WriteByte(',')
		}
		header.WriteString(text)
		if header.Len() > maxBaggageBytes {
			return ""
		}
	}
	return header.String()
}
