package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// A schema is served once, even if several settings name it.
func TestOverlappingOutboxesServeASchemaOnce(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	createTenants(t, pg, 0, 3)
	f := startFleet(t, fmt.Sprintf(`
sink: stdout
database_url: %q
outboxes:
  - {name: all, schema: "tenant_*"}
  - {name: one, schema: tenant_001}
  - {name: some, schema: "tenant_00?"}
`, pg.URL))
	until(t, "every schema is led", func() bool {
		return f.leads("all/tenant_000") && f.leads("one") && f.leads("all/tenant_002")
	})
	until(t, "the overlap is in the log", func() bool {
		log := f.log.String()
		return strings.Contains(log, `"outbox":"all","pattern":"tenant_*","schema":"tenant_001","served_by":"one"`) &&
			strings.Contains(log, `"outbox":"some","pattern":"tenant_00?","schema":"tenant_000","served_by":"all"`)
	})
	if n := len(f.all()); n != 3 {
		t.Errorf("%d outboxes, want 3: %v", n, f.all())
	}
	if n := strings.Count(f.log.String(), "schema skipped"); n != 4 {
		t.Errorf("%d warnings, want one for each of four schemas that are skipped", n)
	}
}

// The commands also list a schema once. One outbox that is listed twice is an error.
func TestOverlaps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, b string // addresses
		same bool
	}{
		"equal":             {"postgres://h/d", "postgres://h/d", true},
		"another user":      {"postgres://a@h/d", "postgres://b@h:5432/d", true},
		"one host of two":   {"postgres://g,h/d", "postgres://h/d", true},
		"another database":  {"postgres://h/d", "postgres://h/e", false},
		"another host":      {"postgres://g/d", "postgres://h/d", false},
		"another port":      {"postgres://h:1/d", "postgres://h:2/d", false},
		"hosts in disorder": {"postgres://g,h/d", "postgres://h,g/d", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := fmt.Sprintf("outboxes: [{name: a, database_url: %q}, {name: b, database_url: %q}]", c.a, c.b)
			_, err := configured(t, file).outboxes(readPlace)
			if (err != nil) != c.same {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, c := range []struct {
		pattern, schema string
		want            bool
	}{
		{"tenant_*", "tenant_a", true}, {"tenant_*", "tenantxa", false}, {"t?", "tü", true}, {"t?", "t", false},
		{"*", "any\nthing", true}, {"a.*", "ab", false}, {"a%*", "a%b", true}, {"*a", "ab", false},
	} {
		if got := matches(c.pattern, c.schema); got != c.want {
			t.Errorf("%q matches %q: %t", c.pattern, c.schema, got)
		}
	}
}
