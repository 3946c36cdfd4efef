package migrationstest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
)

// After a move, one more migration gives new databases the store that the moved ones have, and
// changes nothing where the move was made. It drops no event.
func TestMovedOfEachFormat(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		up := map[migrations.Store]func(context.Context, *pgx.Conn) error{migrations.StoreTable: migrations.Up, migrations.StoreLog: migrations.UpLog}
		tables := map[migrations.Store][]string{}
		for store, create := range up {
			exec(t, conn, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
			if err := create(ctx, conn); err != nil {
				t.Fatal(err)
			}
			tables[store] = everything(t, conn)
		}
		for to, former := range map[migrations.Store]migrations.Store{migrations.StoreLog: migrations.StoreTable, migrations.StoreTable: migrations.StoreLog} {
			for _, format := range migrations.Formats() {
				exec(t, conn, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
				if err := up[former](ctx, conn); err != nil {
					t.Fatal(err)
				}
				o := migrations.Options{Kind: migrations.KindMoved, Store: to, Time: noon}
				for schema, path := range map[string]string{"": "public", "public": "pg_temp"} {
					o.Schema = schema
					ups, downs := statements(t, format, files(t, format, o))
					for range 2 { // the second is that of a database that was moved
						runAll(t, conn, path, ups)
						if diff := cmp.Diff(tables[to], everything(t, conn)); diff != "" {
							t.Fatalf("%s to a %s, schema %q, after up (-want +got):\n%s", format, to, schema, diff)
						}
						exec(t, conn, `SET search_path = public; INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data) VALUES ('a', '1', 't', 't', '{}')`)
					}
					exec(t, conn, `DELETE FROM event_outbox`)
					if downs == nil { // the tool has no down file
						_, downs = statements(t, migrations.Tern, files(t, migrations.Tern, o))
					}
					runAll(t, conn, path, downs)
					if diff := cmp.Diff(tables[former], everything(t, conn)); diff != "" {
						t.Fatalf("%s to a %s, schema %q, after down (-want +got):\n%s", format, to, schema, diff)
					}
				}
			}
			exec(t, conn, `SET search_path = public; INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data) VALUES ('a', '1', 't', 't', '{}')`)
			before := everything(t, conn)
			ups, _ := statements(t, migrations.Goose, files(t, migrations.Goose, migrations.Options{Kind: migrations.KindMoved, Store: to, Time: noon}))
			if _, err := conn.Exec(ctx, strings.Join(ups, ";\n")); err == nil || !strings.Contains(err.Error(), "event_outbox has events and is no "+string(to)) {
				t.Errorf("with an event, to a %s: %v", to, err)
			}
			if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
				t.Errorf("with an event, to a %s (-want +got):\n%s", to, diff)
			}
		}
	})
}
