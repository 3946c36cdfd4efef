package sqlc

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/history"
	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
)

// column is a column that the outbox needs.
type column struct {
	name  string
	types []string // valid types, the preferred one first
	relay bool     // only the relay uses it
	older bool     // it is in the older shape, so the upgrade needs it
	table bool     // an outbox that is a log does not have it
}

var (
	text    = []string{"varchar", "text", "bpchar", "citext"}
	moment  = []string{"timestamptz"}
	columns = []column{
		{name: "id", types: []string{"uuid"}, older: true},
		{name: "aggregate_id", types: text, older: true},
		{name: "aggregate_type", types: text, older: true},
		{name: "event_type", types: text, older: true},
		{name: "event_data", types: []string{"json", "jsonb"}, older: true},
		{name: "event_key", types: text, older: true},
		{name: "topic", types: text},
		{name: "headers", types: []string{"json", "jsonb"}},
		{name: "partition", types: []string{"int4", "int8"}, relay: true},
		{name: "created_at", types: moment, relay: true, older: true},
		{name: "published_at", types: moment, relay: true, older: true, table: true},
		{name: "retry_count", types: []string{"int4", "int8"}, relay: true, older: true, table: true},
		{name: "last_error", types: text, relay: true, older: true, table: true},
		{name: "tx", types: []string{"xid8"}, relay: true},
		{name: "seq", types: []string{"int8"}, relay: true},
		{name: "next_attempt_at", types: moment, relay: true, table: true},
		{name: "dead_at", types: moment, relay: true, table: true},
	}
)

// aliases are types that are another type with a default, and names that sqlc gives the
// results of expressions.
var aliases = map[string]string{
	"serial": "int4", "serial4": "int4", "bigserial": "int8", "serial8": "int8",
	"int": "int4", "integer": "int4", "bigint": "int8", "timestamp with time zone": "timestamptz", "character varying": "varchar",
}

// catalogTable is a table as sqlc understands it.
type catalogTable struct {
	schema  string
	columns map[string]string // name -> type
}

