package gomod_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

const module = gomod.Path + "/"

// dependencies lists the packages outside the standard library that are linked
// with a package.
func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pkg).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// A service that imports its generated package links package outbox, but no Kafka,
// Redis, YAML or sqlc code. The requirements of pgx and of OpenTelemetry's API are
// allowed.
func TestDependencies(t *testing.T) {
	t.Parallel()
	allowed := []string{
		module + "runtime", module + "runtime/internal/backoff", module + "runtime/internal/link", module + "runtime/internal/safelog",
		module + "runtime/internal/safeerr", module + "runtime/internal/sqlstate", module + "runtime/internal/insertdb",
		module + "runtime/internal/decimal",
		module + "runtime/wire", module + "runtime/rule",
		module + "runtime/ecma", module + "runtime/ecma/syntax", module + "runtime/format",
		"github.com/jackc/pgx/v5", "github.com/google/uuid", "go.opentelemetry.io/otel",
		"github.com/jackc/pgpassfile", "github.com/jackc/pgservicefile", "github.com/jackc/puddle/v2", // pgx's own
		"golang.org/x/text", "golang.org/x/sync", // pgx's own
		"github.com/cespare/xxhash/v2", "go.opentelemetry.io/auto/sdk", // OpenTelemetry's own
	}
	for pkg, more := range map[string][]string{
		module + "runtime":     nil,
		module + "runtime/gen": {module + "runtime/gen"},
		module + "runtime/outboxtest": { // its Message returns what a router takes
			module + "runtime/outboxtest", module + "runtime/consume", module + "runtime/gen", module + "runtime/internal/routing",
		},
	} {
		for _, dep := range dependencies(t, pkg) {
			within := func(prefix string) bool {
				if strings.HasPrefix(prefix, module) {
					return dep == prefix
				}
				return dep == prefix || strings.HasPrefix(dep, prefix+"/")
			}
			if !slices.ContainsFunc(append(more, allowed...), within) {
				t.Errorf("%s links %s", pkg, dep)
			}
		}
	}
}

// Inserting an event outside a transaction does not compile. On any transaction it
// does.
func TestInsertWantsATransaction(t *testing.T) {
	t.Parallel()
	const source = `package gen

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	outbox "github.com/outboxgen/outboxgen/runtime"
)

func compile(ctx context.Context, pool *pgxpool.Pool, pooled *pgxpool.Conn, conn *pgx.Conn, tx pgx.Tx, own *outbox.Tx, e outbox.Event) {
	_ = Insert(ctx, pool, SQL{}, e)
	_ = Insert(ctx, pooled, SQL{}, e)
	_ = Insert(ctx, conn, SQL{}, e)
	_ = Insert(ctx, tx, SQL{}, e)
	_ = Insert(ctx, own, SQL{}, e)
}
`
	dir, err := filepath.Abs("../../../runtime/gen")
	if err != nil {
		t.Fatal(err)
	}
	config := &packages.Config{
		Mode:    packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo,
		Context: t.Context(), Dir: dir, Overlay: map[string][]byte{filepath.Join(dir, "compile_overlay.go"): []byte(source)},
	}
	loaded, err := packages.Load(config, ".")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range loaded[0].Errors {
		if e.Kind != packages.TypeError {
			continue // the go command adds its own lines
		}
		message, _, _ := strings.Cut(e.Msg, ":")
		got = append(got, filepath.Base(e.Pos)+" "+message)
	}
	slices.Sort(got)
	want := []string{
		"compile_overlay.go:12:18 cannot use pool (variable of type *pgxpool.Pool) as outbox.Transaction value in argument to Insert",
		"compile_overlay.go:13:18 cannot use pooled (variable of type *pgxpool.Conn) as outbox.Transaction value in argument to Insert",
		"compile_overlay.go:14:18 cannot use conn (variable of type *pgx.Conn) as outbox.Transaction value in argument to Insert",
	}
	if !slices.Equal(want, got) {
		t.Errorf("errors of the compiler:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
