package schema

import (
	"net/url"
	"path"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// fileURI finds the file of a file: reference. Such references are relative to the file
// that contains them, which no URI can be (file://./x.json), or have the path that the
// file had on its author's machine (file:///home/me/schemas/x.json). So fileURI takes
// the longest end of the path that leads to a file, from the folder of the current file
// or of the project.
func (l *loader) fileURI(from *resource, u *url.URL) (*resource, *failure) {
	name := u.Opaque
	relative := name != "" && !strings.HasPrefix(name, "/")
	if u.Opaque == "" {
		name = u.Path
		if u.Host != "" && !strings.EqualFold(u.Host, "localhost") {
			name, relative = u.Host+u.Path, true
		}
	}
	if unescaped, err := url.PathUnescape(name); err == nil && u.Opaque != "" {
		name = unescaped
	}
	folder := path.Dir(from.unit.doc.Path)
	beside := path.Join(folder, name)
	if relative {
		if beside == ".." || strings.HasPrefix(beside, "../") {
			return nil, outsideFailure(&url.URL{Path: name})
		}
		if r, f := l.localFile(beside); f == nil {
			return r, nil
		}
	}
	segments := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	for i := range segments {
		end := path.Join(segments[i:]...)
		for _, candidate := range []string{path.Join(folder, end), end} {
			if r, f := l.localFile(candidate); f == nil {
				return r, nil
			}
		}
	}
	return nil, &failure{
		id: "unknown-file", message: finding.Quote(u.String()) + " is not a file of the project; no file matches the end of its path",
		hint: "copy the file into the project, and use its path relative to this file",
	}
}
