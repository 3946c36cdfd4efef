package migrationstest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestUpMakesTheTables(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{
			"event_outbox": {
				"id uuid not null default gen_random_uuid()",
				"aggregate_id character varying(255) not null",
				"aggregate_type character varying(100) not null",
				"event_type character varying(255) not null",
				"event_data json",
				"event_key character varying(255)",
				"created_at timestamp with time zone not null default now()",
				"published_at timestamp with time zone",
				"retry_count integer not null default 0",
				"last_error text",
				"tx xid8 default pg_current_xact_id()",
				"seq bigint not null identity always",
				"topic character varying(255) not null",
				"headers json",
				"next_attempt_at timestamp with time zone",
				"dead_at timestamp with time zone",
				"partition integer",
			},
			"event_outbox_delayed": {
				"id uuid not null",
				"aggregate_id character varying(255) not null",
				"aggregate_type character varying(100) not null",
				"event_type character varying(255) not null",
				"event_data json",
				"event_key character varying(255)",
				"topic character varying(255) not null",
				"headers json",
				"partition integer",
				"created_at timestamp with time zone not null default now()",
				"deliver_at timestamp with time zone not null",
				"seq bigint not null identity always",
			},
			"event_outbox_lease": {
				"name character varying(63) not null default 'event_outbox'::character varying",
				"epoch bigint not null default 0",
				"beat bigint not null default 0",
				"holder uuid",
				"backends jsonb not null default '[]'::jsonb",
				"suspect_seq bigint",
				"unclean_ends integer not null default 0",
				"state json",
				"updated_at timestamp with time zone not null default now()",
				"low_water bigint not null default 0",
				"low_water_file bigint not null default 0",
				"search_below bigint not null default 0",
			},
			"event_outbox_audit": {
				"id bigint not null identity always",
				"at timestamp with time zone not null default now()",
				"actor character varying(255) not null",
				"action character varying(20) not null",
				"seq bigint not null",
				"event_id uuid not null",
				"event_type character varying(255) not null",
				"topic character varying(255)",
				"event_key character varying(255)",
				"reason text",
				"applied_at timestamp with time zone",
			},
			"event_inbox": {
				"consumer character varying(255) not null",
				"event_id uuid not null",
				"handled_at timestamp with time zone not null default now()",
			},
		}
		got := map[string][]string{}
		for table := range want {
			got[table] = columns(t, conn, table)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns (-want +got):\n%s", diff)
		}

		wantIndexes := []string{
			"event_inbox_pkey ON event_inbox USING btree (consumer, event_id)",
			"event_outbox_audit_pkey ON event_outbox_audit USING btree (id)",
			"event_outbox_delayed_pkey ON event_outbox_delayed USING btree (id)",
			"event_outbox_lease_pkey ON event_outbox_lease USING btree (name)",
			"event_outbox_pkey ON event_outbox USING btree (id)",
			"ix_event_inbox_handled_at ON event_inbox USING btree (handled_at)",
			"ix_event_outbox_aggregate ON event_outbox USING btree (aggregate_type, aggregate_id)",
			"ix_event_outbox_audit_event ON event_outbox_audit USING btree (event_id)",
			"ix_event_outbox_audit_open ON event_outbox_audit USING btree (id) WHERE (applied_at IS NULL)",
			"ix_event_outbox_audit_pauses ON event_outbox_audit USING btree (id) " +
				"WHERE ((action)::text = ANY ((ARRAY['pause'::character varying, 'resume'::character varying])::text[]))",
			"ix_event_outbox_audit_pending ON event_outbox_audit USING btree (seq) " +
				"WHERE (((action)::text = 'replay'::text) AND (applied_at IS NULL))",
			"ix_event_outbox_dead ON event_outbox USING btree (seq) WHERE (dead_at IS NOT NULL)",
			"ix_event_outbox_delayed_due ON event_outbox_delayed USING btree (deliver_at, seq)",
			"ix_event_outbox_retried ON event_outbox USING btree (seq) " +
				"WHERE ((next_attempt_at IS NOT NULL) AND (retry_count > 0))",
			"ix_event_outbox_seq ON event_outbox USING btree (seq)",
			"ix_event_outbox_tx ON event_outbox USING btree (tx)",
			"ix_event_outbox_waiting ON event_outbox USING btree (seq) WHERE (next_attempt_at IS NOT NULL)",
		}
		if diff := cmp.Diff(wantIndexes, indexes(t, conn)); diff != "" {
			t.Errorf("indexes (-want +got):\n%s", diff)
		}
	})
}

