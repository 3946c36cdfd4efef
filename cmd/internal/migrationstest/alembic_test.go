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
