package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

// The archive of outboxrelay has what it should, its SBOM lists what is in the binary, and
// a second run gives the same bytes.
func TestRelease(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds outboxrelay from a module proxy")
	}
	root, err := gomod.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("not a git work tree")
	}
	here := target{runtime.GOOS, runtime.GOARCH}
	if !slices.Contains(allTargets(), here) {
		t.Skipf("nothing is released for %s", here)
	}
	s, err := readSource(t.Context(), root, "")
	if err != nil {
		t.Fatal(err)
	}
	s.version = "" // so that the test does not use the version of another build of this commit
	out := filepath.Join(t.TempDir(), "dist")
	var first []byte
	for range 2 {
		b, err := newBuilder(t.Context(), s, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		r := release{source: s, builder: b, out: out, log: io.Discard, commands: []string{"outboxrelay"}}
		if err := errors.Join(r.write(t.Context(), []target{here}), b.close()); err != nil {
			t.Fatal(err)
		}
		sums, err := os.ReadFile(filepath.Join(out, checksumsFile))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = sums
		}
		if diff := cmp.Diff(string(first), string(sums)); diff != "" {
			t.Errorf("the second run has other checksums (-first +second):\n%s", diff)
		}
		checkRelease(t, out, here, b.version())
	}
}

// checkSize compares the size of outboxrelay for Linux with that in docs/deploying.md.
func checkSize(t *testing.T, bytes int) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("`outboxrelay` takes (\\d+) MB").FindSubmatch(page)
	if m == nil {
		t.Fatal("docs/deploying.md does not say how large outboxrelay is")
	}
	said, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	const megabyte = 1_000_000
	if got := bytes / megabyte; got*10 < said*9 || got*10 > said*11 {
		t.Errorf("outboxrelay takes %d MB, but docs/deploying.md says %d MB", got, said)
	}
}

func checkRelease(t *testing.T, out string, here target, version string) {
	t.Helper()
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	archive, bom := here.archive("outboxrelay", version), here.name("outboxrelay", version)+".cdx.json"
	want := []string{checksumsFile, archive, bom}
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	files := map[string]string{}
	for _, f := range readArchive(t, filepath.Join(out, archive)) {
		files[f.Name] = f.Content
	}
	for _, name := range []string{"LICENSE", "README.txt", thirdPartyFile, sbomFile, "deployment/Containerfile", "deployment/systemd/outboxrelay.service", "deployment/kubernetes/base/deployment.yaml", "monitoring/alerts.yaml", "monitoring/dashboard.json"} {
		if files[name] == "" {
			t.Errorf("the archive has no %s", name)
		}
	}
	beside, err := os.ReadFile(filepath.Join(out, bom))
	if err != nil || string(beside) != files[sbomFile] {
		t.Errorf("the SBOM beside the archive is not the one in it (%v)", err)
	}
	binary := []byte(files[here.program("outboxrelay")])
	if here.os == "linux" {
		program, err := elf.NewFile(bytes.NewReader(binary))
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			t.Error("the binary is not static: the image has no libraries for it")
		}
		checkSize(t, len(binary))
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	wantModules := []string{"pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}
	for _, dep := range info.Deps {
		wantModules = append(wantModules, "pkg:golang/"+dep.Path+"@"+dep.Version)
		if other := !strings.HasPrefix(dep.Path, gomod.Path); other != strings.Contains(files[thirdPartyFile], "\n"+dep.Path+" "+dep.Version+"\n") {
			t.Errorf("%s: its licence is in the archive: %v, want %v", dep.Path, !other, other)
		}
	}
	var listed struct{ Components []struct{ Purl string } }
	if err := json.Unmarshal(beside, &listed); err != nil {
		t.Fatal(err)
	}
	var gotModules []string
	for _, c := range listed.Components {
		gotModules = append(gotModules, c.Purl)
	}
	if diff := cmp.Diff(wantModules, gotModules); diff != "" || len(gotModules) < 20 {
		t.Errorf("modules in the SBOM (-in the binary +in the SBOM):\n%s", diff)
	}
}

// The folder is not replaced if it has other files.
func TestReplaceable(t *testing.T) {
	t.Parallel()
	missing, empty, earlier, other := filepath.Join(t.TempDir(), "dist"), t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{filepath.Join(earlier, checksumsFile), filepath.Join(earlier, "a.tar.gz"), filepath.Join(other, "thesis.txt")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for folder, want := range map[string]bool{missing: true, empty: true, earlier: true, other: false} {
		if err := (release{out: folder}).replaceable(); (err == nil) != want {
			t.Errorf("%s: %v, want replaceable %v", folder, err, want)
		}
	}
}

// The container file adds the archive under the name that it has.
func TestContainerfileAddsTheArchive(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../../docs/deployment/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ADD (\S+) (\S+)/$`).FindSubmatch(file)
	if m == nil {
		t.Fatal("the container file has no ADD")
	}
	name := strings.NewReplacer("${VERSION}", "v1.2.3", "${TARGETARCH}", "arm64").Replace(string(m[1]))
	if want := (target{"linux", "arm64"}).archive("outboxrelay", "v1.2.3"); name != want {
		t.Errorf("it adds %s, but the archive is %s", name, want)
	}
	if program := string(m[2]) + "/" + (target{os: "linux"}).program("outboxrelay"); !bytes.Contains(file, []byte(`ENTRYPOINT ["`+program+`"]`)) {
		t.Errorf("it does not run %s, where the archive has the program", program)
	}
}
