package page

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// paths are one of each kind: what everybody may see, what needs a login or loopback, and
// what always needs a login.
var paths = struct{ open, read, change []string }{
	open:   []string{"", "outbox?outbox=shop", "plot.json?outbox=shop", "assets/page.js"},
	read:   []string{"dead?outbox=shop", "row?outbox=shop&seq=1"},
	change: []string{"decide?outbox=shop&do=replay&scope=filter", "pause?outbox=shop"},
}

func TestWhoMaySeeAndChangeWhat(t *testing.T) {
	t.Parallel()
	token := func() (string, error) { return testToken, nil }
	proxies := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	localData := Access{Loopback: true, LocalData: true}
	for _, tt := range []struct {
		name                   string
		access                 Access
		changes                []change
		read, change, changing int // status codes; changing is that of a POST
	}{
		{name: "loopback", access: Access{Loopback: true}, read: 403, change: 403, changing: 403},
		{name: "loopback with local data", access: localData, read: 200, change: 403, changing: 403},
		{name: "local data, but everybody reaches it", access: Access{LocalData: true}, read: 403, change: 403, changing: 403},
		{name: "local data, but a proxy has a name", access: Access{Loopback: true, LocalData: true, Hosts: []string{"relay.example"}}, changes: []change{host("relay.example")}, read: 403, change: 403, changing: 403},
		{name: "local data through a proxy that ends TLS", access: localData, changes: []change{header("X-Forwarded-Proto", "https")}, read: 403, change: 403, changing: 403},
		{name: "local data through a proxy that numbers requests", access: localData, changes: []change{header("X-Request-Id", "7")}, read: 403, change: 403, changing: 403},
		{name: "everywhere", access: Access{}, read: 403, change: 403, changing: 403},
		{name: "loopback through a proxy", access: localData, changes: []change{header("X-Forwarded-For", "192.0.2.1")}, read: 403, change: 403, changing: 403},
		{name: "loopback with a token", access: Access{Loopback: true, Token: token}, read: 303, change: 303, changing: 401},
		{name: "everywhere with a token", access: Access{Token: token}, read: 303, change: 303, changing: 401},
		{name: "logged in", access: Access{Token: token}, changes: []change{loggedIn(testToken)}, read: 200, change: 200, changing: 400},
		{name: "logged in with a former token", access: Access{Token: token}, changes: []change{loggedIn("another long token")}, read: 303, change: 303, changing: 401},
		{
			name: "logged in, and the file is gone", access: Access{Token: func() (string, error) { return "", errors.New("gone") }},
			changes: []change{loggedIn("")}, read: 303, change: 303, changing: 401,
		},
		{
			name: "logged in with a token of spaces", access: Access{Token: func() (string, error) { return strings.Repeat(" ", 20), nil }},
			changes: []change{loggedIn("")}, read: 303, change: 303, changing: 401,
		},
		{
			name: "logged in with a token that is too short", access: Access{Token: func() (string, error) { return "short", nil }},
			changes: []change{loggedIn("short")}, read: 303, change: 303, changing: 401,
		},
		{
			name: "through the proxy", access: Access{ProxyHeader: "X-User", TrustedProxies: proxies},
			changes: []change{from("10.1.2.3"), header("X-User", "ann")}, read: 200, change: 200, changing: 400,
		},
		{
			name: "through the proxy, without a user", access: Access{ProxyHeader: "X-User", TrustedProxies: proxies},
			changes: []change{from("10.1.2.3")}, read: 403, change: 403, changing: 403,
		},
		{
			name: "through the proxy, with two users", access: Access{ProxyHeader: "X-User", TrustedProxies: proxies},
			changes: []change{from("10.1.2.3"), header("X-User", "ann"), header("X-User", "root")}, read: 403, change: 403, changing: 403,
		},
		{
			name: "past the proxy", access: Access{ProxyHeader: "X-User", TrustedProxies: proxies},
			changes: []change{from("10.2.2.3"), header("X-User", "ann")}, read: 403, change: 403, changing: 403,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, tt.access)
			s.insertDead(1)
			check := func(method string, list []string, want int) {
				t.Helper()
				for _, path := range list {
					answer := s.ask(method, path, url.Values{}, tt.changes...)
					if answer.Code != want {
						t.Errorf("%s %q: %d, want %d\n%s", method, path, answer.Code, want, answer.Body)
					}
					if want == http.StatusSeeOther && answer.Header().Get("Location") != "login?next="+url.QueryEscape(path) {
						t.Errorf("%s %q leads to %q", method, path, answer.Header().Get("Location"))
					}
				}
			}
			check(http.MethodGet, paths.open, 200)
			check(http.MethodGet, paths.read, tt.read)
			check(http.MethodGet, paths.change, tt.change)
			check(http.MethodPost, paths.change[:1], tt.changing)
			if n := s.count(`SELECT count(dead_at) FROM event_outbox`); n != 1 {
				t.Errorf("%d rows are dead", n)
			}
		})
	}
}

