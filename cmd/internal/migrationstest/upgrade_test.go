package migrationstest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The two older shapes: newer services keep the topic in a column, older ones
// inside event_data.
const (
	olderShape = `
		CREATE TABLE event_outbox (
			id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
			aggregate_id varchar(255) NOT NULL,
			aggregate_type varchar(100) NOT NULL,
			event_type varchar(255) NOT NULL,
			event_data json NOT NULL,
			event_key varchar(255),
			created_at timestamptz NOT NULL DEFAULT now(),
			published_at timestamptz,
			retry_count integer NOT NULL DEFAULT 0,
			last_error text
		);
		CREATE INDEX ix_event_outbox_unpublished ON event_outbox (published_at, created_at) WHERE published_at IS NULL;
		CREATE INDEX ix_event_outbox_aggregate ON event_outbox (aggregate_type, aggregate_id);`
	withTopic = `
		ALTER TABLE event_outbox ADD COLUMN topic varchar(255) NOT NULL;
		CREATE INDEX ix_event_outbox_event_type ON event_outbox (event_type);`
)

// formerIndexes changes the current tables into those before event_outbox_lease.low_water.
const formerIndexes = `
	DROP INDEX ix_event_outbox_seq;
	DROP INDEX ix_event_outbox_waiting;
	DROP INDEX ix_event_outbox_retried;
	DROP INDEX ix_event_outbox_dead;
	CREATE INDEX ix_event_outbox_unpublished ON event_outbox (seq) WHERE published_at IS NULL AND dead_at IS NULL;
	CREATE INDEX ix_event_outbox_held ON event_outbox (seq)
		WHERE (next_attempt_at IS NOT NULL OR dead_at IS NOT NULL) AND published_at IS NULL;
	ALTER TABLE event_outbox RESET (fillfactor);
	ALTER TABLE event_outbox_lease DROP COLUMN low_water, DROP COLUMN low_water_file, DROP COLUMN search_below;`

// oldRows are in no order of time, and two share theirs.
const oldRows = `
	INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, published_at, retry_count, last_error) VALUES
	('00000000-0000-0000-0000-00000000000c', 'b1', 'batch', 'e.v1', '{"topic":  "orders", "n": 3}', 'b1', '2026-01-03Z', NULL, 0, NULL),
	('00000000-0000-0000-0000-00000000000b', 'b1', 'batch', 'e.v1', '{"n": 2}', NULL, '2026-01-02Z', NULL, 5, 'gave up'),
	('00000000-0000-0000-0000-00000000000a', 'b2', 'batch', 'e.v1', '{"topic": "orders.a", "n": 1, "text": "\u0000"}', 'b2', '2026-01-02Z', '2026-01-02 01:00Z', 1, NULL),
	('00000000-0000-0000-0000-00000000000f', 'b2', 'batch', 'e.v1', '{"topic": "A topic of conversation"}', 'b2', '2026-01-01Z', '2026-01-01 01:00Z', 0, NULL),
	('00000000-0000-0000-0000-00000000000e', 'b3', 'batch', 'e.v1', '{"topic": {"name": "x"}}', 'b3', '2026-01-05Z', NULL, 0, NULL),
	('00000000-0000-0000-0000-00000000000d', 'b3', 'batch', 'e.v1', '[1]', 'b3', '2026-01-04Z', NULL, 0, NULL);`

// kept are the columns that both shapes have, with the bytes of event_data.
const kept = `SELECT concat_ws('|', id, aggregate_id, aggregate_type, event_type, event_data::text, event_key,
	created_at AT TIME ZONE 'UTC', published_at AT TIME ZONE 'UTC', retry_count, last_error) FROM event_outbox ORDER BY id`

