package migrationfolder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Revision is one migration of Alembic.
type Revision struct {
	ID string
	// Down are the revisions before it: none for the first migration, several for a
	// merge.
	Down []string
	File string // relative to the folder, with forward slashes
}

// Heads returns the revisions in a folder of Alembic's versions, and in the folders
// below it, that have no successor there, sorted by file. It is empty for a folder
// without revisions and for a missing folder. The error names the file whose place in
// the chain is unknown.
func Heads(dir string) ([]Revision, error) {
	all, err := readRevisions(dir)
	if err != nil {
		return nil, err
	}
	known, followed := map[string]bool{}, map[string]bool{}
	for _, r := range all {
		known[r.ID] = true
	}
	for _, r := range all {
		for _, down := range r.Down {
			if !known[down] {
				return nil, fmt.Errorf("%s follows the revision %s, which is not in this folder", r.File, down)
			}
			followed[down] = true
		}
	}
	heads := slices.DeleteFunc(slices.Clone(all), func(r Revision) bool { return followed[r.ID] })
	if len(heads) == 0 && len(all) > 0 {
		return nil, fmt.Errorf("the revisions form a circle, and %s is one of them", all[0].File)
	}
	return heads, nil
}

func readRevisions(dir string) ([]Revision, error) {
	var all []Revision
	files := os.DirFS(dir)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		hidden := name != "." && strings.HasPrefix(entry.Name(), ".")
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (hidden || entry.Name() == "__pycache__"):
			return fs.SkipDir
		case entry.IsDir(), hidden, path.Ext(name) != ".py", entry.Name() == "__init__.py":
			return nil
		}
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		revision, err := readRevision(source)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		revision.File = name
		all = append(all, revision)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return all, err
}

// readRevision reads the two variables by which Alembic orders its migrations.
func readRevision(source []byte) (Revision, error) {
	found, err := assignments(source, "revision", "down_revision")
	if err != nil {
		return Revision{}, err
	}
	id, ok := found["revision"]
	if !ok {
		return Revision{}, errors.New(`no line "revision = ..."`)
	}
	if len(id) != 1 {
		return Revision{}, errors.New("revision is not one string")
	}
	return Revision{ID: id[0], Down: found["down_revision"]}, nil
}

var assignment = regexp.MustCompile(`^(\w+)[ \t]*(?::[^=\n]*)?=[ \t]*`)

// assignments finds the values that a Python module assigns to the variables with these
// names, outside functions and classes: strings, tuples and lists of strings, or None,
// which has no strings. Any other assignment is an error.
func assignments(source []byte, names ...string) (map[string][]string, error) {
	found := map[string][]string{}
	s := &pythonScanner{rest: bytes.TrimPrefix(source, []byte("\ufeff")), line: 1, fresh: true}
	for len(s.rest) > 0 {
		if s.fresh && s.depth == 0 {
			if m := assignment.FindSubmatch(s.rest); m != nil && slices.Contains(names, string(m[1])) && !bytes.HasPrefix(s.rest[len(m[0]):], []byte("=")) {
				name, line := string(m[1]), s.line
				s.take(len(m[0]))
				values, ok := s.strings()
				if !ok {
					return nil, fmt.Errorf("line %d: cannot tell what %s is", line, name)
				}
				found[name] = values
				continue
			}
		}
		s.next()
	}
	return found, nil
}

// pythonScanner reads Python source and recognises strings and comments.
type pythonScanner struct {
	rest  []byte
	line  int
	depth int  // of brackets
	fresh bool // at the first column of a line
	open  bool // the last string has no end
}

// take moves past n bytes.
func (s *pythonScanner) take(n int) {
	n = min(n, len(s.rest))
	s.line += bytes.Count(s.rest[:n], []byte("\n"))
	s.fresh = n > 0 && s.rest[n-1] == '\n'
	s.rest = s.rest[n:]
}

// next moves past one token, or a part of one. text is the content of a string.
func (s *pythonScanner) next() (text string, isString bool) {
	switch c := s.rest[0]; c {
	case '#':
		if end := bytes.IndexByte(s.rest, '\n'); end >= 0 {
			s.take(end)
		} else {
			s.take(len(s.rest))
		}
	case '(', '[', '{':
		s.depth++
		s.take(1)
	case ')', ']', '}':
		s.depth = max(s.depth-1, 0)
		s.take(1)
	case '"', '\'':
		return s.quoted(c), true
	default:
		s.take(1)
	}
	return "", false
}

// quoted moves past a string.
func (s *pythonScanner) quoted(quote byte) string {
	mark := []byte{quote}
	if triple := bytes.Repeat(mark, 3); bytes.HasPrefix(s.rest, triple) {
		mark = triple
	}
	for i := len(mark); i < len(s.rest); i++ {
		switch {
		case s.rest[i] == '\\':
			i++
		case bytes.HasPrefix(s.rest[i:], mark):
			text := string(s.rest[len(mark):i])
			s.take(i + len(mark))
			return text
		case len(mark) == 1 && s.rest[i] == '\n':
			s.take(i)
			s.open = true
			return ""
		}
	}
	s.take(len(s.rest))
	s.open = true
	return ""
}

// strings reads the value of an assignment to the end of its line.
func (s *pythonScanner) strings() (values []string, ok bool) {
	start, some := s.depth, false
	s.open = false
	for len(s.rest) > 0 {
		c := s.rest[0]
		if (c == '\n' || c == ';') && s.depth == start {
			return values, some
		}
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' {
			const none = "None"
			if !bytes.HasPrefix(s.rest, []byte(none)) || len(s.rest) > len(none) && isIdentifier(s.rest[len(none)]) {
				return nil, false
			}
			s.take(len(none))
			some = true
			continue
		}
		if !strings.ContainsRune("()[],\"'# \t\r\n", rune(c)) {
			return nil, false
		}
		text, isString := s.next()
		if s.open {
			return nil, false
		}
		if isString {
			values, some = append(values, text), true
		}
	}
	return values, some
}

func isIdentifier(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
