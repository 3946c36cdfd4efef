package page

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func (s *site) texts(sql string) []string {
	s.Helper()
	rows, err := s.db.Pool.Query(s.Context(), sql)
	if err != nil {
		s.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// A decision is carried out for exactly the rows that were confirmed: not for those that
// became dead since, and not at all if one of them was decided about meanwhile.
func TestDecidesAboutWhatWasConfirmed(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(5)
	const path = "decide?outbox=shop&do=discard&scope=filter&type=shop.placed.v1" // seq 1 and 4
	form := s.confirmation(path)
	form.Set("reason", "test data")
	form.Set("count", "2")

	s.exec(`UPDATE event_outbox SET event_type = 'shop.placed.v1', dead_at = now() WHERE seq = 5`) // dead since
	s.exec(`UPDATE event_outbox SET dead_at = NULL WHERE seq = 4`)                                 // replayed by somebody
	answer := s.post("decide", form, loggedIn(testToken))
	if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "Nothing was done. This is what it would be now.") {
		t.Fatalf("after a change: %d\n%s", answer.Code, answer.Body)
	}
	s.exec(`UPDATE event_outbox SET dead_at = now() - interval '1 hour' WHERE seq = 4`)
	answer = s.post("decide", form, loggedIn(testToken))
	if answer.Code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", answer.Code, answer.Body)
	}
	if diff := cmp.Diff([]string{"2", "3", "5"}, s.texts(`SELECT seq::text FROM event_outbox ORDER BY seq`)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	want := []string{"ann discard 1: test data", "ann discard 4: test data"}
	if diff := cmp.Diff(want, s.texts(`SELECT actor || ' ' || action || ' ' || seq || ': ' || reason FROM event_outbox_audit ORDER BY seq`)); diff != "" {
		t.Errorf("the audit (-want +got):\n%s", diff)
	}
	// The same form again: the rows are gone.
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusConflict {
		t.Errorf("again: %d", answer.Code)
	}
}

// A row that differs from what the page has said is not replayed, nor is one behind it.
func TestARowThatWasEdited(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	refuses := func(form url.Values, edit string) {
		s.Helper()
		s.exec(edit)
		answer := s.post("decide", form, loggedIn(testToken))
		if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "What would happen has changed since you looked. Nothing was done.") {
			t.Errorf("%s: %d\n%s", edit, answer.Code, answer.Body)
		}
	}
	for _, edit := range []string{"topic = 'elsewhere'", "event_type = 'other.v1'", "event_key = 'other'"} {
		refuses(s.confirmation("decide?outbox=shop&do=replay&scope=filter"), `UPDATE event_outbox SET `+edit)
	}
	s.exec(`UPDATE event_outbox SET headers = '{}'`) // which the page has not shown
	form := s.confirmation("decide?outbox=shop&do=replay&scope=filter")
	s.exec(`UPDATE event_outbox SET headers = NULL`)
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusSeeOther {
		t.Errorf("after a change of the headers: %d\n%s", answer.Code, answer.Body)
	}
	s.insertDead(2)
	s.exec(`UPDATE event_outbox SET event_key = 'k'`)
	later := s.texts(`SELECT id::text FROM event_outbox WHERE dead_at IS NOT NULL ORDER BY seq`)[1]
	form = s.confirmation("decide?outbox=shop&do=replay&id=" + later)
	form.Set("earlier", "with")
	refuses(form, `UPDATE event_outbox SET event_type = 'other.v1' WHERE seq = 2`)
}

// A confirmation names the topics, and says if it does not name all of them.
func TestManyTopics(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(shownRows + 3)
	s.exec(`UPDATE event_outbox SET topic = 'topic' || seq`)
	body := s.get("decide?outbox=shop&do=replay&scope=filter", loggedIn(testToken)).Body.String()
	if want := "topic19, topic20, and 3 more topics."; !strings.Contains(body, want) {
		t.Errorf("the page does not have %q:\n%s", want, body)
	}
}

