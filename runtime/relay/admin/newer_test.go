package admin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// chosen returns the dead letters with these ids.
func chosen(t *testing.T, conn *pgx.Conn, ids ...uuid.UUID) *admin.Chosen {
	t.Helper()
	letters, err := admin.DeadLetters(t.Context(), conn, admin.Filter{EventIDs: ids}, 0)
	if err != nil || len(letters) != len(ids) {
		t.Fatalf("%d letters: %v", len(letters), err)
	}
	out := &admin.Chosen{}
	for _, l := range letters {
		out.Add(l)
	}
	return out
}

// Of each topic and key, the last published row after the first dead one is named.
func TestPublishedAfter(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 9, `UPDATE event_outbox SET event_key = 'k', published_at = '2026-01-01Z';
		UPDATE event_outbox SET published_at = NULL, dead_at = now() WHERE seq IN (2, 4, 8);
		UPDATE event_outbox SET topic = 'other' WHERE seq IN (7, 8); UPDATE event_outbox SET event_key = 'j' WHERE seq = 6;
		UPDATE event_outbox SET published_at = NULL WHERE seq = 9`)
	got, err := admin.PublishedAfter(t.Context(), conn, chosen(t, conn, id(2), id(4), id(8)), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Keys {
		got.Keys[i].PublishedAt = got.Keys[i].PublishedAt.UTC()
	}
	want := admin.NewerRows{Keys: []admin.Newer{
		{Topic: "topic", Key: "k", DeadSeq: 2, Rows: 2, Seq: 5, EventID: id(5), EventType: "t1", PublishedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A published row that was deleted is not found. So it is said whenever there may be such, and
// whenever not all rows were looked at.
func TestWhatIsNotKnownOfNewerRows(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 5, `SELECT`)
	const (
		begin = `UPDATE event_outbox SET event_key = 'k', created_at = now() - interval '1 hour', dead_at = now(), published_at = NULL; DELETE FROM event_outbox_lease; `
		gap   = `DELETE FROM event_outbox WHERE seq = 4; `
	)
	published := func(ago string, seqs ...int) (statements string) {
		for _, seq := range seqs {
			statements += fmt.Sprintf(`UPDATE event_outbox SET dead_at = NULL, event_key = 'other', published_at = now() - interval '%s' WHERE seq = %d; `, ago, seq)
		}
		return statements
	}
	lease := func(holder, state string) string {
		return `INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (1, ` + holder + `, ` + state + `); `
	}
	for _, c := range []struct {
		name, change string
		limit        time.Duration
		want         admin.Unknown
	}{
		{"no row is missing", "", time.Minute, ""},
		{"the relay deletes what it has published", lease("gen_random_uuid()", `'{"led": {"settings": {"settle": "delete"}}}'`), time.Minute, admin.NotKept},
		{"the limit is over", "", -1, admin.NoTime},
		{"a row is missing, and older and newer ones are left", gap + published("2 hours", 1, 5), time.Minute, ""},
		{"a row is missing, and only an older one is left", published("2 hours", 1), time.Minute, admin.Deleted},
		{"a row is missing, and those that are left are newer", published("1 minute", 1, 5), time.Minute, admin.Deleted},
		{"a row is missing, and no published one is left", lease("NULL", "NULL"), time.Minute, admin.Deleted},
		{"no index has all rows", `DROP INDEX ix_event_outbox_seq`, time.Minute, admin.NoIndex},
	} {
		if _, err := owner.Exec(t.Context(), begin+c.change); err != nil {
			t.Fatal(err)
		}
		got, err := admin.PublishedAfter(t.Context(), conn, chosen(t, conn, id(3)), c.limit)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(admin.NewerRows{Keys: []admin.Newer{}, Unknown: c.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A look that takes too long ends no command, and no transaction of its caller.
func TestALookForNewerRowsThatIsSlow(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 2, `UPDATE event_outbox SET dead_at = now()`)
	letters := chosen(t, conn, id(1))
	err := pgx.BeginFunc(t.Context(), conn, func(caller pgx.Tx) error {
		return pgx.BeginFunc(t.Context(), owner, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `LOCK TABLE event_outbox IN ACCESS EXCLUSIVE MODE`); err != nil {
				return err
			}
			got, err := admin.PublishedAfter(t.Context(), caller, letters, 100*time.Millisecond)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(admin.NewerRows{Keys: []admin.Newer{}, Unknown: admin.NoTime}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var limit string
			if err := caller.QueryRow(t.Context(), `SHOW statement_timeout`).Scan(&limit); err != nil || limit != "0" {
				t.Errorf("the caller's transaction has the limit %q, %v", limit, err)
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}
