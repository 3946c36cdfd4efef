package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// findings is one of each kind, and what formats have to escape.
func findings() []report.Finding {
	return []report.Finding{
		{
			Finding: diag.Finding{
				Pos: diag.Pos{File: "schemas/order 100%,a:b.yaml", Line: 2, Col: 5}, ID: "ENUM_VALUE_REMOVED",
				Message: "the enum has no \"lost\" – 100%", Hint: "keep the value",
			},
			Pointer: "/properties/a~1b", HasPointer: true,
			Old:     report.Place{Pos: diag.Pos{File: "main:schemas/order.yaml", Line: 7, Col: 9}, Pointer: "/properties/a~1b"},
			Details: map[string]any{"event": "shop.order.v1", "level": "BACKWARD"},
		},
		{Finding: diag.Finding{Pos: diag.Pos{File: "schemas/é.yaml", Line: 1, Col: 1}, Severity: diag.Warning, ID: "bad-name", Message: "two\nlines\x1b[2J"}},
		{Finding: diag.Finding{Pos: diag.Pos{File: "events/new.go"}, Severity: diag.Note, ID: "UNKNOWN_HERE", Message: "a file without a line"}},
		{Finding: diag.Finding{Pos: diag.Pos{File: "events/new.go"}, Severity: diag.Note, ID: "UNKNOWN_HERE", Message: "a file without a line"}},
		{Finding: diag.Finding{Severity: diag.Warning, ID: "bad-name", Message: "no place at all"}},
	}
}

func options() report.Options {
	return report.Options{Prefix: "services/shop", Version: "v1.2.3", Rule: func(id string) (report.Rule, bool) {
		switch id {
		case "ENUM_VALUE_REMOVED":
			return report.Rule{
				ID: id, Short: "a value is gone", Why: "Readers refuse it.", Before: `{"enum": ["a", "b"]}`, After: `{"enum": ["a"]}`,
				Language: "json", Instead: "keep it", Text: "all of it",
			}, true
		case "bad-name":
			return report.Rule{ID: id, Short: "a name", Why: "It is none.", Before: "a: b", After: "b: a", Language: "yaml", Fixed: true}, true
		}
		return report.Rule{}, false
	}}
}

func head() map[string]any { return map[string]any{"against": "main", "errors": 1} }

func TestFormats(t *testing.T) {
	t.Parallel()
	sources := diag.Sources{"schemas/order 100%,a:b.yaml": []byte("type: string\nenum: [found]\n")}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"text": func(b *bytes.Buffer) error { return report.Text(b, findings(), report.TextOptions{}) },
		"carets.text": func(b *bytes.Buffer) error {
			return report.Text(b, findings(), report.TextOptions{Sources: sources, Carets: true})
		},
		"color.text": func(b *bytes.Buffer) error {
			return report.Text(b, findings(), report.TextOptions{Sources: sources, Carets: true, Color: true})
		},
		"json":        func(b *bytes.Buffer) error { return report.JSON(b, head(), findings()) },
		"none.json":   func(b *bytes.Buffer) error { return report.JSON(b, head(), nil) },
		"sarif":       func(b *bytes.Buffer) error { return report.SARIF(b, head(), findings(), options()) },
		"none.sarif":  func(b *bytes.Buffer) error { return report.SARIF(b, nil, nil, report.Options{}) },
		"github":      func(b *bytes.Buffer) error { return report.GitHub(b, findings(), options()) },
		"none.github": func(b *bytes.Buffer) error { return report.GitHub(b, nil, report.Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := write(&b); err != nil {
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

// validate holds a log against the schema of SARIF 2.1.0.
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

// Fingerprints stay when a finding only moves, and tell apart what is equal.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	prints := func(list []report.Finding) []string {
		var b bytes.Buffer
		if err := report.SARIF(&b, nil, list, options()); err != nil {
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
	before := findings()
	moved := findings()
	for i := range moved {
		if moved[i].Pos.Line > 0 {
			moved[i].Pos.Line += 10
		}
		moved[i].Old.Pos.Line += 3
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
