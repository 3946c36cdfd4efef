package sqltext_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// show returns each statement with a bar between its tokens.
func show(text string) []string {
	var all []string
	for _, s := range sqltext.Split([]byte(text)) {
		var tokens []string
		for _, t := range s.Tokens {
			tokens = append(tokens, text[t.Start:t.End])
		}
		line := strings.Join(tokens, "|")
		switch {
		case s.Psql:
			line = "psql: " + text[s.Start:s.End]
		case s.Data:
			line = "data: " + text[s.Start:s.End]
		}
		all = append(all, line)
	}
	return all
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                        {"", nil},
		"blanks and comments alone":      {" -- a; b\n /* c; /* d; */ e; */ ; ;", nil},
		"two":                            {"SELECT 1; select 2", []string{"SELECT|1", "select|2"}},
		"a byte order mark":              {"\xEF\xBB\xBFSELECT 1;", []string{"SELECT|1"}},
		"a string":                       {"SELECT 'a;''b' ; x", []string{"SELECT|'a;''b'", "x"}},
		"a backslash says nothing":       {`SELECT 'a\'; x`, []string{`SELECT|'a\'`, "x"}},
		"but in an escape string":        {`SELECT E'a\';' ; x`, []string{`SELECT|E'a\';'`, "x"}},
		"strings with prefixes":          {`SELECT U&'\0041;', B'1', x'f', N'a', ue'b'`, []string{`SELECT|U&'\0041;'|,|B'1'|,|x'f'|,|N'a'|,|ue|'b'`}},
		"a quoted name":                  {`SELECT "a;""b", U&"c;" FROM "D"`, []string{`SELECT|"a;""b"|,|U&"c;"|FROM|"D"`}},
		"dollar quotes":                  {"DO $$ a; $x$ b; $$; DO $x$ $$ ; $y$ $x$;", []string{"DO|$$ a; $x$ b; $$", "DO|$x$ $$ ; $y$ $x$"}},
		"a dollar in a name":             {"SELECT a$b$, $1, $2;", []string{"SELECT|a$b$|,|$1|,|$2"}},
		"a nested comment":               {"SELECT /* a; /* b */ c; */ 1;", []string{"SELECT|1"}},
		"parentheses":                    {"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); x", []string{"CREATE|RULE|r|AS|ON|INSERT|TO|t|DO|(|SELECT|1|;|SELECT|2|)", "x"}},
		"more closed than opened":        {"SELECT ); x", []string{"SELECT|)", "x"}},
		"a function of statements":       {"CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; x", []string{"CREATE|OR|REPLACE|FUNCTION|f|(|)|RETURNS|int|BEGIN|ATOMIC|SELECT|CASE|WHEN|a|THEN|1|END|;|SELECT|2|;|END", "x"}},
		"a transaction":                  {"BEGIN; x; END; y", []string{"BEGIN", "x", "END", "y"}},
		"data of a copy":                 {"COPY t (a, b) FROM stdin WITH (FORMAT text);\n1\t';\n\"$$\\\n\\.\nSELECT 1;", []string{"COPY|t|(|a|,|b|)|FROM|stdin|WITH|(|FORMAT|text|)", "data: 1\t';\n\"$$\\\n\\.\n", "SELECT|1"}},
		"data of psql":                   {"\\copy t (a) from stdin csv\n1;'\n\\.\nx;\n\\copy t from 'f'\ny", []string{"psql: \\copy t (a) from stdin csv\n", "data: 1;'\n\\.\n", "x", "psql: \\copy t from 'f'\n", "y"}},
		"backslashes of old":             {"SET standard_conforming_strings = off; x 'a\\';b'; SET LOCAL standard_conforming_strings TO on; y 'a\\'; z", []string{"SET|standard_conforming_strings|=|off", "x|'a\\';b'", "SET|LOCAL|standard_conforming_strings|TO|on", "y|'a\\'", "z"}},
		"lines of old":                   {"-- a; 'b\rx;\r--c\ry", []string{"x", "y"}},
		"data without an end":            {"COPY t FROM STDIN;\r\n1;\r\n2", []string{"COPY|t|FROM|STDIN", "data: 1;\r\n2"}},
		"a copy of a file":               {"COPY t FROM '/a'; x", []string{"COPY|t|FROM|'/a'", "x"}},
		"a statement that psql forgets":  {"DROP TABLE a\n\\r\nx; DROP TABLE b \\reset\ny", []string{"x", "y"}},
		"commands of psql":               {"\\connect db 'a\nSELECT 1;\n\\set x $$\nSELECT 2 \\gset y;\nz", []string{"psql: \\connect db 'a\n", "SELECT|1", "psql: \\set x $$\n", "SELECT|2", "z"}},
		"variables of psql":              {`SELECT :a, :'b;', :"c", d::text, e[1:2], f := 1`, []string{`SELECT|:a|,|:'b;'|,|:"c"|,|d|::|text|,|e|[|1|:|2|]|,|f|:|=|1`}},
		"placeholders of Flyway":         {"CREATE TABLE ${schema}.t_${x;y} (a int); x", []string{"CREATE|TABLE|${schema}|.|t_|${x;y}|(|a|int|)", "x"}},
		"placeholders of tern":           {`{{ template "a; b" . }} ALTER TABLE {{.x}}t; y`, []string{`{{ template "a; b" . }}|ALTER|TABLE|{{.x}}|t`, "y"}},
		"a string that never ends":       {"SELECT 1; SELECT 'a; b", []string{"SELECT|1", "SELECT|'a; b"}},
		"a dollar quote that never ends": {"DO $a$ b; $a", []string{"DO|$a$ b; $a"}},
		"a comment that never ends":      {"a /* b;", []string{"a"}},
		"a placeholder that never ends":  {"a ${b; c", []string{"a|${b; c"}},
		"other letters":                  {"SELECT größe, «x» FROM t\x00u\xff;", []string{"SELECT|größe|,|«x»|FROM|t|u\xff"}},
		"a string that goes on":          {"SELECT E'a'\n 'b\\';' , 'c'\n'd\\'; x", []string{"SELECT|E'a'\n 'b\\';'|,|'c'|'d\\'", "x"}},
		"two that psql sends as one":     {"SELECT 1\\; SELECT 2 \\g\nx\n\\echo 'a\\\\b' \\\\ y;", []string{"SELECT|1", "SELECT|2", "x", "psql: \\echo 'a\\\\b' \\\\", "y"}},
		"other placeholders":             {"a $b.c {% if 'it' %} {# it's; #} #{d} $(e) <%= f %> {g}; x", []string{"a|$b|.|c|{% if 'it' %}|{# it's; #}|#{d}|$(e)|<%= f %>|{g}", "x"}},
		"a parenthesis that stays open":  {"a (b; c (d); e", []string{"a|(|b", "c|(|d|)", "e"}},
		"an escape that is given":        {"SELECT U&'a!0062;' UESCAPE '!', U&\"c\" /* d */ uescape '!'; x", []string{"SELECT|U&'a!0062;' UESCAPE '!'|,|U&\"c\" /* d */ uescape '!'", "x"}},
		"numbers":                        {"SELECT 1.5e3, 0xFF, 1_000", []string{"SELECT|1.5e3|,|0xFF|,|1_000"}},
	} {
		if diff := cmp.Diff(test.want, show(test.text)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

func TestTokenText(t *testing.T) {
	t.Parallel()
	const text = `CREATE U&"\0061\+00005f\\" U&"d!0061t" UESCAPE '!' GRÖSSE "Tab""le" 'it''s' E'\n''x' $a$ b $a$ ${c} $1 ,`
	var got []sqltext.Token
	for _, token := range sqltext.Split([]byte(text))[0].Tokens {
		token.Start, token.End = 0, 0
		got = append(got, token)
	}
	want := []sqltext.Token{
		{Kind: sqltext.Word, Text: "create"}, {Kind: sqltext.Quoted, Text: `a_\`}, {Kind: sqltext.Quoted, Text: "dat"}, {Kind: sqltext.Word, Text: "grÖsse"}, {Kind: sqltext.Quoted, Text: `Tab"le`}, {Kind: sqltext.String, Text: "it's"},
		{Kind: sqltext.String, Text: `\n'x`}, {Kind: sqltext.Dollar, Text: " b "}, {Kind: sqltext.Placeholder, Text: "${c}"},
		{Kind: sqltext.Number, Text: "$1"}, {Kind: sqltext.Sign, Text: ","},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Splitting ends for any text, and statements and tokens are in order inside it.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"SELECT 'a;''b'; x", "DO $$ a; $x$ b; $$;", "COPY t FROM stdin;\n1\n\\.\n", "\\d\n", "${a {{b}} :'c' \"d", "E'\\", "U&'", "$", ":", "\xEF\xBB\xBF",
		"CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END", "/* /* */",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := 0
		for _, s := range sqltext.Split([]byte(text)) {
			if s.Start < at || s.End < s.Start || s.End > len(text) {
				t.Fatalf("statement %d-%d after %d", s.Start, s.End, at)
			}
			at = s.Start
			for _, token := range s.Tokens {
				if token.Start < at || token.End <= token.Start || token.End > s.End {
					t.Fatalf("token %+v after %d in %d-%d", token, at, s.Start, s.End)
				}
				at = token.End
			}
			at = s.End
		}
	})
}
