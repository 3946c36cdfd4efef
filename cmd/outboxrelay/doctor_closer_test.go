package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// WAL of a slot that nobody reads can fill the disk.
func TestDoctorFindsRetainedWAL(t *testing.T) {
	t.Parallel()
	d := &doctor{o: outbox{secrets: &secret.Redactor{}}}
	d.checkWAL([]admin.RetainedWAL{{Slot: "it's", Bytes: 3 << 30}, {Slot: "outbox_shop", Bytes: 2 << 30}}, []admin.Connector{{Slot: "outbox_shop"}})
	want := []diagnosis{{Level: risky, Check: "disk", What: "the replication slot it's (not active) retains 3072 MiB of WAL",
		Why: "if the disk of the server is full, services cannot write, and no event is inserted",
		Fix: "start its consumer and let it catch up. Do not drop the slot, or limit it with max_slot_wal_keep_size, unless the owner of the consumer says so: " +
			"what it has not read is lost, which are events if it is Debezium (docs/debezium.md). Only if the consumer is gone for good: SELECT pg_drop_replication_slot('it''s')",
		See: runbook.DiskFull.URL()}}
	if diff := cmp.Diff(want, d.found); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Bloat is found beside many live rows too, and in a file that vacuum has emptied.
func TestDoctorFindsBloat(t *testing.T) {
	t.Parallel()
	d := &doctor{o: outbox{secrets: &secret.Redactor{}}}
	d.checkSize([]admin.TableFacts{
		{Name: "healthy", Bytes: 20 << 30, Live: 20_000_000, Dead: 1_000_000},
		{Name: "new_statistics", Bytes: 20 << 30},
		{Name: "large_events", Bytes: 2 << 30, Live: 2_100},
		{Name: "week", Bytes: 40 << 30, Live: 20_000_000, Dead: 15_000_000, Vacuumed: true, VacuumedAgo: 3 * time.Hour},
		{Name: "emptied", Bytes: 40 << 30, Live: 2_000},
	})
	var got []string
	for _, f := range d.found {
		got = append(got, f.What)
	}
	want := []string{"week has 15000000 dead rows for 20000000 live ones, and 40960 MiB; vacuum ran 3h0m0s ago", "emptied has 40960 MiB for 2000 live rows; vacuum has not run since the statistics began"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
