package admin_test

import (
	"fmt"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// A replication slot keeps WAL.
func TestRetainingWAL(t *testing.T) {
	t.Parallel()
	owner, conn := outboxOn(t, services.Postgres(t))
	slot := fmt.Sprintf("retaining_wal_%d", owner.PgConn().PID())
	if _, err := owner.Exec(t.Context(), `SELECT pg_create_physical_replication_slot($1, true, true)`, slot); err != nil { // of this session
		t.Fatal(err)
	}
	insert(t, owner, 1_000, `SELECT`)
	find := func(least int64) *admin.RetainedWAL {
		t.Helper()
		found, err := admin.RetainingWAL(t.Context(), conn, least)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found {
			if s.Slot == slot {
				return &s
			}
		}
		return nil
	}
	if got := find(0); got == nil || !got.Active || got.Bytes < 100_000 {
		t.Errorf("the slot is %+v, want one that retains WAL", got)
	}
	if got := find(1 << 50); got != nil {
		t.Errorf("a slot that retains little: %+v", got)
	}
}
