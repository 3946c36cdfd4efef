//go:build unix

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// idOfDay returns a UUIDv7 whose time is in some days.
func idOfDay(t *testing.T, days int) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	ms := time.Now().AddDate(0, 0, days).UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}

// A publication of a log that sends the names of partitions stops its subscribers on the next new
// day. What doctor and docs/running.md say makes them continue, and no event is missing.
func TestDoctorFindsPublicationsOfLeaves(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Setting("wal_level", "logical"))
	copied := services.Postgres(t, services.Setting("wal_level", "logical"))
	publisher, subscriber := pg.Connect(t.Context()), copied.Connect(t.Context())
	run := func(conn *pgx.Conn, sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, conn := range []*pgx.Conn{publisher, subscriber} {
		if err := migrations.UpLog(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
	slot := "leaves_" + copied.Database
	run(publisher, `SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, slot)
	run(publisher, `CREATE PUBLICATION `+slot+` FOR TABLE event_outbox WITH (publish = 'insert')`)
	run(publisher, `CREATE TABLE other (); CREATE SCHEMA empty;
		CREATE PUBLICATION "all" FOR ALL TABLES;
		CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA public;
		CREATE PUBLICATION rooted FOR TABLE event_outbox WITH (publish_via_partition_root = true);
		CREATE PUBLICATION all_rooted FOR ALL TABLES WITH (publish_via_partition_root = true);
		CREATE PUBLICATION of_other FOR TABLE other;
		CREATE PUBLICATION of_empty FOR TABLES IN SCHEMA empty`)
	unread := false
	look := func() (warnings, statements []string) {
		t.Helper()
		_, found := examined(t, map[string]string{"DATABASE_URL": pg.URL}, "--sink", "stdout", "--store", "log")
		for _, f := range found {
			unread = unread || strings.Contains(f.What, "nothing reads the replication slot "+slot+", through which Debezium")
			if f.Check == "replication" {
				statement, _, _ := strings.Cut(f.Fix, ";")
				warnings, statements = append(warnings, fmt.Sprintf("%s: %s", f.Level, f.What)), append(statements, statement)
			}
		}
		return warnings, statements
	}
	const sends = " sends the events of a log under the names of its partitions"
	warnings, statements := look()
	if diff := cmp.Diff([]string{"warning: the publication all" + sends, "warning: the publication " + slot + sends, "warning: the publication of_schema" + sends}, warnings); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if !unread { // its publication is such as docs/debezium.md creates, and lists the partitions
		t.Errorf("nothing is said about the slot %s", slot)
	}

	run(subscriber, fmt.Sprintf(`CREATE SUBSCRIPTION %s CONNECTION '%s' PUBLICATION %[1]s WITH (create_slot = false, slot_name = '%[1]s')`,
		slot, strings.ReplaceAll(pg.URL, "'", "''")))
	stopped := false
	drop := func() { // a database cannot be dropped with it
		if !stopped {
			stopped = true
			run(subscriber, fmt.Sprintf(`ALTER SUBSCRIPTION %s DISABLE; ALTER SUBSCRIPTION %[1]s SET (slot_name = NONE); DROP SUBSCRIPTION %[1]s`, slot))
			until(t, "the slot is free", func() bool {
				_, err := publisher.Exec(t.Context(), `SELECT pg_drop_replication_slot($1)`, slot)
				return err == nil
			})
		}
	}
	defer drop()
	insert := func(days int) {
		t.Helper()
		run(publisher, `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_data) VALUES ($1, 'a', '1', 't', 'topic', '{}')`, idOfDay(t, days))
	}
	arrived := func(want int) {
		t.Helper()
		until(t, fmt.Sprintf("%d events arrive", want), func() bool {
			var n int
			if err := subscriber.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n == want
		})
	}
	insert(0)
	arrived(1)
	run(publisher, `SELECT event_outbox_make_partition(8)`)
	insert(8) // the subscription stops at this
	insert(0)
	until(t, "the subscription fails", func() bool {
		var failures int
		err := subscriber.QueryRow(t.Context(), `SELECT apply_error_count FROM pg_stat_subscription_stats WHERE subname = $1`, slot).Scan(&failures)
		return err == nil && failures > 0
	})

	for _, statement := range statements {
		run(publisher, statement)
	}
	if warnings, _ := look(); len(warnings) > 0 {
		t.Errorf("after the statements it says %q", warnings)
	}
	// What docs/running.md says.
	run(subscriber, `SELECT event_outbox_make_partition(d) FROM generate_series(0, 8) AS d`)
	run(subscriber, `TRUNCATE event_outbox`)
	run(subscriber, fmt.Sprintf(`ALTER SUBSCRIPTION %s REFRESH PUBLICATION`, slot))
	arrived(3)
	run(publisher, `SELECT event_outbox_make_partition(9)`)
	insert(9)
	arrived(4)
	drop()
}
