package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator"
)

// preview is a docs --serve that runs.
type preview struct {
	address  string
	out, err printed
	stop     context.CancelFunc
	ended    chan error
}

// printed takes what a command prints, line by line.
type printed chan string

func (p printed) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		p <- strings.TrimSuffix(line, "\n")
	}
	return len(b), nil
}

// next returns the next line.
func (p printed) next(t *testing.T) string {
	t.Helper()
	select {
	case line := <-p:
		return line
	case <-time.After(time.Minute):
		t.Fatal("nothing was printed for a minute")
		return ""
	}
}

func startPreview(t *testing.T, dir string) *preview {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	const lines = 100
	p := &preview{out: make(printed, lines), err: make(printed, lines), stop: stop, ended: make(chan error, 1)}
	go func() {
		cfg := generator.DocsConfig{Projects: []generator.Config{{Dir: dir}}}
		p.ended <- serveDocs(ctx, streams{Out: p.out, Err: p.err, Env: func(string) string { return "" }}, cfg, "localhost:0")
	}()
	var line string
	select {
	case line = <-p.out:
	case err := <-p.ended:
		t.Fatalf("it ends with %v", err)
	case <-time.After(time.Minute):
		t.Fatal("nothing was printed for a minute")
	}
	found := regexp.MustCompile(`^serving the catalogue of 2 events at (http://127\.0\.0\.1:\d+/) until interrupted$`).FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("it says %q", line)
	}
	p.address = found[1]
	return p
}

// servedPage is an answer of the preview.
type servedPage struct {
	status int
	header http.Header
	body   string
}

// get asks for a page, with changes of the request.
func (p *preview) get(t *testing.T, path string, change func(*http.Request)) servedPage {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return servedPage{response.StatusCode, response.Header, string(body)}
}

// docs --serve serves the site with the right headers, rebuilds it after a change,
// keeps the last one while a schema is wrong, and ends when it is interrupted.
func TestCatalogueServed(t *testing.T) {
	t.Parallel()
	dir := shopProject(t, "orders")
	p := startPreview(t, dir)

	first := p.get(t, "", nil)
	if !strings.Contains(first.body, "Order placed") {
		t.Errorf("the first page is %.300s", first.body)
	}
	got := map[string]string{}
	for _, name := range []string{"Content-Type", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control", "Content-Security-Policy", "Cross-Origin-Resource-Policy"} {
		got[name] = first.header.Get(name)
	}
	want := map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
		"Content-Security-Policy": generator.PagePolicy + "; frame-ancestors 'none'", "Cross-Origin-Resource-Policy": "same-origin",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	unchanged := p.get(t, "", func(r *http.Request) { r.Header.Set("If-None-Match", first.header.Get("ETag")) })
	codes := map[string]int{"not modified": unchanged.status}
	types := map[string]string{}
	for _, path := range []string{"assets/site.js", "assets/site.css", "schemas/shop.order_placed.v1.json", "events/shop.order_placed.v1.html", "nowhere", "../root.go", "assets/"} {
		page := p.get(t, path, nil)
		codes[path], types[path] = page.status, page.header.Get("Content-Type")
	}
	elsewhere := p.get(t, "", func(r *http.Request) { r.Host = "rebound.example:80" })
	posted := p.get(t, "", func(r *http.Request) { r.Method = http.MethodPost })
	own := p.get(t, "", func(r *http.Request) { r.Host = "localhost" })
	codes["another host"], codes["post"], codes["localhost"] = elsewhere.status, posted.status, own.status
	if diff := cmp.Diff(map[string]int{
		"assets/site.js": 200, "assets/site.css": 200, "schemas/shop.order_placed.v1.json": 200, "events/shop.order_placed.v1.html": 200,
		"nowhere": 404, "../root.go": 404, "assets/": 404, "another host": 421, "post": 405, "localhost": 200, "not modified": 304,
	}, codes); diff != "" {
		t.Errorf("status codes (-want +got):\n%s", diff)
	}
	if types["assets/site.js"] != "text/javascript; charset=utf-8" || types["assets/site.css"] != "text/css; charset=utf-8" || types["schemas/shop.order_placed.v1.json"] != "application/schema+json; charset=utf-8" {
		t.Errorf("types: %v", types)
	}

	// A new file.
	writeFile(t, filepath.Join(dir, "schemas", "order_sent.v1.yaml"), "title: Order sent\nx-outbox: {version: 1, type: shop.order_sent.v1, aggregate: {type: order}}\ntype: object\n")
	expectLine(t, p.out, "rebuilt: 3 events")
	if page := p.get(t, "events/shop.order_sent.v1.html", nil); page.status != http.StatusOK {
		t.Errorf("the new event has no page: %d", page.status)
	}
	// An error, and its end.
	file := filepath.Join(dir, "schemas", "order_sent.v1.yaml")
	writeFile(t, file, "title: Order sent\nx-outbox: {version: 1, type: shop.order_sent.v1, aggregate: {type: order}}\ntype: nonsense\n")
	for line := p.err.next(t); line != "outboxgen: still serving the last catalogue"; line = p.err.next(t) {
		if !strings.HasPrefix(line, "schemas/order_sent.v1.yaml:") {
			t.Errorf("the finding is %q", line)
		}
	}
	if page := p.get(t, "events/shop.order_sent.v1.html", nil); page.status != http.StatusOK {
		t.Errorf("the last site is gone: %d", page.status)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expectLine(t, p.out, "rebuilt: 2 events")

	p.stop()
	if err := <-p.ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func expectLine(t *testing.T, lines printed, want string) {
	t.Helper()
	if got := lines.next(t); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// Only loopback addresses are listened at.
func TestLoopback(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, address := range []string{"8090", ":8090", "localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "0.0.0.0:1", "[::]:1", "192.0.2.1:1", "example.com:1", "a", "127.0.0.1", "70000"} {
		listen, err := loopback(address)
		if err != nil {
			listen, _, _ = strings.Cut(strings.TrimPrefix(err.Error(), "--serve "), ": ")
			listen = "refused " + listen
		}
		got[address] = listen
	}
	want := map[string]string{
		"8090": "127.0.0.1:8090", ":8090": "127.0.0.1:8090", "localhost:1": "127.0.0.1:1", "127.0.0.1:1": "127.0.0.1:1", "127.9.9.9:1": "127.9.9.9:1", "[::1]:1": "[::1]:1",
		"0.0.0.0:1": `refused "0.0.0.0:1"`, "[::]:1": `refused "[::]:1"`, "192.0.2.1:1": `refused "192.0.2.1:1"`, "example.com:1": `refused "example.com:1"`,
		"a": `refused "a"`, "127.0.0.1": `refused "127.0.0.1"`, "70000": `refused "70000"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}