// Selected rows are those that were selected, whatever their filter matches by now, and the
// decision leads back to the list with its filter.
func TestSelectedRowsKeepTheFilterOfTheirList(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(2)
	id := s.texts(`SELECT id::text FROM event_outbox WHERE seq = 1`)[0]
	fields := s.confirmation("dead?outbox=shop&age=newer-15m&key=k1")
	want := url.Values{"outbox": {"shop"}, "age": {"newer-15m"}, "key": {"k1"}}
	for name := range want { // the page has two forms
		want[name] = append(want[name], want[name]...)[:len(fields[name])]
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("hidden fields of the list (-want +got):\n%s", diff)
	}
	s.exec(`UPDATE event_outbox SET dead_at = now() - interval '16 minutes'`)
	answer := s.get("decide?outbox=shop&do=replay&age=newer-15m&key=k1&id="+id, loggedIn(testToken))
	for _, want := range []string{"Selected: 1 row of the list. Found: 1 dead row", "outboxrelay dead replay --event-id " + id + " --reason REASON"} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("the page does not have %q:\n%s", want, answer.Body)
		}
	}
	form := s.confirmation("decide?outbox=shop&do=replay&age=newer-15m&key=k1&id=" + id)
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Header().Get("Location") != "dead?age=newer-15m&key=k1&outbox=shop&replayed=1" {
		t.Errorf("%d, to %q", answer.Code, answer.Header().Get("Location"))
	}
}

// A replay that would change the order of a key needs a choice, and does what was chosen.
func TestReplayAsksAboutTheOrderOfKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(4)
	s.exec(`UPDATE event_outbox SET event_key = 'k'`)
	s.exec(`UPDATE event_outbox SET topic = 'others' WHERE seq = 1`) // has no order with the rest
	third := s.texts(`SELECT id::text FROM event_outbox WHERE seq = 3`)[0]
	form := s.confirmation("decide?outbox=shop&do=replay&id=" + third)
	pending := func() []string {
		return s.texts(`SELECT seq::text FROM event_outbox WHERE dead_at IS NULL ORDER BY seq`)
	}

	answer := s.post("decide", form, loggedIn(testToken))
	if answer.Code != http.StatusUnprocessableEntity || !strings.Contains(answer.Body.String(), "Choose what happens to the earlier rows") ||
		!strings.Contains(answer.Body.String(), "seq 2</a>") || len(pending()) > 0 {
		t.Fatalf("without a choice: %d, pending %v\n%s", answer.Code, pending(), answer.Body)
	}
	form.Set("earlier", "leave")
	if s.post("decide", form, loggedIn(testToken)); !cmp.Equal([]string{"3"}, pending()) {
		t.Errorf("leave: pending are %v", pending())
	}
	s.exec(`UPDATE event_outbox SET dead_at = now() - interval '1 hour'`)
	form = s.confirmation("decide?outbox=shop&do=replay&id=" + third)
	form.Set("earlier", "with")
	if s.post("decide", form, loggedIn(testToken)); !cmp.Equal([]string{"2", "3"}, pending()) {
		t.Errorf("with: pending are %v", pending())
	}
}

