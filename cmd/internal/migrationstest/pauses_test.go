package migrationstest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
)

// beforePauses makes the audit as it was before pauses.
const beforePauses = `
	ALTER TABLE event_outbox_audit DROP CONSTRAINT event_outbox_audit_action_check;
	ALTER TABLE event_outbox_audit ADD CONSTRAINT event_outbox_audit_action_check CHECK (action IN ('replay', 'discard', 'cancel', 'send-now'));
	DROP INDEX ix_event_outbox_audit_event, ix_event_outbox_audit_open, ix_event_outbox_audit_pauses`

const pauseTopic = `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, applied_at)
	VALUES ('ann', 'pause', 0, gen_random_uuid(), '', 'orders', now())`

// The migration makes an outbox from before pauses the same as a new one, in every format,
// and its way back makes it the former one.
func TestPausesOfEachFormat(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		current := everything(t, conn)
		exec(t, conn, beforePauses)
		former := everything(t, conn)
		for _, format := range migrations.Formats() {
			o := migrations.Options{Kind: migrations.KindPauses, Time: noon}
			for schema, path := range map[string]string{"": "public", "public": "pg_temp"} {
				o.Schema = schema
				ups, downs := statements(t, format, files(t, format, o))
				runAll(t, conn, path, ups)
				if diff := cmp.Diff(current, everything(t, conn)); diff != "" {
					t.Errorf("%s, schema %q, after up (-want +got):\n%s", format, schema, diff)
				}
				if downs == nil { // the tool has no down file
					_, downs = statements(t, migrations.Tern, files(t, migrations.Tern, o))
				}
				runAll(t, conn, path, downs)
				if diff := cmp.Diff(former, everything(t, conn)); diff != "" {
					t.Errorf("%s, schema %q, after down (-want +got):\n%s", format, schema, diff)
				}
			}
		}
	})
}

// An upgrade of any former shape makes the audit take pauses.
func TestUpgradeAllowsPauses(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		current := everything(t, conn)
		for name, spoil := range map[string]string{
			"from before pauses":           beforePauses,
			"without one of their indexes": `DROP INDEX ix_event_outbox_audit_open`,
			"without the one of events":    `DROP INDEX ix_event_outbox_audit_event`,
			"with an index that failed":    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_event_outbox_audit_open'::regclass`,
			"from before the mark too":     beforePauses + `; ALTER TABLE event_outbox_lease DROP COLUMN low_water, DROP COLUMN low_water_file, DROP COLUMN search_below`,
		} {
			exec(t, conn, spoil)
			if err := migrations.Upgrade(ctx, conn); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(current, everything(t, conn)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// The audit of a log can be from before pauses: its table was moved.
func TestPausesOfALog(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Fatal(err)
		}
		current := everything(t, conn)
		ups, downs := statements(t, migrations.Goose, files(t, migrations.Goose, migrations.Options{Kind: migrations.KindPauses, Store: migrations.StoreLog, Time: noon}))
		for what, allow := range map[string]func(){
			"AllowPauses": func() {
				if err := migrations.AllowPauses(ctx, conn); err != nil {
					t.Fatal(err)
				}
			},
			"Upgrade": func() {
				if err := migrations.Upgrade(ctx, conn); err != nil {
					t.Fatal(err)
				}
			},
			"the files": func() { runAll(t, conn, "public", ups) },
		} {
			exec(t, conn, beforePauses)
			allow()
			if diff := cmp.Diff(current, everything(t, conn)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		exec(t, conn, pauseTopic)
		exec(t, conn, strings.ReplaceAll(pauseTopic, "'pause'", "'resume'"))
		runAll(t, conn, "public", downs)
		if err := migrations.Downgrade(ctx, conn); !errors.Is(err, migrations.ErrOtherStore) {
			t.Errorf("Downgrade says %v of a log from before pauses", err)
		}
		if err := errors.Join(migrations.Up(ctx, conn), migrations.UpLog(ctx, conn)); err != nil {
			t.Errorf("Up and UpLog say %v of a log from before pauses", err)
		}
		if err := migrations.Down(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if left := lines(t, conn, `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`); len(left) > 0 {
			t.Errorf("Down leaves %v", left)
		}
	})
}

func TestAllowPauses(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.AllowPauses(ctx, conn); !errors.Is(err, migrations.ErrNoOutbox) {
			t.Errorf("without tables: %v", err)
		}
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		current := everything(t, conn)
		exec(t, conn, beforePauses)
		exec(t, conn, `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type) VALUES ('ann', 'replay', 1, gen_random_uuid(), 't')`)
		if _, err := conn.Exec(ctx, pauseTopic); err == nil {
			t.Fatal("the former audit takes a pause")
		}
		for range 2 { // it can be repeated
			if err := migrations.AllowPauses(ctx, conn); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(current, everything(t, conn)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// A call that has nothing to do waits for no lock, so it may be made at each start.
		other, err := pgx.ConnectConfig(ctx, conn.Config())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close(ctx) //nolint:errcheck // the test is over
		exec(t, other, `BEGIN; LOCK TABLE event_outbox_audit IN ACCESS SHARE MODE`)
		if err := migrations.AllowPauses(ctx, conn); err != nil {
			t.Errorf("while somebody reads the audit: %v", err)
		}
		exec(t, other, `ROLLBACK`)
		exec(t, conn, beforePauses)
		exec(t, other, `BEGIN; LOCK TABLE event_outbox_audit IN ACCESS SHARE MODE`)
		if err := migrations.AllowPauses(ctx, conn); err == nil || !strings.Contains(err.Error(), "another transaction holds a lock on event_outbox_audit; nothing was changed") {
			t.Errorf("while somebody reads an audit that has to change: %v", err)
		}
		exec(t, other, `ROLLBACK`)
		if err := migrations.AllowPauses(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, pauseTopic)
		// While a topic is paused there is no way back.
		_, downs := statements(t, migrations.Tern, files(t, migrations.Tern, migrations.Options{Kind: migrations.KindPauses}))
		if _, err := conn.Exec(ctx, downs[0]); err == nil || !strings.Contains(err.Error(), "topics are paused by operators") {
			t.Errorf("the way back while a topic is paused: %v", err)
		}
		if err := migrations.Downgrade(ctx, conn); err == nil || !strings.Contains(err.Error(), "topics are paused by operators") {
			t.Errorf("Downgrade while a topic is paused: %v", err)
		}
		exec(t, conn, strings.ReplaceAll(pauseTopic, "'pause'", "'resume'"))
		runAll(t, conn, "public", downs)
		if left := lines(t, conn, `SELECT action FROM event_outbox_audit`); !cmp.Equal(left, []string{"replay"}) {
			t.Errorf("entries %v, want the replay", left)
		}
	})
}
