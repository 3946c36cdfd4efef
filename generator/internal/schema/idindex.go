package schema

import (
	"bytes"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// index returns the ids of the schemas in files that are not loaded, with the first
// file that has each. It is built when a reference does not resolve otherwise.
func (l *loader) index() map[string]string {
	if l.idFiles != nil {
		return l.idFiles
	}
	l.idFiles, l.nameFiles = map[string]string{}, map[string][]string{}
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
			l.indexValue(v, name, projectBase(name))
			l.indexName(v, name)
		}
	}
	return l.idFiles
}

// indexValue records the ids of v and below, under both keywords, because the file's
// dialect is unknown.
func (l *loader) indexValue(v *Value, file string, base *url.URL) {
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
		l.indexValue(m.Value, file, base)
	}
	for _, item := range v.Items {
		l.indexValue(item, file, base)
	}
}

// fileWithID returns the file of the project that contains the schema with an id, with
// http or https.
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

// byID returns the resource with an id in an unused file of the project; nil if there
// is none.
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

// byName returns the files whose relative $id is a name, as registries of schemas use it
// (Ajv, Fastify, referencing): the path of the file does not count. There, "user" leads to
// the file with $id "user", and from $id "orders/a" to the one with "orders/user".
func (l *loader) byName(name *url.URL) []*resource {
	name.Fragment, name.RawFragment = "", ""
	if name.Scheme != projectScheme {
		return nil
	}
	l.index()
	for _, file := range l.nameFiles[name.String()] {
		_, _ = l.file(file) // what is wrong with it is reported there
	}
	found := slices.SortedFunc(slices.Values(l.names[name.String()]), func(a, b *resource) int {
		return strings.Compare(a.unit.doc.Path, b.unit.doc.Path)
	})
	return slices.CompactFunc(found, func(a, b *resource) bool { // copies
		return a.unit.value.Canonical() == b.unit.value.Canonical()
	})
}

// nameFile registers a file under its relative $id.
func (l *loader) nameFile(r *resource) {
	if r.name.Scheme == projectScheme {
		l.names[r.name.String()] = append(l.names[r.name.String()], r)
	}
}

// indexName records a file that is not loaded under its relative $id. A file with data
// can have a member id too.
func (l *loader) indexName(v *Value, file string) {
	m := v.Member("$id")
	if m == nil && v.Member("$schema") != nil {
		m = v.Member("id")
	}
	if m == nil || m.Kind != String {
		return
	}
	id, _, _ := strings.Cut(m.Text, "#")
	u, err := url.Parse(id)
	if id == "" || err != nil {
		return
	}
	if name := projectBase("").ResolveReference(u); name.Scheme == projectScheme {
		l.nameFiles[name.String()] = append(l.nameFiles[name.String()], file)
	}
}

// paths lists the files of resources.
func paths(resources []*resource) []string {
	var names []string
	for _, r := range resources {
		names = append(names, r.unit.doc.Path)
	}
	return names
}

// otherScheme returns an http address with https and the reverse; "" for others.
func otherScheme(id string) string {
	if rest, ok := strings.CutPrefix(id, "http://"); ok {
		return "https://" + rest
	}
	if rest, ok := strings.CutPrefix(id, "https://"); ok {
		return "http://" + rest
	}
	return ""
}

// projectFiles lists the files of the project that may be schemas, sorted. It skips
// hidden folders and node_modules.
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
