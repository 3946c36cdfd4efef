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
		r.list.Warnf(r.pos(u.Place), "migration-not-followed", "%s may change the columns of %s; outboxgen cannot evaluate it", u.What, table).
			SetHint("if it does, repeat the change as a plain statement in a later migration, with IF EXISTS or IF NOT EXISTS")
	}
}

// warnOfIncludes reports the places that include missing files, if something is
// missing.
func (r *run) warnOfIncludes() {
	for _, place := range r.table.Includes {
		r.list.Warnf(r.pos(place), "migration-not-followed", "this migration includes another file, which outboxgen cannot find").
			SetHint("if that file has " + table + ", set sqlc.migrations to the file or its folder")
	}
}

// noteSkipped reports the migrations that are not SQL, as a warning if they mention the
// table, and the changelogs of Liquibase that change it.
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
			found.Hint = repeatInSQL
		}
		list.Add(found)
	}
	for _, c := range folder.Changelogs(table) {
		at := finding.Pos{File: path.Join(filepath.ToSlash(opts.Migrations), c.Name)}
		at.Line, at.Col = position(c.Content, c.Offset)
		list.Warnf(at, "migration-skipped", "%s changes %s and is not SQL; outboxgen does not read it", path.Base(c.Name), table).
			SetHint(repeatInSQL)
	}
}

// repeatInSQL is the hint for a migration that is not read.
const repeatInSQL = "if it changes the columns of the table, repeat the change in an SQL migration, with IF EXISTS or IF NOT EXISTS"
