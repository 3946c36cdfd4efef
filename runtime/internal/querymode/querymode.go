// Package querymode runs a package's tests in each of pgx's query modes. A service
// chooses one with default_query_exec_mode in its DSN, often because of a pooler. Code
// that uses the service's connections or pool has to work in all of them.
package querymode

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Setting is the name of the mode in a DSN.
const Setting = "default_query_exec_mode"

// variable tells a test process its mode.
const variable = "OUTBOXGEN_TEST_QUERY_EXEC_MODE"

// Others are all modes except cache_statement, which is pgx's default.
var Others = []string{"cache_describe", "describe_exec", "exec", "simple_protocol"}

// Use sets the mode of this test process in the URL and the pool of the test's
// database. Call it before the pool is used.
func Use(t testing.TB, pg *services.PG) {
	t.Helper()
	mode := os.Getenv(variable)
	if mode == "" {
		return
	}
	pg.URL = In(t, pg.URL, mode)
	config, err := pgxpool.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = pg.Pool.Config().MaxConns
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(t.Context()), config)
	if err != nil {
		t.Fatal(err)
	}
	pg.Pool.Close()
	pg.Pool = pool // closed with the database
}

// In returns the DSN with the mode.
func In(t testing.TB, dsn, mode string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set(Setting, mode)
	u.RawQuery = query.Encode()
	return u.String()
}

// Repeat runs the tests that match the pattern again in each of the other modes, each
// in its own process. The tests get their databases from Use.
func Repeat(t *testing.T, pattern string) {
	t.Helper()
	if os.Getenv(variable) != "" {
		t.Skip("this is the repetition")
	}
	if testing.Short() {
		t.Skip("takes as long as the other tests four times over")
	}
	for _, mode := range Others {
		t.Run(mode, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), os.Args[0], "-test.run", pattern, "-test.timeout", "10m")
			command.Env = append(os.Environ(), variable+"="+mode)
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
