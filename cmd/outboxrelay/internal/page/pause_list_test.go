package page

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func TestWhetherTheLeaderFollows(t *testing.T) {
	t.Parallel()
	now := time.Now()
	one := relay.OperatorPause{Topic: "orders", Since: now.Add(-time.Second)}
	earlier := relay.OperatorPause{Topic: "orders", Since: now.Add(-time.Hour)}
	const obeys, soon = "sends none of these rows", "does not follow yet; it does within about a second"
	for _, c := range []struct {
		name   string
		change func(*known)
		want   string
		waits  bool
	}{
		{"it obeys", func(k *known) { k.state.Leader.State.OperatorPauses = []relay.OperatorPause{one} }, obeys, false},
		{"it was told just now", func(*known) {}, soon, true},
		{"it obeys an earlier pause of the topic", func(k *known) {
			k.state.Leader.State.OperatorPauses = []relay.OperatorPause{earlier}
		}, soon, true},
		{"it was told long ago", func(k *known) { k.state.Now = now.Add(time.Minute) }, "does not follow, for 1 min 1 s: it may be stuck, or its version is from before pauses; see its log", true},
		{"its list is cut", func(k *known) { k.state.Leader.State.OperatorPauseCount = 1 }, obeys, false},
		{"its list is cut, and it knows fewer", func(k *known) {
			k.state.Leader.State.OperatorPauseCount, k.state.Pauses = 1, append(k.state.Pauses, earlier)
		}, soon, true},
		{"the list is its own", func(k *known) { k.counted = false }, obeys, false},
		{"it is silent", func(k *known) { k.state.Leader.Silent = time.Minute }, "is silent, so it is not known", false},
		{"it has led for a moment", func(k *known) {
			k.state.Leader.State, k.state.Now = relay.Status{}, now.Add(3*time.Hour)
		}, "has not said so yet; it obeys before it sends anything", false},
		{"no relay leads", func(k *known) { k.state.Leader.Holder = uuid.Nil }, "none now; the next one obeys before it sends anything", false},
	} {
		k := known{counted: true, state: admin.State{Now: now, Leader: admin.Leader{Known: true, Holder: uuid.UUID{1}, State: relay.Status{Leader: true}}, Pauses: []relay.OperatorPause{one}}}
		c.change(&k)
		words, waits := follows(one, k)
		if words != c.want || waits != c.waits {
			t.Errorf("%s: %q, waits %t", c.name, words, waits)
		}
	}
}

// Whoever pauses a topic sees that the pause is recorded, and when the leader follows; and the
// same for a resume.
func TestAPauseIsShownUntilTheLeaderFollows(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.exec(`INSERT INTO event_outbox_lease (epoch, holder, updated_at, state) VALUES (7, gen_random_uuid(), now() + interval '1 hour', '{"leader": true}')`)
	rows := func() (leader []string) {
		t.Helper()
		body := s.get("outbox?outbox=shop", loggedIn(testToken)).Body.String()
		for _, part := range strings.Split(body, `data-name="The leader"`)[1:] {
			_, after, _ := strings.Cut(part, ">")
			words, _, _ := strings.Cut(after, "<")
			leader = append(leader, words)
		}
		if waits := strings.Contains(body, "The leader does not follow yet: 1 change of pauses."); waits != strings.Contains(strings.Join(leader, ""), "yet") {
			t.Errorf("a screen reader hears that the leader does not follow: %t, with %q", waits, leader)
		}
		return leader
	}
	send := func(form url.Values) {
		t.Helper()
		if answer := s.post("pause", form, loggedIn(testToken)); answer.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", answer.Code, answer.Body)
		}
	}
	follow := func() { // at the next renewal
		t.Helper()
		pauses, err := admin.Pauses(t.Context(), s.db.Pool)
		if err != nil {
			t.Fatal(err)
		}
		s.exec(`UPDATE event_outbox_lease SET state = $1`, relay.Status{Leader: true, OperatorPauseCount: len(pauses), OperatorPauses: pauses})
		s.page.changed(s.outbox) // as after a while
	}
	if got := rows(); len(got) > 0 {
		t.Errorf("before: %q", got)
	}
	send(url.Values{"outbox": {"shop"}, "topic": {"orders"}, "reason": {"r"}})
	if diff := cmp.Diff([]string{"does not follow yet; it does within about a second"}, rows()); diff != "" {
		t.Errorf("after the pause (-want +got):\n%s", diff)
	}
	follow()
	if diff := cmp.Diff([]string{"sends none of these rows"}, rows()); diff != "" {
		t.Errorf("when the leader follows (-want +got):\n%s", diff)
	}
	send(s.confirmation("pause?outbox=shop&do=resume&topic=orders"))
	if diff := cmp.Diff([]string{"does not send the rows yet, although somebody has resumed"}, rows()); diff != "" {
		t.Errorf("after the resume (-want +got):\n%s", diff)
	}
	follow()
	if got := rows(); len(got) > 0 {
		t.Errorf("when the leader follows: %q", got)
	}
}

// A page lists few of many pauses, and counts all.
func TestManyPauses(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{})
	status := relay.Status{Leader: true, OperatorPauseCount: 1000, StatsAt: time.Now(), Led: &relay.Led{Since: time.Now().Add(-time.Hour)}}
	for range mostPauses {
		status.OperatorPauses = append(status.OperatorPauses, relay.OperatorPause{Topic: "t"})
	}
	s.outbox.Status = status
	body := s.get("outbox?outbox=shop").Body.String()
	for _, want := range []string{"Paused topics</dt><dd><a href=\"outbox?outbox=shop#pauses\">1,000</a>", "… and 900 more pauses"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}
