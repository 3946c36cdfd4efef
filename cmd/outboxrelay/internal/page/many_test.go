package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/chromium"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// manyRows is how many dead rows the page has to stay usable with.
const manyRows = 100_000

// With 100,000 dead rows, every page has few rows, and few statements make it. The times
// are logged.
func TestManyDeadRows(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(manyRows)
	s.exec(`ANALYZE event_outbox`)
	for _, path := range []string{
		"", "outbox?outbox=shop", "dead?outbox=shop", "dead?outbox=shop&order=oldest&after=50000", "dead?outbox=shop&before=50000",
		"dead?outbox=shop&key=k7", "dead?outbox=shop&error=nothing+has+this", "row?outbox=shop&seq=70000",
		"decide?outbox=shop&do=replay&scope=filter&key=k7", "decide?outbox=shop&do=replay&scope=filter", "decide?outbox=shop&do=discard&scope=filter&age=newer-24h",
	} {
		before, began := s.statements.Load(), time.Now()
		answer := s.get(path, loggedIn(testToken))
		took, statements := time.Since(began), s.statements.Load()-before
		rows := strings.Count(answer.Body.String(), "<tr role")
		t.Logf("%-70s %8s %3d statements %6d bytes %3d rows", path, took.Round(time.Millisecond), statements, answer.Body.Len(), rows)
		if answer.Code != http.StatusOK {
			t.Errorf("%s: %d\n%s", path, answer.Code, answer.Body)
		}
		const most = 40 // a plan reads ten pages of a thousand rows, each after a look for row security
		if rows > 2*pageRows+tableRows || statements > most || answer.Body.Len() > 200_000 {
			t.Errorf("%s: %d rows, %d statements, %d bytes", path, rows, statements, answer.Body.Len())
		}
	}

	// More rows match than one decision takes: it is about the first 10,000, and says so.
	form := s.confirmation("decide?outbox=shop&do=replay&scope=filter")
	began := time.Now()
	answer := s.post("decide", form, loggedIn(testToken))
	t.Logf("replay of %d rows: %s", mostPlanned, time.Since(began).Round(time.Millisecond))
	if want := fmt.Sprintf("dead?outbox=shop&replayed=%d", mostPlanned); answer.Header().Get("Location") != want {
		t.Fatalf("%d, to %q\n%s", answer.Code, answer.Header().Get("Location"), answer.Body)
	}
	if n := s.count(`SELECT count(dead_at) FROM event_outbox WHERE seq > ` + fmt.Sprint(mostPlanned)); n != manyRows-mostPlanned {
		t.Errorf("%d rows are dead after it", n)
	}
	if body := s.get("decide?outbox=shop&do=replay&scope=filter", loggedIn(testToken)).Body.String(); !strings.Contains(body, "More than 10,000 rows match.") {
		t.Error("the page does not say that there are more")
	}
	inBrowser(t, s)
}

// inBrowser looks at the list in a browser: the document stays small.
func inBrowser(t *testing.T, s *site) {
	t.Helper()
	server := httptest.NewServer(s.page)
	t.Cleanup(server.Close)
	browser := chromium.Open(t)
	browser.Size(1200, 900)
	token := url.Values{"user": {"ann"}, "token": {testToken}}
	browser.Goto(server.URL + "/ui/login")
	browser.Run(fmt.Sprintf(`fetch("login", {method: "POST", body: %q, headers: {"Content-Type": "application/x-www-form-urlencoded"}})`, token.Encode()), nil)
	for _, path := range []string{"dead?outbox=shop", "dead?outbox=shop&key=k7"} {
		began := time.Now()
		browser.Goto(server.URL + "/ui/" + path)
		took := time.Since(began)
		var seen struct{ Rows, Boxes, Elements int }
		browser.Run(`({Rows: document.querySelectorAll("tbody tr").length, Boxes: document.querySelectorAll("input[name=id]").length, Elements: document.querySelectorAll("*").length})`, &seen)
		t.Logf("%s in the browser: %s, %d elements", path, took.Round(time.Millisecond), seen.Elements)
		if seen.Rows != pageRows || seen.Boxes != pageRows || seen.Elements > 1500 {
			t.Errorf("%s: %+v", path, seen)
		}
	}
	browser.Run(`document.getElementById("every").click()`, nil)
	var chosen int
	browser.Run(`document.querySelectorAll("input[name=id]:checked").length`, &chosen)
	if chosen != pageRows {
		t.Errorf("%d rows are selected, want %d", chosen, pageRows)
	}
	browser.Follow(`document.querySelector("button[value=replay]").click()`)
	var title string
	browser.Run(`document.querySelector("h1").textContent`, &title)
	if want := fmt.Sprintf("Replay %d dead rows of shop?", pageRows); title != want {
		t.Errorf("the question is %q, want %q", title, want)
	}
	if found := browser.Problems(); len(found) > 0 {
		t.Errorf("the browser reports:\n%s", strings.Join(found, "\n"))
	}
}

// With many outboxes, the first page is made once for all browsers, and changes less often.
func TestManyOutboxes(t *testing.T) {
	t.Parallel()
	s := newSite(t, Access{})
	var all []Outbox
	for i := range manyOutboxes + 1 {
		o := s.outbox
		o.Name = fmt.Sprint("tenant_", i)
		o.Status = relay.Status{Leader: true, StatsAt: time.Now(), Led: &relay.Led{Since: time.Now().Add(-time.Hour)}}
		all = append(all, o)
	}
	made := atomic.Int64{}
	reasons := s.page.cfg.Reasons
	s.page.cfg.Reasons = func(state admin.State) []Reason {
		made.Add(1)
		return reasons(state)
	}
	s.page.cfg.Outboxes = func() []Outbox { return all }
	if body := s.get("").Body.String(); !strings.Contains(body, `hx-trigger="every 10s, seen"`) || strings.Count(body, `<tr role="row" id=`) != len(all) {
		t.Errorf("the first page:\n%s", body)
	}
	s.page.first.until = time.Now().Add(time.Hour)
	s.get("")
	if n := made.Load(); n != int64(len(all)) {
		t.Errorf("%d outboxes were described, want %d", n, len(all))
	}
	s.page.first.until = time.Now()
	s.get("")
	if n := made.Load(); n != 2*int64(len(all)) {
		t.Errorf("later, %d outboxes were described, want %d", n, 2*len(all))
	}
}
