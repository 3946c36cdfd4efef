package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The script of the GitHub action installs a released archive only if its checksum is the
// released one. If there is none, the action builds from source.
func TestActionInstallsARelease(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl", "unzip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	at := time.Date(2026, 12, 1, 10, 20, 30, 0, time.UTC)
	releases := t.TempDir()
	folder := filepath.Join(releases, "v1.2.3")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	systems := map[string]target{"Linux X64": {"linux", "amd64"}, "macOS ARM64": {"darwin", "arm64"}, "Windows X64": {"windows", "amd64"}}
	for _, s := range systems {
		members := []member{{name: s.program("outboxgen"), content: []byte("for " + s.String()), program: true}, {name: "LICENSE", content: []byte("Apache")}}
		if err := writeArchive(filepath.Join(folder, s.archive("outboxgen", "v1.2.3")), members, at); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := checksums(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, checksumsFile), sums, 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(releases)))
	t.Cleanup(server.Close)
	changed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if filepath.Base(r.URL.Path) == checksumsFile {
			http.FileServer(http.Dir(releases)).ServeHTTP(w, r)
			return
		}
		_, _ = w.Write([]byte("something else")) // the script says so if it is cut off
	}))
	t.Cleanup(changed.Close)

	silent := httptest.NewServer(nil)
	silent.Close() // nothing listens there any more

	type result struct {
		Code  int
		Files map[string]string
	}
	for name, c := range map[string]struct {
		os, arch, version, releases string
		want                        result
		stderr                      string
	}{
		"Linux":             {"Linux", "X64", "v1.2.3", server.URL, result{0, map[string]string{"outboxgen": "for linux/amd64"}}, ""},
		"macOS":             {"macOS", "ARM64", "v1.2.3", server.URL, result{0, map[string]string{"outboxgen": "for darwin/arm64"}}, ""},
		"Windows":           {"Windows", "X64", "v1.2.3", server.URL, result{0, map[string]string{"outboxgen.exe": "for windows/amd64"}}, ""},
		"no such release":   {"Linux", "X64", "v1.2.4", server.URL, result{Code: 3}, "no checksums.txt of v1.2.4"},
		"no such archive":   {"Linux", "ARM64", "v1.2.3", server.URL, result{Code: 3}, "no outboxgen_v1.2.3_linux_arm64.tar.gz of v1.2.3"},
		"no such system":    {"Linux", "RISCV", "v1.2.3", server.URL, result{Code: 3}, "not released for Linux on RISCV"},
		"no answer":         {"Linux", "X64", "v1.2.3", silent.URL, result{Code: 1}, "checksums.txt of v1.2.3 cannot be downloaded"},
		"a changed archive": {"Linux", "X64", "v1.2.3", changed.URL, result{Code: 1}, "do not use it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			into := filepath.Join(t.TempDir(), "bin")
			cmd := exec.CommandContext(t.Context(), "bash", "../../../.github/actions/check/install", c.version, into)
			cmd.Env = append(os.Environ(), "RELEASES="+c.releases, "RUNNER_OS="+c.os, "RUNNER_ARCH="+c.arch, "NO_PROXY=127.0.0.1")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			var got result
			if err := cmd.Run(); err != nil {
				exited, ok := errors.AsType[*exec.ExitError](err)
				if !ok {
					t.Fatal(err)
				}
				got.Code = exited.ExitCode()
			}
			entries, err := os.ReadDir(into)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			for _, entry := range entries {
				content, err := os.ReadFile(filepath.Join(into, entry.Name()))
				if err != nil {
					t.Fatal(err)
				}
				if got.Files == nil {
					got.Files = map[string]string{}
				}
				got.Files[entry.Name()] = string(content)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, &stderr)
			}
			if !bytes.Contains(stderr.Bytes(), []byte(c.stderr)) {
				t.Errorf("it says %q, want %q", &stderr, c.stderr)
			}
		})
	}
}
