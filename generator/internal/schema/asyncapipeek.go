package schema

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// peek reads the documents of AsyncAPI among the files that match schemas: first, and
// those that entries of events: name, because the files to which they refer may be parts
// of them and no schemas.
func (l *loader) peek(c *Config, files []string) {
	for _, name := range files {
		l.peekFile(c, name)
	}
	listing := l.listing
	l.listing = false
	for _, name := range slices.Sorted(maps.Keys(l.describes)) {
		if !slices.Contains(files, name) {
			l.peekFile(c, name)
		}
	}
	l.listing = listing
	l.apiDocuments()
}

func (l *loader) peekFile(c *Config, name string) {
	if l.units[name] != nil || l.peeked[name] != nil || name == path.Base(c.Path) || !isSchemaFile(name) || l.listing && l.want != nil && !l.want(name) {
		return
	}
	src, err := l.readFile(name)
	if err != nil {
		return // reported with the pattern or the entry
	}
	l.peeked[name] = src
	if !bytes.Contains(bytes.ReplaceAll(src, []byte{0}, nil), []byte("asyncapi")) { // also in UTF-16
		return
	}
	v, _ := readValue(name, src, &finding.List{})
	switch {
	case v == nil || v.Kind != Object || v.Member("asyncapi") == nil:
	case l.listing && exported(v) && !c.names(name):
		l.written[name] = true
		if title := v.Member("info").Member("title"); title == nil || title.Text != c.Service {
			l.list.Warnf(v.Pos, "asyncapi-exported", "outboxgen export asyncapi wrote this document, perhaps for another service, so a pattern does not make it a source of events").
				SetHint("to read it, write its name under schemas:; if it is the export of this project under an earlier name, export again")
		}
	default:
		l.file(name)
	}
}

// exported reports whether v is a document of AsyncAPI that export wrote.
func exported(v *Value) bool {
	comment := v.Member("x-comment")
	return comment != nil && comment.Text == ExportedAsyncAPI && v.Member("info") != nil
}

// ExportedService returns the service for which export wrote a document of AsyncAPI. ok is
// false if the text is no such document, or cannot be read.
func ExportedService(src []byte) (service string, ok bool) {
	v, _ := readValue("asyncapi", src, &finding.List{})
	if v == nil || v.Kind != Object || !exported(v) {
		return "", false
	}
	title := v.Member("info").Member("title")
	if title == nil {
		return "", false
	}
	return title.Text, true
}

// names reports whether schemas: has a file by its name, and not only by a pattern.
func (c *Config) names(file string) bool {
	return slices.ContainsFunc(c.schemas, func(pattern Name) bool {
		return path.Clean(pattern.Text) == file && !strings.ContainsAny(pattern.Text, "*?[")
	})
}
