package script_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/script"
)

// run returns the statements of the first file, each after a bar and the number of its
// file.
func run(files ...string) []string {
	var texts [][]byte
	for _, f := range files {
		texts = append(texts, []byte(f))
	}
	all := script.Only(texts...)
	all.Include = func(_ int, name string) (int, bool) {
		at := strings.Index("abcdef", name)
		return at, at >= 0 && at < len(texts)
	}
	var shown []string
	for _, s := range script.Statements(all, 0) {
		words := []string{string(rune('a' + s.File))}
		if s.Missing {
			words = append(words, "missing")
		}
		for _, t := range s.Tokens {
			words = append(words, t.Text)
		}
		shown = append(shown, strings.Join(words, " "))
	}
	return shown
}

func TestStatements(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files []string
		want  []string
	}{
		"includes":        {[]string{"x;\n\\i b\ny;", "z;\n\\ir c\n", "u"}, []string{"a x", "b z", "c u", "a y"}},
		"in a circle":     {[]string{"x;\n\\i b\n", "y;\n\\i a\n"}, []string{"a x", "b y", "b missing"}},
		"missing":         {[]string{"\\i nowhere\nx;\n\\include 'g'"}, []string{"a missing", "a x", "a missing"}},
		"of tern":         {[]string{"{{ template \"b\" . }} x; {{ .y }} z"}, []string{"a missing", "a x", "a z"}},
		"of tern, there":  {[]string{"{{- template \"b\" . -}} x", "y"}, []string{"b y", "a x"}},
		"conditions":      {[]string{"\\if false\nx;\n\\if true\nx;\n\\endif\n\\elif 0\nx;\n\\elif on\ny;\n\\elif on\nx;\n\\else\nx;\n\\endif\n\\if :unknown\nz;\n\\else\nx;\n\\endif\n"}, []string{"a y", "a z"}},
		"variables":       {[]string{"\\set a 'it''s' x\n\\set b no\n\\set c d.e\nx :a :'a' :\"b\" :b :c :d;\n\\if :b\nx;\n\\endif\n\\if :{?b}\ny;\n\\endif\n\\unset b\n\\if :{?b}\nx;\n\\endif"}, []string{"a x :a it'sx no no :c :d", "a y"}},
		"a name in parts": {[]string{"\\set f b\n\\i :f\n", "x"}, []string{"b x"}},
		"left":            {[]string{"x;\n\\i b\ny;\n\\quit\nx;", "z;\n\\q\nx;"}, []string{"a x", "b z", "a y"}},
		"taken back":      {[]string{"begin;\n\\i b\nrollback; y", "x"}, []string{"a begin", "a rollback", "a y"}},
		"begun twice":     {[]string{"begin; x; begin; y; rollback; z; rollback"}, []string{"a begin", "a rollback", "a z", "a rollback"}},
		"savepoints": {
			[]string{"begin; savepoint s; x; savepoint s; y; rollback to s; release s; z; rollback work to savepoint s; w; savepoint t; release savepoint s; rollback to t; commit"},
			[]string{"a begin", "a savepoint s", "a rollback work to savepoint s", "a w", "a savepoint t", "a release savepoint s", "a rollback to t", "a commit"},
		},
		"chains": {[]string{"begin; x; commit and chain; y; rollback and chain; z; rollback; w"}, []string{"a begin", "a x", "a commit and chain", "a rollback and chain", "a rollback", "a w"}},
	} {
		if diff := cmp.Diff(test.want, run(test.files...)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}
