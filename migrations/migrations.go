// Package migrations holds the SQL of the outbox's tables, and gives it out in
// the form that each migration tool wants.
package migrations

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

//go:embed create.up.sql
var createUp string

//go:embed create.down.sql
var createDown string

// SQL is the complete current schema as plain SQL, in the form that sqlc
// reads: what a service without migrations of its own is compiled against.
func SQL() string { return createUp }

// Up creates the tables in the first schema of the connection's search_path,
// in one transaction.
func Up(ctx context.Context, conn *pgx.Conn) error {
	return run(ctx, conn, "create the tables", createUp)
}

// Down drops the tables, with every event in them.
func Down(ctx context.Context, conn *pgx.Conn) error {
	return run(ctx, conn, "drop the tables", createDown)
}

// Upgrade turns an event_outbox of an older shape into the current one, in
// place.
func Upgrade(context.Context, *pgx.Conn) error { return errNotYet }

// Downgrade undoes Upgrade.
func Downgrade(context.Context, *pgx.Conn) error { return errNotYet }

var errNotYet = errors.New("migrations: not written yet")

func run(ctx context.Context, conn *pgx.Conn, what, sql string) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrations: %s: %w", what, err)
	}
	return nil
}
