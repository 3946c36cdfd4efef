package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// serviceRole makes a role that may log in and no more than what the grants say, in
// which ROLE stands for it, and returns it with a pool of its own.
func serviceRole(t *testing.T, pg *services.PG, grants string) (string, *pgxpool.Pool) {
	t.Helper()
	role := `Svc "x" ` + uuid.NewString()[:8] // one that has to be quoted
	quoted := pgx.Identifier{role}.Sanitize()
	admin := pg.Connect(t.Context())
	if _, err := admin.Exec(t.Context(), `create role `+quoted+` login; grant all on essay to `+quoted+`; `+strings.ReplaceAll(grants, "ROLE", quoted)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf("drop owned by %[1]s; drop role %[1]s", quoted)); err != nil {
			t.Error(err)
		}
	})
	config, err := pgxpool.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.User = role
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return role, pool
}

// writePaths returns the ways to insert events.
func writePaths(ob *outbox.Outbox, pool *pgxpool.Pool) map[string]func(ctx context.Context) error {
	id := uuid.New()
	inTx := func(f func(ctx context.Context, tx *outbox.Tx) error) func(ctx context.Context) error {
		return func(ctx context.Context) error { return ob.InTx(ctx, f) }
	}
	plain := func(f func(ctx context.Context, tx pgx.Tx) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return f(ctx, tx) })
		}
	}
	given := func(ctx context.Context, tx outbox.Transaction) error {
		return errors.Join(InsertGraded(ctx, tx, event(1), outbox.WithID(id)), InsertGraded(ctx, tx, event(1), outbox.WithID(id)))
	}
	many := func(ctx context.Context, tx outbox.Transaction) error {
		events, _ := mixed(1200)
		return gen.InsertAll(ctx, tx, insertRows, events...)
	}
	queue := func(ctx context.Context, tx pgx.Tx) error {
		var batch pgx.Batch
		err := gen.Queue(ctx, &batch, insertRows, event(1))
		return errors.Join(err, tx.SendBatch(ctx, &batch).Close())
	}
	return map[string]func(ctx context.Context) error{
		"Insert":            inTx(raiseAndInsert(1)),
		"Insert, plain":     plain(func(ctx context.Context, tx pgx.Tx) error { return InsertGraded(ctx, tx, event(1)) }),
		"a given id":        inTx(func(ctx context.Context, tx *outbox.Tx) error { return given(ctx, tx) }),
		"a given id, plain": plain(func(ctx context.Context, tx pgx.Tx) error { return given(ctx, tx) }),
		"InsertAll":         inTx(func(ctx context.Context, tx *outbox.Tx) error { return many(ctx, tx) }),
		"InsertAll, plain":  plain(func(ctx context.Context, tx pgx.Tx) error { return many(ctx, tx) }),
		"Queue":             inTx(func(ctx context.Context, tx *outbox.Tx) error { return queue(ctx, tx) }),
		"Queue, plain":      plain(queue),
		"Flush": inTx(func(ctx context.Context, tx *outbox.Tx) error {
			return errors.Join(InsertGraded(ctx, tx, event(1)), InsertGraded(ctx, tx, event(2)), tx.Flush(ctx))
		}),
		"after a savepoint": inTx(func(ctx context.Context, tx *outbox.Tx) error {
			_, err := tx.Exec(ctx, "savepoint a")
			return errors.Join(err, InsertGraded(ctx, tx, event(1)))
		}),
	}
}

