package page

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// policy is the content security policy of the pages.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// longestForm limits a request.
const longestForm = 1 << 20

// guarded adds what every answer needs, and refuses requests that do not come from the
// page itself.
func (p *Page) guarded(next http.Handler) http.Handler {
	var origin http.CrossOriginProtection
	for _, host := range p.cfg.Access.Hosts {
		for _, scheme := range []string{"https://", "http://"} {
			_ = origin.AddTrustedOrigin(scheme + host) // a name that is no host is never the origin of a request
		}
	}
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.refuse(w, r, http.StatusForbidden, "Refused: the request comes from another site",
			"Nothing was changed. If you used this page, its proxy passes on another host name than the browser has: add that name to the setting page_hosts.")
	}))
	protected := origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !p.cfg.Access.servedAs(r.Host) {
			http.Error(w, "The page is not served under this host name: open it as 127.0.0.1 or localhost, "+
				"or add the name to the setting page_hosts.", http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, longestForm)
		if err := r.ParseForm(); err != nil {
			p.refuse(w, r, http.StatusBadRequest, "The request cannot be read", "It is too large, or its form is broken. Nothing was changed.")
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// servedAs reports whether the page is served under a host name. On loopback it must be a
// name of loopback: another site could point its own name to 127.0.0.1, and its scripts
// would then be of the same origin.
func (a Access) servedAs(host string) bool {
	if !a.Loopback && len(a.Hosts) == 0 {
		return true
	}
	host = strings.ToLower(host)
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if slices.ContainsFunc(a.Hosts, func(h string) bool { return strings.EqualFold(h, name) || strings.EqualFold(h, host) }) {
		return true
	}
	if name == "localhost" {
		return a.Loopback
	}
	address, err := netip.ParseAddr(name)
	return err == nil && (address.IsLoopback() || !a.Loopback)
}