func TestUpgradeWithoutTopic(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		exec(t, conn, olderShape+oldRows)
		before, shapeBefore := lines(t, conn, kept), everything(t, conn)

		if err := migrations.Upgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, lines(t, conn, kept)); diff != "" {
			t.Errorf("the rows changed (-before +after):\n%s", diff)
		}
		want := []string{ // in the order of created_at, then id
			"1 0f e.v1 tx=false",
			"2 0a orders.a tx=false",
			"3 0b e.v1 tx=false",
			"4 0c orders tx=false",
			"5 0d e.v1 tx=false",
			"6 0e e.v1 tx=false",
		}
		const filled = `SELECT concat_ws(' ', seq, right(id::text, 2), topic, 'tx=' || (tx IS NOT NULL)) FROM event_outbox ORDER BY seq`
		if diff := cmp.Diff(want, lines(t, conn, filled)); diff != "" {
			t.Errorf("filled in (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(currentShape(t, ctx, conn, "topic character varying(255)"), sorted(everything(t, conn))); diff != "" {
			t.Errorf("shape (-want +got):\n%s", diff)
		}

		// An old writer knows nothing of the new columns; a new one fills them.
		exec(t, conn, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data)
			VALUES ('00000000-0000-0000-0000-000000000010', 'b4', 'batch', 'e.v1', '{"topic": "old.way"}')`)
		exec(t, conn, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, topic)
			VALUES ('00000000-0000-0000-0000-000000000011', 'b4', 'batch', 'e.v1', ' { "n" : 7 }', 'new.way')`)
		exec(t, conn, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, topic)
			VALUES ('00000000-0000-0000-0000-000000000012', 'b4', 'batch', 'e.v1', '{ }', 'new.way')`)
		exec(t, conn, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, event_data, topic, published_at)
			VALUES ('00000000-0000-0000-0000-000000000013', 'b4', 'batch', 'e.v1', '{"n": 8}', 'new.way', '2026-02-01Z')`)
		want = append(want, "7 10 tx=true", "8 11 new.way tx=true", "9 12 new.way tx=true", "10 13 new.way tx=true")
		if diff := cmp.Diff(want, lines(t, conn, filled)); diff != "" {
			t.Errorf("after inserts (-want +got):\n%s", diff)
		}

		// The way back: the old relay finds the topic of every unpublished row
		// inside event_data, where it looks for it.
		if err := migrations.Downgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(shapeBefore, everything(t, conn)); diff != "" {
			t.Errorf("shape after the downgrade (-before +after):\n%s", diff)
		}
		wantData := []string{
			`0a {"topic": "orders.a", "n": 1, "text": "\u0000"}`,
			`0b {"topic":"e.v1","n": 2}`,
			`0c {"topic":  "orders", "n": 3}`,
			`0d [1]`,
			`0e {"topic": {"name": "x"}}`,
			`0f {"topic": "A topic of conversation"}`,
			`10 {"topic": "old.way"}`,
			`11 {"topic":"new.way", "n" : 7 }`,
			`12 {"topic":"new.way" }`,
			`13 {"n": 8}`,
		}
		if diff := cmp.Diff(wantData, lines(t, conn, `SELECT right(id::text, 2) || ' ' || event_data::text FROM event_outbox ORDER BY id`)); diff != "" {
			t.Errorf("event_data after the downgrade (-want +got):\n%s", diff)
		}

		if err := migrations.Downgrade(ctx, conn); err != nil {
			t.Fatalf("a second Downgrade: %v", err)
		}
		if err := migrations.Upgrade(ctx, conn); err != nil {
			t.Fatalf("upgrade again: %v", err)
		}
	})
}

// The indexes of an outbox from before the low-water mark are replaced, also if the new
// ones were created before, and Up leaves such an outbox as it is.
func TestUpgradeOfTheIndexes(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		if err := migrations.Up(ctx, conn); err != nil {
			t.Fatal(err)
		}
		want := everything(t, conn)
		for _, earlier := range []string{``, `CREATE INDEX CONCURRENTLY ix_event_outbox_seq ON event_outbox (seq)`} {
			exec(t, conn, formerIndexes)
			insertCurrent(t, conn, "orders")
			former := everything(t, conn)
			if err := migrations.Up(ctx, conn); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(former, everything(t, conn)); diff != "" {
				t.Errorf("after Up (-before +after):\n%s", diff)
			}
			if earlier != "" {
				exec(t, conn, earlier)
			}
			if err := migrations.Upgrade(ctx, conn); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, everything(t, conn)); diff != "" {
				t.Errorf("after Upgrade (-want +got):\n%s", diff)
			}
		}
		if n := len(lines(t, conn, `SELECT id::text FROM event_outbox`)); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
		// The way back to the older shape is one step from either.
		exec(t, conn, formerIndexes)
		if err := migrations.Downgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if err := migrations.Upgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
	})
}

