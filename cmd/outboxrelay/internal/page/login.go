package page

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"
)

// loginView is the form with which people log in.
type loginView struct {
	frame

	Next, User, Problem string
}

func (p *Page) loginForm(w http.ResponseWriter, r *http.Request) {
	if !p.cfg.Access.hasLogin() {
		p.askToLogIn(w, r, "There is no login")
		return
	}
	p.show(w, http.StatusOK, "login", loginView{frame: p.frame(r, "Log in"), Next: safeNext(r.FormValue("next"))})
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
	peer, _ := peerOf(r)
	if !p.logins.allow(peer.String(), time.Now()) {
		w.Header().Set("Retry-After", "60")
		again(http.StatusTooManyRequests, "Too many attempts from your address. Wait a minute, and try again.")
		return
	}
	token, err := p.cfg.Access.token()
	if err != nil {
		p.cfg.Log.Error("nobody can log in to the page", "error", err)
		again(http.StatusServiceUnavailable, "The relay cannot read the token. Its log says why.")
		return
	}
	given, want := sha256.Sum256([]byte(r.PostFormValue("token"))), sha256.Sum256([]byte(token))
	switch {
	case subtle.ConstantTimeCompare(given[:], want[:]) != 1:
		p.cfg.Log.Warn("login to the page refused", "from", peer.String())
		again(http.StatusUnauthorized, "This is not the token.")
	case !validUser(view.User):
		again(http.StatusUnprocessableEntity, "Enter your name, of at most 100 characters. It is recorded with what you change.")
	default:
		p.logins.succeeded(peer.String())
		p.cfg.Log.Info("login to the page", "user", view.User, "from", peer.String())
		p.setCookie(w, r, newSession(view.User, token, time.Now().Add(sessionLasts)), int(sessionLasts.Seconds()))
		redirect(w, view.Next)
	}
}

func (p *Page) logout(w http.ResponseWriter, r *http.Request) {
	p.setCookie(w, r, "", -1)
	redirect(w, "./")
}

// setCookie sets the cookie for the path below which the browser sees the page. A form
// that came from an https page has an https origin, also if a proxy ends TLS.
func (p *Page) setCookie(w http.ResponseWriter, r *http.Request, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, MaxAge: seconds, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	})
}

// attempts limits how often somebody can try to log in: burst attempts of each address at
// once, and one more in refill.
type attempts struct {
	mu   sync.Mutex
	from map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

const (
	burst         = 10
	refill        = 6 * time.Second
	mostAddresses = 10_000
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
