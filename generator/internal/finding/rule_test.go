package finding_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

var update = flag.Bool("update", false, "write what the examples give as what is wanted")

// elsewhere has, for each finding without an example, the test file with its exact
// text, and a part of that text.
var elsewhere = map[string][2]string{
	"asyncapi-export-loses":      {"testdata/script/export_asyncapi.txtar", "AsyncAPI has no unevaluatedProperties, so the exported document omits it"},
	"bad-import-path":            {"testdata/script/queries_mode.txtar", "sqlc.package \"db\" is not a valid import path"},
	"columns-of-query":           {"generator/internal/sqlc/broken_test.go", "outboxgen cannot determine the columns that this query gives"},
	"migration-unreadable":       {"generator/internal/sqlc/broken_test.go", "this migration cannot be read"},
	"column-missing":             {"generator/internal/sqlc/sqlc_test.go", "table event_outbox has no column"},
	"column-type":                {"generator/internal/sqlc/sqlc_test.go", "has the type int8, not uuid; change its type"},
	"debezium-registry":          {"testdata/script/export_debezium.txtar", "Debezium adds no schema ids"},
	"foreign-file":               {"testdata/script/foreign.txtar", "but did not generate the existing one"},
	"import-cycle":               {"testdata/script/types_cycle.txtar", "which cannot import itself"},
	"insert-refused":             {"generator/internal/sqlc/refused_test.go", "every insert of an event fails with SQLSTATE"},
	"migration-does-not-compile": {"generator/internal/sqlc/broken_test.go", "sqlc: syntax error at or near"},
	"migration-not-followed":     {"generator/internal/sqlc/broken_test.go", "may change the columns of event_outbox"},
	"migration-skipped":          {"generator/internal/sqlc/legaltools_test.go", "is not SQL; outboxgen does not read it"},
	"migrations-empty":           {"generator/internal/sqlc/sqlc_test.go", "db contains no SQL migration"},
	"migrations-missing":         {"generator/internal/sqlc/sqlc_test.go", "db does not exist; give the folder"},
	"output-link":                {"testdata/script/output_link.txtar", "which points outside the project"},
	"out-internal":               {"testdata/script/out_internal.txtar", "the module example.com/reader of this workspace"},
	"package-mismatch":           {"generator/internal/emit/findings_test.go", "the generated package is called events"},
	"table-missing":              {"generator/internal/sqlc/sqlc_test.go", "creates the table event_outbox; add the migration"},
	"table-schema":               {"generator/internal/sqlc/sqlc_test.go", "creates event_outbox in the schema"},
	"too-deep":                   {"generator/internal/schema/bounds_test.go", "values are nested more than 200 deep"},
	"too-many-combinations":      {"generator/internal/emit/bounds_test.go", "combine in too many ways for Go types"},
	"too-many-schemas":           {"generator/internal/schema/bounds_test.go", "the project holds more than 200000 schemas"},
	"too-many-values":            {"generator/internal/schema/bounds_test.go", "the file holds more than 500000 values"},
	"unique-index":               {"testdata/script/unique_index.txtar", "makes an insert fail with SQLSTATE 23505 while an earlier row"},
	"unlisted-event":             {"testdata/script/generate_says.txtar", "this file describes an event, but no pattern"},
	"unlisted-schemas":           {"testdata/script/generate_says.txtar", "this schema file is not used"},
	"unwritable-output":          {"testdata/script/bad_output.txtar", "cannot write events/outboxdb/db.go"},
	"unreadable":                 {"generator/internal/schema/bounds_test.go", "cannot be read: it has more than 8388608 bytes"},
}

// uncased are the findings that no test can cause: a program or a file system
// would have to fail in an unknown way, or an earlier check already reports the
// problem.
var uncased = []string{"insert-does-not-compile", "pointer-not-found", "pointer-type", "unreadable-output"}

