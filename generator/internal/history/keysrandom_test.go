package history_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/generator/internal/history"
	"github.com/outboxgen/outboxgen/generator/internal/script"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Random migrations that Postgres runs leave the table with the keys, and the columns that
// an insert must fill, that it has in Postgres.
func TestRandomKeys(t *testing.T) {
	t.Parallel()
	migrations := uint64(150)
	if testing.Short() {
		migrations = 20
	}
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		conn := pg.Connect(t.Context())
		missed, compared := 0, 0
		for seed := range migrations {
			sql := runRandom(t, conn, keyMaker{rand.New(rand.NewPCG(seed, 1))})
			table := history.Of(script.Only([]byte(sql)), "public", "event_outbox")
			keys, required, found := inPostgres(t, conn)
			if found != table.Found {
				t.Errorf("seed %d: found is %v, Postgres says %v:\n%s", seed, table.Found, found, sql)
			}
			if !found || !table.Found {
				continue
			}
			if table.Plain {
				compared++
				if diff := cmp.Diff(keys, shown(table.Keys)); diff != "" {
					t.Errorf("seed %d: keys (-Postgres +history):\n%s%s", seed, diff, sql)
				}
			}
			for _, c := range table.Columns {
				switch is := slices.Contains(required, c.Name); {
				case c.Required && !is:
					t.Errorf("seed %d: %s is not required in Postgres:\n%s", seed, c.Name, sql)
				case !c.Required && is:
					missed++
				}
			}
		}
		t.Logf("%d of %d tables compared, %d required columns missed", compared, migrations, missed)
	})
}

// runRandom runs a random migration and returns the statements that Postgres accepts.
func runRandom(t *testing.T, conn *pgx.Conn, m keyMaker) string {
	t.Helper()
	if _, err := conn.Exec(t.Context(), "RESET search_path; DROP SCHEMA IF EXISTS public, s CASCADE; CREATE SCHEMA public; CREATE SCHEMA s; CREATE DOMAIN s.d AS int"); err != nil {
		t.Fatal(err)
	}
	all := []string{"CREATE SCHEMA s", "CREATE DOMAIN s.d AS int"}
	for range 25 {
		statement := m.statement()
		if len(all) == 2 {
			statement = "CREATE TABLE event_outbox " + m.elements()
		}
		if _, err := conn.Exec(t.Context(), statement); err == nil {
			all = append(all, statement)
		}
	}
	return strings.Join(all, ";\n") + ";\n"
}

func shown(keys []history.Key) []string {
	var all []string
	for _, k := range keys {
		all = append(all, fmt.Sprint(k.Name, " ", k.Constraint, k.Primary, k.Partial, k.Deferrable, " ", strings.Join(k.Columns, ",")))
	}
	return sorted(all)
}

