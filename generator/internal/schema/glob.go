package schema

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// glob lists the files that match pattern, sorted. A segment ** matches any number of
// folders; *, ? and [a-z] match within one segment. Folders that begin with a dot, and
// node_modules, match only if the pattern names them. problem says what is wrong with
// the pattern, or is "".
func (l *loader) glob(pattern string) (files []string, problem string) {
	if problem := globProblem(pattern); problem != "" {
		return nil, problem
	}
	segments := slices.CompactFunc(strings.Split(path.Clean(pattern), "/"), func(a, b string) bool { return a == "**" && b == "**" })
	g := &globber{fsys: l.fsys, found: map[string]bool{}}
	if err := g.walk(".", segments); err != nil {
		return nil, err.Error()
	}
	return slices.Sorted(maps.Keys(g.found)), ""
}

func globProblem(pattern string) string {
	clean := path.Clean(pattern)
	switch {
	case pattern == "":
		return "the pattern is empty"
	case strings.Contains(pattern, `\`):
		return `a backslash in a path; use forward slashes`
	case strings.ContainsAny(pattern, "{}"):
		return "braces are not supported; write one pattern for each case"
	case path.IsAbs(pattern), clean == "..", strings.HasPrefix(clean, "../"):
		return leadsOutside
	}
	for _, segment := range strings.Split(clean, "/") {
		if strings.Contains(segment, "**") && segment != "**" {
			return "** matches whole folders: write **/ before the name"
		}
		if _, err := path.Match(segment, ""); err != nil {
			return "a bracket is not closed"
		}
	}
	return ""
}

type globber struct {
	fsys   fs.FS
	found  map[string]bool
	walked int
}

// walk matches segments against the contents of dir.
func (g *globber) walk(dir string, segments []string) error {
	if segments[0] == "**" {
		if len(segments) == 1 {
			segments = []string{"**", "*"}
		}
		if err := g.walk(dir, segments[1:]); err != nil {
			return err
		}
		return g.each(dir, func(e fs.DirEntry) error {
			if !e.IsDir() || hidden(e.Name()) {
				return nil
			}
			return g.walk(path.Join(dir, e.Name()), segments)
		})
	}
	if !strings.ContainsAny(segments[0], "*?[") {
		return g.enter(path.Join(dir, segments[0]), segments[1:], false)
	}
	return g.each(dir, func(e fs.DirEntry) error {
		if ok, err := path.Match(segments[0], e.Name()); err != nil || !ok || hidden(e.Name()) {
			return err
		}
		return g.enter(path.Join(dir, e.Name()), segments[1:], true)
	})
}

// enter continues in the file or folder called name. seen says that a folder lists it.
// A schema file that is listed and cannot be looked at, such as a link that points
// nowhere, counts as found: it would be missing among the events otherwise.
func (g *globber) enter(name string, rest []string, seen bool) error {
	isDir, problem := g.look(name)
	switch {
	case len(rest) > 0 && problem == leadsOutside:
		return fmt.Errorf("the folder %s cannot be read: %s", name, problem)
	case len(rest) > 0 && isDir:
		return g.walk(name, rest)
	case len(rest) > 0 || isDir: // it does not match
	case problem == "", isSchemaFile(name) && (seen || problem != noSuchFile):
		g.found[name] = true
	}
	return nil
}

// look tells whether name is a folder, or why that cannot be told.
func (g *globber) look(name string) (isDir bool, problem string) {
	info, err := fs.Stat(g.fsys, name)
	if err != nil {
		return false, readProblem(err)
	}
	return info.IsDir(), ""
}

func (g *globber) each(dir string, visit func(fs.DirEntry) error) error {
	entries, err := fs.ReadDir(g.fsys, dir)
	if err != nil {
		return fmt.Errorf("the folder %s cannot be read: %s", dir, readProblem(err))
	}
	for _, e := range entries {
		if g.walked++; g.walked > maxWalked {
			return fmt.Errorf("it matches against more than %d files and folders; start the pattern with a folder", maxWalked)
		}
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || name == "node_modules"
}
