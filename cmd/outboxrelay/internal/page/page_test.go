package page

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// site is a page with one outbox, shop, in a database.
type site struct {
	*testing.T

	page       *Page
	db         *services.PG
	outbox     Outbox
	statements atomic.Int64 // that the page has sent
	connects   atomic.Int64
}

// TraceQueryStart implements pgx.QueryTracer.
func (s *site) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.statements.Add(1)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (s *site) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

const testToken = "correct horse battery staple"

// loopbackWithToken is an Access with which people can log in.
func loopbackWithToken() Access {
	return Access{Loopback: true, Token: func() (string, error) { return testToken, nil }}
}

func newSite(t *testing.T, access Access, hide ...string) *site {
	t.Helper()
	s := &site{T: t, db: services.Postgres(t)}
	if err := migrations.Up(t.Context(), s.db.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.outbox = Outbox{Name: "shop", Database: Database{Server: s.db.URL, Schema: "public", Connect: func(ctx context.Context) (*pgx.Conn, error) {
		s.connects.Add(1)
		config, err := pgx.ParseConfig(s.db.URL)
		if err != nil {
			return nil, err
		}
		config.Tracer = s
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
		return pgx.ConnectConfig(ctx, config)
	}}}
	s.page = New(Config{
		Outboxes: func() []Outbox { return []Outbox{s.outbox} },
		Reasons: func(state admin.State) []Reason {
			if state.Dead > 0 {
				return []Reason{{DeadRow, fmt.Sprintf("%d rows dead", state.Dead)}}
			}
			return nil
		},
		WithoutSecrets: func(text string) string { return strings.ReplaceAll(text, "hunter2", "(secret)") },
		Access:         access, HideData: hide, Instance: "test", Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(s.page.sessions.close)
	return s
}

// insertDead inserts dead rows with the seqs from 1.
func (s *site) insertDead(n int) {
	s.Helper()
	s.exec(`INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, dead_at, retry_count, last_error)
		SELECT 'order', i::text, 'shop.placed.v' || i % 3, 'orders', 'k' || i % 1000, json_build_object('n', i), now(), 10, 'too large: hunter2' FROM generate_series(1, $1::int) AS i`, n)
}

func (s *site) exec(sql string, args ...any) {
	s.Helper()
	if _, err := s.db.Pool.Exec(s.Context(), sql, args...); err != nil {
		s.Fatal(err)
	}
}

func (s *site) count(sql string) (n int) {
	s.Helper()
	if err := s.db.Pool.QueryRow(s.Context(), sql).Scan(&n); err != nil {
		s.Fatal(err)
	}
	return n
}

// change adapts a request.
type change func(*http.Request)

func header(name, value string) change { return func(r *http.Request) { r.Header.Add(name, value) } }

func from(address string) change { return func(r *http.Request) { r.RemoteAddr = address + ":1" } }

func host(name string) change { return func(r *http.Request) { r.Host = name } }

func loggedIn(token string) change {
	return func(r *http.Request) {
		r.AddCookie(&http.Cookie{Name: cookieName(token), Value: newSession("ann", token, time.Now().Add(time.Hour))})
	}
}

func (s *site) ask(method, path string, form url.Values, changes ...change) *httptest.ResponseRecorder {
	s.Helper()
	r := httptest.NewRequestWithContext(s.Context(), method, "http://127.0.0.1:9464/ui/"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range changes {
		c(r)
	}
	w := httptest.NewRecorder()
	s.page.ServeHTTP(w, r)
	return w
}

func (s *site) get(path string, changes ...change) *httptest.ResponseRecorder {
	s.Helper()
	return s.ask(http.MethodGet, path, nil, changes...)
}

func (s *site) post(path string, form url.Values, changes ...change) *httptest.ResponseRecorder {
	s.Helper()
	return s.ask(http.MethodPost, path, form, changes...)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// confirmation returns the hidden fields of a page that asks for a confirmation.
func (s *site) confirmation(path string) url.Values {
	s.Helper()
	answer := s.get(path, loggedIn(testToken))
	if answer.Code != http.StatusOK {
		s.Fatalf("%s: %d\n%s", path, answer.Code, answer.Body)
	}
	form := url.Values{}
	for _, found := range hiddenField.FindAllStringSubmatch(answer.Body.String(), -1) {
		form.Add(found[1], found[2])
	}
	return form
}

// The list has each row once, whichever way it is read, and a page of it is small.
func TestListIsReadInPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{Loopback: true, LocalData: true})
	s.insertDead(pageRows*2 + 20)
	rows, link := regexp.MustCompile(`>seq (\d+)</a>`), regexp.MustCompile(`<a href="(dead\?[^"]*)" rel="(next|prev)">`)
	read := func(path string) (seqs []string, links map[string]string) {
		t.Helper()
		answer := s.get(path)
		if answer.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, answer.Code)
		}
		for _, found := range rows.FindAllStringSubmatch(answer.Body.String(), -1) {
			seqs = append(seqs, found[1])
		}
		links = map[string]string{}
		for _, found := range link.FindAllStringSubmatch(answer.Body.String(), -1) {
			links[found[2]] = strings.ReplaceAll(found[1], "&amp;", "&")
		}
		return seqs, links
	}
	for _, order := range []string{"", "&order=oldest"} {
		var want []string
		for i := range pageRows*2 + 20 {
			if order == "" {
				i = pageRows*2 + 19 - i
			}
			want = append(want, fmt.Sprint(i+1))
		}
		var there []string
		path := "dead?outbox=shop" + order
		for {
			seqs, links := read(path)
			if len(seqs) > pageRows {
				t.Fatalf("a page has %d rows", len(seqs))
			}
			there = append(there, seqs...)
			if links["next"] == "" {
				break
			}
			path = links["next"]
		}
		if diff := cmp.Diff(want, there); diff != "" {
			t.Errorf("order %q, forwards (-want +got):\n%s", order, diff)
		}
		var back []string
		for path != "" {
			seqs, links := read(path)
			back = append(append([]string{}, seqs...), back...)
			path = links["prev"]
		}
		if diff := cmp.Diff(want, back); diff != "" {
			t.Errorf("order %q, backwards (-want +got):\n%s", order, diff)
		}
	}
}

func TestListIsFiltered(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{Loopback: true, LocalData: true})
	s.insertDead(6)
	s.exec(`UPDATE event_outbox SET dead_at = now() - interval '2 days', last_error = '100% broken' WHERE seq = 2`)
	s.exec(`UPDATE event_outbox SET topic = 'refunds' WHERE seq = 3`)
	s.exec(`UPDATE event_outbox SET event_key = 'k6 ' WHERE seq = 6`) // another key than k6
	rows := regexp.MustCompile(`>seq (\d+)</a>`)
	for filter, want := range map[string][]string{
		"type=shop.placed.v1": {"4", "1"}, "topic=refunds": {"3"}, "key=k5": {"5"}, "key=k6": nil, "key=k6+": {"6"}, "topic=+refunds+": {"3"}, "error=100%25": {"2"}, "error=TOO+large": {"6", "5", "4", "3", "1"},
		"age=older-24h": {"2"}, "age=newer-1h&type=shop.placed.v2": {"5"}, "key=nobody": nil, "key=%ff%00": nil, "type=%27%3b--": nil,
	} {
		answer := s.get("dead?outbox=shop&" + filter)
		var got []string
		for _, found := range rows.FindAllStringSubmatch(answer.Body.String(), -1) {
			got = append(got, found[1])
		}
		if filter == "key=%ff%00" { // nothing is left of it, so it is no filter
			want = []string{"6", "5", "4", "3", "2", "1"}
		}
		if diff := cmp.Diff(want, got); diff != "" || answer.Code != http.StatusOK {
			t.Errorf("%s: %d (-want +got):\n%s", filter, answer.Code, diff)
		}
	}
	for _, wrong := range []string{"age=yesterday", "id=1", "id=" + strings.Repeat("0", 1000)} {
		if answer := s.get("dead?outbox=shop&" + wrong); answer.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, answer.Code)
		}
	}
}

