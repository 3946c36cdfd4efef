package sqlc

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/history"
	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
)

// Outbox is the outbox's table as the text of migrations shows it.
type Outbox struct {
	File string // the migration that creates it
	Line int    // from 1
	// Lacks are the columns that no migration mentions, and LacksOlder those of them
	// that the upgrade needs.
	Lacks, LacksOlder []string
}

// FindOutbox returns the outbox's table that exists in a schema after the migrations. A
// table that a later migration drops, renames or moves to another schema is none. "" is
// the schema of the search_path, so a table in any schema counts.
func FindOutbox(folder *migrationfolder.Folder, schema string) (Outbox, bool) {
	file, line, _, ok := folder.Find(table)
	if folder.Tool != migrationfolder.Alembic { // whose text is Python
		followed := history.Of(scripts(folder), schemaName(schema), table)
		switch {
		case followed.Found:
			ok, file = true, followed.Created.File
			line, _ = position(folder.File(file).SQL, followed.Created.Offset)
		case schema != "" && len(followed.Elsewhere) > 0:
			return Outbox{}, false
		case len(followed.Elsewhere) == 0 && gone(folder, followed):
			return Outbox{}, false
		}
	}
	if !ok {
		return Outbox{}, false
	}
	found := Outbox{File: folder.File(file).Name, Line: line}
	for _, c := range columns {
		if mentionsWord(folder, c.name) {
			continue
		}
		found.Lacks = append(found.Lacks, c.name)
		if c.older {
			found.LacksOlder = append(found.LacksOlder, c.name)
		}
	}
	return found, true
}

// gone reports whether the migrations drop or rename the table, in the requested schema
// or in the one that a name without a schema means.
func gone(folder *migrationfolder.Folder, followed history.Table) bool {
	return followed.Dropped != nil || history.Of(scripts(folder), "public", table).Dropped != nil
}

// mentionsWord reports whether a migration has a word, also one that is not SQL.
func mentionsWord(folder *migrationfolder.Folder, word string) bool {
	is := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(word) + `\b`)
	return slices.ContainsFunc(folder.Files, func(f migrationfolder.File) bool { return is.Match(f.SQL) }) ||
		slices.ContainsFunc(folder.Skipped, func(s migrationfolder.Skipped) bool { return is.Match(bytes.ToLower(s.Content)) })
}
