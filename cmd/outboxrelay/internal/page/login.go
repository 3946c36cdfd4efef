package page

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// loginView is the form with which people log in.
type loginView struct {
	frame

	Next, User, Problem string
	// Elsewhere is true if a link of another site has led here: then the browser sends no cookie.
	Elsewhere bool
}

func (p *Page) loginForm(w http.ResponseWriter, r *http.Request) {
	if !p.cfg.Access.hasLogin() {
		p.askToLogIn(w, r, "There is no login")
		return
	}
	next := safeNext(r.FormValue("next"))
	if p.cfg.Access.visitor(r).user != "" {
		redirect(w, next)
		return
	}
	p.show(w, http.StatusOK, "login", loginView{frame: p.frame(r, "Log in"), Next: next, Elsewhere: r.Header.Get("Sec-Fetch-Site") == "cross-site"})
}

func (p *Page) login(w http.ResponseWriter, r *http.Request) {
	if !p.cfg.Access.hasLogin() {
		p.askToLogIn(w, r, "There is no login")
		return
	}
	view := loginView{frame: p.frame(r, "Log in"), Next: safeNext(r.PostFormValue("next")), User: strings.TrimSpace(r.PostFormValue("user"))}
	again := func(code int, problem string) {
		view.Problem = problem
		p.show(w, code, "login", view)
	}
	peer := p.cfg.Access.client(r)
	token, err := p.cfg.Access.token()
	if err != nil {
		p.cfg.Log.Error("nobody can log in to the page", "error", err)
		again(http.StatusServiceUnavailable, "The relay cannot read the token. Its log says why.")
		return
	}
	given, want := sha256.Sum256([]byte(strings.TrimSpace(r.PostFormValue("token")))), sha256.Sum256([]byte(token))
	right := subtle.ConstantTimeCompare(given[:], want[:]) == 1
	// An address may be shared, so wrong attempts of others do not keep out who has the token
	// as long as the whole process is not flooded.
	allowed := p.logins.allow(network(peer), time.Now())
	spare := !allowed && p.logins.allowSpare(time.Now())
	switch {
	case !allowed && (!spare || !right):
		w.Header().Set("Retry-After", "60")
		again(http.StatusTooManyRequests, "There were too many attempts to log in. Wait a minute, and try again.")
	case !right:
		p.cfg.Log.Warn("login to the page refused", "from", peer)
		again(http.StatusUnauthorized, "This is not the token.")
	case !validUser(view.User):
		again(http.StatusUnprocessableEntity, "Enter your name, of at most 100 characters. It is recorded with what you change.")
	default:
		p.logins.succeeded(network(peer))
		p.cfg.Log.Info("login to the page", "user", view.User, "from", peer)
		p.setCookie(w, r, token, newSession(view.User, token, time.Now().Add(sessionLasts)), int(sessionLasts.Seconds()))
		redirect(w, view.Next)
	}
}

func (p *Page) logout(w http.ResponseWriter, r *http.Request) {
	if p.cfg.Access.hasLogin() {
		if token, err := p.cfg.Access.token(); err == nil { // without a token, nobody is logged in
			p.setCookie(w, r, token, "", -1)
		}
	}
	redirect(w, "./")
}

// setCookie sets the cookie for the path below which the browser sees the page. A form
// that came from an https page has an https origin, also if a proxy ends TLS.
func (p *Page) setCookie(w http.ResponseWriter, r *http.Request, token, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(token), Value: value, MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	})
}

// client returns the address of whoever sends a request: behind a trusted proxy, the last
// one that the proxy has added.
func (a Access) client(r *http.Request) string {
	peer, _ := peerOf(r)
	if !a.fromProxy(r) {
		return peer.String()
	}
	added := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if client, err := netip.ParseAddr(strings.TrimSpace(added[len(added)-1])); err == nil {
		return client.Unmap().WithZone("").String()
	}
	return peer.String()
}

// network returns what counts as one address: of IPv6, one machine has the addresses of a /64
// network.
func network(peer string) string {
	address, err := netip.ParseAddr(peer)
	if err != nil || !address.Is6() {
		return peer
	}
	whole, err := address.Prefix(64)
	if err != nil {
		return peer
	}
	return whole.String()
}

// attempts limits how often somebody can try to log in: burst attempts of each address at
// once, and one more in refill. The spare ones are for all addresses together.
type attempts struct {
	mu    sync.Mutex
	from  map[string]bucket
	spare bucket
}

type bucket struct {
	left float64
	at   time.Time
}

const (
	burst         = 10
	refill        = 6 * time.Second
	mostAddresses = 10_000
	spareBurst    = 10
	sparePerTime  = 10 // in a second
)

func (a *attempts) allow(address string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.from == nil {
		a.from = map[string]bucket{}
	}
	b, known := a.from[address]
	if !known {
		b = bucket{left: burst, at: now}
		if len(a.from) >= mostAddresses {
			a.forget(now)
		}
		if len(a.from) >= mostAddresses {
			return false
		}
	}
	b.left = min(burst, b.left+now.Sub(b.at).Seconds()/refill.Seconds())
	b.at = now
	allowed := b.left >= 1
	if allowed {
		b.left--
	}
	a.from[address] = b
	return allowed
}

// allowSpare reports whether the token may be looked at although the address has no attempts
// left. All addresses together have few of these, so that nobody can guess quickly.
func (a *attempts) allowSpare(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spare.at.IsZero() {
		a.spare = bucket{left: spareBurst, at: now}
	}
	a.spare.left = min(spareBurst, a.spare.left+now.Sub(a.spare.at).Seconds()*sparePerTime)
	a.spare.at = now
	if a.spare.left < 1 {
		return false
	}
	a.spare.left--
	return true
}

// forget removes the addresses that have all their attempts again.
func (a *attempts) forget(now time.Time) {
	for address, b := range a.from {
		if b.left+now.Sub(b.at).Seconds()/refill.Seconds() >= burst {
			delete(a.from, address)
		}
	}
}

func (a *attempts) succeeded(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.from, address)
}
