package migrationstest_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/migrations"
)

// The filter for Alembic's autogenerate lists every table of both stores.
func TestAlembicFilterNamesAllTables(t *testing.T) {
	t.Parallel()
	find := func(pattern, text string) []string {
		var names []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	created := find(`(?m)^CREATE TABLE (\w+)`, migrations.SQL()+"\n"+migrations.LogSQL())
	named := find(`(?m)^        "(\w+)",$`, string(migrations.AlembicFilter().Content))
	if diff := cmp.Diff(created, named); diff != "" || len(created) == 0 {
		t.Errorf("tables (-created +in TABLES):\n%s", diff)
	}
}

// It knows the tables too that are made later: partitions, and what a move to the other store keeps.
func TestAlembicFilterKnowsTablesThatAreMadeLater(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`(?m)re\.compile\(r"(.*)"\)$`).FindSubmatch(migrations.AlembicFilter().Content)
	if found == nil {
		t.Fatal("there is no pattern")
	}
	pattern := regexp.MustCompile("^(?:" + string(found[1]) + ")$")
	for name, want := range map[string]bool{
		"event_outbox_d20261129": true, "event_outbox_before": true, "event_outbox_before_failed": true, "event_outbox_before_history": true,
		"event_outbox_beforehand": false, "event_outbox_mine": false, "event_outbox_d2026": false, "my_event_outbox_before": false,
	} {
		if got := pattern.MatchString(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}
