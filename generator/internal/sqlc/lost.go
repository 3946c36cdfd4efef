package sqlc

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/history"
	"github.com/outboxgen/outboxgen/generator/internal/script"
	"github.com/outboxgen/outboxgen/migrations"
)

// lost is a column that a migration renames or drops.
type lost struct {
	history.Gone
	now string // its name in the end; "" if it is dropped
}

// lostIn returns how a table lost a column that it lacks in the end, if its migrations
// show that.
func lostIn(t history.Table, name string) (lost, bool) {
	for i, g := range slices.Backward(t.Gone) {
		if g.Name != name {
			continue
		}
		l := lost{g, g.To}
		for _, later := range t.Gone[i+1:] {
			if l.now != "" && later.Name == l.now {
				l.now = later.To
			}
		}
		return l, true
	}
	return lost{}, false
}

func (l lost) verb() string {
	if l.To == "" {
		return "drops"
	}
	return "renames"
}

// fix returns what to write so that a table has the column again.
func (l lost) fix(r *run, table string) string {
	switch {
	case l.now == "":
		return fmt.Sprintf("add it again in a later migration, as `%s` prints it", r.command())
	case l.Inherited:
		return fmt.Sprintf("rename it back in a later migration, from %s", finding.Quote(l.now))
	}
	return fmt.Sprintf("rename it back in a later migration: ALTER TABLE %s RENAME COLUMN %s TO %s",
		identifier(r.opts.Schema, table), identifier("", l.now), identifier("", l.Name))
}

// others are the tables beside the outbox, with what needs their columns.
var others = []struct{ table, user string }{
	{"event_outbox_delayed", "delayed events need"},
	{"event_inbox", "package inbox needs"},
	{"event_outbox_lease", "the relay needs"},
	{"event_outbox_audit", "the relay needs"},
}

// optional are the columns without which the relay works too, as in a table from before
// they were added.
var optional = []string{"low_water", "low_water_file", "search_below"}

// losing matches the words of a statement by which a table may lose a column.
var losing = regexp.MustCompile(`(?i)\b(rename|drop)\b`)

// warnOfOthers reports the columns that the tables beside the outbox lost by a rename or
// DROP COLUMN. The insert statements do not use these tables, so sqlc does not know
// them. A column that was never there is not reported: the table may be an older one, or
// one of another tool.
func (r *run) warnOfOthers() {
	if !r.folder.Any(losing.Match) {
		return
	}
	for _, other := range others {
		if !r.folder.Any(containing(other.table)) {
			continue
		}
		t := history.Of(scripts(r.folder), schemaName(r.opts.Schema), other.table)
		if !t.Found || t.Opaque != nil || len(t.Unread) > 0 || len(t.Includes) > 0 || len(t.Columns) == 0 {
			continue
		}
		ours := history.Of(script.Only([]byte(migrations.SQL())), "public", other.table).Columns
		known := 0
		var missing []lost
		for _, c := range ours {
			l, ok := lostIn(t, c.Name)
			switch {
			case slices.ContainsFunc(t.Columns, func(own history.Column) bool { return own.Name == c.Name }):
				known++
			case ok && !slices.Contains(optional, c.Name):
				missing = append(missing, l)
			}
		}
		if known+len(missing) <= len(ours)/2 {
			continue // it is a table of another tool with this name
		}
		for _, l := range missing {
			r.list.Warnf(r.pos(l.Place), "column-missing", "this statement %s the column %q of %s, which %s", l.verb(), l.Name, other.table, other.user).
				SetHint(l.fix(r, other.table))
		}
	}
}
