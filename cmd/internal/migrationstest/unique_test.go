package migrationstest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// An upgrade warns of unique indexes that refuse events, and leaves them.
func TestUpgradeWarnsOfUniqueIndexes(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		cfg, err := pgx.ParseConfig(pg.URL)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
			if n.Severity == "WARNING" {
				got = append(got, n.Message+"; "+n.Hint)
			}
		}
		conn, err := pgx.ConnectConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		exec(t, conn, olderShape+`
			CREATE UNIQUE INDEX one_unpublished ON event_outbox (aggregate_id, event_type) WHERE published_at IS NULL;
			ALTER TABLE event_outbox ADD CONSTRAINT "Once" UNIQUE (event_key);
			CREATE UNIQUE INDEX harmless ON event_outbox (event_type, id);`)
		if err := migrations.Upgrade(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`the unique index one_unpublished of event_outbox refuses events: CREATE UNIQUE INDEX one_unpublished ON public.event_outbox ` +
				`USING btree (aggregate_id, event_type) WHERE (published_at IS NULL); DROP INDEX one_unpublished`,
			`the unique index "Once" of event_outbox refuses events: CREATE UNIQUE INDEX "Once" ON public.event_outbox ` +
				`USING btree (event_key); ALTER TABLE event_outbox DROP CONSTRAINT "Once"`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
		for _, warning := range got {
			_, remedy, _ := strings.Cut(warning, "; ")
			exec(t, conn, remedy)
		}
	})
}
