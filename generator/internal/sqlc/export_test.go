package sqlc

import (
	"context"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/history"
	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
)

// GenerateColumns is Generate, and the columns of the outbox with their types, as
// sqlc understands the migrations.
func GenerateColumns(ctx context.Context, opts Options) ([]File, *finding.List, map[string]string, error) {
	r := &run{opts: opts, list: new(finding.List)}
	files, err := r.all(ctx)
	for _, t := range r.found {
		if t.schema == schemaName(opts.Schema) {
			return files, r.list, t.columns, err
		}
	}
	return files, r.list, nil, err
}

// Refused returns the findings of insert-refused for one migration, without a run of
// sqlc.
func Refused(sql string) []finding.Finding {
	r := &run{list: new(finding.List), folder: &migrationfolder.Folder{Files: []migrationfolder.File{{Name: "1.sql", SQL: []byte(sql)}}}}
	r.opts.Migrations = "db"
	r.table = history.Of(scripts(r.folder), "public", table)
	r.keys = r.table.Keys
	r.warnOfRefused()
	return r.list.Sorted()
}
