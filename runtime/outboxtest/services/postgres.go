package services

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PG is a test's own database, with the server that it is in.
type PG struct {
	*PostgresServer
	// URL is the address of the database. It goes by a Unix socket unless
	// DATABASE_URL says otherwise.
	URL string
	// Database is its name.
	Database string
	// Pool has up to 20 connections to the database. It is closed when the test
	// ends; connections that the test still holds then fail it.
	Pool *pgxpool.Pool

	t testing.TB
}

// startLimit bounds the start of a server.
const startLimit = 2 * time.Minute

// Postgres returns an empty database for the test, which is dropped when the test ends.
// The server is shared with other tests unless an option says otherwise; the package
// documentation says where it comes from.
func Postgres(t testing.TB, opts ...Option) *PG {
	t.Helper()
	skipShort(t)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	o := optionsOf(opts)
	server, err := postgresServer(ctx, t, o, opts)
	if err != nil {
		giveUp(t, "postgres", err)
	}
	pg := &PG{PostgresServer: server, Database: databaseName(t), t: t}
	if pg.URL, err = server.CreateDatabase(ctx, pg.Database); err != nil {
		t.Fatalf("services: %v", err)
	}
	config, err := pgxpool.ParseConfig(pg.URL)
	if err != nil {
		t.Fatalf("services: %v", err)
	}
	config.MaxConns = 20
	if pg.Pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		t.Fatalf("services: %v", err)
	}
	t.Cleanup(func() { pg.drop(o.private) })
	return pg
}

func postgresServer(ctx context.Context, t testing.TB, o postgresOptions, opts []Option) (*PostgresServer, error) {
	t.Helper()
	if !o.private {
		if o.major == 0 && os.Getenv("DATABASE_URL") == "" {
			// The cluster for any version is that for a certain one.
			in, err := findPostgres(ctx, 0)
			if err != nil {
				return nil, err
			}
			o.major = in.major
			opts = []Option{Version(in.major)}
		}
		return use(t, fmt.Sprintf("postgres %d", o.major), func() (*PostgresServer, error) {
			s, err := StartPostgres(ctx, opts...)
			if err == nil {
				s.control = false
			}
			return s, err
		})
	}
	s, err := StartPostgres(ctx, opts...)
	if err != nil {
		return nil, err
	}
	closeAfter(t, s)
	return s, nil
}

// drop closes the pool and drops the database; that of a private server goes
// with it.
func (p *PG) drop(private bool) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.Pool.Close()
	}()
	const patience = time.Minute
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
		p.t.Errorf("services: the test ended %s ago and still holds %d connections of its pool: release rows, transactions and connections",
			patience, p.Pool.Stat().AcquiredConns())
	}
	if private {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := p.DropDatabase(ctx, p.Database); err != nil {
		p.t.Errorf("services: %v", err)
	}
}

// Postgres18 is [Postgres] with [Version] 18.
func Postgres18(t testing.TB) *PG {
	t.Helper()
	return Postgres(t, Version(18))
}

// EachPostgres runs the test as a subtest on every major version that is installed, or
// on the server that DATABASE_URL names if none is. If OUTBOXGEN_REQUIRE names a version
// that is not installed, such as postgres18, its subtest fails.
func EachPostgres(t *testing.T, test func(t *testing.T, pg *PG)) {
	t.Helper()
	skipShort(t)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	majors := requiredPostgres()
	for in := range installations(ctx) {
		majors = append(majors, in.major)
	}
	if len(majors) == 0 {
		majors = []int{0}
	}
	slices.Sort(majors)
	for _, major := range slices.Compact(majors) {
		name := "postgres"
		if major > 0 {
			name = fmt.Sprintf("postgres%d", major)
		}
		t.Run(name, func(t *testing.T) { test(t, Postgres(t, Version(major))) })
	}
}

// Connect opens a connection of its own to the database, closed when the test
// ends. It must be called from the test's goroutine.
func (p *PG) Connect(ctx context.Context) *pgx.Conn {
	p.t.Helper()
	conn, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		p.t.Fatalf("services: connect to %s: %v", p.URL, err)
	}
	p.t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the test may have closed or broken it
	return conn
}

// Stop stops the server and drops the pool's idle connections, which have ended
// with it. The server must be private.
func (p *PG) Stop(ctx context.Context, mode StopMode) error {
	if err := p.PostgresServer.Stop(ctx, mode); err != nil {
		return err
	}
	p.Pool.Reset()
	return nil
}

// Restart stops the server and starts it again. The server must be private.
func (p *PG) Restart(ctx context.Context, mode StopMode) error {
	if err := p.Stop(ctx, mode); err != nil {
		return err
	}
	return p.Start(ctx)
}

// databaseName returns a fresh name that tells which test it belongs to.
func databaseName(t testing.TB) string { return uniqueName(t, "_", 63) }

// uniqueName returns a fresh name made from the test's, at most so long.
func uniqueName(t testing.TB, separator string, longest int) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(strings.TrimPrefix(t.Name(), "Test")))
	suffix := fmt.Sprintf("%s%08x", separator, rand.Uint32())
	return name[:min(len(name), longest-len(suffix))] + suffix
}