// inPostgres returns the unique indexes of the table, and the columns that an insert must
// fill.
func inPostgres(t *testing.T, conn *pgx.Conn) (keys, required []string, found bool) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT i.relname::text, c.oid IS NOT NULL, x.indisprimary, x.indpred IS NOT NULL, NOT x.indimmediate, k.columns
		FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype IN ('p', 'u'),
		LATERAL (SELECT array_agg(coalesce(a.attname::text, 'expr') ORDER BY n) AS columns
			FROM unnest(x.indkey) WITH ORDINALITY AS u (attnum, n) LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.attnum
			WHERE n <= x.indnkeyatts) AS k
		WHERE x.indisunique AND x.indrelid = to_regclass('public.event_outbox')`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k history.Key, err error) {
		return k, row.Scan(&k.Name, &k.Constraint, &k.Primary, &k.Partial, &k.Deferrable, &k.Columns)
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, err = conn.Query(t.Context(), `SELECT attname::text FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
		WHERE attrelid = to_regclass('public.event_outbox') AND attnum > 0 AND NOT attisdropped
		AND (attnotnull OR typnotnull) AND NOT atthasdef AND attidentity = '' AND attgenerated = '' AND typdefault IS NULL`)
	if err != nil {
		t.Fatal(err)
	}
	if required, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), "SELECT to_regclass('public.event_outbox') IS NOT NULL").Scan(&found); err != nil {
		t.Fatal(err)
	}
	return shown(all), required, found
}

// keyMaker makes random statements about keys, many of which Postgres can run.
type keyMaker struct{ *rand.Rand }

func (m keyMaker) one(of ...string) string { return of[m.IntN(len(of))] }

func (m keyMaker) table() string {
	return m.one("", "", "", "", "public.", "s.") + m.one("event_outbox", "event_outbox", "event_outbox", "a")
}

func (m keyMaker) column() string { return m.one("id", "id", "b", `"C 3"`) }

func (m keyMaker) columns() string {
	return m.one(m.column(), m.column(), m.column()+", "+m.column())
}

// name is a name of a key or a constraint.
func (m keyMaker) name() string {
	return m.one("k", "k", "l", "event_outbox_pkey", "event_outbox_id_key", "event_outbox_id_idx", "a_pkey", "a_id_key", "event_outbox_id_not_null", "event_outbox_b_not_null")
}

func (m keyMaker) later() string {
	return m.one("", "", "", " DEFERRABLE", " INITIALLY DEFERRED", " NOT DEFERRABLE")
}

// notNull is a NOT NULL whose name no key has, because only Postgres 18 stores it.
func (m keyMaker) notNull() string {
	return m.one("", "CONSTRAINT "+m.one("n", "event_outbox_id_not_null", "event_outbox_b_not_null")+" ") + "NOT NULL"
}

func (m keyMaker) named() string { return m.one("", "", "CONSTRAINT "+m.name()+" ") }

func (m keyMaker) definition() string {
	return m.column() + " " + m.one("int", "int", "int", "s.d", "serial", "s.d[]") + " " +
		m.one("", "", "NOT NULL", m.notNull(), m.named()+"PRIMARY KEY"+m.later(), m.named()+"UNIQUE"+m.later(), "DEFAULT 1", "GENERATED ALWAYS AS IDENTITY", "UNIQUE NOT NULL DEFAULT 3",
			m.named()+"CHECK (true)", m.notNull()+" UNIQUE", m.named()+"UNIQUE PRIMARY KEY")
}

func (m keyMaker) constraint() string {
	return m.named() + m.one("PRIMARY KEY (", "UNIQUE (", "UNIQUE (", "UNIQUE NULLS NOT DISTINCT (") + m.columns() + ")" + m.one("", "", " INCLUDE (id)") + m.later()
}

func (m keyMaker) elements() string {
	all := []string{m.definition()}
	for range m.IntN(3) {
		all = append(all, m.one(m.definition(), m.definition(), m.constraint(), "LIKE "+m.table()+m.one("", " INCLUDING ALL", " INCLUDING DEFAULTS", " INCLUDING INDEXES", " INCLUDING ALL EXCLUDING INDEXES", " INCLUDING ALL EXCLUDING DEFAULTS EXCLUDING IDENTITY"), m.named()+"CHECK (1 > 0)"))
	}
	return "(" + strings.Join(all, ", ") + ")"
}

func (m keyMaker) statement() string {
	switch m.IntN(14) {
	case 0, 1:
		return fmt.Sprintf("CREATE TABLE %s%s %s%s", m.one("", "IF NOT EXISTS "), m.table(), m.elements(), m.one("", "", "", " INHERITS ("+m.table()+")"))
	case 2, 3:
		return fmt.Sprintf("CREATE %sINDEX %s ON %s (%s)%s%s", m.one("UNIQUE ", "UNIQUE ", ""), m.one("", m.name(), "IF NOT EXISTS "+m.name()), m.table(),
			m.one(m.columns(), "("+m.column()+")", "(("+m.column()+")) DESC", "("+m.column()+" + 1)", "abs("+m.column()+")"), m.one("", "", " INCLUDE (b)"), m.one("", "", " WHERE "+m.column()+" > 0", " WHERE true"))
	case 4:
		return m.one("DROP INDEX ", "DROP INDEX IF EXISTS ") + m.one("", "", "public.", "s.") + m.name()
	case 5:
		return m.one("ALTER INDEX ", "ALTER INDEX IF EXISTS ", "ALTER TABLE ") + m.one("", "", "s.") + m.name() + " RENAME TO " + m.name()
	case 6:
		return fmt.Sprintf("ALTER TABLE %s %s", m.table(), m.one("RENAME TO "+m.one("event_outbox", "a"), "SET SCHEMA "+m.one("public", "s")))
	case 7:
		return "SET search_path TO " + m.one("public", "s", "s, public", "public, s")
	case 8:
		return m.one("DROP TABLE a CASCADE", "DROP TABLE IF EXISTS "+m.table()+" CASCADE", "ALTER DOMAIN s.d SET NOT NULL", "ALTER DOMAIN s.d DROP NOT NULL", "ALTER DOMAIN s.d SET DEFAULT 1", "ALTER DOMAIN s.d DROP DEFAULT")
	case 9:
		return "DO $$ BEGIN " + m.alter() + "; END $$"
	case 10:
		return fmt.Sprintf("CREATE TABLE %s AS SELECT * FROM %s", m.table(), m.table())
	default:
		return m.alter()
	}
}

func (m keyMaker) alter() string {
	var all []string
	for range 1 + m.IntN(2) {
		all = append(all, m.one(
			"ADD "+m.constraint(), "ADD "+m.constraint(), "ADD "+m.named()+m.one("UNIQUE", "PRIMARY KEY")+" USING INDEX "+m.name()+m.later(),
			"DROP CONSTRAINT "+m.name(), "DROP CONSTRAINT IF EXISTS "+m.name(), "ADD "+m.definition(), "ADD COLUMN IF NOT EXISTS "+m.definition(), "DROP "+m.column(),
			"ALTER "+m.column()+" SET NOT NULL", "ALTER "+m.column()+" DROP NOT NULL", "ALTER "+m.column()+" SET DEFAULT 1", "ALTER "+m.column()+" DROP DEFAULT",
			"ALTER "+m.column()+" DROP IDENTITY IF EXISTS", "ALTER "+m.column()+" ADD GENERATED ALWAYS AS IDENTITY", "ADD "+m.notNull()+" "+m.column(), "ADD "+m.named()+"CHECK (true)",
		))
	}
	return fmt.Sprintf("ALTER TABLE %s%s%s ", m.one("", "IF EXISTS "), m.one("", "", "ONLY "), m.table()) +
		m.one(strings.Join(all, ", "), strings.Join(all, ", "), strings.Join(all, ", "), "RENAME "+m.column()+" TO "+m.column(), "RENAME CONSTRAINT "+m.name()+" TO "+m.name(), "INHERIT a", "NO INHERIT a")
}
