package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Access says who may see and change what.
type Access struct {
	// Loopback is true if only this machine reaches the page.
	Loopback bool
	// Token returns the token with which people log in; nil: there is none.
	Token func() (string, error)
	// ProxyHeader is the header in which a proxy passes on the user; "": none does.
	ProxyHeader    string
	TrustedProxies []netip.Prefix
	// Hosts are further names under which browsers reach the page.
	Hosts []string
	// LocalData shows dead rows and data without a login to requests from this machine. It
	// has an effect only if nothing says that a proxy passes requests on: a loopback
	// address, no login and no Hosts.
	LocalData bool
}

// ShortestToken is the length of a token, in bytes, below which nobody can log in.
const ShortestToken = 16

const (
	cookiePrefix  = "outboxrelay_page_"
	cookieSecret  = "outboxrelay page cookie 1"
	sessionLasts  = 12 * time.Hour
	longestUser   = 100
	sessionSecret = "outboxrelay page session 1"
)

// visitor is who sends a request.
type visitor struct {
	user  string // "": nobody who has logged in
	proxy bool   // a proxy has said so
}

// mayRead reports whether whoever sends a request may see dead rows and data: somebody who
// has logged in, or anybody on this machine if LocalData says so. Without that setting
// nobody: a proxy makes every request one of this machine, and many proxies add no header
// that tells.
func (a Access) mayRead(r *http.Request) bool {
	return a.visitor(r).mayChange() || a.showsLocalData() && !forwarded(r)
}

func (a Access) showsLocalData() bool {
	return a.LocalData && a.Loopback && !a.hasLogin() && a.ProxyHeader == "" && len(a.Hosts) == 0
}

// forwarded reports whether a proxy says that the request comes from elsewhere.
func forwarded(r *http.Request) bool {
	for _, name := range []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip", "X-Request-Id", "Via",
	} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// mayChange reports whether the visitor may change anything.
func (v visitor) mayChange() bool { return v.user != "" }

func (a Access) hasLogin() bool { return a.Token != nil }

// visitor returns who sends a request.
func (a Access) visitor(r *http.Request) visitor {
	if a.ProxyHeader != "" && a.fromProxy(r) {
		if users := r.Header.Values(a.ProxyHeader); len(users) == 1 {
			if user := strings.TrimSpace(users[0]); validUser(user) {
				return visitor{user: user, proxy: true}
			}
		}
	}
	if a.Token == nil {
		return visitor{}
	}
	token, err := a.token()
	if err != nil {
		return visitor{}
	}
	for _, cookie := range r.CookiesNamed(cookieName(token)) { // another site of the domain may have added one
		if user, ok := readSession(cookie.Value, token, time.Now()); ok {
			return visitor{user: user}
		}
	}
	return visitor{}
}

func (a Access) fromProxy(r *http.Request) bool {
	peer, ok := peerOf(r)
	return ok && slices.ContainsFunc(a.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// peerOf returns the address from which the connection comes.
func peerOf(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	peer, err := netip.ParseAddr(host)
	return peer.Unmap().WithZone(""), err == nil
}

func validUser(user string) bool {
	return user != "" && utf8.ValidString(user) && utf8.RuneCountInString(user) <= longestUser && visible(user) == user
}

var errShortToken = errors.New("the token of page_token_file is shorter than 16 bytes")

func (a Access) token() (string, error) {
	token, err := a.Token()
	token = strings.TrimSpace(token) // people copy tokens with spaces around them
	if err == nil && len(token) < ShortestToken {
		err = errShortToken
	}
	return token, err
}

// cookieName returns the name of the cookie for a token. Cookies do not know ports: relays
// with different tokens on one host name, such as two tunnels, need different names.
func cookieName(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(cookieSecret))
	return cookiePrefix + hex.EncodeToString(mac.Sum(nil)[:4])
}

// newSession returns the value of the cookie of somebody who has logged in. It holds the
// user and the end, signed with the token: so every relay with the same token accepts it,
// and nobody does after the token has changed.
func newSession(user, token string, until time.Time) string {
	body := base64.RawURLEncoding.EncodeToString([]byte(user)) + "." + strconv.FormatInt(until.Unix(), 10)
	return body + "." + sign(body, token)
}

func readSession(value, token string, now time.Time) (user string, ok bool) {
	at := strings.LastIndexByte(value, '.')
	if at < 0 || subtle.ConstantTimeCompare([]byte(value[at+1:]), []byte(sign(value[:at], token))) != 1 {
		return "", false
	}
	name, until, _ := strings.Cut(value[:at], ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !now.Before(time.Unix(seconds, 0)) {
		return "", false
	}
	decoded, err := base64.RawURLEncoding.DecodeString(name)
	return string(decoded), err == nil && validUser(string(decoded))
}

func sign(body, token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(sessionSecret + "\n" + body))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// reading lets only those in who may see dead rows and data.
func (p *Page) reading(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p.cfg.Access.mayRead(r) {
			next(w, r)
			return
		}
		p.askToLogIn(w, r, "Dead rows and their data are shown only to people who have logged in")
	}
}

// changing lets only those in who may change something.
func (p *Page) changing(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p.cfg.Access.visitor(r).mayChange() {
			next(w, r)
			return
		}
		p.askToLogIn(w, r, "Changes need a login")
	}
}

// askToLogIn leads to the form, or says that there is none.
func (p *Page) askToLogIn(w http.ResponseWriter, r *http.Request, why string) {
	switch {
	case !p.cfg.Access.hasLogin() && p.cfg.Access.ProxyHeader != "":
		p.refuse(w, r, http.StatusForbidden, why, "Open the page through the proxy that knows who you are: only that one may name you. Nothing was changed.")
	case !p.cfg.Access.hasLogin():
		p.refuse(w, r, http.StatusForbidden, why,
			"This relay has no login, so its page is read-only. Set page_token_file, or page_proxy_header with page_trusted_proxies. Nothing was changed.")
	case r.Header.Get("HX-Request") != "":
		p.refuse(w, r, http.StatusUnauthorized, why, "Log in, and try again. Nothing was changed.")
	case r.Method != http.MethodGet:
		p.show(w, http.StatusUnauthorized, "login", loginView{
			frame: p.frame(r, "Log in"), Next: safeNext(questionOf(r)),
			Problem: "Your login has ended. Nothing was changed. Log in, and the page asks again, with what you have entered.",
		})
	default:
		redirect(w, "login?next="+url.QueryEscape(lastElement(r.URL)))
	}
}

// questionOf returns the address of the page that asks the question which a form answers,
// with what was entered. The answer itself is not part of it: it has to be confirmed again.
func questionOf(r *http.Request) string {
	query := url.Values{}
	for name, values := range r.PostForm {
		if !slices.Contains([]string{"at", "digest", "asked", "count"}, name) {
			query[name] = values
		}
	}
	return lastElement(&url.URL{Path: r.URL.Path, RawQuery: query.Encode()})
}

// lastElement returns the relative address of a page.
func lastElement(u *url.URL) string {
	name := u.Path[strings.LastIndexByte(u.Path, '/')+1:]
	if u.RawQuery != "" {
		name += "?" + u.RawQuery
	}
	return name
}

// nextPages are those to which a login may lead.
var nextPages = []string{"", "outbox", "dead", "row", "decide", "pause"}

// safeNext returns the address if it is one of our pages, else that of the first.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || u.Fragment != "" || !slices.Contains(nextPages, u.Path) {
		return "./"
	}
	query := u.Query() // written again, so that nothing odd is left
	if u.Path == "" || len(query) == 0 {
		return "./" + u.Path
	}
	return u.Path + "?" + query.Encode()
}
