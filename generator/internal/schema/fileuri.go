package schema

import (
	"net/url"
	"path"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// fileURI finds the file that a file: reference means. Such references are
// written relative to the file that they stand in, which no URI can be
// (file://./x.json), or with the path that the file had on the machine of its
// author (file:///home/me/schemas/x.json). So the longest end of the path that
// leads to a file is taken, from the folder of the file at hand or from that of
// the project.
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
