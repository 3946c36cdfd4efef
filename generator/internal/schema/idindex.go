package schema

import (
	"bytes"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// index is the ids of the schemas in files that are not loaded, with the first
// file that has each. It is made when a reference is met that nothing else
// resolves.
func (l *loader) index() map[string]string {
	if l.idFiles != nil {
		return l.idFiles
	}
	l.idFiles = map[string]string{}
	if l.alone {
		return l.idFiles // there is no project
	}
	read, values := 0, 0
	for _, name := range l.projectFiles() {
		if l.units[name] != nil {
			continue
		}
		if read++; read > maxFiles || values > maxProjectValues {
			break
		}
		src, err := l.readFile(name)
		if err != nil || !bytes.Contains(src, []byte("id")) {
			continue
		}
		v, n := readValue(name, src, &finding.List{})
		values += n
		if v != nil {
			l.indexValue(v, name, projectBase(name), 0)
		}
	}
	return l.idFiles
}

// indexValue notes the ids of v and below, by both names: it is not known which
// dialect the file is of.
func (l *loader) indexValue(v *Value, file string, base *url.URL, depth int) {
	for _, name := range []string{"$id", "id"} {
		m := v.Member(name)
		if m == nil || m.Kind != String {
			continue
		}
		id, _, _ := strings.Cut(m.Text, "#")
		u, err := url.Parse(id)
		if id == "" || err != nil {
			continue
		}
		base = base.ResolveReference(u)
		if _, there := l.idFiles[base.String()]; !there {
			l.idFiles[base.String()] = file
		}
		break
	}
	for _, m := range v.Members {
		l.indexValue(m.Value, file, base, depth+1)
	}
	for _, item := range v.Items {
		l.indexValue(item, file, base, depth+1)
	}
}

// fileWithID is the file of the project that holds the schema with an id, in
// either spelling of the web's scheme.
func (l *loader) fileWithID(id string) (string, bool) {
	for _, spelled := range []string{id, otherScheme(id)} {
		if r := l.ids[spelled]; r != nil && spelled != "" {
			return r.unit.doc.Path, true
		}
		if file, ok := l.index()[spelled]; ok && spelled != "" {
			return file, true
		}
	}
	return "", false
}

// byID is the resource with an id in a file of the project that nothing has
// named so far; nil where there is none.
func (l *loader) byID(id string) *resource {
	file, ok := l.fileWithID(id)
	if !ok {
		return nil
	}
	if _, problem := l.file(file); problem != "" {
		return nil
	}
	if r := l.ids[id]; r != nil {
		return r
	}
	return l.ids[otherScheme(id)]
}

// otherScheme is an address of the web with the other one of its two schemes,
// "" where it is none.
func otherScheme(id string) string {
	if rest, ok := strings.CutPrefix(id, "http://"); ok {
		return "https://" + rest
	}
	if rest, ok := strings.CutPrefix(id, "https://"); ok {
		return "http://" + rest
	}
	return ""
}

// projectFiles lists the files of the project that may be schemas, sorted.
// Hidden folders and node_modules are not entered.
func (l *loader) projectFiles() []string {
	var files []string
	walked := 0
	_ = fs.WalkDir(l.fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if walked++; walked > maxWalked {
			return fs.SkipAll
		}
		switch {
		case err != nil:
			if e != nil && e.IsDir() {
				return fs.SkipDir
			}
		case e.IsDir():
			if name != "." && hidden(path.Base(name)) {
				return fs.SkipDir
			}
		case isSchemaFile(name) && !hidden(path.Base(name)) && name != l.configFile:
			files = append(files, name)
		}
		return nil
	})
	return files
}
