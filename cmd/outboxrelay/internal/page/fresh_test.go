package page

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// The page of a leader says when it counted, and does not stay green while rows that it has
// read do not get out.
func TestALeaderThatCountedAWhileAgo(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{})
	lead := func(counted time.Duration, inFlight int, oldest time.Duration) {
		s.outbox.Status = relay.Status{
			Leader: true, CaughtUp: true, InFlight: inFlight, Stats: relay.Stats{OldestAge: oldest}, StatsAt: time.Now().Add(-counted),
			Led: &relay.Led{Since: time.Now().Add(-time.Hour)},
		}
	}
	sees := func(want ...string) {
		t.Helper()
		body := s.get("").Body.String()
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("the page does not have %q:\n%s", text, body)
			}
		}
	}
	lead(7*time.Second, 0, 0)
	sees("Nothing waits", "No row waited at the last count.", "The leader counted the rows 7 s ago.")
	lead(2*time.Minute, 0, 0)
	sees("Numbers are old", "2 min 0 s ago", "Needs attention: shop")

	// Kafka stops to answer just after a count.
	lead(time.Second, 3, 0)
	now := time.Now()
	s.page.samples.take(t.Context(), now.Add(-20*time.Second))
	s.page.samples.take(t.Context(), now.Add(-10*time.Second))
	sees("Not flowing", "rows have been in flight for 20 s, and none of them was published")
	lead(7*time.Second, 3, 6*time.Second)
	sees("Oldest waits for</dt><dd>13 s")
	s.outbox.Published++ // one got out
	sees("Flowing")
}

// If a round is too short for all outboxes of a server, the next one begins where it ended,
// and no outbox becomes "not known".
func TestRoundsGoOnWhereTheyEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var read []string
	var all []Outbox
	for i := range 5 {
		name := fmt.Sprint(i)
		all = append(all, Outbox{Name: name, Database: Database{Server: "one", Connect: func(ctx context.Context) (*pgx.Conn, error) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if read = append(read, name); len(read) == 2 {
				cancel()
			}
			return nil, errors.New("refused")
		}}})
	}
	p := New(Config{Outboxes: func() []Outbox { return all }, Log: slog.New(slog.DiscardHandler)})
	p.samples.read(ctx, "one", all, time.Now())
	for i, o := range all {
		k, ok := p.samples.latest(o.Name)
		if want := i == 0; ok != want { // the second one was interrupted
			t.Errorf("after the first round, outbox %d is known: %t (%v)", i, ok, k.err)
		}
	}
	p.samples.read(t.Context(), "one", all, time.Now())
	if got, want := strings.Join(read, " "), "0 1 1 2 3 4 0"; got != want {
		t.Errorf("read in the order %s, want %s", got, want)
	}

	// A server that does not answer at all is the same for all of its outboxes.
	ended, end := context.WithCancel(t.Context())
	end()
	p.samples.read(ended, "one", all, time.Now())
	for _, o := range all {
		if k, ok := p.samples.latest(o.Name); !ok || k.err == nil {
			t.Errorf("outbox %s: known %t, %v", o.Name, ok, k.err)
		}
	}
}

// The first page of a standby with many outboxes says which were not read yet.
func TestOutboxesThatWereNotReadYet(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{})
	var all []Outbox
	for i := range mostFresh + 1 {
		o := s.outbox
		o.Name = fmt.Sprint("tenant_", i)
		all = append(all, o)
	}
	s.page.cfg.Outboxes = func() []Outbox { return all }
	if body := s.get("").Body.String(); !strings.Contains(body, "Not read yet: 21. Of the others, none needs your attention.") || strings.Contains(body, "Not known") {
		t.Errorf("the first look:\n%s", body)
	}
	select {
	case <-s.page.wake:
	default:
		t.Error("the first look does not make the page take samples")
	}
}

// Sessions are shared by schemas whose columns have different types.
func TestSchemasWithDifferentTypes(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{Loopback: true, LocalData: true})
	s.insertDead(1)
	s.exec(`CREATE SCHEMA other`)
	conn := s.db.Connect(t.Context())
	if _, err := conn.Exec(t.Context(), `SET search_path = other`); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	s.exec(`ALTER TABLE other.event_outbox ALTER aggregate_type TYPE text, ALTER event_type TYPE text, ALTER event_key TYPE text`)
	s.exec(`INSERT INTO other.event_outbox OVERRIDING SYSTEM VALUE SELECT * FROM event_outbox`)
	second := s.outbox
	second.Name, second.Database.Schema = "other", "other"
	first := s.outbox
	s.page.cfg.Outboxes = func() []Outbox { return []Outbox{first, second} }
	for range 2 {
		for _, name := range []string{"shop", "other"} {
			for _, path := range []string{"dead?outbox=", "outbox?outbox="} {
				if answer := s.get(path + name); answer.Code != http.StatusOK || strings.Contains(answer.Body.String(), "Not known") {
					t.Errorf("%s%s: %d\n%s", path, name, answer.Code, answer.Body)
				}
			}
			if answer := s.get("row?seq=1&outbox=" + name); !strings.Contains(answer.Body.String(), " --outbox "+name+"</code>") {
				t.Errorf("the command of a row does not name the outbox %s:\n%s", name, answer.Body)
			}
		}
	}
	if n := s.connects.Load(); n > mostSessions {
		t.Errorf("%d sessions were opened", n)
	}
}

