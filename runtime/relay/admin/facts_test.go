package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// The facts are read with the privileges of an operator.
func TestExamine(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 4, `
		UPDATE event_outbox SET topic = 'other', event_data = json_build_object('x', repeat('y', 5000)) WHERE seq = 2;
		UPDATE event_outbox SET dead_at = now() WHERE seq = 3;
		UPDATE event_outbox SET topic = 'old', published_at = now() WHERE seq = 4;
		ALTER TABLE event_outbox_audit SET (autovacuum_enabled = false)`)
	f, err := admin.Examine(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Topics) != 3 || f.Topics[0].Topic != "old" || f.Topics[0].Waiting != 0 || f.Topics[0].LargestID != "" {
		t.Fatalf("topics %+v", f.Topics)
	}
	if o := f.Topics[1]; o.Topic != "other" || o.Waiting != 1 || o.Largest < 5000 || o.Largest > 5500 || o.LargestID != id(2).String() || o.EventType != "t2" {
		t.Errorf("topic %+v", o)
	}
	if o := f.Topics[2]; o.Topic != "topic" || o.Waiting != 2 {
		t.Errorf("topic %+v", o)
	}
	if s := f.Server; s.MaxConnections <= 0 || s.Used <= 0 || s.RoleLimit != -1 || s.Version < 130000 || s.Ahead.Abs() > clockOfOneMachine {
		t.Errorf("server %+v", s)
	}
	if !f.TakesPauses || !f.PausesIndexed || f.PublishedAgo < 0 || len(f.Tables) != 4 || len(f.Others) != 0 {
		t.Errorf("facts %+v", f)
	}
	if i := slices.IndexFunc(f.Tables, func(t admin.TableFacts) bool { return t.NeverVacuumed }); i < 0 || f.Tables[i].Name != "event_outbox_audit" || f.Tables[i].Bytes == 0 {
		t.Errorf("tables %+v", f.Tables)
	}
}

const clockOfOneMachine = 5e9

// A transaction that is open holds back vacuum. The doctor asks for old ones only.
func TestHoldingBack(t *testing.T) {
	owner, conn := newOutbox(t)
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // it is over with the test
	if _, err := tx.Exec(t.Context(), `SET LOCAL application_name = 'report'; CREATE TABLE x ()`); err != nil {
		t.Fatal(err)
	}
	found := func(transactions int64) bool {
		rows, err := admindb.New(conn).HoldingBack(t.Context(), admindb.HoldingBackParams{Transactions: transactions, Seconds: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(rows, func(r admindb.HoldingBackRow) bool {
			return r.Kind == "transaction" && r.Transactions >= transactions && strings.Contains(r.Detail, owner.Config().User)
		})
	}
	if !found(0) {
		t.Error("the open transaction is not found")
	}
	if found(1 << 30) {
		t.Error("a young transaction is found")
	}
}
