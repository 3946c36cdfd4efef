package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/page"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// pageSettings are the settings of the web page.
type pageSettings struct {
	served   bool
	access   page.Access
	hideData []string
}

// readPage reads the settings of the web page.
func readPage(r *reader) pageSettings {
	listen := r.text("listen")
	s := pageSettings{served: r.boolean("page") && listen != "", hideData: r.list("page-hide-data")}
	s.access = page.Access{
		Loopback: isLoopback(listen), ProxyHeader: strings.TrimSpace(r.text("page-proxy-header")), Hosts: r.list("page-hosts"),
		LocalData: r.boolean("page-local-data"),
	}
	if file := r.secretFile("page-token-file"); file != nil {
		s.access.Token = file.read
		if token := strings.TrimSpace(file.first); file.first != "" && len(token) < page.ShortestToken { // as the page reads it
			r.problem("page-token-file", "the token is shorter than %d bytes: use a long random one, such as the output of `openssl rand -hex 32`", page.ShortestToken)
		}
	}
	for _, text := range r.list("page-trusted-proxies") {
		proxy, err := parseProxy(text)
		if err != nil {
			r.problem("page-trusted-proxies", "%q is neither an address nor a network: use 10.0.0.7 or 10.0.0.0/24", text)
		}
		if err == nil && proxy.Bits() == 0 {
			r.problem("page-trusted-proxies", "%q is every address, so anybody could name a user: use the addresses of the proxies", text)
		}
		s.access.TrustedProxies = append(s.access.TrustedProxies, proxy)
	}
	switch {
	case s.access.LocalData && s.served && (!s.access.Loopback || s.access.Token != nil || s.access.ProxyHeader != "" || len(s.access.Hosts) > 0):
		r.problem("page-local-data", "it has no effect unless listen is a loopback address and page-token-file, page-proxy-header and page-hosts are not set: remove it")
	case s.access.ProxyHeader != "" && len(s.access.TrustedProxies) == 0 && r.text("page-trusted-proxies") == "":
		r.problem("page-proxy-header", "anybody could send this header: set page-trusted-proxies to the addresses of the proxies that set it")
	case s.access.ProxyHeader == "" && len(s.access.TrustedProxies) > 0:
		r.problem("page-trusted-proxies", "it has no effect without page-proxy-header: set that, or remove this")
	}
	return s
}

func parseProxy(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	return network.Masked(), err
}

// isLoopback reports whether only this machine reaches an address to listen on. A name
// other than localhost counts as not: what it means may change.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// newPage returns the web page of a fleet.
func newPage(relays *fleet, s pageSettings, log *slog.Logger) *page.Page {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return page.New(page.Config{
		Outboxes: relays.pageOutboxes,
		Reasons: func(state admin.State) []page.Reason {
			var out []page.Reason
			for _, r := range reasons(state) {
				kind := map[reasonKind]page.Kind{
					reasonFault: page.Fault, reasonNoLeader: page.NoLeader, reasonPause: page.Paused, reasonDead: page.DeadRow,
				}[r.kind]
				out = append(out, page.Reason{Kind: kind, Text: r.text})
			}
			return out
		},
		WithoutSecrets: relays.secrets.Text,
		Access:         s.access,
		HideData:       s.hideData,
		Instance:       fmt.Sprintf("%s, pid %d", host, os.Getpid()),
		Log:            log,
	})
}

// underOwnNames keeps other sites from reading /status, which lists held keys, under a name
// that they have pointed to this machine.
func underOwnNames(rest http.Handler, access page.Access) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/status" && access.Foreign(r.Host) {
			http.Error(w, "This is not served under this host name. Use localhost or an address, or add the name to the setting page_hosts.", http.StatusMisdirectedRequest)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// withPage serves the web page below its path, to which / leads, and everything else as before.
func withPage(rest http.Handler, p *page.Page) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", rest)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", strings.TrimPrefix(page.Prefix, "/")) // relative: a proxy may serve this below a path
		w.WriteHeader(http.StatusFound)
	})
	mux.Handle(strings.TrimSuffix(page.Prefix, "/"), p)
	mux.Handle(page.Prefix, p)
	return mux
}

// pageOutboxes returns the outboxes for the web page.
func (f *fleet) pageOutboxes() []page.Outbox {
	var out []page.Outbox
	for _, m := range f.all() {
		one := page.Outbox{
			Name: m.name, Status: m.status, Published: m.published,
			Database: page.Database{Server: serverKey(m.outbox), Schema: m.outbox.schema, Connect: m.outbox.connectForPage},
		}
		if m.problem != nil {
			one.Problem = m.problem.Error()
		}
		out = append(out, one)
	}
	return out
}

// connectForPage opens a session for the web page.
func (o outbox) connectForPage(ctx context.Context) (*pgx.Conn, error) {
	config, err := o.freshDatabase(ctx)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = "outboxrelay page"
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // no prepared statements: the schema of a session changes
	return pgstore.Connect(ctx, config)
}

// counting is the observer of a relay: its metrics, and a count of what it has published,
// which the web page shows.
type counting struct {
	*metrics.Metrics

	published *atomic.Int64
}

// Settled implements relay.Observer.
func (c counting) Settled(s relay.Settled) {
	c.Metrics.Settled(s)
	c.published.Add(int64(s.Published))
}

// counterOf returns the count of an outbox, which goes on when its relay is created again.
func (f *fleet) counterOf(name string) *atomic.Int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.published[name] == nil {
		f.published[name] = &atomic.Int64{}
	}
	return f.published[name]
}
