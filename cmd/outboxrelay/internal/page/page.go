package page

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// Config is what the page shows, and to whom.
type Config struct {
	// Outboxes returns the outboxes that the process serves now.
	Outboxes func() []Outbox
	// Reasons says why rows do not move, most likely cause first.
	Reasons func(admin.State) []Reason
	// WithoutSecrets removes passwords from a text of a server or driver.
	WithoutSecrets func(string) string
	Access         Access
	// HideData lists the event types whose data and headers nobody sees; * stands for any
	// characters.
	HideData []string
	// Instance identifies the process: its host and pid.
	Instance string
	Log      *slog.Logger
}

// Outbox is one outbox of the process.
type Outbox struct {
	Name   string
	Status relay.Status
	// Problem is why the process cannot serve the outbox until an operator acts; "": it can.
	Problem string
	// Published counts the rows that this process has recorded as published.
	Published int64
	Database  Database
}

// Database is where the tables of an outbox are.
type Database struct {
	// Server is the same for databases that can share a session.
	Server string
	Schema string
	// Connect opens a session. Its search_path need not be set. It must prepare no
	// statements: the page changes the search_path, and the types of the columns may differ.
	Connect func(context.Context) (*pgx.Conn, error)
}

// Reason is why rows do not move.
type Reason struct {
	Kind Kind
	Text string // without a command: the page has links instead
}

// Kind is the kind of a Reason.
type Kind int

// The kinds of reasons.
const (
	Fault    Kind = iota // something does not work
	Paused               // an operator has decided it
	DeadRow              // rows are dead
	NoLeader             // rows wait, and no relay leads
)

// Page serves the web page. Run must run while it is used.
type Page struct {
	cfg      Config
	sessions *sessions
	samples  *sampler
	logins   attempts
	handler  http.Handler
	first    rendered // the first page

	wake chan struct{} // somebody looks again, so samples are taken at once

	decisions sync.WaitGroup // that are being carried out

	mu     sync.Mutex
	ending bool
	looks  map[string]*look
	looked time.Time // when somebody has last looked at a page
}

//go:embed pages/*.html
var pageFiles embed.FS

// parsed are the templates. They are part of the program, so they parse.
var parsed = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// New returns a page. It does not connect yet.
func New(cfg Config) *Page {
	p := &Page{cfg: cfg, sessions: newSessions(), looks: map[string]*look{}, wake: make(chan struct{}, 1)}
	p.samples = newSampler(p)
	p.handler = p.routes()
	return p
}

// Run takes samples until ctx ends. Then it lets decisions end after their current
// transaction, and closes the sessions.
func (p *Page) Run(ctx context.Context) {
	defer p.sessions.close()
	defer func() {
		p.mu.Lock()
		p.ending = true
		p.mu.Unlock()
		p.decisions.Wait()
	}()
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		p.tend(ctx)
		select {
		case <-ticker.C:
		case <-p.wake:
		case <-ctx.Done():
			return
		}
	}
}

// tend takes samples, and removes what is no longer needed.
func (p *Page) tend(ctx context.Context) {
	defer p.survive("take samples")
	p.samples.take(ctx, time.Now())
	p.sessions.tidy(time.Now())
	p.forget()
}

// survive keeps a panic of the page from ending the process, which may lead outboxes. It
// must be deferred.
func (p *Page) survive(doing string) {
	if v := recover(); v != nil {
		p.cfg.Log.Error("the web page has a bug, and the relay goes on", "doing", doing, "panic", v, "stack", string(debug.Stack()))
	}
}

var errEnding = errors.New("the relay is being stopped: open the page again when it runs; the list has the rows that are left")

// begin counts a decision, unless the process ends. end must be called after it.
func (p *Page) begin() (end func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending {
		return nil, errEnding
	}
	p.decisions.Add(1)
	return p.decisions.Done, nil
}

func (p *Page) isEnding() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ending
}

// watchLasts is how long after the last look somebody is expected to look again.
const watchLasts = time.Hour

// watched reports whether somebody has looked at a page lately.
func (p *Page) watched(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.looked.IsZero() && now.Sub(p.looked) < watchLasts
}

// watch remembers that somebody looks at a page.
func (p *Page) watch(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.looked.IsZero() || now.Sub(p.looked) >= watchLasts {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	p.looked = now
}

// Prefix is the path below which the page is served.
const Prefix = "/ui/"

// ServeHTTP serves the paths below Prefix, and Prefix without its last slash.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

func (p *Page) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ui", func(w http.ResponseWriter, _ *http.Request) { redirect(w, "ui/") })
	mux.HandleFunc("GET /ui/{$}", p.overview)
	mux.HandleFunc("GET /ui/outbox", p.outbox)
	mux.HandleFunc("GET /ui/plot.json", p.plotData)
	mux.HandleFunc("GET /ui/dead", p.reading(p.dead))
	mux.HandleFunc("GET /ui/row", p.reading(p.row))
	mux.HandleFunc("GET /ui/decide", p.changing(p.propose))
	mux.HandleFunc("POST /ui/decide", p.changing(p.decide))
	mux.HandleFunc("GET /ui/pause", p.changing(p.proposePause))
	mux.HandleFunc("POST /ui/pause", p.changing(p.pause))
	mux.HandleFunc("GET /ui/login", p.loginForm)
	mux.HandleFunc("POST /ui/login", p.login)
	mux.HandleFunc("POST /ui/logout", p.logout)
	mux.HandleFunc("GET /ui/assets/{name}", asset)
	mux.HandleFunc("/ui/", func(w http.ResponseWriter, r *http.Request) {
		p.refuse(w, r, http.StatusNotFound, "There is no such page", "The address may be from another version.")
	})
	return p.guarded(mux)
}

// redirect leads to another page after a change. The address is relative, because a
// proxy may have removed the beginning of the path.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// find returns an outbox of the process by its name, or the only one.
func (p *Page) find(name string) (Outbox, bool) {
	all := p.cfg.Outboxes()
	if name == "" && len(all) == 1 {
		return all[0], true
	}
	for _, o := range all {
		if o.Name == name {
			return o, true
		}
	}
	return Outbox{}, false
}

// only returns the flag that selects an outbox in a command; "": there is no other.
func (p *Page) only(o Outbox) string {
	if len(p.cfg.Outboxes()) > 1 {
		return " --outbox " + shellWord(o.Name)
	}
	return ""
}

// named returns the outbox that a request names. If there is none, it answers.
func (p *Page) named(w http.ResponseWriter, r *http.Request) (Outbox, bool) {
	o, ok := p.find(r.FormValue("outbox"))
	if !ok {
		p.refuse(w, r, http.StatusNotFound, "There is no such outbox",
			"This process does not serve an outbox with this name. It may be served by another process, or its schema was removed.")
	}
	return o, ok
}
