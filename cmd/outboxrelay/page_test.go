package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/page"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// Settings with which the page would be less safe than they look are refused.
func TestSettingsOfThePage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long, brief, empty := file("long", strings.Repeat("t", page.ShortestToken)+"\n"), file("brief", "secret\n"), file("empty", "\n")
	padded := file("padded", "secret"+strings.Repeat(" ", page.ShortestToken)+"\n")
	for _, c := range []struct {
		args []string
		want string // a part of the message; "": the settings are accepted, and the database is missing
	}{
		{[]string{"--page-token-file", long}, ""},
		{[]string{"--page=false"}, ""},
		{[]string{"--page-token-file", brief}, "setting page-token-file: the token is shorter than 16 bytes"},
		{[]string{"--page-token-file", padded}, "setting page-token-file: the token is shorter than 16 bytes"},
		{[]string{"--page-token-file", empty}, "the file of page-token-file (" + empty + ") is empty"},
		{[]string{"--page-token-file", filepath.Join(dir, "none")}, "the file of page-token-file (" + filepath.Join(dir, "none") + ") cannot be read"},
		{[]string{"--page-proxy-header", "X-User"}, "setting page-proxy-header: anybody could send this header: set page-trusted-proxies"},
		{[]string{"--page-proxy-header", "X-User", "--page-trusted-proxies", "10.0.0.7,fd00::/8"}, ""},
		{[]string{"--page-proxy-header", "X-User", "--page-trusted-proxies", "proxy.example"}, `setting page-trusted-proxies: "proxy.example" is neither an address nor a network`},
		{[]string{"--page-trusted-proxies", "10.0.0.7"}, "setting page-trusted-proxies: it has no effect without page-proxy-header"},
		{[]string{"--page-proxy-header", "X-User", "--page-trusted-proxies", "0.0.0.0/0"}, `setting page-trusted-proxies: "0.0.0.0/0" is every address`},
		{[]string{"--page-local-data"}, ""},
		{[]string{"--page-local-data", "--listen", ":9464"}, "setting page-local-data: it has no effect unless listen is a loopback address"},
		{[]string{"--page-local-data", "--page-token-file", long}, "setting page-local-data: it has no effect"},
		{[]string{"--page-local-data", "--page-hosts", "relay.example"}, "setting page-local-data: it has no effect"},
		{[]string{"--page=perhaps"}, `setting page: invalid value "perhaps"`},
	} {
		got := call(nil, append([]string{"run"}, c.args...)...)
		want := c.want
		if want == "" {
			want = "the database address is missing"
		}
		if got.Code != exitcode.Misuse || !strings.Contains(got.Stderr, want) || strings.Contains(got.Stderr, "secret\n") {
			t.Errorf("%v: exit %d, want %q in\n%s", c.args, got.Code, want, got.Stderr)
		}
	}
}

func TestWhichAddressesAreLoopback(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]bool{
		"127.0.0.1:9464": true, "127.9.9.9:1": true, "localhost:9464": true, "LocalHost:1": true, "[::1]:9464": true,
		":9464": false, "0.0.0.0:9464": false, "[::]:9464": false, "10.0.0.1:9464": false, "relay.example:9464": false, "localhost.example:1": false, "": false, "9464": false,
	} {
		if got := isLoopback(listen); got != want {
			t.Errorf("isLoopback(%q) = %t", listen, got)
		}
	}
}

// The page has its own path; the other endpoints stay what they were.
func TestThePageIsBesideTheOtherEndpoints(t *testing.T) {
	t.Parallel()
	f := startFleet(t, `{sink: stdout, name: only, database_url: "postgres://127.0.0.1:1/d"}`)
	f.secrets = &secret.Redactor{}
	access := page.Access{Loopback: true, Hosts: []string{"relay.example"}}
	h := withPage(underOwnNames(handler(f.fleet), access), newPage(f.fleet, pageSettings{access: access}, f.fleet.log))
	for path, want := range map[string]int{"/healthz": 200, "/status": 200, "/metrics": 200, "/readyz": 503, "/": 302, "/ui": 303, "/ui/": 200, "/ui/nothing": 404, "/nothing": 404} {
		for method, code := range map[string]int{http.MethodGet: want, http.MethodHead: want} {
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+path, nil))
			if answer.Code != code {
				t.Errorf("%s %s: %d, want %d", method, path, answer.Code, code)
			}
		}
	}
	// Another site may point its name to this machine: then its scripts could read keys.
	for name, want := range map[string]int{"evil.example": 421, "evil.example:9464": 421, "": 421, "relay.example": 200, "localhost:9464": 200, "10.0.0.7:9464": 200, "[fd00::1]:9464": 200} {
		answer := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/status", nil)
		r.Host = name
		h.ServeHTTP(answer, r)
		if answer.Code != want {
			t.Errorf("/status as %q: %d, want %d", name, answer.Code, want)
		}
	}
}
