package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// Tenants come and go while the process runs. Once a relay has ended, the process
// forgets its tenant.
func TestSchemasThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	log := &watched{written: make(chan struct{}, 1)}
	f, err := newFleet(readOutboxes(t, fmt.Sprintf(`
sink: stdout
database_url: %q
outboxes:
  - {name: fixed, schema: tenant_fixed}
  - {name: shop, schema: "tenant_*"}
`, unreachable)), slog.New(slog.NewJSONHandler(log, nil)), io.Discard, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	f.members[0].forget()
	f.members = nil
	ctx, cancel := context.WithCancel(t.Context())
	w := newFollower(f, f.outboxes[1], f.outboxes[:1])
	t.Cleanup(func() {
		cancel()
		w.relays.Wait()
		for _, s := range f.servers {
			s.Close()
		}
	})
	type remembered struct{ Runs, Skipped, Members []string }
	known := func() remembered {
		var members []string
		for _, m := range f.all() {
			members = append(members, m.name)
		}
		return remembered{slices.Sorted(maps.Keys(w.runs)), slices.Sorted(maps.Keys(w.skipped)), members}
	}

	w.update(ctx, []string{"tenant_a", "tenant_b", "tenant_fixed"})
	a := w.runs["tenant_a"]
	want := remembered{[]string{"tenant_a", "tenant_b"}, []string{"tenant_fixed"}, []string{"shop/tenant_a", "shop/tenant_b"}}
	if diff := cmp.Diff(want, known()); diff != "" {
		t.Fatal(diff)
	}

	w.update(ctx, []string{"tenant_b"})
	<-a.done
	w.update(ctx, []string{"tenant_b"})
	if diff := cmp.Diff(remembered{[]string{"tenant_b"}, nil, []string{"shop/tenant_b"}}, known()); diff != "" {
		t.Error(diff)
	}

	// A tenant that is back starts again, and one that is skipped again is logged
	// again.
	w.update(ctx, []string{"tenant_a", "tenant_b", "tenant_fixed"})
	if diff := cmp.Diff(want, known()); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(log.String(), "schema skipped"); n != 2 {
		t.Errorf("it is told %d times that a schema is skipped", n)
	}
}
