package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// With on_dead: block, leaving an earlier row dead does not change the order: the later ones
// wait.
func TestLeavingAnEarlierRowThatBlocks(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(2)
	s.exec(`UPDATE event_outbox SET event_key = 'k'`)
	second := s.texts(`SELECT id::text FROM event_outbox WHERE seq = 2`)[0]
	for policy, want := range map[string]string{"block": "are not sent until somebody replays or discards these", "park": "Consumers then get the selected ones first"} {
		s.exec(`DELETE FROM event_outbox_lease`)
		s.exec(`INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (7, gen_random_uuid(), json_build_object('leader', true, 'led', json_build_object('settings', json_build_object('on_dead', $1::text))))`, policy)
		if body := s.get("decide?outbox=shop&do=replay&id="+second, loggedIn(testToken)).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s: the page does not say %q:\n%s", policy, want, body)
		}
	}
}

// An earlier row of a key that becomes dead between the question and the answer stops a
// replay: it is looked for in the same transaction.
func TestAnEarlierRowThatDiesMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(2)
	s.exec(`UPDATE event_outbox SET event_key = 'k'`)
	s.exec(`UPDATE event_outbox SET dead_at = NULL WHERE seq = 1`)
	second := s.texts(`SELECT id::text FROM event_outbox WHERE seq = 2`)[0]
	form := s.confirmation("decide?outbox=shop&do=replay&id=" + second)
	s.exec(`UPDATE event_outbox SET dead_at = now() WHERE seq = 1`)
	answer := s.post("decide", form, loggedIn(testToken))
	if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "seq 1</a>") {
		t.Errorf("%d\n%s", answer.Code, answer.Body)
	}
	if n := s.count(`SELECT count(dead_at) FROM event_outbox`); n != 2 {
		t.Errorf("%d rows are dead", n)
	}
}

// A decision leads back to the list with its filter, and says what was skipped.
func TestADecisionKeepsTheFilter(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(3)
	form := s.confirmation("decide?outbox=shop&do=replay&scope=filter&type=shop.placed.v1")
	answer := s.post("decide", form, loggedIn(testToken))
	if got, want := answer.Header().Get("Location"), "dead?outbox=shop&replayed=1&type=shop.placed.v1"; got != want {
		t.Errorf("it leads to %q, want %q\n%s", got, want, answer.Body)
	}
	const done = "dead?outbox=shop&discarded=3&of=5"
	if body := s.get(done, loggedIn(testToken)).Body.String(); strings.Contains(body, "Discarded") {
		t.Errorf("a link says what was done:\n%s", body)
	}
	if body := s.get(done, loggedIn(testToken), header("Referer", "http://127.0.0.1:9464/ui/decide?x=1")).Body.String(); !strings.Contains(body, "Discarded 3 of 5 dead rows: somebody else has decided about the rest.") {
		t.Errorf("the list does not say what was skipped:\n%s", body)
	}
}

// The command of a decision is one that does the same, and its reason cannot be forgotten.
func TestCommandOfADecision(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	for query, want := range map[string]string{
		"do=replay&scope=filter&key=a%20b":                "outboxrelay dead replay --key 'a b' --reason REASON",
		"do=replay&scope=filter&key=a%1b%27&earlier=with": `outboxrelay dead replay --key $'a\x1b\x27' --with-earlier --reason REASON`,
		"do=replay&scope=filter&type=t&earlier=leave":     "outboxrelay dead replay --event-type t --out-of-order --reason REASON",
		"do=discard&scope=filter":                         "outboxrelay dead discard --all --reason REASON",
	} {
		form, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		chosen, err := readSelection(form)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.page.command(s.outbox, request{do: form.Get("do"), chosen: chosen, form: form})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

// What the page of a row asks again and again is cheap: the row by its id, without the other
// rows of its key and without its data.
func TestARowIsPolledByItsID(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(2)
	s.exec(`UPDATE event_outbox SET event_key = 'k'`)
	id := s.texts(`SELECT id::text FROM event_outbox WHERE seq = 1`)[0]
	whole := s.get("row?outbox=shop&id="+id, loggedIn(testToken)).Body.String()
	for _, want := range []string{"seq 2</a>", "Pending rows of its topic and key", "&#34;n&#34;"} {
		if !strings.Contains(whole, want) {
			t.Errorf("the page does not have %q:\n%s", want, whole)
		}
	}
	before := s.statements.Load()
	again := s.get("row?outbox=shop&id="+id, loggedIn(testToken), header("HX-Request", "true")).Body.String()
	if n := s.statements.Load() - before; n > 5 || strings.Contains(again, "seq 2</a>") || strings.Contains(again, "&#34;n&#34;") {
		t.Errorf("the part that changes by itself costs %d statements:\n%s", n, again)
	}
}

// A row is shown although the others of its key cannot be read in time.
func TestARowWhoseKeyIsSlow(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(2)
	// Counting the rows behind it reads the lease; somebody locks that.
	tx, err := s.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }() // the test is over
	slow := s.outbox
	conn, err := slow.Database.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }() // the test is over
	if err := prepare(t.Context(), conn, "public"); err != nil {
		t.Fatal(err)
	}
	found, err := s.page.event(t.Context(), s.outbox, "", "1", false, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE event_outbox_lease IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	uncounted, err := readKey(t.Context(), conn, &found.event)
	if err != nil || !uncounted || found.event.Seq != 1 {
		t.Errorf("uncounted: %t, %v, of seq %d", uncounted, err, found.event.Seq)
	}
	if status := conn.PgConn().TxStatus(); status != 'I' {
		t.Errorf("the session is left in the state %c", status)
	}
	// Nor does the row wait until the whole request is too late.
	late, end := context.WithTimeout(t.Context(), keyMargin/2)
	defer end()
	if uncounted, err := readKey(late, conn, &found.event); err != nil || !uncounted {
		t.Errorf("at the end of a request: %t, %v", uncounted, err)
	}
}

// A resume ends only the pauses that were shown.
func TestResumeEndsWhatWasShown(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	pause := func(actor, reason string) {
		s.exec(`INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason) VALUES ($1, 'pause', 0, gen_random_uuid(), '', 'orders', $2)`, actor, reason)
	}
	pause("ann", "consumer is being restored")
	const path = "pause?outbox=shop&do=resume&topic=orders"
	if body := s.get(path, loggedIn(testToken)).Body.String(); !strings.Contains(body, "This pause ends: orders, by ann, since") || !strings.Contains(body, "because: consumer is being restored") {
		t.Errorf("the question:\n%s", body)
	}
	form := s.confirmation(path)
	s.exec(`INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic) VALUES ('ann', 'resume', 0, gen_random_uuid(), '', 'orders')`)
	pause("bob", "the disk is full")
	if answer := s.post("pause", form, loggedIn(testToken)); answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "by bob, since") {
		t.Errorf("after another pause: %d\n%s", answer.Code, answer.Body)
	}
	if answer := s.post("pause", s.confirmation(path), loggedIn(testToken)); answer.Code != http.StatusSeeOther {
		t.Errorf("%d\n%s", answer.Code, answer.Body)
	}
}

