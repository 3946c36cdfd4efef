package sqlc_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

var (
	randomFor  = flag.Duration("random", 0, "how long to try random migrations; 0 tries the first few")
	randomSeed = flag.Uint64("seed", 0, "the first of the random migrations; 0 is another one each time that -random is given")
)

// Random statements that Postgres runs leave the outbox with the columns that sqlc
// sees.
func TestRandomMigrations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles hundreds of migrations")
	}
	seed := *randomSeed
	switch {
	case seed == 0 && *randomFor == 0:
		seed = 1 // the same ones in every run
	case seed == 0:
		seed = rand.Uint64() >> 32
	}
	conn := services.Postgres(t).Connect(t.Context())
	const few = 15
	began := time.Now()
	tried := 0
	for ; tried < few && *randomFor == 0 || time.Since(began) < *randomFor; tried++ {
		m := maker{Rand: rand.New(rand.NewPCG(seed, 0))}
		runSQL(t, conn, "RESET search_path; DROP SCHEMA IF EXISTS public, s, r CASCADE; CREATE SCHEMA public; CREATE SCHEMA s; DISCARD TEMP")
		script := "CREATE SCHEMA s;\n"
		for range 25 {
			statement := m.statement()
			_, err := conn.Exec(t.Context(), statement)
			var refused *pgconn.PgError
			switch {
			case errors.As(err, &refused):
				continue
			case err != nil:
				t.Fatal(err)
			}
			script += statement + ";\n"
		}
		want := columnsOf(t, conn, "public")
		if len(want) == 0 {
			seed++
			continue
		}
		_, _, got, err := sqlc.GenerateColumns(t.Context(), sqlc.Options{
			Dir: project(t, "-- db/1.sql --\n"+script), Migrations: "db", Command: command(t),
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, kinds(got, want)); diff != "" {
			t.Fatalf("seed %d: columns (-Postgres +sqlc):\n%s\n%s", seed, diff, script)
		}
		seed++
	}
	t.Logf("%d migrations, the last of seed %d", tried, seed-1)
}

// maker makes random statements, most of which Postgres can run.
type maker struct{ *rand.Rand }

func (m maker) one(of ...string) string { return of[m.IntN(len(of))] }

func (m maker) schema() string { return m.one("public", "s", "s", "r") }

func (m maker) table() string {
	return m.one("", "", "", "public.", "s.", "pg_temp.") + m.one("event_outbox", "event_outbox", "a", `"A"`)
}

func (m maker) column() string { return m.one("c1", "c2", `"C 3"`) }

func (m maker) kind() string {
	return m.one("int", "text", "varchar(5)", "d", "s.d", "uuid", "numeric(3, 1)", "timestamp with time zone", "d[]")
}

func (m maker) definition() string {
	return m.column() + " " + m.kind() + m.one("", "", " NULL", " CHECK (true)", " DEFAULT NULL", ` CONSTRAINT "x,y" NOT NULL`)
}

func (m maker) elements() string {
	all := []string{m.definition()}
	for range m.IntN(3) {
		all = append(all, m.one(m.definition(), m.definition(), "LIKE "+m.table(), "CHECK (1 > 0)"))
	}
	return "(" + strings.Join(all, ", ") + ")"
}

func (m maker) statement() string {
	switch m.IntN(16) {
	case 0, 1, 2:
		return fmt.Sprintf("CREATE TABLE %s%s %s%s", m.one("", "IF NOT EXISTS "), m.table(), m.elements(), m.one("", "", " INHERITS ("+m.table()+")", " WITH (fillfactor = 50)"))
	case 3:
		return "CREATE TEMP TABLE " + m.one("event_outbox", "a") + " " + m.elements()
	case 4:
		return fmt.Sprintf("CREATE TABLE %s AS SELECT * FROM %s", m.table(), m.table())
	case 5:
		return fmt.Sprintf("SELECT * INTO %s FROM %s", m.table(), m.table())
	case 6, 7, 8, 9:
		return fmt.Sprintf("ALTER TABLE %s%s%s %s", m.one("", "IF EXISTS "), m.one("", "", "ONLY "), m.table(), m.actions())
	case 10:
		return fmt.Sprintf("ALTER TABLE %s RENAME TO %s", m.table(), m.one("event_outbox", "a", `"A"`))
	case 11:
		return fmt.Sprintf("ALTER TABLE %s SET SCHEMA %s", m.table(), m.schema())
	case 12:
		return m.one("DROP TABLE ", "DROP TABLE IF EXISTS ") + m.table() + " CASCADE"
	case 13:
		return "SET search_path TO " + m.one("public", "s", "s, public", "r, s", `"$user", public`)
	case 14:
		return m.one("ALTER SCHEMA s RENAME TO r", "ALTER SCHEMA r RENAME TO s", "CREATE SCHEMA r CREATE TABLE event_outbox "+m.elements(), "CREATE SCHEMA IF NOT EXISTS s", "DROP SCHEMA r CASCADE")
	default:
		return m.one("CREATE DOMAIN d AS int", "CREATE DOMAIN s.d AS varchar(7) CHECK (VALUE <> '')", "ALTER DOMAIN s.d RENAME TO e", "CREATE DOMAIN d AS e[]", "DROP DOMAIN d", "ALTER DOMAIN e SET SCHEMA public")
	}
}

func (m maker) actions() string {
	var all []string
	for range 1 + m.IntN(2) {
		all = append(all, m.one(
			"ADD "+m.definition(), "ADD COLUMN IF NOT EXISTS "+m.definition(), "DROP "+m.column(), "DROP COLUMN IF EXISTS "+m.column()+" CASCADE",
			"ALTER "+m.column()+" TYPE "+m.kind()+" USING NULL", "ALTER COLUMN "+m.column()+" DROP NOT NULL", "ADD CHECK (2 > 1)",
		))
	}
	return m.one(strings.Join(all, ", "), strings.Join(all, ", "), "RENAME "+m.column()+" TO "+m.column(), "INHERIT "+m.table(), "NO INHERIT "+m.table())
}

func runSQL(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
