// Package querymode has a package's tests run under each of the ways in which pgx
// runs statements. Services choose one by default_query_exec_mode in their DSN,
// often because of a pooler, and whatever takes a connection or a pool of theirs
// has to work in all of them.
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

// variable tells a test process which mode to use.
const variable = "OUTBOXGEN_TEST_QUERY_EXEC_MODE"

// Others are the modes beside cache_statement, which is pgx's default.
var Others = []string{"cache_describe", "describe_exec", "exec", "simple_protocol"}

// Use has the URL and the pool of the test's database use the mode of this test
// process. Call it before anything is done with the pool.
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

// In is the DSN with the mode.
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

// Repeat runs the tests that match the pattern again under each of the other modes,
// in a process of its own. The tests have their databases by way of Use.
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