// A pause that begins while a resume of all topics is carried out was not shown, so it stays.
func TestAPauseThatComesDuringAResume(t *testing.T) {
	t.Parallel()
	const pause = `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason) VALUES ('ann', 'pause', 0, gen_random_uuid(), '', $1, 'r')`
	for name, before := range map[string][]any{"all topics are paused": {nil}, "one topic is": {"orders"}, "none is": nil} {
		s := newSite(t, loopbackWithToken())
		for _, topic := range before {
			s.exec(pause, topic)
		}
		form := s.confirmation("pause?outbox=shop&do=resume&all=1")
		answer := s.pausedMeanwhile(form, pause)
		for answer.Code != http.StatusConflict && answer.Code != http.StatusSeeOther { // on a busy machine the page may give up waiting
			s.exec(`DELETE FROM event_outbox_audit WHERE topic = 'late'`)
			answer = s.pausedMeanwhile(form, pause)
		}
		if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "This pause ends: late") {
			t.Errorf("%s: %d\n%s", name, answer.Code, answer.Body)
		}
		if n := s.count(`SELECT count(*) FROM event_outbox_audit WHERE action = 'resume'`); n != 0 {
			t.Errorf("%s: %d pauses were ended", name, n)
		}
	}
}

// pausedMeanwhile posts a form about pauses, and pauses the topic late while the page waits for
// the lock that such a decision takes.
func (s *site) pausedMeanwhile(form url.Values, pause string) *httptest.ResponseRecorder {
	s.Helper()
	tx, err := s.db.Pool.Begin(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	defer tx.Rollback(s.Context()) //nolint:errcheck // after a commit there is nothing to undo
	if _, err := tx.Exec(s.Context(), `SELECT pg_advisory_xact_lock(hashtextextended('outboxrelay pauses ' || to_regclass('event_outbox_audit')::oid::text, 0))`); err != nil {
		s.Fatal(err)
	}
	answers := make(chan *httptest.ResponseRecorder, 1)
	go func() { answers <- s.post("pause", form, loggedIn(testToken)) }()
	for s.count(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 0 {
		select {
		case early := <-answers:
			return early
		default:
			runtime.Gosched()
		}
	}
	if _, err := tx.Exec(s.Context(), pause, "late"); err != nil {
		s.Fatal(err)
	}
	if err := tx.Commit(s.Context()); err != nil {
		s.Fatal(err)
	}
	return <-answers
}

// A process that ends carries out no further decisions, and says so.
func TestDecisionsWhileTheProcessEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	form := s.confirmation("decide?outbox=shop&do=replay&scope=filter")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	running, err := s.page.begin()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.page.Run(ended)
	}()
	for !s.page.isEnding() {
		select {
		case <-done:
			t.Fatal("the page ended while a decision was being carried out")
		case <-t.Context().Done():
			t.Fatal("the page does not end")
		default:
		}
	}
	if answer := s.post("decide", form, loggedIn(testToken)); answer.Code != http.StatusBadGateway || !strings.Contains(answer.Body.String(), "the relay is being stopped") {
		t.Errorf("%d\n%s", answer.Code, answer.Body)
	}
	running()
	<-done
	if n := s.count(`SELECT count(dead_at) FROM event_outbox`); n != 1 {
		t.Errorf("%d rows are dead", n)
	}
}
