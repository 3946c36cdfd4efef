// Package pgroles creates roles with the privileges that `outboxgen migration --grants`
// prints, so that tests run with no more than those.
package pgroles

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Login is a role that can log in.
type Login struct {
	Name     string
	Password string
	URL      string // of the test's database
}

// As makes a connection's configuration use this role.
func (l Login) As(conn *pgx.ConnConfig) { conn.User, conn.Password = l.Name, l.Password }

// Roles has one role of each kind.
type Roles struct {
	Relay, Service, Operator, Consumer Login
}

// Statements returns the GRANT statements for these roles in a schema ("": the
// search_path), as they are printed.
func (r Roles) Statements(t testing.TB, schema string) []string {
	t.Helper()
	return r.statements(t, migrations.StoreTable, schema)
}

func (r Roles) statements(t testing.TB, store migrations.Store, schema string) []string {
	t.Helper()
	files, err := migrations.Files(migrations.Migrate, migrations.Options{
		Kind: migrations.KindGrants, Store: store, Schema: schema, Number: 1,
		Roles: migrations.Roles{
			Relay: r.Relay.Name, Service: r.Service.Name, Operator: r.Operator.Name, Consumer: r.Consumer.Name,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var statements []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".up.sql") {
			continue
		}
		var lines []string
		for line := range strings.Lines(string(f.Content)) {
			if !strings.HasPrefix(line, "--") {
				lines = append(lines, line)
			}
		}
		for statement := range strings.SplitSeq(strings.Join(lines, ""), ";\n") {
			if statement = strings.TrimSpace(statement); statement != "" {
				statements = append(statements, statement)
			}
		}
	}
	return statements
}

// Create creates the roles for a database that has the tables, and drops them when the
// test ends. Their names contain the database's name.
func Create(t testing.TB, pg *services.PG) Roles {
	t.Helper()
	return CreateFor(t, pg, migrations.StoreTable)
}

// CreateFor is Create for a table or a log.
func CreateFor(t testing.TB, pg *services.PG, store migrations.Store) Roles {
	t.Helper()
	login := func(name string) Login {
		const longest = 63
		l := Login{Name: (name + "_" + pg.Database), Password: "p"}
		if len(l.Name) > longest { // the end of the name differs between databases
			l.Name = name + l.Name[len(l.Name)-longest+len(name):]
		}
		run(t, pg, "CREATE ROLE "+quote(l.Name)+" LOGIN PASSWORD 'p'")
		t.Cleanup(func() {
			run(t, pg, "DROP OWNED BY "+quote(l.Name))
			run(t, pg, "DROP ROLE "+quote(l.Name))
		})
		l.URL = as(t, pg.URL, l)
		return l
	}
	r := Roles{Relay: login("relay"), Service: login("service"), Operator: login("operator"), Consumer: login("consumer")}
	for _, statement := range r.statements(t, store, "") {
		run(t, pg, statement)
	}
	return r
}

// as returns the URL with another user.
func as(t testing.TB, address string, l Login) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("user", l.Name)
	query.Set("password", l.Password)
	u.User, u.RawQuery = nil, query.Encode()
	return u.String()
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func run(t testing.TB, pg *services.PG, sql string) {
	t.Helper()
	if _, err := pg.Pool.Exec(context.Background(), sql); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}
