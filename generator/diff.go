package generator

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
)

// Kind says how a file on disk differs from what is generated.
type Kind string

// The kinds of difference.
const (
	Missing  Kind = "missing"  // generated, but not on disk
	Stale    Kind = "stale"    // on disk with other content
	Orphaned Kind = "orphaned" // of an earlier run, no longer generated
)

// Difference is one file on disk that differs from the generated one.
type Difference struct {
	// Path is relative to the project, with forward slashes.
	Path string
	// Kind says how it differs.
	Kind Kind
	// New is the generated content; nil for an orphan.
	New []byte

	old []byte // the content on disk, with Unix line ends; nil if there is none
}

// Diff returns a unified diff from the disk to the generated content, as git prints it:
// a missing file comes from /dev/null, an orphan becomes /dev/null.
func (d Difference) Diff() string {
	const none = "/dev/null"
	from, to := "a/"+d.Path, "b/"+d.Path
	switch d.Kind {
	case Missing:
		from = none
	case Orphaned:
		to = none
	case Stale:
	}
	return unified(from, to, d.old, d.New)
}

// Compare returns what has to change on disk, sorted by path. Line ends LF and CR LF
// are equal.
func (r *Result) Compare() ([]Difference, error) {
	var all []Difference
	for _, f := range r.Files {
		old, err := os.ReadFile(r.abs(f.Path))
		switch {
		case errors.Is(err, fs.ErrNotExist), notFolder(err):
			all = append(all, Difference{Path: f.Path, Kind: Missing, New: f.Content})
		case err != nil:
			return nil, fmt.Errorf("compare with the disk: %w", err)
		case !bytes.Equal(unix(old), f.Content):
			all = append(all, Difference{Path: f.Path, Kind: Stale, New: f.Content, old: unix(old)})
		}
	}
	for _, name := range r.Orphans {
		old, err := os.ReadFile(r.abs(name))
		if err != nil {
			return nil, fmt.Errorf("compare with the disk: %w", err)
		}
		all = append(all, Difference{Path: name, Kind: Orphaned, old: unix(old)})
	}
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func (r *Result) abs(name string) string { return filepath.Join(r.Dir, filepath.FromSlash(name)) }

func unix(content []byte) []byte { return bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")) }

// notFolder reports whether a path leads through something that is not a folder, so
// that the file cannot exist.
func notFolder(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

func unified(oldName, newName string, oldText, newText []byte) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: lines(oldText), B: lines(newText),
		FromFile: oldName, ToFile: newName,
		Context: 3,
	})
	if err != nil {
		panic(err) // it writes to memory
	}
	return text
}

// lines splits text and keeps the line ends. It marks a last line without one.
func lines(text []byte) []string {
	all := strings.SplitAfter(string(text), "\n")
	last := len(all) - 1
	if all[last] == "" {
		return all[:last]
	}
	all[last] += "\n\\ No newline at end of file\n"
	return all
}

// claim checks the output folder. It reports other files that are in the way, and
// returns generated files that are no longer needed.
func (l *loaded) claim(files []File) (orphans []string, err error) {
	generated := map[string]bool{}
	for _, f := range files {
		generated[f.Path] = true
		if err := l.claimFile(f); err != nil {
			return nil, err
		}
	}
	out := path.Clean(filepath.ToSlash(l.project.Config.Out))
	for _, dir := range []string{out, path.Join(out, sqlc.Package)} {
		ours, err := l.ours(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range ours {
			if !generated[name] {
				orphans = append(orphans, name)
			}
		}
	}
	return orphans, nil
}

func (l *loaded) claimFile(f File) error {
	if !l.inside(f.Path, l.project.Config.At["out"]) {
		return nil
	}
	at := filepath.Join(l.dir, filepath.FromSlash(f.Path))
	if info, err := os.Stat(at); err == nil && !info.Mode().IsRegular() {
		l.list.Errorf(l.project.Config.At["out"], "unreadable-output", "cannot read %s: it is not a regular file", f.Path)
		return nil
	}
	old, err := os.ReadFile(at)
	var pathErr *fs.PathError
	switch {
	case err == nil && !isOurs(f.Path, old):
		l.list.Errorf(finding.Pos{File: f.Path, Line: 1, Col: 1}, "foreign-file",
			"outboxgen needs to write this file, but did not generate the existing one").
			SetHint("rename the file, or set out: to another folder")
	case err == nil, errors.Is(err, fs.ErrNotExist), notFolder(err):
	case errors.As(err, &pathErr):
		l.list.Errorf(l.project.Config.At["out"], "unreadable-output", "cannot read %s: %v", f.Path, pathErr.Err)
	default:
		return fmt.Errorf("inspect the old output: %w", err)
	}
	return nil
}

// ours lists the generated files in one folder, sorted.
func (l *loaded) ours(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, filepath.FromSlash(dir)))
	if errors.Is(err, fs.ErrNotExist) || notFolder(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inspect the old output: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if !e.Type().IsRegular() || !slices.Contains([]string{".go", ".sql"}, path.Ext(name)) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(l.dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, fmt.Errorf("inspect the old output: %w", err)
		}
		if isOurs(name, content) {
			names = append(names, name)
		}
	}
	return names, nil
}

// isOurs reports by the first line whether outboxgen wrote a file.
func isOurs(name string, content []byte) bool {
	first, _, _ := bytes.Cut(content, []byte("\n"))
	switch string(bytes.TrimRight(first, "\r")) {
	case Header:
		return path.Ext(name) == ".go"
	case sqlc.Header:
		return path.Ext(name) == ".go" && path.Base(path.Dir(name)) == sqlc.Package
	case sqlc.QueriesHeader:
		return path.Ext(name) == ".sql"
	default:
		return false
	}
}