// The example of each rule reports its finding, and the fixed example does not.
// testdata/examples.txt holds the exact text.
func TestExamples(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	for _, id := range finding.IDs(finding.Generate) {
		e, _ := finding.Lookup(id)
		if e.Before == "" {
			at := elsewhere[id]
			content, err := os.ReadFile(filepath.Join("../../..", at[0]))
			switch {
			case slices.Contains(uncased, id):
			case at[0] == "":
				t.Errorf("%s: no example, and no test that holds its text", id)
			case err != nil || !strings.Contains(strings.ReplaceAll(string(content), `\"`, `"`), at[1]):
				t.Errorf("%s: %s does not hold its text (%v)", id, at[0], err)
			}
			continue
		}
		if elsewhere[id] != [2]string{} {
			t.Errorf("%s: the example holds the text already", id)
		}
		found := slices.DeleteFunc(findings(t, e.Before), func(f finding.Finding) bool { return f.ID != id })
		if len(found) == 0 || found[0].Severity != e.Severity {
			t.Errorf("%s: the example gives %v", id, findings(t, e.Before))
		}
		for _, f := range found {
			got.WriteString(f.String() + "\n")
		}
		for _, f := range findings(t, e.After) {
			if f.ID == id || f.Severity == finding.Error {
				t.Errorf("%s: the fixed example gives %s", id, f)
			}
		}
	}
	const file = "testdata/examples.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// findings returns the findings of an example.
func findings(t *testing.T, example string) []finding.Finding {
	t.Helper()
	switch {
	case strings.HasPrefix(example, "x: "):
		property, rest, _ := strings.Cut(example, "\n")
		example = "-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a, id: /id}}\ntype: object\nrequired: [id]\nproperties:\n  id: {type: string}\n  " + property + "\n" + rest + "\n"
	case !strings.HasPrefix(example, "-- "):
		example = "-- a.yaml --\n" + example
	}
	project := fstest.MapFS{"outboxgen.yaml": {}}
	patterns := ""
	for _, f := range txtar.Parse([]byte(example)).Files {
		project[f.Name] = &fstest.MapFile{Data: f.Data}
		if patterns += ", "; f.Name != "outboxgen.yaml" {
			patterns += f.Name
		}
	}
	if len(project["outboxgen.yaml"].Data) == 0 {
		project["outboxgen.yaml"].Data = []byte("version: 1\nservice: s\nschemas: [" + strings.TrimPrefix(patterns, ", ") + "]\nout: events\n")
	}
	loaded, list, err := schema.LoadFS(project, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !list.HasErrors() {
		_, more, err := emit.Package(loaded, emit.Options{OutboxDB: "example.com/events/outboxdb"})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range more.Sorted() {
			list.Add(f)
		}
	}
	return list.Sorted()
}

// Every id that is reported has a rule, and every rule is reported.
func TestEveryIDHasARule(t *testing.T) {
	t.Parallel()
	used := map[string]token.Position{}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, root := range []string{"../..", "../../../cmd/outboxgen"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			files = append(files, f)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	takes := map[string]int{} // functions with an id as a parameter, and the parameter's index
	for _, f := range files {
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			i, id, positioned := 0, -1, false
			for _, p := range fn.Type.Params.List {
				for _, name := range p.Names {
					if name.Name == "id" {
						id = i
					}
					positioned = positioned || name.Name == "pos" || name.Name == "message"
					i++
				}
			}
			if id >= 0 && positioned {
				takes[fn.Name.Name] = id
			}
		}
	}
	use := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if id, err := strconv.Unquote(lit.Value); err == nil && id != "" && id == strings.ToLower(id) {
				used[id] = fset.Position(lit.Pos())
			}
		}
	}
	for _, f := range files {
		switch f.Name.Name {
		case "compat":
			continue // it puts ids together; TestTable there finds every rule
		case "contract", "lint":
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && strings.Contains(lit.Value, "-") {
					if _, ok := finding.Lookup(strings.Trim(lit.Value, `"`)); ok {
						use(lit)
					}
				}
				return true
			})
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "ID" || key.Name == "id") {
					use(n.Value)
				}
			case *ast.AssignStmt:
				if sel, ok := n.Lhs[0].(*ast.SelectorExpr); ok && sel.Sel.Name == "ID" {
					use(n.Rhs[0])
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if i, ok := takes[sel.Sel.Name]; ok && i < len(n.Args) {
					use(n.Args[i])
				}
			}
			return true
		})
	}
	ids := finding.IDs(finding.Generate, finding.Lint, finding.Contract)
	for id, at := range used {
		if _, ok := finding.Lookup(id); !ok {
			t.Errorf("%s: there is no rule %s", at, id)
		}
	}
	for _, id := range ids {
		if _, ok := used[id]; !ok {
			t.Errorf("nothing reports %s", id)
		}
	}
	if len(used) < 150 {
		t.Errorf("only %d ids found", len(used))
	}
}

