package sqlc

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/layout"
)

// column is a column that the outbox needs.
type column struct {
	name  string
	types []string // that fit, the wanted one first
	relay bool     // only the relay uses it
}

var (
	text    = []string{"varchar", "text", "bpchar", "citext"}
	moment  = []string{"timestamptz"}
	columns = []column{
		{name: "id", types: []string{"uuid"}},
		{name: "aggregate_id", types: text},
		{name: "aggregate_type", types: text},
		{name: "event_type", types: text},
		{name: "event_data", types: []string{"json", "jsonb"}},
		{name: "event_key", types: text},
		{name: "topic", types: text},
		{name: "headers", types: []string{"json", "jsonb"}},
		{name: "created_at", types: moment, relay: true},
		{name: "published_at", types: moment, relay: true},
		{name: "retry_count", types: []string{"int4", "int8"}, relay: true},
		{name: "last_error", types: text, relay: true},
		{name: "tx", types: []string{"xid8"}, relay: true},
		{name: "seq", types: []string{"int8"}, relay: true},
		{name: "next_attempt_at", types: moment, relay: true},
		{name: "dead_at", types: moment, relay: true},
	}
)

// LacksColumns guesses, from the text of migrations that create the outbox's
// table, whether they leave out one of its columns. Reading them with sqlc
// tells for sure; this does without.
func LacksColumns(folder *layout.Folder) bool {
	return slices.ContainsFunc(columns, func(c column) bool {
		word := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(c.name) + `\b`)
		return !slices.ContainsFunc(folder.Files, func(f layout.File) bool { return word.Match(f.SQL) })
	})
}

// catalogTable is a table as sqlc understood the migrations.
type catalogTable struct {
	schema  string
	columns map[string]string // name -> type
}

// catalog reads the outboxes, in whatever schema, from the catalog that sqlc
// wrote.
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
	var found []catalogTable
	for _, s := range request.Catalog.Schemas {
		for _, t := range s.Tables {
			if t.Rel.Name != table {
				continue
			}
			ct := catalogTable{schema: s.Name, columns: map[string]string{}}
			for _, c := range t.Columns {
				ct.columns[c.Name] = c.Type.Name
			}
			found = append(found, ct)
		}
	}
	return found, nil
}

// check compares the service's table with what the insert functions and the
// relay need, and reports each difference where the table is created.
func (r *run) check(tables []catalogTable) {
	want := r.opts.Schema
	if isDefault(want) {
		want = "public"
	}
	index := slices.IndexFunc(tables, func(t catalogTable) bool { return t.schema == want })
	if index < 0 {
		r.noTable(want, tables)
		return
	}
	pos := r.opts.Pos
	if file, line, col, ok := r.folder.Find(table); ok {
		pos = diag.Pos{File: filePath(r.opts, r.folder, file), Line: line, Col: col}
	}
	for _, c := range columns {
		is, there := tables[index].columns[c.name]
		switch {
		case !there:
			r.noColumn(pos, c)
		case !slices.Contains(c.types, is):
			r.list.Add(diag.Finding{
				Pos: pos, Severity: c.severity(), ID: "column-type",
				Message: fmt.Sprintf("column %q of %s has the type %s, not %s", c.name, table, is, c.types[0]),
				Hint:    "change its type in a migration",
			})
		case c.name == "event_data" && is == "jsonb":
			r.list.Add(diag.Finding{
				Pos: pos, Severity: diag.Warning, ID: "column-type",
				Message: fmt.Sprintf("column %q of %s has the type jsonb, which rewrites what is stored; a record's bytes differ from the event's", c.name, table),
				Hint:    "make it json",
			})
		}
	}
}

// severity: what only the relay needs does not keep a service from inserting.
func (c column) severity() diag.Severity {
	if c.relay {
		return diag.Warning
	}
	return diag.Error
}

func (r *run) noColumn(pos diag.Pos, c column) {
	why := "which the insert functions write"
	if c.relay {
		why = "which the relay needs"
	}
	r.list.Add(diag.Finding{
		Pos: pos, Severity: c.severity(), ID: "column-missing",
		Message: fmt.Sprintf("table %s has no column %q, %s", table, c.name, why),
		Hint:    "add the migration that `" + r.command() + " --upgrade` prints",
	})
}

func (r *run) noTable(schema string, tables []catalogTable) {
	if len(tables) > 0 {
		r.list.Add(diag.Finding{
			Pos: r.opts.Pos, ID: "table-schema",
			Message: fmt.Sprintf("%s creates %s in the schema %q, not in %q", r.opts.Migrations, table, tables[0].schema, schema),
			Hint:    "set sqlc.schema to it",
		})
		return
	}
	r.list.Add(diag.Finding{
		Pos: r.opts.Pos, ID: "table-missing",
		Message: fmt.Sprintf("no migration in %s creates the table %s", strings.TrimSuffix(r.opts.Migrations, "/"), table),
		Hint:    "add the one that `" + r.command() + "` prints",
	})
}

// command is how to print a migration for the tool in use.
func (r *run) command() string {
	tool := r.folder.Tool
	if tool == "" {
		tool = layout.Plain
	}
	return "outboxgen migration --format " + string(tool)
}
