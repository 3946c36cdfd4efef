package services_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestPostgresGivesEachTestADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	one, other := services.Postgres(t), services.Postgres(t)
	if _, err := one.Pool.Exec(ctx, "CREATE TABLE mine (id int)"); err != nil {
		t.Fatal(err)
	}

	var tables []string
	for _, pg := range []*services.PG{one, other} {
		var names *string
		if err := pg.Pool.QueryRow(ctx, "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'").Scan(&names); err != nil {
			t.Fatal(err)
		}
		if names == nil {
			tables = append(tables, "")
			continue
		}
		tables = append(tables, *names)
	}
	if diff := cmp.Diff([]string{"mine", ""}, tables); diff != "" {
		t.Errorf("tables of the two databases (-want +got):\n%s", diff)
	}
	if one.PID() != other.PID() {
		t.Errorf("the databases are in two clusters, with pids %d and %d", one.PID(), other.PID())
	}
}

func TestPostgresOfEachVersion(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		var major int
		if err := pg.Connect(t.Context()).QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int / 10000").Scan(&major); err != nil {
			t.Fatal(err)
		}
		if major != pg.Version {
			t.Errorf("the server says that it is version %d, want %d", major, pg.Version)
		}
		t.Logf("Postgres %d", major)
	})
}

func TestPostgres18(t *testing.T) {
	t.Parallel()
	if pg := services.Postgres18(t); pg.Version != 18 {
		t.Errorf("got version %d", pg.Version)
	}
}

func TestPrivatePostgresStopsAndStarts(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]services.StopMode{"fast": services.Fast, "immediate": services.Immediate} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			pg := services.Postgres(t, services.Private())
			if _, err := pg.Pool.Exec(ctx, "CREATE TABLE kept AS SELECT 7 AS n"); err != nil {
				t.Fatal(err)
			}

			if err := pg.Stop(ctx, mode); err != nil {
				t.Fatal(err)
			}
			if err := pg.Pool.Ping(ctx); err == nil {
				t.Fatal("the server answers although it was stopped")
			}
			if err := pg.Start(ctx); err != nil {
				t.Fatal(err)
			}

			var n int
			if err := pg.Pool.QueryRow(ctx, "SELECT n FROM kept").Scan(&n); err != nil || n != 7 {
				t.Fatalf("after the restart: n = %d, error %v", n, err)
			}
			if err := pg.Restart(ctx, mode); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAStandbyFollowsAndIsPromoted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pg := services.Postgres(t, services.Private())
	if _, err := pg.Pool.Exec(ctx, "CREATE TABLE kept AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	standby, err := pg.Standby(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := standby.Close(); err != nil {
			t.Error(err)
		}
	}()
	conn, err := pgx.Connect(ctx, standby.URL(pg.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing depends on it
	const write = "INSERT INTO kept VALUES (8)"
	if _, err := conn.Exec(ctx, write); err == nil {
		t.Error("a standby took a write")
	}
	if err := pg.Stop(ctx, services.Immediate); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, write); err != nil {
		t.Fatal(err)
	}
	var sum int
	if err := conn.QueryRow(ctx, "SELECT sum(n) FROM kept").Scan(&sum); err != nil || sum != 15 {
		t.Errorf("the sum after the promotion is %d, error %v; want 15", sum, err)
	}
}

func TestSettingsReachThePrivateServer(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Setting("fsync", "off"), services.Setting("wal_level", "logical"))
	var got struct{ fsync, walLevel string }
	if err := pg.Pool.QueryRow(t.Context(), "SELECT current_setting('fsync'), current_setting('wal_level')").Scan(&got.fsync, &got.walLevel); err != nil {
		t.Fatal(err)
	}
	if got.fsync != "off" || got.walLevel != "logical" {
		t.Errorf("got %+v", got)
	}
}

func TestASharedServerCannotBeStopped(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	err := pg.Stop(t.Context(), services.Fast)
	if err == nil || !strings.Contains(err.Error(), "services.Private()") {
		t.Errorf("got error %v, want one that names the remedy", err)
	}
}

func TestClosingEndsPostgresAndItsSessions(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts Postgres")
	}
	ctx := t.Context()
	server, err := services.StartPostgres(ctx, services.Private())
	if errors.Is(err, services.ErrNotFound) {
		services.Postgres(t, services.Private()) // skips, or fails if Postgres is required
	}
	if err != nil {
		t.Fatal(err)
	}
	url, err := server.CreateDatabase(ctx, "held")
	if err != nil {
		t.Fatal(err)
	}
	backend, err := openSession(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{server.PID(), backend}
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d should run", pid)
		}
	}

	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d still runs", pid)
		}
	}
}

func TestDatabaseURLIsUsedFirst(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts Postgres")
	}
	server, err := services.StartPostgres(context.Background(), services.Private())
	if err != nil {
		services.Postgres(t, services.Private()) // skips, or fails if Postgres is required
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	t.Setenv("DATABASE_URL", server.URL("postgres"))

	named, err := services.StartPostgres(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := named.URL("x"), server.URL("x"); got != want {
		t.Errorf("got a database at %s, want %s", got, want)
	}
	t.Run("a database of the test's own", func(t *testing.T) {
		var name string
		pg := services.Postgres(t)
		if err := pg.Pool.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil || name != pg.Database {
			t.Errorf("connected to %q, error %v; want %q", name, err, pg.Database)
		}
	})
	if err := named.Stop(context.Background(), services.Fast); err == nil {
		t.Error("the named server could be stopped")
	}
	if err := named.Close(); err != nil {
		t.Error(err)
	}
	if !alive(server.PID()) {
		t.Error("closing the named server stopped it")
	}
}

func TestNothingIsLeftOfAPrivateServer(t *testing.T) {
	tmp := reachableFolder(t)
	t.Setenv("TMPDIR", tmp)
	t.Run("use", func(t *testing.T) {
		services.Postgres(t, services.Private())
		services.PrivateRedis(t)
	})
	requireEmpty(t, tmp)
}
