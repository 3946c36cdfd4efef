package schema

import (
	"net/url"
	"path"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// dialectSettings has the config's settings for dialects.
type dialectSettings struct {
	files     map[string]Dialect // by path
	addresses map[string]Dialect // by the address in $schema, without its scheme
}

// dialects reads the dialects by $schema or by file pattern.
func (r *configReader) dialects(v *Value) {
	if v.Kind != Object {
		r.wrong(v, "dialects", "an object that maps $schema values or file patterns to dialects")
		return
	}
	for _, m := range v.Members {
		if d := r.dialect(m.Value, "the dialect of "+finding.Quote(m.Name)); d != "" {
			r.c.Dialects = append(r.c.Dialects, DialectConfig{Match: Name{Text: m.Name, Pos: m.Pos}, Dialect: d})
		}
	}
}

// dialect reads the name or the address of a dialect.
func (r *configReader) dialect(v *Value, what string) Dialect {
	if v.Kind == String {
		if d, latest, ok := standardDialect(v.Text); ok && !latest {
			return d
		}
	}
	names := make([]string, len(dialects))
	for i, d := range dialects {
		names[i] = string(d)
	}
	if n := r.oneOf(v, what, names); n != nil {
		return Dialect(n.Text)
	}
	return ""
}

// configuredDialects finds the files that the settings apply to.
func (l *loader) configuredDialects(c *Config) {
	l.dialects = dialectSettings{files: map[string]Dialect{}, addresses: map[string]Dialect{}}
	said := map[string]finding.Pos{} // where the dialect of a file is set
	for _, setting := range c.Dialects {
		if strings.Contains(setting.Match.Text, ":") || strings.HasPrefix(setting.Match.Text, "//") {
			l.dialects.addresses[plainAddress(setting.Match.Text)] = setting.Dialect
			continue
		}
		files, problem := l.glob(setting.Match.Text)
		if problem == "" && len(files) == 0 {
			problem = "no file matches"
		}
		if problem != "" {
			l.list.Errorf(setting.Match.Pos, "bad-glob", "%s: %s", finding.Quote(setting.Match.Text), problem).
				SetHint("the keys of dialects: are file patterns and $schema values")
		}
		for _, file := range files {
			l.dialectFor(file, setting.Dialect, setting.Match.Pos, said, "remove one of the entries, or change the patterns so that only one matches the file")
		}
	}
	said = map[string]finding.Pos{} // an event's setting is more specific than a pattern
	for _, e := range c.Events {
		if file := e.file(); e.Dialect != "" && file != "" {
			l.dialectFor(file, e.Dialect, e.At["dialect"], said, "set the same dialect: in both entries")
		}
	}
}

// dialectFor sets the dialect of a file. It reports a file that gets two dialects from
// settings of the same kind.
func (l *loader) dialectFor(file string, d Dialect, pos finding.Pos, said map[string]finding.Pos, hint string) {
	if other, twice := said[file]; twice && l.dialects.files[file] != d {
		l.list.Errorf(pos, "bad-choice", "the dialect of %s is %s here, and %s at line %d", finding.Quote(file), d, l.dialects.files[file], other.Line).
			SetHint(hint)
		return
	}
	said[file] = pos
	l.dialects.files[file] = d
}

// file returns the path of the file that contains the schema of an event.
func (e EventConfig) file() string {
	u, err := url.Parse(e.Schema.Text)
	if err != nil || u.Path == "" {
		return ""
	}
	return path.Clean(u.Path)
}
