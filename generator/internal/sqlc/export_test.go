package sqlc

import (
	"context"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
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
