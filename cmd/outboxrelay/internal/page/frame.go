package page

import (
	"bytes"
	"net/http"
	"net/url"
)

// frame is what every page has.
type frame struct {
	Title    string
	Instance string
	User     string
	ByProxy  bool   // the proxy knows the user, who can only log out there
	LogIn    string // the address of the form; "": there is none
	Refresh  bool   // without scripts, the page loads itself again
	Still    bool   // unless somebody has stopped that
	Again    string // the address that starts or stops that
}

func (p *Page) frame(r *http.Request, title string) frame {
	v := p.cfg.Access.visitor(r)
	f := frame{
		Title: title, Instance: p.cfg.Instance, User: v.user, ByProxy: v.proxy,
	}
	query := r.URL.Query()
	if f.Still = query.Has("still"); f.Still {
		query.Del("still")
	} else {
		query.Set("still", "1")
	}
	if f.Again = lastElement(&url.URL{Path: r.URL.Path, RawQuery: query.Encode()}); f.Again == "" { // the first page
		f.Again = "./"
	}
	if v.user == "" && p.cfg.Access.hasLogin() {
		f.LogIn = address("login", "next", lastElement(r.URL))
	}
	return f
}

// show answers with a page. Nothing is sent before the page is complete.
func (p *Page) show(w http.ResponseWriter, code int, name string, view any) {
	var b bytes.Buffer
	if err := parsed.ExecuteTemplate(&b, name, view); err != nil {
		p.broken(w, name, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // a browser that has left needs no answer
}

// broken answers that a page cannot be written, which is a bug.
func (p *Page) broken(w http.ResponseWriter, name string, err error) {
	p.cfg.Log.Error("the page cannot be written", "page", name, "error", err)
	http.Error(w, "The page cannot be written. The log of the relay says why.", http.StatusInternalServerError)
}

// refusal is a page that says why there is no other.
type refusal struct {
	frame

	Problem, Remedy string
}

// refuse answers that something is not possible: what, and what to do.
func (p *Page) refuse(w http.ResponseWriter, r *http.Request, code int, problem, remedy string) {
	p.show(w, code, "refusal", refusal{p.frame(r, problem), problem, visibleLines(remedy)})
}

// fail answers that the database could not do something.
func (p *Page) fail(w http.ResponseWriter, r *http.Request, doing string, err error) {
	p.cfg.Log.Warn("the page could not be served", "doing", doing, "error", err)
	code := http.StatusBadGateway
	if isLocked(err) {
		code = http.StatusServiceUnavailable
	}
	p.refuse(w, r, code, "This did not work: "+doing, p.cfg.WithoutSecrets(err.Error()))
}
