package outbox

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"
)

// withBaggage returns a context with members of the given names, each with the value.
func withBaggage(t *testing.T, value string, names ...string) context.Context {
	t.Helper()
	var bag baggage.Baggage
	for _, name := range names {
		member, err := baggage.NewMemberRaw(name, value)
		if err != nil {
			t.Fatal(err)
		}
		if bag, err = bag.SetMember(member); err != nil {
			t.Fatal(err)
		}
	}
	return baggage.ContextWithBaggage(t.Context(), bag)
}

func TestBaggageOf(t *testing.T) {
	t.Parallel()
	names := func(n int) (list []string) {
		for i := range n {
			list = append(list, "m"+strconv.Itoa(100+i))
		}
		return list
	}
	most := strings.Repeat("x", maxBaggageBytes-len("tenant="))
	for name, test := range map[string]struct {
		ctx  context.Context
		want string
	}{
		"none":                                  {t.Context(), ""},
		"removed":                               {baggage.ContextWithoutBaggage(withBaggage(t, "1", "tenant")), ""},
		"in order":                              {withBaggage(t, "a b", "c", "a", "b"), "a=a%20b,b=a%20b,c=a%20b"},
		"as long as it can":                     {withBaggage(t, most, "tenant"), "tenant=" + most},
		"too long":                              {withBaggage(t, most+"x", "tenant"), ""},
		"64 members":                            {withBaggage(t, "1", names(64)...), strings.Join(names(64), "=1,") + "=1"},
		"65 members":                            {withBaggage(t, "1", names(65)...), ""},
		"a name that only OpenTelemetry allows": {withBaggage(t, "1", "région", "tenant"), "tenant=1"},
	} {
		if diff := cmp.Diff(test.want, baggageOf(test.ctx)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// An insert without baggage pays nothing for it.
func TestNoBaggageAllocatesNothing(t *testing.T) {
	ctx := context.WithValue(t.Context(), correlationKey{}, "c")
	if n := testing.AllocsPerRun(100, func() { _ = baggageOf(ctx) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
