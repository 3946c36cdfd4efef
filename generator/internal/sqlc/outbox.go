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
	Log  bool   // it is a log
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
	found := Outbox{File: folder.File(file).Name, Line: line, Log: isLog(folder, schema)}
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

// cursor is the table that only an outbox that is a log has: see outboxgen migration --store log.
const cursor = "event_outbox_cursor"

// moved matches a migration of outboxgen migration --moved, of which package history does not see
// what it does: it depends on the database.
var moved = regexp.MustCompile(`(?:"(\w+)"\.)?event_outbox has events and is no (log|table)\b`)

// isLog reports whether the migrations make the outbox of a schema a log. "" is as for FindOutbox.
func isLog(folder *migrationfolder.Folder, schema string) (log bool) {
	if folder.Tool == migrationfolder.Alembic { // whose text is Python
		_, _, _, log = folder.Find(cursor)
	} else {
		followed := history.Of(scripts(folder), schemaName(schema), cursor)
		log = followed.Found || schema == "" && len(followed.Elsewhere) > 0
	}
	for _, f := range folder.Files { // the way back is behind the way there
		if m := moved.FindSubmatch(f.SQL); m != nil && (len(m[1]) == 0 || schema == "" || string(m[1]) == schemaName(schema)) {
			log = string(m[2]) == "log"
		}
	}
	return log
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
