package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/generator"
)

// defaultAddress is where docs --serve listens.
const defaultAddress = "127.0.0.1:8090"

// pollInterval is how often docs --serve looks for changed files.
const pollInterval = 500 * time.Millisecond

// servedPolicy is the content security policy of served pages: that of the pages, which
// cannot forbid frames themselves, and no frames.
const servedPolicy = generator.PagePolicy + "; frame-ancestors 'none'"

// serveDocs serves the catalogue until ctx ends. The first build has to succeed; later,
// what was served last stays until the projects are without errors again.
func serveDocs(ctx context.Context, io streams, cfg generator.DocsConfig, address string) error {
	listen, err := loopback(address)
	if err != nil {
		return err
	}
	served := &servedSite{}
	if err := served.build(io, cfg); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("serve the catalogue at %s: %w", listen, err)
	}
	if err := printf(io.Out, "serving the catalogue of %s at http://%s/ until interrupted\n", counted(served.events, "event"), listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	const patience = 10 * time.Second
	server := &http.Server{Handler: served, ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: 6 * patience}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	watching := time.NewTicker(pollInterval)
	defer watching.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("serve the catalogue: %w", err)
		case <-ctx.Done():
			err := server.Close()
			<-ended //nolint:errcheck // it says that the server was closed
			return err
		case <-watching.C:
			if err := served.rebuild(io, cfg); err != nil {
				return errors.Join(err, server.Close())
			}
		}
	}
}

// build builds the site, and serves it from then on. It returns errFindings if the
// projects have errors. It prints the findings, unless they are those of the last time.
func (s *servedSite) build(io streams, cfg generator.DocsConfig) error {
	site, err := generator.Docs(cfg)
	if err != nil {
		return err
	}
	s.watch = site.Watch
	var report bytes.Buffer
	if err := site.Report(&report, io.reportOptions()); err != nil {
		return err
	}
	if s.said != report.String() {
		s.said = report.String()
		if err := printf(io.Err, "%s", s.said); err != nil {
			return err
		}
	}
	if site.Failed() {
		return errFindings
	}
	files := map[string][]byte{}
	for _, f := range site.Files {
		files[f.Path] = f.Content
	}
	s.replace(files)
	s.events = site.Events
	return nil
}

// rebuild builds the site after a change of a watched file, and says what is different.
// It returns only errors of output.
//
// A file can change while it is read, so the state is taken before the build. If the
// build adds watched files, the next call builds again. It prints nothing if the site is
// the same.
func (s *servedSite) rebuild(io streams, cfg generator.DocsConfig) error {
	now := s.state()
	if maps.Equal(now, s.built) {
		return nil
	}
	s.built = now
	before, problem := s.files, s.problem
	s.problem = ""
	if err := s.build(io, cfg); err != nil {
		if s.problem = err.Error() + s.said; s.problem == problem {
			return nil
		}
		if errors.Is(err, errFindings) {
			return printf(io.Err, "outboxgen: still serving the last catalogue\n")
		}
		return printf(io.Err, "outboxgen: %v; still serving the last catalogue\n", err)
	}
	if problem == "" && maps.EqualFunc(before, s.files, bytes.Equal) {
		return nil
	}
	return printf(io.Out, "rebuilt: %s\n", counted(s.events, "event"))
}

// loopback returns the address to listen at.
func loopback(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if _, number := strconv.ParseUint(address, 10, 16); number == nil {
		host, port, err = "", address, nil
	}
	if err != nil {
		return "", fmt.Errorf("--serve %q: use a port, or a host and a port such as %s", address, defaultAddress)
	}
	switch ip := net.ParseIP(host); {
	case host == "", host == "localhost":
		host = "127.0.0.1"
	case ip == nil || !ip.IsLoopback():
		return "", fmt.Errorf("--serve %q: the preview listens only on loopback addresses such as %s; write the site with --out, and let a web server publish it", address, defaultAddress)
	}
	return net.JoinHostPort(host, port), nil
}

// servedSite is the site that is served. The handlers of requests use only files; the
// goroutine that builds uses all fields.
type servedSite struct {
	events  int
	watch   []string          // the files and folders of the projects
	built   map[string]string // their state before the last build
	said    string            // the findings that were printed last
	problem string            // why the last build failed

	mu    sync.RWMutex
	files map[string][]byte // replaced as a whole, by the one that builds
}

func (s *servedSite) replace(files map[string][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = files
}

// state returns the state of each watched file and folder.
func (s *servedSite) state() map[string]string {
	all := map[string]string{}
	for _, name := range s.watch {
		all[name] = "missing"
		if info, err := os.Stat(name); err == nil {
			all[name] = fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size())
		}
	}
	return all
}

// types are those of the site's files.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/schema+json; charset=utf-8",
}

// ServeHTTP serves one file. A request for another host is refused: a page elsewhere
// could otherwise read the site through a name that it points to this machine.
func (s *servedSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Content-Security-Policy", servedPolicy)
	header.Set("Cache-Control", "no-cache")
	if !ownHost(r.Host) {
		http.Error(w, "this host is not served here", http.StatusMisdirectedRequest)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	s.mu.RLock()
	content, ok := s.files[name]
	s.mu.RUnlock()
	if !ok {
		http.Error(w, "there is no such page", http.StatusNotFound)
		return
	}
	header.Set("Content-Type", types[path.Ext(name)])
	header.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(content)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// ownHost reports whether a request is for this machine by one of its own names.
func ownHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