func TestConfirmationsThatAreNotComplete(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(2)
	const path = "decide?outbox=shop&do=discard&scope=filter"
	for name, c := range map[string]struct {
		change func(url.Values)
		want   int
	}{
		"no reason":       {func(f url.Values) { f.Set("count", "2") }, 422},
		"a long reason":   {func(f url.Values) { f.Set("count", "2"); f.Set("reason", strings.Repeat("x", 1001)) }, 422},
		"another number":  {func(f url.Values) { f.Set("count", "3"); f.Set("reason", "r") }, 422},
		"no time":         {func(f url.Values) { f.Del("at") }, 400},
		"no digest":       {func(f url.Values) { f.Del("digest") }, 409},
		"another action":  {func(f url.Values) { f.Set("do", "purge") }, 400},
		"no selection":    {func(f url.Values) { f.Del("scope") }, 400},
		"another outbox":  {func(f url.Values) { f.Set("outbox", "other") }, 404},
		"a NUL":           {func(f url.Values) { f.Set("count", "2"); f.Set("reason", "\x00") }, 422},
		"a large request": {func(f url.Values) { f.Set("reason", strings.Repeat("x", 2*longestForm)) }, 400},
	} {
		form := s.confirmation(path)
		c.change(form)
		if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != c.want {
			t.Errorf("%s: %d, want %d", name, answer.Code, c.want)
		}
	}
	if n := s.count(`SELECT count(dead_at) FROM event_outbox`); n != 2 {
		t.Errorf("%d rows are dead", n)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	pauses := func() []string {
		return s.texts(`SELECT concat_ws(' ', actor, action, coalesce(topic, 'ALL'), reason) FROM event_outbox_audit ORDER BY id`)
	}
	for _, c := range []struct {
		form string
		want int
	}{
		{"do=pause&topic=orders", 422}, // no reason
		{"do=pause&topic=orders&all=1&reason=r", 422},
		{"do=pause&reason=r", 422},
		{"do=pause&topic=a+b&reason=r", 422}, // no name of a topic
		{"do=pause&topic=..&reason=r", 422},
		{"do=resume&topic=orders", 409},
		{"do=pause&topic=orders&reason=r", 303},
		{"do=pause&topic=orders&reason=r", 409},
		{"do=pause&all=1&reason=all", 303},
		{"do=resume&all=1", 409}, // without the pauses that it ends
		{"do=resume&all=1&pauses=shown", 303},
		{"do=pause&topic=refunds&reason=r", 303},
		{"do=pause&topic=orders&reason=r", 303},
		{"do=resume&all=1&pauses=shown", 303}, // names the topics
		{"do=pause&topic=orders&reason=" + strings.Repeat("x", 1001), 422},
	} {
		form, err := url.ParseQuery(c.form)
		if err != nil {
			t.Fatal(err)
		}
		form.Set("outbox", "shop")
		if form.Get("pauses") != "" { // what the page has shown
			form.Set("pauses", s.confirmation("pause?outbox=shop&do=resume&all=1").Get("pauses"))
		}
		if answer := s.post("pause", form, loggedIn(testToken)); answer.Code != c.want {
			t.Errorf("%s: %d, want %d\n%s", c.form, answer.Code, c.want, answer.Body)
		}
	}
	if diff := cmp.Diff([]string{"ann pause orders r", "ann pause ALL all", "ann resume ALL", "ann pause refunds r", "ann pause orders r", "ann resume refunds", "ann resume orders"}, pauses()); diff != "" {
		t.Errorf("the audit (-want +got):\n%s", diff)
	}
	for topic, unknown := range map[string]bool{"orders": false, "odrers": true} {
		body := s.get("pause?outbox=shop&topic="+topic, loggedIn(testToken)).Body.String()
		if got := strings.Contains(body, "check its name"); got != unknown {
			t.Errorf("%s is unknown: %t, want %t", topic, got, unknown)
		}
	}
}

// A decision that the role may not make says what the role needs, and changes nothing.
func TestRoleWithoutPrivileges(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	form := s.confirmation("decide?outbox=shop&do=replay&scope=filter")
	// In a session that reads only, as the role of a relay in which nobody has put the
	// privileges of operators.
	s.page.sessions.close()
	s.page.sessions = newSessions()
	connect := s.outbox.Database.Connect
	s.outbox.Database.Connect = func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := connect(ctx)
		if err == nil {
			_, err = conn.Exec(ctx, `SET ROLE pg_read_all_data`)
		}
		return conn, err
	}
	t.Cleanup(s.page.sessions.close)
	if body := s.get("dead?outbox=shop", loggedIn(testToken)).Body.String(); !strings.Contains(body, "GRANT outbox_operator TO") || strings.Contains(body, "Replay selected") {
		t.Errorf("the list does not say that the role may change nothing:\n%s", body)
	}
	row := "row?outbox=shop&id=" + s.texts(`SELECT id::text FROM event_outbox`)[0]
	if body := s.get(row, loggedIn(testToken)).Body.String(); !strings.Contains(body, "GRANT outbox_operator TO") || strings.Contains(body, "Replay…") {
		t.Errorf("the row does not say that the role may not change it:\n%s", body)
	}
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusBadGateway || !strings.Contains(answer.Body.String(), "outboxgen migration --grants") {
		t.Errorf("%d\n%s", answer.Code, answer.Body)
	}
	if n := s.count(`SELECT count(dead_at) FROM event_outbox`); n != 1 {
		t.Errorf("%d rows are dead", n)
	}
}