// A request that another site makes a browser send changes nothing, although the browser
// adds the cookie or the proxy the user.
func TestOtherSitesCanChangeNothing(t *testing.T) {
	t.Parallel()
	access := loopbackWithToken()
	access.Hosts = []string{"relay.example", "relay.example:8443", "http://plain.example"}
	s := newSite(t, access)
	s.insertDead(2)
	form := s.confirmation("decide?outbox=shop&do=discard&scope=filter")
	form.Set("reason", "r")
	form.Set("count", "2")
	for _, c := range []struct {
		name    string
		changes []change
		want    int
	}{
		{"another site", []change{header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example")}, 403},
		{"another site of the same domain", []change{header("Sec-Fetch-Site", "same-site"), header("Origin", "https://evil.relay.example")}, 403},
		{"another site in an old browser", []change{header("Origin", "https://evil.example")}, 403},
		{"a document without an origin", []change{header("Origin", "null")}, 403},
		{"a forged page of the same name", []change{header("Sec-Fetch-Site", "cross-site"), header("Origin", "http://relay.example")}, 403},
		{"another port", []change{header("Origin", "http://127.0.0.1:8000")}, 403},
		{"a name that points here", []change{host("evil.example:9464"), header("Sec-Fetch-Site", "same-origin"), header("Origin", "http://evil.example:9464")}, 421},
	} {
		for _, path := range []string{"decide", "pause", "login", "logout"} {
			if answer := s.post(path, form, append(c.changes, loggedIn(testToken))...); answer.Code != c.want {
				t.Errorf("%s, POST %s: %d, want %d", c.name, path, answer.Code, c.want)
			}
		}
	}
	// A GET changes nothing, whoever sends it.
	s.get("decide?"+form.Encode(), loggedIn(testToken), header("Sec-Fetch-Site", "cross-site"))
	if n := s.count(`SELECT count(dead_at) FROM event_outbox`); n != 2 {
		t.Fatalf("%d rows are dead, want 2", n)
	}
	// Behind a proxy that passes on its own name, the page's own origin is one of page_hosts.
	answer := s.post("decide", form, loggedIn(testToken), header("Origin", "https://relay.example:8443"))
	if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "dead?discarded=2&outbox=shop" {
		t.Errorf("the page itself: %d, to %q\n%s", answer.Code, answer.Header().Get("Location"), answer.Body)
	}
}

func TestHostNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		access Access
		yes    string
		no     string
	}{
		{Access{Loopback: true}, "127.0.0.1:9464 localhost:9464 LOCALHOST [::1]:9464 127.8.9.1 localhost.", "evil.example 10.0.0.1 localhost.evil.example 127.0.0.1.evil.example [::2]:1 [] ."},
		{Access{Loopback: true, Hosts: []string{"Relay.Example", "a:8443"}}, "127.0.0.1 relay.example:80 relay.example a:8443", "evil.example a a:1"},
		{Access{}, "10.0.0.1 anything.example", ""},
		{Access{Hosts: []string{"relay.example"}}, "relay.example 10.0.0.1:9464 localhost:9464", "evil.example localhost.evil.example"},
		{Access{Hosts: []string{"http://relay.example"}}, "relay.example localhost", "evil.example"},
	} {
		for _, name := range strings.Fields(c.yes) {
			if !c.access.servedAs(name) {
				t.Errorf("%+v is not served as %q", c.access, name)
			}
		}
		for _, name := range strings.Fields(c.no) {
			if c.access.servedAs(name) {
				t.Errorf("%+v is served as %q", c.access, name)
			}
		}
		if c.access.Loopback && c.access.servedAs("") {
			t.Error("a request without a host name is served")
		}
	}
}

