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
	if r.assumed || r.list.HasErrors() || len(r.table.Includes) > 0 || len(r.folder.Skipped) > 0 {
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
	found := false
	for _, x := range r.unique {
		if !slices.Equal(x.Columns, []string{"id"}) || x.Partial {
			continue
		}
		found = true
		if x.Deferrable {
			r.list.Warnf(r.pos(history.Place{File: x.File, Offset: x.Offset}), "insert-refused",
				"the constraint %s of %s is deferrable, and the insert functions cannot use such a key of the column \"id\"; every insert of an event fails with SQLSTATE 55000",
				finding.Quote(x.Name), table).
				SetHint("replace it in a migration: ALTER TABLE " + identifier(r.opts.Schema, table) + " DROP CONSTRAINT " + identifier("", x.Name) + ", ADD UNIQUE (id)")
		}
	}
	if found {
		return
	}
	r.list.Warnf(r.pos(r.table.Created), "insert-refused",
		"%s has no primary key or unique index of the column \"id\" alone, which the insert functions need; every insert of an event fails with SQLSTATE 42P10", table).
		SetHint("add one in a migration: CREATE UNIQUE INDEX ON " + identifier(r.opts.Schema, table) + " (id); a table that is partitioned by another column cannot have one")
}
