package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func TestPurge(t *testing.T) {
	owner, conn := newOutbox(t)
	// Rows 1 to 250 are old; among them are pending, held and dead ones, and some without tx.
	insert(t, owner, 300, `
		UPDATE event_outbox SET created_at = now() - interval '2 days', published_at = now() - interval '2 days' WHERE seq <= 250;
		UPDATE event_outbox SET published_at = now() WHERE seq > 250 AND seq <= 290;
		UPDATE event_outbox SET published_at = NULL WHERE seq IN (10, 20, 30);
		UPDATE event_outbox SET dead_at = now() WHERE seq = 20;
		UPDATE event_outbox SET retry_count = 1, next_attempt_at = now() WHERE seq = 30;
		UPDATE event_outbox SET tx = NULL WHERE seq BETWEEN 100 AND 119`)
	var before time.Time
	if err := owner.QueryRow(t.Context(), `SELECT now() - interval '1 day'`).Scan(&before); err != nil {
		t.Fatal(err)
	}
	cfg := admin.PurgeConfig{Before: before, Batch: 30}
	const old = 250 - 3
	if n, err := admin.CountPurgeable(t.Context(), conn, cfg); err != nil || n != old {
		t.Errorf("counted %d, %v; want %d", n, err, old)
	}
	var steps []int64
	cfg.Progress = func(deleted int64) { steps = append(steps, deleted) }
	n, err := admin.Purge(t.Context(), conn, cfg, admin.Decision{Actor: "ann", Reason: "disk is full"})
	if err != nil || n != old {
		t.Errorf("deleted %d, %v; want %d", n, err, old)
	}
	for i, s := range steps {
		if i > 0 && s-steps[i-1] > 30 {
			t.Errorf("a batch of %d rows", s-steps[i-1])
		}
	}
	var left []int64
	if err := owner.QueryRow(t.Context(), `SELECT array_agg(seq ORDER BY seq) FROM event_outbox WHERE seq <= 250`).Scan(&left); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{10, 20, 30}, left); diff != "" {
		t.Errorf("old rows that are left (-want +got):\n%s", diff)
	}
	var entry string
	if err := owner.QueryRow(t.Context(), `SELECT actor || ' ' || action || ' ' || reason FROM event_outbox_audit`).Scan(&entry); err != nil {
		t.Fatal(err)
	}
	if want := "ann purge rows published before " + before.UTC().Format(time.RFC3339) + ": disk is full"; entry != want {
		t.Errorf("the audit has %q, want %q", entry, want)
	}
	if n, err := admin.CountPurgeable(t.Context(), conn, cfg); err != nil || n != 0 {
		t.Errorf("%d are left, %v", n, err)
	}
}

// The rate is kept, and a purge that is stopped says how many it has deleted.
func TestPurgeIsBounded(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 100, `UPDATE event_outbox SET published_at = now() - interval '1 day'`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := time.Now()
	n, err := admin.Purge(ctx, conn, admin.PurgeConfig{Before: time.Now(), Batch: 10, Rate: 100, Progress: func(deleted int64) {
		if deleted == 50 {
			cancel()
		}
	}}, admin.Decision{Actor: "ann", Reason: "test"})
	if !errors.Is(err, context.Canceled) || n != 50 {
		t.Errorf("deleted %d, %v", n, err)
	}
	if took := time.Since(began); took < 350*time.Millisecond { // 40 rows at 100 a second
		t.Errorf("it took %s", took)
	}
}

func TestPurgesThatAreRefused(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 2, `UPDATE event_outbox SET published_at = now() - interval '1 day';
		ALTER TABLE event_outbox_audit DROP CONSTRAINT event_outbox_audit_action_check;
		ALTER TABLE event_outbox_audit ADD CONSTRAINT event_outbox_audit_action_check CHECK (action IN ('replay', 'discard', 'cancel', 'send-now'))`)
	ann := admin.Decision{Actor: "ann", Reason: "test"}
	now := admin.PurgeConfig{Before: time.Now()}
	for what, c := range map[string]struct {
		cfg  admin.PurgeConfig
		by   admin.Decision
		want string
	}{
		"no time":                      {admin.PurgeConfig{}, ann, "PurgeConfig.Before is not set"},
		"no reason":                    {now, admin.Decision{Actor: "ann"}, "Decision.Reason is empty"},
		"no actor":                     {now, admin.Decision{Reason: "x"}, "Decision.Actor is empty"},
		"a batch that is too large":    {admin.PurgeConfig{Before: time.Now(), Batch: 10_001}, ann, "PurgeConfig.Batch"},
		"an outbox from before purges": {now, ann, "outboxgen migration --pauses"},
	} {
		if n, err := admin.Purge(t.Context(), conn, c.cfg, c.by); err == nil || !strings.Contains(err.Error(), c.want) || n != 0 {
			t.Errorf("%s: deleted %d, %v", what, n, err)
		}
	}
	if n, err := admin.CountPurgeable(t.Context(), conn, now); err != nil || n != 2 {
		t.Errorf("%d rows are left, %v", n, err)
	}
}

// While something holds back vacuum, the index entries of deleted rows stay. A batch begins
// behind those that the batches before it have deleted.
func TestABatchDoesNotWalkOverDeletedRows(t *testing.T) {
	owner, conn := newOutbox(t)
	const rows, batch = 2_000, 20
	insert(t, owner, rows, `UPDATE event_outbox SET published_at = now() - interval '2 days', created_at = now() - interval '2 days', tx = seq::text::xid8`)
	if _, err := owner.Exec(t.Context(), `VACUUM ANALYZE event_outbox`); err != nil {
		t.Fatal(err)
	}
	held, err := pgx.ConnectConfig(t.Context(), owner.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close(context.Background()) })
	if _, err := held.Exec(t.Context(), `BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1`); err != nil {
		t.Fatal(err)
	}
	entries := func() (n int) {
		t.Helper()
		if err := owner.QueryRow(t.Context(), `SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'ix_event_outbox_tx'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := conn.Exec(t.Context(), `SET enable_seqscan = off; SET enable_bitmapscan = off`); err != nil {
		t.Fatal(err)
	}
	before := entries()
	if n, err := admin.Purge(t.Context(), conn, admin.PurgeConfig{Before: time.Now(), Batch: batch}, admin.Decision{Actor: "ann", Reason: "test"}); err != nil || n != rows {
		t.Fatalf("deleted %d, %v", n, err)
	}
	if err := conn.Close(t.Context()); err != nil { // it reports its statistics
		t.Fatal(err)
	}
	var read int
	for limit := time.Now().Add(time.Minute); read < rows; read = entries() - before { // the server adds them when the session has ended
		if time.Now().After(limit) {
			t.Fatalf("it read only %d entries of the index: another plan?", read)
		}
	}
	if read > 10*rows {
		t.Errorf("it read %d entries of the index to delete %d rows", read, rows)
	}
}