// Visitors cannot take the session of operators away.
func TestOneSessionIsForOperators(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	started, end := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- s.page.sessions.withShared(t.Context(), s.outbox.Database, func(*pgx.Conn) error {
			close(started)
			<-end
			return nil
		})
	}()
	<-started
	if answer := s.get("dead?outbox=shop", loggedIn(testToken)); answer.Code != http.StatusOK {
		t.Errorf("the list while a visitor has a session: %d\n%s", answer.Code, answer.Body)
	}
	limited, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.page.sessions.withShared(limited, s.outbox.Database, func(*pgx.Conn) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a second visitor: %v", err)
	}
	close(end)
	if err := <-done; err != nil {
		t.Error(err)
	}
	// A visitor makes nobody count if a relay leads.
	s.exec(`INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (7, gen_random_uuid(), '{"leader": true}'::jsonb || jsonb_build_object('stats_at', now()))`)
	before := s.statements.Load()
	if answer := s.get("outbox?outbox=shop"); answer.Code != http.StatusOK {
		t.Errorf("the page of an outbox for a visitor: %d", answer.Code)
	}
	if n := s.statements.Load() - before; n > 2 {
		t.Errorf("a visitor of one outbox costs %d statements", n)
	}
}

// A bug in the page does not end the relay.
func TestABugInThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{})
	s.page.cfg.Reasons = nil
	s.outbox.Status = relay.Status{Leader: true, StatsAt: time.Now()}
	if body := s.get("").Body.String(); !strings.Contains(body, "The page has a bug") {
		t.Errorf("the first page:\n%s", body)
	}
	s.page.cfg.Outboxes = func() []Outbox { panic("bug") }
	s.page.tend(t.Context())
}

// If nobody leads, the page of a relay says why this relay does not, and does not tell people
// to start one.
func TestNobodyLeads(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{})
	s.page.cfg.Reasons = func(admin.State) []Reason {
		return []Reason{{NoLeader, "start a relay (outboxrelay run); its text does not matter"}, {Fault, "2 rows failed"}}
	}
	for _, c := range []struct {
		status relay.Status
		want   string
	}{
		{relay.Status{Reason: "the lease has not been read yet"}, "no relay leads: this process does not either: the lease has not been read yet"},
		{relay.Status{Reason: "its text does not matter", ReasonKind: relay.ReasonStandby}, "no relay leads: this process has not taken over yet"},
		{relay.Status{}, "no relay leads: this process has not taken over yet"},
	} {
		s.outbox.Status = c.status
		body := s.get("").Body.String()
		if !strings.Contains(body, c.want) || !strings.Contains(body, "2 rows failed") || strings.Contains(body, "outboxrelay run") {
			t.Errorf("%+v: the page does not say %q:\n%s", c.status, c.want, body)
		}
	}
}

// If the page's own sessions are busy, that is said of no database.
func TestBusySessionsAreNoFault(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	of := s.page.sessions.slotsOf(s.outbox.Database.Server)
	of.everybody <- struct{}{}
	if body := s.get("").Body.String(); !strings.Contains(body, "Not read yet") || strings.Contains(body, "cannot be read") {
		t.Errorf("before anything is known:\n%s", body)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	s.page.samples.read(ended, s.outbox.Database.Server, []Outbox{s.outbox}, time.Now())
	if k, ok := s.page.samples.latest("shop"); ok {
		t.Errorf("the sample: %+v", k)
	}
	<-of.everybody
	s.page.samples.read(t.Context(), s.outbox.Database.Server, []Outbox{s.outbox}, time.Now())
	of.everybody <- struct{}{}
	of.operators <- struct{}{} // and the people who may see dead rows wait too
	delete(s.page.looks, "lease of shop")
	for _, path := range []string{"", "outbox?outbox=shop"} {
		if body := s.get(path, loggedIn(testToken)).Body.String(); !strings.Contains(body, "No leader") {
			t.Errorf("%q with a sample:\n%s", path, body)
		}
	}
	s.outbox.Status = relay.Status{Leader: true, StatsAt: time.Now(), Led: &relay.Led{Since: time.Now().Add(-time.Hour)}}
	if body := s.get("outbox?outbox=shop", loggedIn(testToken)).Body.String(); !strings.Contains(body, "Nothing waits") || strings.Contains(body, "cannot read the database") {
		t.Errorf("of a leader:\n%s", body)
	}
}

// Without scripts, the page loads itself again, until the reader stops that.
func TestPagesWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	const again = `<meta http-equiv="refresh"`
	for path, want := range map[string]struct {
		loads bool
		link  string
	}{
		"":                              {true, `href="?still=1"`},
		"?still=1":                      {false, `href="./"`},
		"outbox?outbox=shop":            {true, `href="outbox?outbox=shop&amp;still=1"`},
		"outbox?outbox=shop&still=1":    {false, `href="outbox?outbox=shop"`},
		"outbox?outbox=shop&range=days": {true, `href="outbox?outbox=shop&amp;range=days&amp;still=1"`},
	} {
		body := s.get(path).Body.String()
		if strings.Contains(body, again) != want.loads || !strings.Contains(body, want.link) {
			t.Errorf("%q: loads itself %t, link %s:\n%s", path, strings.Contains(body, again), want.link, body)
		}
	}
	s.insertDead(1)
	row := "row?outbox=shop&still=1&id=" + s.texts(`SELECT id::text FROM event_outbox`)[0]
	if body := s.get(row, loggedIn(testToken)).Body.String(); !strings.Contains(body, "updates") || strings.Contains(body, "every ten seconds") {
		t.Errorf("a page that never loads itself says something about it:\n%s", body)
	}
}

