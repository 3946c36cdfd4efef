package schema

import (
	"embed"
	"io/fs"
	"net/url"
	"strings"
)

//go:embed metaschemas/*.json metaschemas/*/*.json
var metaschemas embed.FS

// metaschema loads the standard's own schema with that id, of any dialect: references
// to it are common, and nothing is fetched. It returns nil for other ids.
func (l *loader) metaschema(id string) *resource {
	address := plainAddress(id)
	if address == "json-schema.org/schema" {
		address = "json-schema.org/draft/2020-12/schema"
	}
	name, ok := metaschemaFile(address)
	if !ok {
		return nil
	}
	src, err := fs.ReadFile(metaschemas, name)
	if err != nil {
		return nil // no such vocabulary
	}
	scheme := "https"
	if strings.Contains(address, "/draft-0") {
		scheme = "http" // their ids use http
	}
	path := scheme + "://" + address
	if u := l.units[path]; u != nil {
		return u.resources[0]
	}
	base := &url.URL{Scheme: scheme, Host: "json-schema.org", Path: strings.TrimPrefix(address, "json-schema.org")}
	u := l.newUnit(path, src, base)
	u.foreign = true
	l.read(u)
	if l.ids[base.String()] == nil {
		l.ids[base.String()] = u.resources[0] // the oldest ones have no id
	}
	return u.resources[0]
}

// IsMetaSchema reports whether a document's path is that of one of the standard's own
// schemas, which are in no project.
func IsMetaSchema(path string) bool {
	return strings.HasPrefix(path, "http://json-schema.org/") || strings.HasPrefix(path, "https://json-schema.org/")
}

// metaschemaFile returns the embedded file of a meta-schema or vocabulary.
func metaschemaFile(address string) (string, bool) {
	rest, ok := strings.CutPrefix(address, "json-schema.org/")
	if !ok {
		return "", false
	}
	if dialect, ok := strings.CutSuffix(rest, "/schema"); ok {
		if draft, newer := strings.CutPrefix(dialect, "draft/"); newer {
			return "metaschemas/" + draft + "/schema.json", true
		}
		return "metaschemas/" + dialect + ".json", true
	}
	draft, vocabulary, ok := strings.Cut(strings.TrimPrefix(rest, "draft/"), "/meta/")
	return "metaschemas/" + draft + "/" + vocabulary + ".json", ok
}

// plainAddress returns a URI without its scheme and an empty fragment, which are
// written in several ways.
func plainAddress(uri string) string {
	address := strings.TrimSpace(uri)
	for _, scheme := range []string{"https:", "http:"} {
		if len(address) >= len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) {
			address = address[len(scheme):]
			break
		}
	}
	address = strings.TrimPrefix(strings.TrimPrefix(address, "//"), "www.")
	return strings.TrimRight(address, "#/")
}
