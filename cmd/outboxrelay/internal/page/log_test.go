package page

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
)

// newLogSite is newSite with a log, and dead events with the seqs from 1, all of one key.
func newLogSite(t *testing.T, dead int) *site {
	t.Helper()
	s := newSite(t, loopbackWithToken())
	conn := s.db.Connect(t.Context())
	if err := migrations.Down(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if err := migrations.UpLog(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	s.exec(`INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
		SELECT 'order', i::text, 'shop.placed.v1', 'orders', 'k', json_build_object('n', i) FROM generate_series(1, $1::int) AS i`, dead)
	s.exec(`INSERT INTO event_outbox_failed (id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic, headers,
			partition, retry_count, last_error, dead_at)
		SELECT id, aggregate_id, aggregate_type, event_type, event_data, event_key, created_at, tx, seq, topic, headers, partition, 10, 'too large', now()
		FROM event_outbox`)
	return s
}

// The page shows the dead events of a log, asks about the order of keys, and decides about
// what was confirmed.
func TestThePageOfALog(t *testing.T) {
	t.Parallel()
	s := newLogSite(t, 5)
	idOf := func(seq string) string {
		return s.texts(`SELECT id::text FROM event_outbox WHERE seq = ` + seq)[0]
	}
	shows := func(path string, want ...string) {
		t.Helper()
		answer := s.get(path, loggedIn(testToken))
		for _, text := range want {
			if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), text) {
				t.Errorf("%s: %d, want %q in\n%s", path, answer.Code, text, answer.Body)
			}
		}
	}
	shows("outbox?outbox=shop", "5 rows dead")
	shows("dead?outbox=shop", idOf("1"), idOf("5"), "too large")
	shows("row?outbox=shop&id="+idOf("4"), "Dead, after 10 attempts", "Pending rows of its topic and key that come after it", "too large")

	dead := func() []string {
		return s.texts(`SELECT seq::text FROM event_outbox_failed WHERE dead_at IS NOT NULL ORDER BY seq`)
	}
	form := s.confirmation("decide?outbox=shop&do=replay&id=" + idOf("2"))
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusUnprocessableEntity || len(dead()) != 5 {
		t.Errorf("without a choice: %d, dead are %v", answer.Code, dead())
	}
	form.Set("earlier", "with")
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusSeeOther || !cmp.Equal([]string{"3", "4", "5"}, dead()) {
		t.Errorf("with the earlier ones: %d, dead are %v", answer.Code, dead())
	}
	form = s.confirmation("decide?outbox=shop&do=discard&id=" + idOf("4"))
	form.Set("reason", "test data")
	form.Set("count", "1")
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusSeeOther || !cmp.Equal([]string{"3", "5"}, dead()) {
		t.Errorf("discard: %d, dead are %v\n%s", answer.Code, dead(), answer.Body)
	}
	shows("row?outbox=shop&id="+idOf("4"), "Discarded by an operator", "test data")
	shows("row?outbox=shop&seq=5", "Dead, after 10 attempts")
}

// The page of one row of a log needs no more than the privileges of the relay's role.
func TestThePageOfALogAsTheRelay(t *testing.T) {
	t.Parallel()
	s := newLogSite(t, 1)
	s.exec(`INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
		VALUES ('order', '2', 'shop.placed.v1', 'orders', 'k', '{"n":2}')`)
	role := pgx.Identifier{"relay_" + s.db.Database}.Sanitize()
	s.exec(`CREATE ROLE ` + role)
	t.Cleanup(func() {
		if _, err := s.db.Pool.Exec(context.WithoutCancel(t.Context()), `DROP OWNED BY `+role+`; DROP ROLE `+role); err != nil {
			t.Error(err)
		}
	})
	files, err := migrations.Files(migrations.Migrate, migrations.Options{
		Kind: migrations.KindGrants, Store: migrations.StoreLog, Number: 1, Roles: migrations.Roles{Relay: "relay_" + s.db.Database},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".up.sql") {
			if _, err := s.db.Connect(t.Context()).Exec(t.Context(), string(f.Content), pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
		}
	}
	connect := s.outbox.Database.Connect
	s.outbox.Database.Connect = func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := connect(ctx)
		if err == nil {
			_, err = conn.Exec(ctx, `SET ROLE `+role)
		}
		return conn, err
	}
	for seq, want := range map[string]string{"1": "Dead, after 10 attempts", "2": "Pending"} {
		answer := s.get("row?outbox=shop&seq="+seq, loggedIn(testToken))
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("row %s: %d, want %q in\n%s", seq, answer.Code, want, answer.Body)
		}
	}
}