// A database that cannot be reached is not blamed on the filter.
func TestADatabaseThatCannotBeReachedInTime(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.outbox.Database.Connect = func(context.Context) (*pgx.Conn, error) {
		return nil, fmt.Errorf("the server does not answer: %w", context.DeadlineExceeded)
	}
	for _, path := range []string{"dead?outbox=shop&error=x", "decide?outbox=shop&do=replay&scope=filter"} {
		answer := s.get(path, loggedIn(testToken))
		for _, want := range []string{"This did not work: read the dead rows", "the server does not answer"} {
			if answer.Code != http.StatusBadGateway || !strings.Contains(answer.Body.String(), want) {
				t.Errorf("%s: %d, without %q:\n%s", path, answer.Code, want, answer.Body)
			}
		}
	}
}

// A filter for which the database takes too long has a command.
func TestASlowDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	tx, err := s.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // it only locks
	if _, err := tx.Exec(t.Context(), `LOCK TABLE event_outbox`); err != nil {
		t.Fatal(err)
	}
	// Nor does it keep anybody from pausing a topic.
	if body := s.get("pause?outbox=shop&topic=orders", loggedIn(testToken)).Body.String(); !strings.Contains(body, "The rows could not be read, so it is not known") || !strings.Contains(body, "Pause the topic</button>") {
		t.Errorf("the page that pauses a topic:\n%s", body)
	}
	limited, end := context.WithTimeout(t.Context(), 1500*time.Millisecond) // less than it waits for a lock
	defer end()
	answer := s.get("dead?outbox=shop&error=x+y", loggedIn(testToken), func(r *http.Request) { *r = *r.WithContext(limited) })
	const want = "it has to read all dead rows. The command has more time: outboxrelay dead list --error &#39;x y&#39;"
	if answer.Code != http.StatusGatewayTimeout || !strings.Contains(answer.Body.String(), want) {
		t.Errorf("%d, without %s:\n%s", answer.Code, want, answer.Body)
	}
}

// If another session holds a lock, the page says which one, and neither waits for it for long
// nor blames the filter.
func TestALockedTable(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	form := s.confirmation("decide?outbox=shop&do=replay&scope=filter")
	connects := s.connects.Load()
	for _, c := range []struct {
		lock, title string
		ask         func() *httptest.ResponseRecorder
	}{
		{"ACCESS EXCLUSIVE", "read the dead rows", func() *httptest.ResponseRecorder { return s.get("dead?outbox=shop&error=x", loggedIn(testToken)) }},
		{"ACCESS EXCLUSIVE", "read the dead rows", func() *httptest.ResponseRecorder { return s.post("decide", form, loggedIn(testToken)) }},
		{"SHARE", "replay 1 dead row: 0 were done, then it stopped", func() *httptest.ResponseRecorder { return s.post("decide", form, loggedIn(testToken)) }},
	} {
		tx, err := s.db.Pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `LOCK TABLE event_outbox IN `+c.lock+` MODE`); err != nil {
			t.Fatal(err)
		}
		pid := tx.Conn().PgConn().PID()
		answer := c.ask()
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		body := answer.Body.String()
		for _, want := range []string{"This did not work: " + c.title, fmt.Sprintf("it may have waited for: session %d (", pid), fmt.Sprintf("pg_terminate_backend(%d)", pid)} {
			if answer.Code != http.StatusServiceUnavailable || !strings.Contains(body, want) || strings.Contains(body, "it has to read all dead rows") {
				t.Errorf("%s: %d, without %q:\n%s", c.lock, answer.Code, want, body)
			}
		}
	}
	if dead := s.count(`SELECT count(*) FROM event_outbox WHERE dead_at IS NOT NULL`); dead != 1 || s.connects.Load() != connects {
		t.Errorf("%d dead rows, %d new connections", dead, s.connects.Load()-connects)
	}
}