// An outbox of another shape: nothing changes, and the error lists what to change first.
func TestUpgradeOfAnotherShape(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		exec(t, conn, olderShape+`
			ALTER TABLE event_outbox RENAME COLUMN event_key TO key;
			ALTER TABLE event_outbox ALTER COLUMN event_data TYPE jsonb, ALTER COLUMN event_type TYPE text, ALTER COLUMN created_at TYPE timestamp;`)
		before := everything(t, conn)
		err := migrations.Upgrade(ctx, conn)
		failure, ok := errors.AsType[*pgconn.PgError](err)
		if !ok {
			t.Fatalf("Upgrade returns %v", err)
		}
		want := "event_outbox does not have the columns of the older shape: created_at is timestamp without time zone (timestamp with time zone), " +
			"event_data is jsonb (json), event_key is missing (character varying)"
		if failure.Message != want || !strings.Contains(failure.Hint, "First rename, add or convert these columns") {
			t.Errorf("%s\nhint: %s", failure.Message, failure.Hint)
		}
		if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
			t.Errorf("shape (-before +after):\n%s", diff)
		}
		exec(t, conn, `
			ALTER TABLE event_outbox RENAME COLUMN key TO event_key;
			ALTER TABLE event_outbox ALTER COLUMN event_data TYPE json, ALTER COLUMN created_at TYPE timestamptz;`)
		if err := migrations.Upgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
	})
}

func TestUpgradeWithTopic(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		exec(t, conn, olderShape+oldRows+`
			ALTER TABLE event_outbox ADD COLUMN topic varchar(255);
			UPDATE event_outbox SET topic = 'column.' || right(id::text, 1);
			ALTER TABLE event_outbox ALTER COLUMN topic SET NOT NULL;
			CREATE INDEX ix_event_outbox_event_type ON event_outbox (event_type);`)
		before, shapeBefore := lines(t, conn, kept), everything(t, conn)
		const topics = `SELECT right(id::text, 1) || ' ' || topic FROM event_outbox ORDER BY id`
		topicsBefore := lines(t, conn, topics)

		for range 2 {
			if err := migrations.Upgrade(ctx, conn); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(before, lines(t, conn, kept)); diff != "" {
			t.Errorf("the rows changed (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(topicsBefore, lines(t, conn, topics)); diff != "" {
			t.Errorf("the topics changed (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"f", "a", "b", "c", "d", "e"},
			lines(t, conn, `SELECT right(id::text, 1) FROM event_outbox ORDER BY seq`)); diff != "" {
			t.Errorf("order of seq (-want +got):\n%s", diff)
		}
		want := currentShape(t, ctx, conn, "topic character varying(255) not null")
		want = sorted(append(want, "ix_event_outbox_event_type ON event_outbox USING btree (event_type)"))
		if diff := cmp.Diff(want, sorted(everything(t, conn))); diff != "" {
			t.Errorf("shape (-want +got):\n%s", diff)
		}

		exec(t, conn, `UPDATE event_outbox SET published_at = '2026-03-01Z' WHERE seq = 3`)
		before = lines(t, conn, kept)
		if err := migrations.Downgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(shapeBefore, everything(t, conn)); diff != "" {
			t.Errorf("shape after the downgrade (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(slices.Concat(before, topicsBefore), slices.Concat(lines(t, conn, kept), lines(t, conn, topics))); diff != "" {
			t.Errorf("rows after the downgrade (-before +after):\n%s", diff)
		}
	})
}

// The older shape has no tombstones and no partition: published tombstones go, and
// unpublished ones stop the downgrade.
func TestDowngradeWithTombstones(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		exec(t, conn, olderShape)
		shapeBefore := everything(t, conn)
		if err := migrations.Upgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers, partition) VALUES
			('published', 'a', 'e.v1', 'orders', 'k', NULL, '{}', NULL),
			('waiting', 'a', 'e.v1', 'orders', 'k', NULL, '{}', NULL),
			('event', 'a', 'e.v1', 'orders', 'k', '{}', '{}', 3)`)
		exec(t, conn, `UPDATE event_outbox SET published_at = now() WHERE aggregate_id = 'published'`)
		err := migrations.Downgrade(ctx, conn)
		if err == nil || !strings.Contains(err.Error(), "tombstones that are not published") {
			t.Fatalf("with a tombstone that waits: %v", err)
		}
		if n := lines(t, conn, `SELECT count(*)::text FROM event_outbox`)[0]; n != "3" {
			t.Errorf("%s rows are left after the refusal, want 3", n)
		}
		exec(t, conn, `UPDATE event_outbox SET published_at = now() WHERE aggregate_id = 'waiting'`)
		if err := migrations.Downgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{`event {"topic":"orders"}`}, lines(t, conn, `SELECT aggregate_id || ' ' || event_data::text FROM event_outbox`)); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(shapeBefore, everything(t, conn)); diff != "" {
			t.Errorf("shape (-before +after):\n%s", diff)
		}
	})
}

func TestUpgradeOfAnEmptyTable(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		exec(t, conn, olderShape+withTopic)
		if err := migrations.Upgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
		insertCurrent(t, conn, "orders")
		if diff := cmp.Diff([]string{"1"}, lines(t, conn, `SELECT seq::text FROM event_outbox`)); diff != "" {
			t.Errorf("seq (-want +got):\n%s", diff)
		}
	})
}

// Inserts of an old writer wait for the upgrade and then go through, without a
// row that is missed in the numbering.
func TestUpgradeUnderAnOldWriter(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		exec(t, conn, olderShape)
		writer, err := pgx.ConnectConfig(ctx, conn.Config())
		if err != nil {
			t.Fatal(err)
		}
		const insert = `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, event_data)
			VALUES ($1, 'batch', 'e.v1', '{"topic": "orders"}')`
		busy, upgraded, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		written := 0
		go func() {
			defer func() { _ = writer.Close(context.WithoutCancel(ctx)) }()
			for last := false; !last; {
				select {
				case <-upgraded:
					last = true
				default:
				}
				if _, err := writer.Exec(ctx, insert, fmt.Sprint(written)); err != nil {
					done <- err
					return
				}
				if written++; written == 20 {
					close(busy)
				}
			}
			done <- nil
		}()
		<-busy
		err = migrations.Upgrade(ctx, conn)
		close(upgraded)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatalf("the old writer: %v", err)
		}
		if n := lines(t, conn, `SELECT count(*)::text FROM event_outbox WHERE tx IS NULL`)[0]; n == "0" {
			t.Error("no row was written before the upgrade")
		}
		want := []string{fmt.Sprintf("%d rows, seq 1 to %d, in order true", written, written)}
		got := lines(t, conn, `
			SELECT format('%s rows, seq %s to %s, in order %s', count(*), min(seq), max(seq),
			              bool_and(seq = aggregate_id::bigint + 1)::text)
			FROM event_outbox`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after the upgrade (-want +got):\n%s", diff)
		}
	})
}

// Waiting for the lock stops every writer behind it, so the upgrade gives up.
func TestUpgradeGivesUpWaiting(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	ctx, conn := t.Context(), pg.Connect(t.Context())
	exec(t, conn, olderShape)
	before := everything(t, conn)
	blocker, err := pg.Pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := blocker.Exec(ctx, `LOCK TABLE event_outbox IN ACCESS SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	const want = "migrations: upgrade event_outbox: another transaction holds a lock on event_outbox or another table of the outbox; nothing was changed, " +
		"end that transaction or try again: ERROR: canceling statement due to lock timeout (SQLSTATE 55P03)"
	if err := migrations.Upgrade(ctx, conn); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
		t.Errorf("changed although refused (-before +after):\n%s", diff)
	}
}

