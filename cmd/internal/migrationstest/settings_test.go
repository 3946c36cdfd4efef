package migrationstest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The tables are the same with any session settings of a database.
func TestUnderHostileSettings(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		ctx := t.Context()
		plain := pg.Connect(ctx)
		exec(t, plain, olderShape+oldRows)
		if err := migrations.Upgrade(ctx, plain); err != nil {
			t.Fatal(err)
		}
		want := everything(t, plain)
		for _, setting := range []string{
			"default_transaction_read_only = on", "default_transaction_isolation = serializable",
			"standard_conforming_strings = off", "statement_timeout = '100ms'", "quote_all_identifiers = on",
			"transform_null_equals = on", "DateStyle = 'German, DMY'", "backslash_quote = off", "lock_timeout = '1ms'",
			"default_transaction_deferrable = on",
		} {
			t.Run(setting, func(t *testing.T) {
				exec(t, plain, `ALTER DATABASE `+pgx.Identifier{pg.Database}.Sanitize()+` SET `+setting)
				defer exec(t, plain, `ALTER DATABASE `+pgx.Identifier{pg.Database}.Sanitize()+` RESET ALL`)
				exec(t, plain, `DROP SCHEMA public CASCADE; CREATE SCHEMA public; `+olderShape+oldRows)
				for _, change := range []func() error{
					func() error { return migrations.Upgrade(ctx, pg.Connect(ctx)) },
					func() error { return migrations.Downgrade(ctx, pg.Connect(ctx)) },
					func() error { return migrations.Upgrade(ctx, pg.Connect(ctx)) },
					func() error { return migrations.Up(ctx, pg.Connect(ctx)) },
				} {
					if err := change(); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(want, everything(t, plain)); diff != "" {
					t.Errorf("shape (-want +got):\n%s", diff)
				}
			})
		}
	})
}