// A replay that sends an older state after a newer one needs a confirmation of that.
func TestReplayNamesNewerPublishedRows(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(3)
	s.exec(`UPDATE event_outbox SET event_key = 'k'`)
	s.exec(`UPDATE event_outbox SET dead_at = NULL, published_at = now() WHERE seq > 1`)
	first := s.texts(`SELECT id::text FROM event_outbox WHERE seq = 1`)[0]
	if body := s.get("row?outbox=shop&id="+first, loggedIn(testToken)).Body.String(); !strings.Contains(body, "2 newer rows published, the last one is") {
		t.Errorf("the row does not name the newer one:\n%s", body)
	}
	form := s.confirmation("decide?outbox=shop&do=replay&id=" + first)
	answer := s.post("decide", form, loggedIn(testToken))
	for _, want := range []string{"Confirm that older states are sent after newer ones. Nothing was done.", "key k: 2 newer rows, the last one is", "seq 3</a>", "seq 1 would be sent after it"} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%d, without %q:\n%s", answer.Code, want, answer.Body)
		}
	}
	if n := s.count(`SELECT count(dead_at) FROM event_outbox`); n != 1 {
		t.Errorf("%d rows are dead without the confirmation, want 1", n)
	}
	form.Set("newer", "1")
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusSeeOther {
		t.Errorf("with the confirmation: %d\n%s", answer.Code, answer.Body)
	}
}

// What is not known of newer rows needs the same confirmation.
func TestReplayWhenNewerRowsAreNotKnown(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(3)
	s.exec(`DELETE FROM event_outbox WHERE seq = 2`) // as the relay does with settle: delete
	form := s.confirmation("decide?outbox=shop&do=replay&scope=filter")
	answer := s.post("decide", form, loggedIn(testToken))
	for _, want := range []string{"Confirm that older states may be sent after newer ones. Nothing was done.", "may have been published",
		"Whether newer rows of the same keys were published is not known: rows that were published since may have been deleted", `name="newer"`} {
		if answer.Code != http.StatusUnprocessableEntity || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%d, without %q:\n%s", answer.Code, want, answer.Body)
		}
	}
	form.Set("newer", "1")
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusSeeOther || s.count(`SELECT count(dead_at) FROM event_outbox`) != 0 {
		t.Errorf("with the confirmation: %d\n%s", answer.Code, answer.Body)
	}
}

// On a busy outbox, newer rows of further keys are published all the time. Whoever has confirmed
// that older states are sent after newer ones is not asked again; whoever was not asked is.
func TestNewerRowsThatArePublishedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, confirmed string
		want              int
	}{
		"of another key before": {"seq = 5", "1", http.StatusSeeOther},
		"none before":           {"false", "", http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, loopbackWithToken())
			s.insertDead(8)
			s.exec(`UPDATE event_outbox SET event_key = 'k' || seq % 4, dead_at = CASE WHEN seq < 5 THEN dead_at END`)
			s.exec(`UPDATE event_outbox SET published_at = now() WHERE ` + c.before)
			form := s.confirmation("decide?outbox=shop&do=replay&scope=filter")
			if c.confirmed != "" {
				form.Set("newer", c.confirmed)
			}
			s.exec(`UPDATE event_outbox SET published_at = now() WHERE seq = 6`)
			if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != c.want {
				t.Errorf("%d, want %d\n%s", answer.Code, c.want, answer.Body)
			}
		})
	}
}

// The page of a row that was discarded says who did it.
func TestADiscardedRowNamesWhoDidIt(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	id := s.texts(`SELECT id::text FROM event_outbox`)[0]
	form := s.confirmation("decide?outbox=shop&do=discard&id=" + id)
	form.Set("reason", "sent by hand")
	form.Set("count", "1")
	s.post("decide", form, loggedIn(testToken))
	if body := s.get("row?outbox=shop&id="+id, loggedIn(testToken)).Body.String(); !strings.Contains(body, "It was discarded by ann at ") {
		t.Errorf("%s", body)
	}
}
