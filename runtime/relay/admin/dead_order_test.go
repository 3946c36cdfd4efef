package admin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// A replay that keeps the order of a key changes nothing if an earlier row of the key stays
// dead. Rows of other topics and keys, and rows without a key, do not matter.
func TestReplayInOrder(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 8, `ALTER TABLE event_outbox ALTER COLUMN topic DROP NOT NULL; UPDATE event_outbox SET dead_at = now(), event_key = 'k';
		UPDATE event_outbox SET event_key = NULL WHERE seq = 2; UPDATE event_outbox SET event_key = '' WHERE seq = 3;
		UPDATE event_outbox SET topic = NULL, event_data = '{"topic": "topic"}' WHERE seq = 4;
		UPDATE event_outbox SET topic = 'other' WHERE seq = 5; UPDATE event_outbox SET dead_at = NULL WHERE seq = 6`)
	event := func(n byte) uuid.UUID {
		return uuid.UUID{6: 0x70, 8: 0x80, 15: n}
	}
	ann := admin.Decision{Actor: "ann"}
	seqsOf := func(letters []admin.DeadLetter) (seqs []int64) {
		for _, l := range letters {
			seqs = append(seqs, l.Seq)
		}
		return seqs
	}
	for _, step := range []struct {
		chosen  []uuid.UUID
		earlier []int64
		n       int
	}{
		{[]uuid.UUID{event(7), event(8)}, []int64{1, 4}, 0},
		{[]uuid.UUID{event(4), event(8)}, []int64{1, 7}, 0},
		{[]uuid.UUID{event(2), event(3), event(5)}, nil, 3},
		{[]uuid.UUID{event(1), event(4)}, nil, 2},
		{[]uuid.UUID{event(7), event(8)}, nil, 2},
	} {
		n, err := admin.ReplayInOrder(t.Context(), conn, admin.Filter{EventIDs: step.chosen}, ann)
		var earlier []int64
		if refused, ok := errors.AsType[*admin.OrderError](err); ok {
			earlier = seqsOf(refused.Earlier)
		} else if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.earlier, earlier); diff != "" || n != step.n {
			t.Errorf("%v: replayed %d, want %d; earlier ones (-want +got):\n%s", step.chosen, n, step.n, diff)
		}
	}
	left, err := admin.DeadLetters(t.Context(), conn, admin.Filter{}, 0)
	if err != nil || len(left) > 0 {
		t.Errorf("%v are still dead, %v", seqsOf(left), err)
	}
	var audited int
	if err := owner.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox_audit`).Scan(&audited); err != nil || audited != 7 {
		t.Errorf("%d entries in the audit, %v; want 7: a refused replay leaves none", audited, err)
	}
}

// asked remembers the last statement.
type asked struct {
	admin.DB
	sql  string
	args []any
}

func (a *asked) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	a.sql, a.args = sql, args
	return a.DB.Query(ctx, sql, args...)
}

// With a million dead rows and any selection, they are read once.
func TestEarlierDeadRowsAreLookedForOnce(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 5_000, `UPDATE event_outbox SET dead_at = now(), event_key = 'k' || seq % 100`)
	if _, err := owner.Exec(t.Context(), `VACUUM ANALYZE event_outbox`); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
		for _, chosen := range [][]int64{{4_000}, {1, 2, 3}, slices.Collect(func(yield func(int64) bool) {
			for seq := int64(2_000); seq < 3_000 && yield(seq); seq++ {
			}
		})} {
			db := &asked{DB: conn}
			if _, err := admin.EarlierDead(t.Context(), db, chosen, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = "+mode); err != nil {
				t.Fatal(err)
			}
			rows, err := conn.Query(t.Context(), "EXPLAIN "+db.sql, db.args...)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			plan := strings.Join(lines, "\n")
			if strings.Count(plan, "event_outbox e") != 1 || !strings.Contains(plan, "Hash Join") && !strings.Contains(plan, "Merge Join") {
				t.Errorf("%s, %d selected:\n%s", mode, len(chosen), plan)
			}
		}
	}
}