// A process that leads needs no statement for its first page. One that stands by reads the
// lease, and counts rows only if nobody leads.
func TestFirstPageAsksTheDatabaseForLittle(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{Loopback: true, LocalData: true})
	s.insertDead(3)
	s.page.samples.take(t.Context(), time.Now())
	if n := s.connects.Load(); n != 0 {
		t.Errorf("a standby whose page nobody looks at opens %d sessions", n)
	}
	s.exec(`INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (7, gen_random_uuid(),
		'{"leader": true, "stats": {"dead": 3, "pending": 12}, "led": {"host": "other", "pid": 9}}'::jsonb || jsonb_build_object('stats_at', now()))`)
	answer := s.get("").Body.String()
	for _, want := range []string{"other, pid 9", "this process stands by", "3 rows dead", ">12<"} {
		if !strings.Contains(answer, want) {
			t.Errorf("the page of a standby does not have %q", want)
		}
	}
	if n := s.statements.Load(); n > 2 { // the settings of the session, and the lease
		t.Errorf("a standby sends %d statements", n)
	}
	s.page.samples.take(t.Context(), time.Now())
	if list, _ := s.page.samples.samples("shop", false); len(list) != 2 || !math.IsNaN(list[0].dead) || list[1].dead != 3 {
		t.Errorf("the samples of a standby before and after the first look: %+v", list)
	}
	s.outbox.Status = relay.Status{Leader: true, CaughtUp: true, Stats: relay.Stats{Dead: 5}, StatsAt: time.Now()}
	before := s.statements.Load()
	for range 10 {
		if answer := s.get("").Body.String(); !strings.Contains(answer, "5 rows dead") {
			t.Fatalf("the page of the leader:\n%s", answer)
		}
	}
	s.page.samples.take(t.Context(), time.Now())
	if n := s.statements.Load() - before; n != 0 {
		t.Errorf("the leader sends %d statements", n)
	}
	// However many look at one outbox, the database counts once.
	for range 10 {
		s.get("outbox?outbox=shop")
	}
	if n := s.statements.Load() - before; n > 14 {
		t.Errorf("ten looks at one outbox send %d statements", n)
	}
}

// A database that cannot be reached is said on the page, without its password.
func TestDatabaseThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{Loopback: true, LocalData: true})
	s.outbox.Database.Server = "elsewhere"
	s.outbox.Database.Connect = func(context.Context) (*pgx.Conn, error) { return nil, fmt.Errorf("password hunter2 is wrong") }
	for path, want := range map[string]int{"": 200, "outbox?outbox=shop": 200, "dead?outbox=shop": 502, "row?outbox=shop&seq=1": 502} {
		answer := s.get(path)
		if body := answer.Body.String(); answer.Code != want || !strings.Contains(body, "password (secret) is wrong") || strings.Contains(body, "hunter2") {
			t.Errorf("%q: %d\n%s", path, answer.Code, body)
		}
	}
	s.outbox.Status = relay.Status{Leader: true, Stats: relay.Stats{Pending: 3}, StatsAt: time.Now()}
	if body := s.get("outbox?outbox=shop").Body.String(); !strings.Contains(body, "cannot read the database") || !strings.Contains(body, "Pending rows</dt><dd>3") {
		t.Errorf("the page of a leader does not say what it knows:\n%s", body)
	}
}
