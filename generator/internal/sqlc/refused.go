package sqlc

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/indexes"
)

// warnOfRefused reports what makes Postgres refuse every insert of an event, although
// sqlc compiles it.
func (r *run) warnOfRefused() {
	if r.assumed || r.list.HasErrors() {
		return
	}
	for _, c := range r.table.Columns {
		filled := slices.ContainsFunc(columns, func(own column) bool { return own.name == c.Name && !own.relay })
		switch {
		case filled && c.Generated:
			r.list.Warnf(r.pos(c.Place), "insert-refused",
				"Postgres generates the column %q of %s, which the insert functions fill; every insert of an event fails with SQLSTATE 428C9", c.Name, table).
				SetHint("make it a plain column in a migration: ALTER COLUMN " + identifier("", c.Name) + " DROP EXPRESSION; drop a virtual column and add it again")
		case !filled && c.Required:
			r.list.Warnf(r.pos(c.Place), "insert-refused",
				"the column %q of %s must not be null and has no default, and the insert functions do not fill it; every insert of an event fails with SQLSTATE 23502", c.Name, table).
				SetHint("give it a default in a migration, or drop its NOT NULL")
		}
	}
	isKey := func(x indexes.Index) bool {
		return slices.Equal(x.Columns, []string{"id"}) && !x.Partial && !x.Deferrable
	}
	if !r.table.Plain || slices.ContainsFunc(r.unique, isKey) {
		return
	}
	r.list.Warnf(r.pos(r.table.Created), "insert-refused",
		"%s has no primary key or unique index of the column \"id\" alone, which the insert functions need; every insert of an event fails with SQLSTATE 42P10", table).
		SetHint("add it in a migration: ALTER TABLE " + identifier(r.opts.Schema, table) + " ADD PRIMARY KEY (id); a table that is partitioned by another column cannot have one")
}