// Every rule is complete and unique, and Lookup finds it in both spellings.
func TestRules(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)*$`)
	n := 0
	for _, g := range finding.Groups() {
		for _, r := range g.Rules {
			n++
			switch {
			case !id.MatchString(r.ID), r.What == "", r.Why == "", r.Fix == "" && r.Allowed != finding.Always,
				strings.HasSuffix(r.What, "."), !strings.HasSuffix(r.Why, "."), strings.HasSuffix(r.Fix, "."),
				(r.Area == finding.Compat) != (r.Message != ""), (r.Before == "") != (r.After == "") && r.ID != "not-utf8":
				t.Errorf("incomplete: %+v", r)
			}
			if strings.Contains(r.Fix, "new event version") && !strings.Contains(r.Fix, finding.NewVersion) {
				t.Errorf("%s: its fix must hold %q, which InVersion looks for", r.ID, finding.NewVersion)
			}
			for _, spelling := range []string{r.ID, strings.ToUpper(strings.ReplaceAll(r.ID, "-", "_"))} {
				if found, ok := finding.Lookup(spelling); !ok || found != r {
					t.Errorf("%s is found as %+v, want %+v", spelling, found, r)
				}
			}
		}
	}
	if ids := finding.IDs(); len(ids) != n {
		t.Errorf("%d rules have %d ids", n, len(ids))
	}
	if r, ok := finding.Lookup("no-such-rule"); ok {
		t.Errorf("no-such-rule is %+v", r)
	}
}

// The text of a rule for a terminal.
func TestText(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"ENUM_VALUE_REMOVED": "enum-value-removed: incompatible; at level FORWARD, compatible\n\nA removed enum value.\n\n" +
			"Readers with the new schema reject old data with this value.\n\n" +
			"Example at level BACKWARD, from:\n\n  {\"enum\": [\"a\", \"b\"]}\n\nto:\n\n  {\"enum\": [\"a\"]}\n\n" +
			"Fix: keep the value, stop writing it, and say so in the description; or release the change as a new event version.\n",
		"yaml-documents": "yaml-documents: error\n\nA second YAML document in one file.\n\n" +
			"A reference names a file and a place in it. With two documents in the file, that place is ambiguous.\n\n" +
			"Example:\n\n  title: A\n  ---\n  title: B\n\nBetter:\n\n  title: A\n\nFix: put each schema into its own file.\n",
		"enum-removed": "enum-removed: compatible; at level FORWARD, incompatible\n\nA removed enum.\n\nEvery value of the enum stays valid.\n\n" +
			"Example at level BACKWARD, from:\n\n  {\"type\": \"string\", \"enum\": [\"a\"]}\n\nto:\n\n  {\"type\": \"string\"}\n",
	} {
		r, ok := finding.Lookup(id)
		if diff := cmp.Diff(want, r.Text()); diff != "" || !ok {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

// docs/findings.md lists the rules.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Findings\n\nThis page lists everything that `outboxgen` can report. Each message starts with its place, `file:line:col`, and ends with its id in brackets. " +
		"`outboxgen explain ID` prints the rule with an example.\n\n" +
		"After an error nothing is written. After a warning the run continues. A note needs no action. " +
		"Earlier releases wrote some ids in capitals (`ENUM_CLOSED`); files may still use that spelling.\n")
	areas := map[finding.Area]string{
		finding.Generate: "Schemas, the project file and migrations\n\nReported by every command that reads them.",
		finding.Lint: "Lint\n\nValid but risky schemas, reported by `outboxgen check`. `lint.rules` in the project file sets the level of a rule, " +
			"and `suppress` in `x-outbox` switches off a rule for one schema.",
		finding.Contract: "Changes of events\n\nReported by `outboxgen check`, which compares the events with an earlier version. " +
			"To accept an intended change, list it under `compat.accept` in the project file.",
		finding.Compat: "Changes of schemas\n\nReported by `outboxgen check` and `outboxgen compat`. A rule describes what the author of the new schema " +
			"changed. At the default level, BACKWARD, the old schema writes and the new one reads, as in the texts below. At level FORWARD " +
			"it is the other way round, and the id is still that of the change that was made. A compatible change is a note, which only `--all` lists.",
	}
	cell := strings.NewReplacer("|", "\\|", "\n", " ")
	area := finding.Area(-1)
	for _, g := range finding.Groups() {
		if g.Area != area {
			area = g.Area
			b.WriteString("\n## " + areas[area] + "\n")
		}
		b.WriteString("\n### " + g.Title + "\n\n| id | | finds | why | fix |\n| --- | --- | --- | --- | --- |\n")
		for _, r := range g.Rules {
			b.WriteString("| `" + r.ID + "` | " + r.Verdict() + " | " + cell.Replace(r.What) + " | " + cell.Replace(r.Why) + " | " + cell.Replace(r.Fix) + " |\n")
		}
	}
	const file = "../../../docs/findings.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("docs/findings.md (-want +got):\n%s", diff)
	}
}
