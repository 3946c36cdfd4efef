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
		// An http page of the same name may be forged, so only an entry with http:// trusts it.
		if !strings.Contains(host, "://") {
			host = "https://" + host
		}
		_ = origin.AddTrustedOrigin(host) // a name that is no host is never the origin of a request
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
			// Scripts of another site may read this answer, so it says nothing about the relay.
			http.Error(w, "The page is not served under this host name. Open it under a name in the setting page_hosts, or as localhost. "+
				"Behind a proxy, let it pass on the host name of the browser.", http.StatusMisdirectedRequest)
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

// withoutScheme returns the host of an entry of page_hosts.
func withoutScheme(host string) string {
	_, after, found := strings.Cut(host, "://")
	if found {
		return after
	}
	return host
}

// Foreign reports whether a host name may be that of another site, which has pointed it to
// this address. An address cannot be pointed elsewhere.
func (a Access) Foreign(host string) bool {
	if a.servedAs(host) {
		return false
	}
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err != nil
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
	if slices.ContainsFunc(a.Hosts, func(entry string) bool {
		own := withoutScheme(entry)
		return strings.EqualFold(own, name) || strings.EqualFold(own, host)
	}) {
		return true
	}
	if name == "localhost" { // nobody can point this name elsewhere
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && (address.IsLoopback() || !a.Loopback)
}