func TestSessionsAreSigned(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, user := range []string{"ann", "Ann Ü. (ops)", "a.b.c"} {
		value := newSession(user, testToken, now.Add(time.Hour))
		if got, ok := readSession(value, testToken, now); got != user || !ok {
			t.Errorf("%q becomes %q, %t", user, got, ok)
		}
		for name, wrong := range map[string]string{
			"of another user":  newSession("root", "x", now.Add(time.Hour))[:8] + value[8:],
			"without the end":  strings.SplitN(value, ".", 2)[0],
			"with another end": strings.Replace(value, ".", ".9", 1),
			"of another token": newSession(user, testToken+" ", now.Add(time.Hour)),
			"that has ended":   newSession(user, testToken, now),
			"empty":            "",
		} {
			if got, ok := readSession(wrong, testToken, now); ok {
				t.Errorf("a session %s is accepted, of %q", name, got)
			}
		}
	}
}

func cookieOf(t *testing.T, answer *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	cookie, err := http.ParseSetCookie(answer.Header().Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	form := func(user, token, next string) url.Values {
		return url.Values{"user": {user}, "token": {token}, "next": {next}}
	}
	answer := s.post("login", form(" ann ", testToken, "dead?outbox=shop&key=%22%3E"), header("Origin", "http://127.0.0.1:9464"))
	if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "dead?key=%22%3E&outbox=shop" {
		t.Fatalf("%d, to %q", answer.Code, answer.Header().Get("Location"))
	}
	cookie := cookieOf(t, answer)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "" || cookie.Secure || cookie.MaxAge != int(sessionLasts.Seconds()) {
		t.Errorf("the cookie: %s", cookie)
	}
	if answer := s.get("pause?outbox=shop", func(r *http.Request) { r.AddCookie(cookie) }); answer.Code != http.StatusOK {
		t.Errorf("with the cookie: %d", answer.Code)
	}
	behindTLS := s.post("login", form("ann", testToken, ""), host("localhost"), header("Origin", "https://localhost"), header("Sec-Fetch-Site", "same-origin"))
	if cookie := cookieOf(t, behindTLS); !cookie.Secure {
		t.Errorf("the cookie of an https page: %s", cookie)
	}
	if answer := s.post("login", form("ann", " "+testToken+"\t", "")); answer.Code != http.StatusSeeOther {
		t.Errorf("a token that was copied with spaces: %d", answer.Code)
	}
	for _, c := range []struct {
		user, token string
		want        int
	}{
		{"ann", "", 401},
		{"ann", testToken + "x", 401},
		{"", testToken, 422},
		{"a\u202eb", testToken, 422},
		{strings.Repeat("x", 101), testToken, 422},
		{"\xff", testToken, 422},
	} {
		if answer := s.post("login", form(c.user, c.token, ""), from("192.0.2.7")); answer.Code != c.want || answer.Header().Get("Set-Cookie") != "" {
			t.Errorf("%q with %q: %d, want %d, cookie %q", c.user, c.token, answer.Code, c.want, answer.Header().Get("Set-Cookie"))
		}
	}
}

// Whoever guesses tokens is slowed down; others are not.
func TestLoginsAreLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	wrong := url.Values{"user": {"ann"}, "token": {"wrong"}}
	codes := map[int]int{}
	for range burst + 5 {
		codes[s.post("login", wrong, from("192.0.2.7")).Code]++
	}
	if diff := cmp.Diff(map[int]int{401: burst, 429: 5}, codes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	right := url.Values{"user": {"ann"}, "token": {testToken}}
	if answer := s.post("login", right, from("192.0.2.7")); answer.Code != http.StatusSeeOther {
		t.Errorf("the right token from an address of which others have tried wrong ones: %d", answer.Code)
	}
	if answer := s.post("login", right, from("192.0.2.8")); answer.Code != http.StatusSeeOther {
		t.Errorf("from another address: %d", answer.Code)
	}

	var a attempts
	now := time.Now()
	spare := 0
	for range 100 {
		if a.allowSpare(now) {
			spare++
		}
	}
	if spare != spareBurst || !a.allowSpare(now.Add(time.Second)) {
		t.Errorf("%d tokens are looked at, at once, from addresses without attempts, want %d", spare, spareBurst)
	}
	for range burst {
		a.allow("x", now)
	}
	if got := []bool{a.allow("x", now), a.allow("x", now.Add(refill)), a.allow("x", now.Add(refill))}; !cmp.Equal([]bool{false, true, false}, got) {
		t.Errorf("after all attempts, and after one is back: %v", got)
	}
	for i := range mostAddresses + 10 {
		a.allow(fmt.Sprint(i), now)
	}
	if len(a.from) > mostAddresses {
		t.Errorf("%d addresses are remembered", len(a.from))
	}
}

// Behind a trusted proxy, attempts are those of the address that it has added last.
func TestWhoTriesToLogIn(t *testing.T) {
	t.Parallel()
	a := Access{ProxyHeader: "X-User", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"10.1.2.3", "192.0.2.1", "192.0.2.1"},
		{"10.1.2.3", "198.51.100.1, 192.0.2.1", "192.0.2.1"}, // the browser can send the first one
		{"10.1.2.3", "unknown", "10.1.2.3"},
		{"10.1.2.3", "", "10.1.2.3"},
		{"10.2.2.3", "192.0.2.1", "10.2.2.3"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://relay.example/ui/login", nil)
		from(c.peer)(r)
		header("X-Forwarded-For", c.forwarded)(r)
		if got := a.client(r); got != c.want {
			t.Errorf("from %s, forwarded for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// A login that ended while somebody decided costs a login, and nothing that was entered.
func TestALoginThatEndsKeepsTheQuestion(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(1)
	form := s.confirmation("decide?outbox=shop&do=discard&scope=filter&type=shop.placed.v1")
	form.Set("reason", "a long explanation")
	form.Set("count", "1")
	answer := s.post("decide", form)
	if answer.Code != http.StatusUnauthorized || !strings.Contains(answer.Body.String(), "Your login has ended. Nothing was changed.") {
		t.Fatalf("%d\n%s", answer.Code, answer.Body)
	}
	next := ""
	for _, found := range hiddenField.FindAllStringSubmatch(answer.Body.String(), -1) {
		next = html.UnescapeString(found[2])
	}
	answer = s.post("login", url.Values{"user": {"ann"}, "token": {testToken}, "next": {next}})
	if answer.Code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", answer.Code, answer.Body)
	}
	cookie := cookieOf(t, answer)
	answer = s.get(answer.Header().Get("Location"), func(r *http.Request) { r.AddCookie(cookie) })
	for _, want := range []string{"Discard 1 dead row of shop?", `value="a long explanation"`} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s, which the login leads to, does not have %q", next, want)
		}
	}
	if n := s.count(`SELECT count(dead_at) FROM event_outbox`); n != 1 {
		t.Errorf("%d rows are dead", n)
	}
}

// A link of another site, such as that of a chat, brings no cookie. Whoever is logged in needs
// no second login.
func TestALinkOfAnotherSite(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	answer := s.get("login?next=dead%3Foutbox%3Dshop", header("Sec-Fetch-Site", "cross-site"))
	if want := `<a href="dead?outbox=shop">continue</a>`; answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), want) {
		t.Errorf("%d, without %s:\n%s", answer.Code, want, answer.Body)
	}
	answer = s.get("login?next=dead%3Foutbox%3Dshop", loggedIn(testToken))
	if to := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || to != "dead?outbox=shop" {
		t.Errorf("the form for somebody who is logged in: %d, to %q", answer.Code, to)
	}
	// A cookie of the same name that another site of the domain has set is no obstacle.
	junk := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName(testToken), Value: "x"}) }
	if answer := s.get("dead?outbox=shop", junk, loggedIn(testToken)); answer.Code != http.StatusOK {
		t.Errorf("with two cookies: %d", answer.Code)
	}
}

