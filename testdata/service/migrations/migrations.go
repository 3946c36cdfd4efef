// Package migrations holds the sample service's goose migrations.
package migrations

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
)

// FS is the migrations, for goose.
//
//go:embed *.sql
var FS embed.FS

// Up runs every migration on an empty database, so that the sample needs no
// goose. A real service runs goose and remembers what it ran.
func Up(ctx context.Context, conn *pgx.Conn) error {
	names, err := fs.Glob(FS, "*.sql")
	if err != nil {
		return err
	}
	for _, name := range names {
		source, err := FS.ReadFile(name)
		if err != nil {
			return err
		}
		up, _, _ := strings.Cut(string(source), "-- +goose Down")
		if _, err := conn.Exec(ctx, up); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	return nil
}
