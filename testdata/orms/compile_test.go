package orms_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// program is a service that inserts an event on something that is not a transaction.
const program = `package main

import (
	"context"

	%q
	"github.com/outboxgen/outboxgen/testdata/orms/events"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
)

func place(ctx context.Context, tx %s, order events.OrderPlacedV1) error {
	return events.InsertOrderPlacedV1(ctx, %s, order)
}

var _ = outboxsql.On

func main() {}
`

// The compiler's message names a type whose documentation says what to pass.
func TestWhatTheCompilerSays(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles programs")
	}
	for name, test := range map[string]struct{ imports, typ, pass, want string }{
		"database/sql": {"database/sql", "*sql.Tx", "tx",
			`cannot use tx (variable of type *sql.Tx) as outbox.Transaction value in argument to events.InsertOrderPlacedV1: *sql.Tx does not implement outbox.Transaction (wrong type for method Exec)
		have Exec(string, ...any) (sql.Result, error)
		want Exec(context.Context, string, ...any) (pgconn.CommandTag, error)`},
		"database/sql, wrapped": {"database/sql", "*sql.Tx", "outboxsql.On(tx)", ""},
		"a pool of database/sql": {"database/sql", "*sql.DB", "outboxsql.On(tx)",
			`cannot use tx (variable of type *sql.DB) as outboxsql.Transaction value in argument to outboxsql.On: *sql.DB does not implement outboxsql.Transaction (missing method Commit)`},
		"a wrapped pool": {"database/sql", "*sql.DB", "outboxsql.DB(tx)",
			`cannot use outboxsql.DB(tx) (value of interface type outbox.DBTX) as outbox.Transaction value in argument to events.InsertOrderPlacedV1: outbox.DBTX does not implement outbox.Transaction (missing method Rollback)`},
		"a pool of pgx": {"github.com/jackc/pgx/v5/pgxpool", "*pgxpool.Pool", "tx",
			`cannot use tx (variable of type *pgxpool.Pool) as outbox.Transaction value in argument to events.InsertOrderPlacedV1: *pgxpool.Pool does not implement outbox.Transaction (missing method Rollback)`},
		"sqlx": {"github.com/jmoiron/sqlx", "*sqlx.Tx", "tx",
			`cannot use tx (variable of type *sqlx.Tx) as outbox.Transaction value in argument to events.InsertOrderPlacedV1: *sqlx.Tx does not implement outbox.Transaction (wrong type for method Exec)
		have Exec(string, ...any) (sql.Result, error)
		want Exec(context.Context, string, ...any) (pgconn.CommandTag, error)`},
		"bun, wrapped": {"github.com/uptrace/bun", "bun.Tx", "outboxsql.On(tx)", ""},
		"GORM": {"gorm.io/gorm", "*gorm.DB", "outboxsql.On(tx)",
			`cannot use tx (variable of type *gorm.DB) as outboxsql.Transaction value in argument to outboxsql.On: *gorm.DB does not implement outboxsql.Transaction (wrong type for method Commit)
		have Commit() *gorm.DB
		want Commit() error`},
		"GORM's pool": {"gorm.io/gorm", "*gorm.DB", "outboxsql.On(tx.Statement.ConnPool)",
			`cannot use tx.Statement.ConnPool (variable of interface type gorm.ConnPool) as outboxsql.Transaction value in argument to outboxsql.On: gorm.ConnPool does not implement outboxsql.Transaction (missing method Commit)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, fmt.Appendf(nil, program, test.imports, test.typ, test.pass), 0o600); err != nil {
				t.Fatal(err)
			}
			vet := exec.CommandContext(t.Context(), "go", "vet", file)
			out, err := vet.CombinedOutput()
			got := ""
			if err != nil {
				_, got, _ = strings.Cut(string(out), "main.go:")
				_, got, _ = strings.Cut(got, ": ") // line and column
			}
			if diff := cmp.Diff(test.want, strings.TrimSpace(got)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, out)
			}
		})
	}
}

// The documentation of the types that the compiler names has the answers.
func TestTheDocumentationOfTheTypes(t *testing.T) {
	t.Parallel()
	const runtime = "github.com/outboxgen/outboxgen/runtime"
	for name, answers := range map[string][]string{
		runtime + ".Transaction":           {"outboxsql.On(tx)", "outboxsql.OnConnPool(tx.Statement.ConnPool)", "begin a transaction first"},
		runtime + "/outboxsql.Transaction": {"*sqlx.Tx", "bun.Tx", "sql/execquery", "OnConnPool(tx.Statement.ConnPool)", "*sql.DB"},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "doc", name).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, answer := range answers {
			if !strings.Contains(string(out), answer) {
				t.Errorf("%s does not say %q:\n%s", name, answer, out)
			}
		}
	}
}