// An answer under a name that is not ours may be read by its scripts, so it says nothing.
func TestAForeignNameLearnsNothing(t *testing.T) {
	t.Parallel()
	access := loopbackWithToken()
	access.Hosts = []string{"relay.internal.example"}
	s := newSite(t, access)
	answer := s.get("", host("evil.example"))
	if answer.Code != http.StatusMisdirectedRequest || strings.Contains(answer.Body.String(), "relay.internal") || strings.Contains(answer.Body.String(), "process") {
		t.Errorf("%d\n%s", answer.Code, answer.Body)
	}
}

// A machine has many addresses of IPv6. They count as one.
func TestAddressesOfOneMachine(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	codes := map[int]int{}
	for i := range burst + 5 {
		codes[s.post("login", url.Values{"user": {"ann"}, "token": {"wrong"}}, from(fmt.Sprintf("[2001:db8::%x]", i))).Code]++
	}
	if diff := cmp.Diff(map[int]int{401: burst, 429: 5}, codes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for peer, want := range map[string]string{"192.0.2.7": "192.0.2.7", "2001:db8::7": "2001:db8::/64", "unknown": "unknown"} {
		if got := network(peer); got != want {
			t.Errorf("network(%q) = %q, want %q", peer, got, want)
		}
	}
}

// Two relays with different tokens on one host name do not log each other out.
func TestCookiesOfTwoRelays(t *testing.T) {
	t.Parallel()
	if one, other := cookieName(testToken), cookieName("another long token"); one == other || one != cookieName(testToken) {
		t.Errorf("the cookies of two tokens are %s and %s", one, other)
	}
}

// A login leads only to pages of this site.
func TestWhereALoginLeads(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"": "./", "./": "./", "dead?outbox=a%2Fb": "dead?outbox=a%2Fb", "outbox?outbox=x": "outbox?outbox=x",
		"https://evil.example": "./", "//evil.example/dead": "./", "/dead": "./", "javascript:alert(1)": "./", `\\evil`: "./", "login": "./", "logout": "./",
		"../dead": "./", "dead#x": "./", "dead?x=%0d%0aSet-Cookie:a": "dead?x=%0D%0ASet-Cookie%3Aa", "http:dead": "./", "%zz": "./",
	} {
		if got := safeNext(next); got != want {
			t.Errorf("safeNext(%q) = %q, want %q", next, got, want)
		}
	}
}

// Every answer forbids what a page does not need.
func TestEveryAnswerIsProtected(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	for _, path := range []string{"", "dead?outbox=shop", "dead?outbox=nobody", "login", "nowhere", "assets/nothing", "plot.json?outbox=shop", "row?outbox=shop&seq=9"} {
		for _, hostName := range []string{"127.0.0.1:9464", "evil.example"} {
			h := s.get(path, host(hostName)).Header()
			got := map[string]string{}
			for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Cache-Control"} {
				got[name] = h.Get(name)
			}
			want := map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q as %s (-want +got):\n%s", path, hostName, diff)
			}
		}
	}
	for _, forbidden := range []string{"unsafe-inline", "unsafe-eval", "*", "http:"} {
		if strings.Contains(policy, forbidden) {
			t.Errorf("the policy has %s", forbidden)
		}
	}
	w := httptest.NewRecorder()
	s.page.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/ui", nil))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "ui/" {
		t.Errorf("/ui: %d, to %q", w.Code, w.Header().Get("Location"))
	}
}