// UpLog makes a log, once. Down drops it. Up and UpLog take an outbox of either store, because
// services call them at every start, also after a move to the other store.
func TestUpLog(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		empty := everything(t, conn)
		for range 2 {
			if err := migrations.UpLog(ctx, conn); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{
			"event_outbox p", "event_outbox_cursor r", "event_outbox_deleted r", "event_outbox_failed r", "event_outbox_history v", "event_outbox_late r",
			"event_outbox_other r", "event_outbox_tick r",
		}
		got := lines(t, conn, `
			SELECT relname || ' ' || relkind::text FROM pg_class
			WHERE relnamespace = 'public'::regnamespace AND relname ~ '^event_outbox(_(cursor|deleted|failed|history|late|other|tick))?$' ORDER BY relname`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("relations (-want +got):\n%s", diff)
		}
		if got := lines(t, conn, `SELECT count(*)::text FROM pg_class WHERE relname ~ '^event_outbox_d[0-9]{8}$'`); got[0] != "8" {
			t.Errorf("%s partitions of days, want 8", got[0])
		}
		created := everything(t, conn)
		if err := migrations.Downgrade(ctx, conn); !errors.Is(err, migrations.ErrOtherStore) {
			t.Errorf("Downgrade says %v of a log", err)
		}
		for what, change := range map[string]func(context.Context, *pgx.Conn) error{
			"Up": migrations.Up, "Upgrade": migrations.Upgrade, "AllowPauses": migrations.AllowPauses,
		} {
			if err := change(ctx, conn); err != nil {
				t.Errorf("%s says %v of a log, which needs nothing", what, err)
			}
		}
		if diff := cmp.Diff(created, everything(t, conn)); diff != "" {
			t.Errorf("after functions that have nothing to do (-want +got):\n%s", diff)
		}
		if err := migrations.Down(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(empty, everything(t, conn)); diff != "" {
			t.Errorf("after Down (-want +got):\n%s", diff)
		}
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		table := everything(t, conn)
		if err := migrations.UpLog(ctx, conn); err != nil {
			t.Errorf("UpLog says %v of a table", err)
		}
		if diff := cmp.Diff(table, everything(t, conn)); diff != "" {
			t.Errorf("after UpLog on a table (-want +got):\n%s", diff)
		}
	})
}

// The columns take what a row may be: event_data is null for a tombstone, which has a
// key and headers.
func TestConstraints(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		const insert = `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers, partition)
			VALUES ('a', 'b', 'c', 't', $1, $2, $3, $4)`
		key, data, headers := "k", `{}`, `{}`
		for _, test := range []struct {
			name               string
			key, data, headers *string
			partition          any
			refused            string // the constraint
		}{
			{"an event", nil, &data, nil, nil, ""},
			{"a partition", &key, &data, nil, 7, ""},
			{"a partition below 0", &key, &data, nil, -1, "event_outbox_partition_check"},
			{"a tombstone", &key, nil, &headers, nil, ""},
			{"a tombstone without a key", nil, nil, &headers, nil, "event_outbox_tombstone"},
			{"a writer that forgets event_data", &key, nil, nil, nil, "event_outbox_tombstone"},
		} {
			_, err := conn.Exec(ctx, insert, test.key, test.data, test.headers, test.partition)
			refused := ""
			if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
				refused = pg.ConstraintName
			} else if err != nil {
				t.Fatal(err)
			}
			if refused != test.refused {
				t.Errorf("%s: refused by %q, want %q", test.name, refused, test.refused)
			}
		}

		// A relay cannot compute the time until infinity, and renewing its lease would fail.
		const delay = `INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, topic, event_data, deliver_at)
			VALUES (gen_random_uuid(), 'a', 'b', 'c', 't', '{}', $1::text::timestamptz)`
		for at, refused := range map[string]string{
			"infinity":           "event_outbox_delayed_deliver_at_check",
			"-infinity":          "event_outbox_delayed_deliver_at_check",
			"294276-12-31 23:59": "",
			"4713-01-01 BC":      "",
		} {
			_, err := conn.Exec(ctx, delay, at)
			got := ""
			if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
				got = pg.ConstraintName
			} else if err != nil {
				t.Fatal(err)
			}
			if got != refused {
				t.Errorf("a delay until %s: refused by %q, want %q", at, got, refused)
			}
		}
	})
}