// currentShape returns what Up makes, with the table's topic as given, sorted. It
// makes it in a schema of its own that it drops again.
func currentShape(t *testing.T, ctx context.Context, conn *pgx.Conn, topic string) []string {
	t.Helper()
	exec(t, conn, `ALTER SCHEMA public RENAME TO aside; CREATE SCHEMA public`)
	if err := migrations.Up(ctx, conn); err != nil {
		t.Fatal(err)
	}
	shape := everything(t, conn)
	exec(t, conn, `DROP SCHEMA public CASCADE; ALTER SCHEMA aside RENAME TO public`)
	for i, line := range shape {
		if strings.HasPrefix(line, "event_outbox: topic ") {
			shape[i] = "event_outbox: " + topic
		}
	}
	return sorted(shape)
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// The older shape cannot hold delayed events, so the way back waits for them.
func TestDowngradeRefusesDelayedEvents(t *testing.T) {
	onEach(t, func(t *testing.T, ctx context.Context, conn *pgx.Conn) {
		exec(t, conn, olderShape)
		if err := migrations.Upgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, `INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, event_data, topic, deliver_at)
			VALUES (gen_random_uuid(), '1', 'order', 'order.placed.v1', '{}', 'orders', now())`)
		before := everything(t, conn)
		const want = "event_outbox_delayed has events that wait for their time, and the older shape cannot hold them"
		if err := migrations.Downgrade(ctx, conn); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Downgrade says %v, want %q", err, want)
		}
		if diff := cmp.Diff(before, everything(t, conn)); diff != "" {
			t.Errorf("changed although refused (-before +after):\n%s", diff)
		}
		exec(t, conn, `DELETE FROM event_outbox_delayed`)
		if err := migrations.Downgrade(ctx, conn); err != nil {
			t.Fatal(err)
		}
	})
}