// The privileges that a service's role needs, and no others.
func TestLeastPrivileges(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		for name, grants := range map[string]string{
			"the table":   `grant insert, select (id) on event_outbox to ROLE`,
			"its columns": `grant insert (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, partition), select (id) on event_outbox to ROLE`,
		} {
			t.Run(name, func(t *testing.T) {
				pg := open(t)
				_, pool := serviceRole(t, pg, grants)
				for name, write := range writePaths(newOutbox(t, pool, outbox.Options{}), pool) {
					if err := write(t.Context()); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		t.Run("a consumer", func(t *testing.T) {
			pg := open(t)
			_, pool := serviceRole(t, pg, `grant insert, select (consumer, event_id) on event_inbox to ROLE`)
			handle := inbox.Tx(pool, "grades", func(context.Context, pgx.Tx, outbox.Envelope[Graded]) error { return nil })
			e := outbox.Envelope[Graded]{EventID: uuid.New()}
			if err := errors.Join(handle(t.Context(), e), handle(t.Context(), e)); err != nil {
				t.Error(err)
			}
		})
		t.Run("a consumer that forgets", func(t *testing.T) {
			pg := open(t)
			_, pool := serviceRole(t, pg, `grant insert, select, delete on event_inbox to ROLE`)
			if _, err := inbox.Forget(t.Context(), pool, "grades", 0); err != nil {
				t.Error(err)
			}
		})
		t.Run("a test", func(t *testing.T) {
			pg := open(t)
			_, pool := serviceRole(t, pg, `grant insert on event_outbox to ROLE; grant select on event_outbox, event_outbox_delayed to ROLE`)
			if err := newOutbox(t, pool, outbox.Options{}).InTx(t.Context(), raiseAndInsert(1)); err != nil {
				t.Fatal(err)
			}
			outboxtest.RequireInserted(t, pool, graded.Type)
			outboxtest.Pending(t, pool)
		})
	})
}

var grantIn = regexp.MustCompile(`GRANT .* TO "(?:[^"]|"")*"`)

// The error of an insert without a privilege says which privilege, on what and for
// which role. The statement in it fixes the error.
func TestMissingPrivilegesNameTheRemedy(t *testing.T) {
	t.Parallel()
	const service = `grant insert, select (id) on event_outbox to ROLE; `
	for name, test := range map[string]struct {
		grants string // what the role has, and other preparations
		want   string // part of the message
		fixes  bool   // the GRANT of the message is all that is missing
	}{
		"nothing at all": {"", `GRANT INSERT, SELECT (id) ON event_outbox TO `, true},
		"SELECT only":    {`grant select on event_outbox to ROLE`, `GRANT INSERT, SELECT (id) ON event_outbox TO `, true},
		"no USAGE": {service + `create schema own; alter table event_outbox set schema own; alter role ROLE set search_path = own, public`,
			`Postgres skips a schema on which the role has no USAGE: GRANT USAGE ON SCHEMA <its schema> TO `, false},
		"no USAGE, named":   {service + hidden("insert into hidden.audit values (1)"), `GRANT USAGE ON SCHEMA hidden TO `, false},
		"a trigger's table": {service + hidden("insert into hidden.audit values (1)") + `; grant usage on schema hidden to ROLE`, `a trigger or a rule of event_outbox uses the table audit`, false},
		"a sequence": {service + `create sequence numbers; alter table event_outbox add n bigint default nextval('numbers')`,
			`GRANT USAGE ON SEQUENCE numbers TO `, true},
		"a function": {service + `create function f() returns int language sql as 'select 1'; revoke execute on function f() from public;
			alter table event_outbox add n int default f()`, `GRANT EXECUTE ON FUNCTION f TO `, true},
		"row-level security": {service + `alter table event_outbox enable row level security`, `event_outbox needs a policy FOR INSERT`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			role, pool := serviceRole(t, pg, test.grants)
			ob := newOutbox(t, pool, outbox.Options{})
			message := ""
			for path, write := range writePaths(ob, pool) {
				if strings.HasPrefix(path, "Queue") {
					continue // the caller reads the results, and has the server's error
				}
				err := write(t.Context())
				message = isError[*outbox.InsertError](t, err).Error()
				if !strings.Contains(message, test.want) {
					t.Errorf("%s: %q does not have %q", path, message, test.want)
				}
			}
			grant := grantIn.FindString(message)
			if grant != "" && !strings.Contains(grant, pgx.Identifier{role}.Sanitize()) {
				t.Errorf("%q is not for the role %q", grant, role)
			}
			if !test.fixes {
				return
			}
			if _, err := pg.Pool.Exec(t.Context(), grant); err != nil {
				t.Fatalf("%s: %v", grant, err)
			}
			if err := ob.InTx(t.Context(), raiseAndInsert(1)); err != nil {
				t.Errorf("after %s: %v", grant, err)
			}
		})
	}
}

// Only an event whose id the caller chose needs SELECT, which the error says.
func TestInsertWithoutSelect(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	_, pool := serviceRole(t, pg, `grant insert on event_outbox to ROLE`)
	ob := newOutbox(t, pool, outbox.Options{})
	paths := writePaths(ob, pool)
	for path, write := range paths {
		if given := strings.HasPrefix(path, "a given id"); given || strings.HasPrefix(path, "InsertAll") {
			continue // InsertAll has such events too
		}
		if err := write(t.Context()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	message := isError[*outbox.InsertError](t, paths["a given id"](t.Context())).Error()
	const want = `SELECT on the column id because of its ON CONFLICT (id): GRANT INSERT, SELECT (id) ON event_outbox TO `
	if !strings.Contains(message, want) {
		t.Errorf("%q does not have %q", message, want)
	}
	if _, err := pg.Pool.Exec(t.Context(), grantIn.FindString(message)); err != nil {
		t.Fatal(err)
	}
	if err := paths["a given id"](t.Context()); err != nil {
		t.Error(err)
	}
}

// hidden makes a trigger of the outbox that runs a statement on another schema.
func hidden(statement string) string {
	return `create schema hidden; create table hidden.audit (n int);
		create function note() returns trigger language plpgsql as $$ begin ` + statement + `; return null; end $$;
		create trigger note after insert on event_outbox for each row execute function note()`
}

// The error also names a privilege that an inbox lacks.
func TestMissingPrivilegesOfAnInbox(t *testing.T) {
	t.Parallel()
	handler := func(context.Context, pgx.Tx, outbox.Envelope[Graded]) error { return nil }
	handle := func(ctx context.Context, pool *pgxpool.Pool) error {
		return inbox.Tx(pool, "grades", handler)(ctx, outbox.Envelope[Graded]{EventID: uuid.New()})
	}
	forget := func(ctx context.Context, pool *pgxpool.Pool) error {
		_, err := inbox.Forget(ctx, pool, "grades", 0)
		return err
	}
	for name, test := range map[string]struct {
		grants string
		run    func(ctx context.Context, pool *pgxpool.Pool) error
		want   string
		fixes  bool
	}{
		"handle, nothing":     {"", handle, `GRANT INSERT, SELECT (consumer, event_id) ON event_inbox TO `, true},
		"handle, INSERT only": {`grant insert on event_inbox to ROLE`, handle, `GRANT INSERT, SELECT (consumer, event_id) ON event_inbox TO `, true},
		"forget, nothing":     {"", forget, `GRANT SELECT, DELETE ON event_inbox TO `, true},
		"forget, SELECT only": {`grant select on event_inbox to ROLE`, forget, `GRANT SELECT, DELETE ON event_inbox TO `, true},
		"handle, no table":    {`drop table event_inbox`, handle, "outboxgen migration", false},
		"forget, no table":    {`drop table event_inbox`, forget, "outboxgen migration", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			role, pool := serviceRole(t, pg, test.grants)
			err := test.run(t.Context(), pool)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v does not have %q", err, test.want)
			}
			if !test.fixes {
				return
			}
			grant := strings.Replace(test.want, "GRANT", "grant", 1) + pgx.Identifier{role}.Sanitize()
			if _, err := pg.Pool.Exec(t.Context(), grant); err != nil {
				t.Fatalf("%s: %v", grant, err)
			}
			if err := test.run(t.Context(), pool); err != nil {
				t.Errorf("after %s: %v", grant, err)
			}
		})
	}
}