func TestUpDownUp(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		first := everything(t, conn)
		insertCurrent(t, conn, "kept by the second up")

		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatalf("a second Up: %v", err)
		}
		if diff := cmp.Diff(first, everything(t, conn)); diff != "" {
			t.Errorf("after the second Up (-first +second):\n%s", diff)
		}
		if n := len(lines(t, conn, `SELECT id::text FROM event_outbox`)); n != 1 {
			t.Errorf("%d rows after the second Up, want 1", n)
		}

		for range 2 {
			if err := migrations.Down(ctx, conn); err != nil {
				t.Fatal(err)
			}
			if left := everything(t, conn); len(left) > 0 {
				t.Errorf("left after Down: %q", left)
			}
		}
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, everything(t, conn)); diff != "" {
			t.Errorf("after up, down, up (-first +second):\n%s", diff)
		}
	})
}

// A row's transaction must have its id before the row draws its number.
func TestTxIsAssignedBeforeSeqIsDrawn(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		// With a sequence that cannot give a number, the insert fails at seq: by then
		// the transaction has its id.
		exec(t, conn, `ALTER TABLE event_outbox ALTER COLUMN seq SET MAXVALUE 2`)
		insertCurrent(t, conn, "a")
		insertCurrent(t, conn, "b")
		tx, err := conn.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(ctx) }()
		exec(t, conn, `DO $$ BEGIN
			INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data, topic) VALUES ('1', 'a', 'b', '{}', 't');
		EXCEPTION WHEN sequence_generator_limit_exceeded THEN NULL; END $$`)
		var assigned bool
		if err := tx.QueryRow(ctx, `SELECT pg_current_xact_id_if_assigned() IS NOT NULL`).Scan(&assigned); err != nil {
			t.Fatal(err)
		}
		if !assigned {
			t.Error("seq is drawn first")
		}
	})
}

func TestUpInSeveralInstancesAtOnce(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	var group sync.WaitGroup
	for range 4 {
		conn := pg.Connect(t.Context())
		group.Go(func() {
			if err := migrations.Up(t.Context(), conn); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestWhatDoesNotFitIsSaid(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	ctx, conn := t.Context(), pg.Connect(t.Context())

	if err := migrations.Upgrade(ctx, conn); !errors.Is(err, migrations.ErrNoOutbox) {
		t.Errorf("Upgrade without a table: %v", err)
	}
	if err := migrations.Downgrade(ctx, conn); !errors.Is(err, migrations.ErrNoOutbox) {
		t.Errorf("Downgrade without a table: %v", err)
	}
	exec(t, conn, olderShape+withTopic)
	if err := migrations.Up(ctx, conn); !errors.Is(err, migrations.ErrOlderShape) {
		t.Errorf("Up beside an older table: %v", err)
	}
	exec(t, conn, `ALTER TABLE event_outbox ADD COLUMN seq bigint, ADD COLUMN headers json`)
	const want = "migrations: upgrade event_outbox: event_outbox has some of the columns of the current shape and lacks " +
		"tx, next_attempt_at, dead_at, partition: it was changed by hand; bring it to one shape or the other first"
	if err := migrations.Upgrade(ctx, conn); err == nil || err.Error() != want {
		t.Errorf("Upgrade of a half-changed table:\n got %v\nwant %s", err, want)
	}
}

func insertCurrent(t *testing.T, conn *pgx.Conn, topic string) {
	t.Helper()
	exec(t, conn, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data, topic)
		VALUES ('1', 'order', 'order.placed.v1', '{"event_id": 1}', $1)`, topic)
}
