package finding_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// reported returns one finding of each kind, with characters that formats have to
// escape.
func reported() []finding.Finding {
	return []finding.Finding{
		{
			Pos: finding.Pos{File: "schemas/order 100%,a:b.yaml", Line: 2, Col: 5}, ID: "enum-value-removed",
			Message: "the enum has no \"lost\" – 100%", Hint: "keep the value",
			Pointer: "/properties/a~1b", HasPointer: true,
			Old:    finding.Place{Pos: finding.Pos{File: "main:schemas/order.yaml", Line: 7, Col: 9}, Pointer: "/properties/a~1b"},
			Event:  "shop.order.v1",
			Change: finding.Change{Direction: "backward", Level: "BACKWARD", Policy: "strict"},
		},
		{Pos: finding.Pos{File: "schemas/é.yaml", Line: 1, Col: 1}, Severity: finding.Warning, ID: "bad-name", Message: "two\nlines\x1b[2J"},
		{Pos: finding.Pos{File: "events/new.go"}, Severity: finding.Note, ID: "generated-file-missing", Message: "a file without a line"},
		{Pos: finding.Pos{File: "events/new.go"}, Severity: finding.Note, ID: "generated-file-missing", Message: "a file without a line"},
		{Severity: finding.Warning, ID: "bad-name", Message: "no place at all"},
	}
}

func report(findings []finding.Finding) finding.Report {
	return finding.Report{Findings: findings, Head: map[string]any{"against": "main", "errors": 1}, Prefix: "services/shop", Version: "v1.2.3"}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	all, none := report(reported()), finding.Report{Head: map[string]any{"against": "main", "errors": 1}}
	text, carets := all, all
	text.Summary = "1 error and 2 warnings"
	carets.Carets, carets.Sources = true, finding.Sources{"schemas/order 100%,a:b.yaml": []byte("type: string\nenum: [found]\n")}
	color := carets
	color.Color = true
	for name, report := range map[string]finding.Report{
		"text": text, "carets.text": carets, "color.text": color,
		"json": all, "none.json": none, "sarif": all, "none.sarif": {}, "github": all, "none.github": none,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := report.Write(&b, name[strings.LastIndex(name, ".")+1:]); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "sarif") {
				validate(t, b.Bytes())
			}
			golden := filepath.Join("testdata", "findings."+name)
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	err := finding.Report{}.Write(io.Discard, "xml")
	if want := `unknown format "xml"; the formats are text, json, sarif, github`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// validate checks a log with the schema of SARIF 2.1.0.
func validate(t *testing.T, log []byte) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	s, err := compiler.Compile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(document); err != nil {
		t.Errorf("the log is no SARIF: %v", err)
	}
}

// A fingerprint stays the same if a finding only moves. Equal findings have different
// fingerprints.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	prints := func(list []finding.Finding) []string {
		var b bytes.Buffer
		if err := report(list).Write(&b, "sarif"); err != nil {
			t.Fatal(err)
		}
		var all []string
		for line := range strings.Lines(b.String()) {
			if name, value, ok := strings.Cut(line, `"outboxgen/v1": `); ok && strings.TrimSpace(name) == "" {
				all = append(all, strings.TrimSpace(value))
			}
		}
		return all
	}
	before := reported()
	moved := reported()
	for i := range moved {
		if moved[i].Pos.Line > 0 {
			moved[i].Pos.Line += 10
		}
		if moved[i].Old.Pos.Line > 0 {
			moved[i].Old.Pos.Line += 3
		}
	}
	if diff := cmp.Diff(prints(before), prints(moved)); diff != "" {
		t.Errorf("fingerprints of findings that moved (-before +after):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, mark := range prints(before) {
		if seen[mark] {
			t.Errorf("two findings have the fingerprint %s", mark)
		}
		seen[mark] = true
	}
	if len(seen) != len(before) {
		t.Errorf("%d fingerprints for %d findings", len(seen), len(before))
	}
}
