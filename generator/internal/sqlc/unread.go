package sqlc

import (
	"bytes"
	"fmt"
	"path"
	"path/filepath"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
)

// warn reports the statements that may change the table and are not followed.
func (r *run) warn() {
	for _, u := range r.table.Unread {
		r.list.Add(finding.Finding{
			Pos: r.pos(u.Place), Severity: finding.Warning, ID: "migration-not-followed",
			Message: fmt.Sprintf("%s may change the columns of %s; outboxgen does not follow it", u.What, table),
			Hint:    "where it does, add a migration that makes the same change in a statement of its own, with IF EXISTS or IF NOT EXISTS",
		})
	}
}

// warnOfIncludes reports, where something is missing, the places that read files
// which are not found.
func (r *run) warnOfIncludes() {
	for _, place := range r.table.Includes {
		r.list.Add(finding.Finding{
			Pos: r.pos(place), Severity: finding.Warning, ID: "migration-not-followed",
			Message: "another file is read here, which outboxgen does not find",
			Hint:    "where that file has " + table + ", name it or its folder as sqlc.migrations",
		})
	}
}

// noteSkipped reports the migrations that are not SQL. It is a warning where they
// mention the table.
func noteSkipped(opts Options, folder *migrationfolder.Folder, list *finding.List) {
	for _, s := range folder.Skipped {
		file := path.Join(filepath.ToSlash(opts.Migrations), s.Name)
		found := finding.Finding{
			Pos: finding.Pos{File: file, Line: 1, Col: 1}, Severity: finding.Note, ID: "migration-skipped",
			Message: s.Name + " is not SQL; outboxgen does not read it",
		}
		if at := bytes.Index(s.Content, []byte(table)); at >= 0 {
			found.Pos.Line, found.Pos.Col = position(s.Content, at)
			found.Severity = finding.Warning
			found.Message = fmt.Sprintf("%s mentions %s and is not SQL; outboxgen does not read it", s.Name, table)
			found.Hint = "where it changes the columns of the table, add a SQL migration that does the same, with IF EXISTS or IF NOT EXISTS"
		}
		list.Add(found)
	}
}
