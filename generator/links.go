package generator

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
)

// outputInside reports the folders of the output that are outside the project because
// of a symbolic link, before it reads them.
func (l *loaded) outputInside() {
	c := l.project.Config
	if c.Out != "" && l.inside(c.Out, c.At["out"]) && c.SQLC.Mode != "queries" {
		below := path.Join(c.Out, sqlc.Package)
		if l.inside(below, c.At["out"]) && l.sameFolder(c.Out, below) {
			l.linked(below, below, "points to the folder of the other package", c.At["out"])
		}
	}
	if c.SQLC.Queries != "" {
		l.inside(c.SQLC.Queries, c.SQLC.At["queries"])
	}
}

// inside reports the first symbolic link on the path to an output file or folder that
// points outside the project, or to nothing. It returns whether there is none.
func (l *loaded) inside(name string, pos Pos) bool {
	link, problem := escape(l.dir, name)
	if link == "" {
		return true
	}
	l.linked(name, link, problem, pos)
	return false
}

func (l *loaded) linked(name, link, problem string, pos Pos) {
	l.list.Errorf(pos, "output-link", "the output %s goes through the symbolic link %s, which %s", finding.Quote(name), finding.Quote(link), problem).
		SetHint("replace the link with a folder or file of the project, or use another path")
}

// sameFolder reports whether two paths lead to one folder, which is there.
func (l *loaded) sameFolder(a, b string) bool {
	one, err := os.Stat(filepath.Join(l.dir, filepath.FromSlash(a)))
	if err != nil {
		return false
	}
	other, err := os.Stat(filepath.Join(l.dir, filepath.FromSlash(b)))
	return err == nil && os.SameFile(one, other)
}

// escape returns the first symbolic link on the path from a project to a name in it
// that points outside the project or to nothing, and the problem; "" if there is none.
func escape(dir, name string) (link, problem string) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return "", ""
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return "", "" // it was read before
	}
	parts := strings.Split(path.Clean(name), "/")
	for i := range parts {
		link := path.Join(parts[:i+1]...)
		at := filepath.Join(root, filepath.FromSlash(link))
		info, err := os.Lstat(at)
		if err != nil {
			return "", "" // nothing is there, or nothing can be
		}
		if info.Mode()&os.ModeSymlink == 0 {
			continue
		}
		target, err := filepath.EvalSymlinks(at)
		if err != nil {
			return link, "is broken"
		}
		if inside, err := filepath.Rel(root, target); err != nil || !filepath.IsLocal(inside) {
			return link, "points outside the project"
		}
	}
	return "", ""
}
