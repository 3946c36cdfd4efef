package finding_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

func at(line, col int) finding.Pos { return finding.Pos{File: "a.yaml", Line: line, Col: col} }

func TestSortedByPlaceEachOnce(t *testing.T) {
	t.Parallel()
	var l finding.List
	l.Errorf(at(2, 1), "x", "second")
	l.Warnf(at(1, 5), "x", "a warning")
	l.Errorf(at(1, 5), "x", "first")
	l.Errorf(finding.Pos{File: "A.yaml"}, "x", "a file without a line")
	l.Errorf(at(2, 1), "x", "second")
	l.Errorf(at(10, 1), "x", "last")

	var got []string
	for _, f := range l.Sorted() {
		got = append(got, f.String())
	}

	want := []string{
		"A.yaml: a file without a line [x]",
		"a.yaml:1:5: first [x]",
		"a.yaml:1:5: warning: a warning [x]",
		"a.yaml:2:1: second [x]",
		"a.yaml:10:1: last [x]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestWarningsAreNoErrors(t *testing.T) {
	t.Parallel()
	var l finding.List
	l.Warnf(at(1, 1), "x", "a warning")
	if l.HasErrors() {
		t.Error("a warning counts as an error")
	}
	l.Errorf(at(1, 1), "x", "an error")
	if !l.HasErrors() {
		t.Error("an error does not count")
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	sources := finding.Sources{
		"a.yaml":    []byte("type: object\r\n\tå😀日: x\r\n"),
		"long.yaml": []byte(strings.Repeat("x", 500) + "HERE" + strings.Repeat("y", 500)),
		"evil.yaml": []byte("a: \x1b[2J\u202Ehidden"),
	}
	findings := []finding.Finding{
		{Pos: at(1, 7), ID: "x", Message: "an error", Hint: "a hint"},
		{Pos: at(2, 5), Severity: finding.Warning, ID: "x", Message: "a warning"},
		{Pos: at(3, 1), ID: "x", Message: "behind the last line"},
		{Pos: at(9, 1), ID: "x", Message: "no such line"},
		{Pos: finding.Pos{File: "evil.yaml", Line: 1, Col: 4}, ID: "x", Message: "not fit for a terminal\x1b[0m"},
		{Pos: finding.Pos{File: "long.yaml", Line: 1, Col: 501}, ID: "x", Message: "in a long line"},
		{Pos: finding.Pos{File: "other.yaml", Line: 1, Col: 1}, ID: "x", Message: "no source"},
	}
	var b strings.Builder
	if err := (finding.Report{Findings: findings, Sources: sources, Carets: true}).Write(&b, "text"); err != nil {
		t.Fatal(err)
	}
	want := "a.yaml:1:7: an error [x]\n" +
		"  1 | type: object\n" +
		"    |       ^\n" +
		"  hint: a hint\n" +
		"a.yaml:2:5: warning: a warning [x]\n" +
		"  2 | \tå😀日: x\n" +
		"    | \t     ^\n" +
		"a.yaml:3:1: behind the last line [x]\n" +
		"  3 | \n" +
		"    | ^\n" +
		"a.yaml:9:1: no such line [x]\n" +
		"evil.yaml:1:4: not fit for a terminal\uFFFD[0m [x]\n" +
		"  1 | a: \uFFFD[2J\uFFFDhidden\n" +
		"    |    ^\n" +
		"long.yaml:1:501: in a long line [x]\n" +
		"  1 | …" + strings.Repeat("x", 80) + "HERE" + strings.Repeat("y", 76) + "…\n" +
		"    |  " + strings.Repeat(" ", 80) + "^\n" +
		"other.yaml:1:1: no source [x]\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("without color (-want +got):\n%s", diff)
	}

	b.Reset()
	if err := (finding.Report{Findings: findings[:2], Sources: sources, Carets: true, Color: true}).Write(&b, "text"); err != nil {
		t.Fatal(err)
	}
	want = "\x1b[1ma.yaml:1:7:\x1b[0m \x1b[1man error\x1b[0m [x]\n" +
		"  \x1b[34m1 |\x1b[0m type: object\n" +
		"  \x1b[34m  |\x1b[0m       \x1b[31m^\x1b[0m\n" +
		"  \x1b[34mhint:\x1b[0m a hint\n" +
		"\x1b[1ma.yaml:2:5:\x1b[0m \x1b[33mwarning:\x1b[0m \x1b[1ma warning\x1b[0m [x]\n" +
		"  \x1b[34m2 |\x1b[0m \tå😀日: x\n" +
		"  \x1b[34m  |\x1b[0m \t     \x1b[33m^\x1b[0m\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("in color (-want +got):\n%s", diff)
	}
}

// If not everything can be shown, errors take precedence over warnings. What is shown
// keeps its order.
func TestTooManyFindings(t *testing.T) {
	t.Parallel()
	var findings []finding.Finding
	for i := range 120 {
		severity := finding.Warning
		if i%2 == 1 {
			severity = finding.Error
		}
		findings = append(findings, finding.Finding{Pos: at(i+1, 1), Severity: severity, ID: "x", Message: "m"})
	}
	var b strings.Builder
	if err := (finding.Report{Findings: findings}).Write(&b, "text"); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := range 120 {
		switch {
		case i%2 == 1:
			fmt.Fprintf(&want, "a.yaml:%d:1: m [x]\n", i+1)
		case i < 80:
			fmt.Fprintf(&want, "a.yaml:%d:1: warning: m [x]\n", i+1)
		}
	}
	want.WriteString("and 20 more\n")
	if diff := cmp.Diff(want.String(), b.String()); diff != "" {
		t.Errorf("plain (-want +got):\n%s", diff)
	}
}

func TestClosest(t *testing.T) {
	t.Parallel()
	names := []string{"properties", "patternProperties", "minLength", "maxLength", "type", "title", "then", "not"}
	for in, want := range map[string]string{
		"propertes":                     "properties",
		"Properties":                    "properties",
		"min_length":                    "minLength",
		"minlenght":                     "minLength",
		"tpye":                          "type",
		"typ":                           "type",
		"properties":                    "", // the name itself is not a misspelling
		"term":                          "",
		"color":                         "",
		"":                              "",
		"---":                           "",
		"ntot":                          "not",
		"xLength":                       "maxLength",
		"patternproper":                 "patternProperties",
		strings.Repeat("minLength", 50): "",
	} {
		if got := finding.Closest(in, names); got != want {
			t.Errorf("Closest(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := finding.DidYouMean("typ", names), `did you mean "type"?`; got != want {
		t.Errorf("DidYouMean = %q, want %q", got, want)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                  `"plain"`,
		"å😀":                     `"å😀"`,
		"a\"b\n\x1b\u202E":       `"a\"b\n\x1b\u202e"`,
		strings.Repeat("å", 100): `"` + strings.Repeat("å", 79) + `…"`,
	} {
		if got := finding.Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}