// catalog reads the outboxes in all schemas from sqlc's catalog.
func (r *run) catalog() ([]catalogTable, error) {
	content, err := os.ReadFile(filepath.Join(r.dir, catalogDir, catalogFile))
	if err != nil {
		return nil, fmt.Errorf("read sqlc's catalog: %w", err)
	}
	var request struct {
		Catalog struct {
			Schemas []struct {
				Name   string
				Tables []struct {
					Rel     struct{ Name string }
					Columns []struct {
						Name string
						Type struct{ Name string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(content, &request); err != nil {
		return nil, fmt.Errorf("read sqlc's catalog: %w", err)
	}
	r.found = nil
	for _, s := range request.Catalog.Schemas {
		for _, t := range s.Tables {
			if t.Rel.Name != table {
				continue
			}
			ct := catalogTable{schema: s.Name, columns: map[string]string{}}
			for _, c := range t.Columns {
				ct.columns[c.Name] = strings.TrimPrefix(c.Type.Name, "pg_catalog.")
			}
			r.found = append(r.found, ct)
		}
	}
	return r.found, nil
}

// check compares the service's table with the needs of the insert functions and the
// relay, and reports each difference at the place where the table is created.
func (r *run) check(tables []catalogTable) {
	want := schemaName(r.opts.Schema)
	index := slices.IndexFunc(tables, func(t catalogTable) bool { return t.schema == want })
	if index < 0 {
		r.noTable(want)
		return
	}
	pos := r.pos(r.table.Created)
	has := tables[index].columns
	if is := cmp.Or(aliases[has["id"]], has["id"]); is != "" && is != history.UnknownType && is != "any" && is != "uuid" && has["seq"] == "" {
		r.otherShape(pos, is)
		return
	}
	if missing := missingOf(has); has["seq"] == "" && len(missing) > 2 {
		r.otherColumns(pos, missing)
		return
	}
	upgradable := !slices.ContainsFunc(columns, func(c column) bool { return c.older && has[c.name] == "" })
	log := isLog(r.folder, want)
	for _, c := range columns {
		is, there := has[c.name]
		is = cmp.Or(aliases[is], is)
		switch {
		case c.table && log:
		case !there:
			r.noColumn(pos, c, upgradable)
			r.warnOfIncludes()
		case is == history.UnknownType, is == "any": // of a placeholder, of an expression
		case !slices.Contains(c.types, is):
			r.columnProblem(c, pos, "column-type", "column %q of %s has the type %s, not %s", c.name, table, is, c.types[0]).
				SetHint("change its type in a migration")
		case c.name == "event_data" && is == "jsonb":
			r.list.Warnf(pos, "column-type",
				"column %q of %s has the type jsonb, which rewrites the stored data; the bytes of a record would differ from the event's", c.name, table).
				SetHint("change it to json")
		}
	}
}

// columnProblem reports a problem of a column: as a warning if only the relay needs it, because
// the service can insert without it.
func (r *run) columnProblem(c column, pos finding.Pos, id, format string, args ...any) *finding.Finding {
	if c.relay {
		return r.list.Warnf(pos, id, format, args...)
	}
	return r.list.Errorf(pos, id, format, args...)
}

// noColumn reports a missing column. The upgrade adds it if the table has all columns of
// the older shape.
func (r *run) noColumn(pos finding.Pos, c column, upgradable bool) {
	why, fix := "which the insert functions write", "add the migration that `"+r.command()+" --upgrade` prints"
	if c.relay {
		why = "which the relay needs"
	}
	if l, ok := lostIn(r.table, c.name); ok {
		r.columnProblem(c, r.pos(l.Place), "column-missing", "this statement %s the column %q of %s, %s", l.verb(), c.name, table, why).
			SetHint(l.fix(r, table))
		return
	}
	switch {
	case upgradable:
	case c.older:
		fix = "add it, or rename the column that it is, in a migration before the upgrade; " + otherShapeGuide
	default:
		fix = "first add the columns that the upgrade needs, then " + fix
	}
	r.columnProblem(c, pos, "column-missing", "table %s has no column %q, %s", table, c.name, why).SetHint(fix)
}

// otherShapeGuide names the page for tables that the upgrade cannot change as they are.
const otherShapeGuide = "docs/migrating.md, \"The usual shape\", lists what the upgrade needs"

// otherShape reports a table whose ids are no UUIDs. No migration that keeps its rows
// makes it an outbox, so its other differences do not matter.
func (r *run) otherShape(pos finding.Pos, id string) {
	r.another = true
	r.list.Errorf(pos, "column-type", "column \"id\" of %s has the type %s, not uuid, so `outboxgen migration --upgrade` cannot change this table", table, id).
		SetHint(r.keepBeside())
}

// missingOf returns the columns that the insert functions fill and the older shape has,
// and this table has not.
func missingOf(has map[string]string) []string {
	var all []string
	for _, c := range columns {
		if c.older && !c.relay && has[c.name] == "" {
			all = append(all, c.name)
		}
	}
	return all
}

// otherColumns reports a table without most columns of an outbox, once and not for each
// of them.
func (r *run) otherColumns(pos finding.Pos, missing []string) {
	r.another = true
	r.list.Errorf(pos, "column-missing", "table %s lacks the columns %s, so `outboxgen migration --upgrade` cannot change this table", table, strings.Join(missing, ", ")).
		SetHint("if it has them under other names, rename them in a migration; otherwise " + r.keepBeside())
}

// keepBeside says how to keep a table that cannot become the outbox.
func (r *run) keepBeside() string {
	return "keep it beside a new one: rename it, or set sqlc.schema to another schema, and add the migration that `" + r.command() +
		"` prints; docs/migrating.md, \"A table of another shape\", has the steps"
}

func (r *run) noTable(schema string) {
	folder := strings.TrimSuffix(r.opts.Migrations, "/")
	switch {
	case len(r.table.Elsewhere) > 0:
		hint := "set sqlc.schema to it"
		if !isDefault(schema) {
			hint += ", or create the table in the other one: `" + r.command() + "` prints how"
		}
		r.list.Errorf(r.opts.Pos, "table-schema", "%s creates %s in the schema %q, not in %q", r.opts.Migrations, table, r.table.Elsewhere[0], schema).
			SetHint(hint)
	case r.table.Dropped != nil:
		r.list.Errorf(r.pos(*r.table.Dropped), "table-missing",
			"no table %s is left after this statement, and no later migration in %s creates it", table, folder).
			SetHint("add the migration that `" + r.command() + "` prints, or " + leaveOut)
	default:
		r.list.Errorf(r.opts.Pos, "table-missing", "no migration in %s creates the table %s", folder, table).
			SetHint("add the migration that `" + r.command() + "` prints, or " + leaveOut)
	}
	r.warnOfIncludes()
}

// command returns how to print a migration for the tool in use.
func (r *run) command() string {
	return "outboxgen migration --format " + string(cmp.Or(r.folder.Tool, migrationfolder.Plain))
}
