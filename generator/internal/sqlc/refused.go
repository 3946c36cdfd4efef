package sqlc

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/history"
)

// warnOfRefused reports what makes Postgres refuse every insert of an event, although
// sqlc compiles it. A migration that is not read may put it right, so then there is
// nothing to report.
func (r *run) warnOfRefused() {
	if r.assumed || r.list.HasErrors() || len(r.table.Includes) > 0 || len(r.folder.Skipped) > 0 || r.folder.MayChangeElsewhere(table) != "" {
		return
	}
	for _, c := range r.table.Columns {
		filled := slices.ContainsFunc(columns, func(own column) bool { return own.name == c.Name && !own.relay })
		switch {
		case filled && c.Generated:
			r.list.Warnf(r.pos(c.Place), "insert-refused",
				"Postgres generates the column %q of %s, which the insert functions fill; every insert of an event fails with SQLSTATE 428C9", c.Name, table).
				SetHint("make it a plain column in a migration: ALTER COLUMN " + identifier("", c.Name) + " DROP EXPRESSION; if it is VIRTUAL, drop the column and add it again instead")
		case !filled && c.Required:
			r.list.Warnf(r.pos(c.Place), "insert-refused",
				"the column %q of %s must not be null and has no default, and the insert functions do not fill it; every insert of an event fails with SQLSTATE 23502", c.Name, table).
				SetHint("give it a default in a migration, or drop its NOT NULL")
		}
	}
	if r.table.Plain {
		r.warnOfKeys()
	}
}

// warnOfKeys reports keys of which ON CONFLICT (id) can use none. It uses all keys of the
// column at once, so a deferrable one makes it fail also beside another one.
func (r *run) warnOfKeys() {
	own := slices.DeleteFunc(slices.Clone(r.keys), func(k history.Key) bool { return !k.Of("id") || k.Partial && !k.Unsure })
	switch {
	case slices.ContainsFunc(r.keys, func(k history.Key) bool { return k.Unsure && slices.Contains(k.Columns, history.Expression) }):
		return // it may be a key of the column
	case len(own) == 0:
		r.list.Warnf(r.pos(r.table.Created), "insert-refused",
			"%s has no primary key or unique index of the column \"id\" alone, which the insert functions need; every insert of an event fails with SQLSTATE 42P10", table).
			SetHint("add one in a migration: CREATE UNIQUE INDEX ON " + identifier(r.opts.Schema, table) + " (id); a table that is partitioned by another column cannot have one")
	}
	for i, k := range own {
		if k.Deferrable {
			r.list.Warnf(r.pos(k.Place), "insert-refused",
				"the constraint %s of %s is deferrable, and the insert functions cannot use such a key of the column \"id\"; every insert of an event fails with SQLSTATE 55000",
				finding.Quote(k.Name), table).
				SetHint(r.replace(own, i))
		}
	}
}

// replace returns how to replace a deferrable key, one of the keys of the column "id".
func (r *run) replace(own []history.Key, index int) string {
	k := own[index]
	drop := "ALTER TABLE " + identifier(r.opts.Schema, table) + " DROP CONSTRAINT " + identifier("", k.Name)
	suffices := func(other history.Key) bool { return other.Primary || !other.Deferrable && !other.Unsure }
	switch {
	case k.Primary:
		return "replace it in a migration: " + drop + ", ADD PRIMARY KEY (id)"
	case slices.ContainsFunc(own, suffices), slices.ContainsFunc(own[:index], func(other history.Key) bool { return other.Deferrable }):
		return "drop it in a migration; another key of the column remains: " + drop
	}
	return "replace it in a migration: " + drop + ", ADD UNIQUE (id)"
}
