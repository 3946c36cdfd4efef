package generator_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sqlc-dev/sqlc/pkg/cli"
	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator"
)

// The test binary acts as sqlc if this is its first argument.
const asSQLC = "run-sqlc"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asSQLC {
		debug.SetGCPercent(-1) // it ends soon
		os.Exit(cli.Run(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// config returns the configuration for a project given as a txtar archive.
func config(t *testing.T, archive string) generator.Config {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return generator.Config{Dir: dir, SQLCCommand: sqlcCommand(t)}
}

// sqlcCommand returns a command that acts as sqlc: an outboxgen without the race
// detector, which is several times faster, or else this test binary.
func sqlcCommand(t *testing.T) []string {
	t.Helper()
	if plain := os.Getenv("OUTBOXGEN_TEST_PLAIN"); plain != "" {
		return []string{plain, "sqlc"}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{exe, asSQLC}
}

const graded = `-- go.mod --
module example.com/grading
-- outboxgen.yaml --
version: 1
service: grading
schemas: [schemas/*.yaml]
out: events
-- schemas/batch_graded.v1.yaml --
title: BatchGraded
description: A batch has been graded.
x-outbox:
  version: 1
  type: grading.batch_graded.v1
  aggregate: {type: batch, id: /batch_id}
type: object
required: [batch_id]
properties:
  batch_id: {type: string}
`

func TestGenerateWritesNothing(t *testing.T) {
	t.Parallel()
	cfg := config(t, graded)

	result, err := generator.Generate(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	differences, err := result.Compare()
	if err != nil {
		t.Fatal(err)
	}

	var got, missing []string
	for _, f := range result.Files {
		got = append(got, f.Path)
	}
	for _, d := range differences {
		missing = append(missing, d.Path)
		if d.Kind != generator.Missing {
			t.Errorf("%s is %s, not missing", d.Path, d.Kind)
		}
	}
	want := []string{
		"events/batch_graded_v1.go", "events/events.go",
		"events/outboxdb/db.go", "events/outboxdb/queries.sql", "events/outboxdb/queries.sql.go",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, "events")); !os.IsNotExist(err) {
		t.Errorf("something was written (%v)", err)
	}
}

// The order of maps, which differs in each run, does not affect the output.
func TestGenerateIsDeterministic(t *testing.T) {
	t.Parallel()
	cfg := config(t, "")
	cfg.Dir = "../schemas/huleedu"
	first, err := generator.Generate(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Files) == 0 {
		t.Fatalf("nothing is generated: %v", first.Findings)
	}
	times := 5
	if testing.Short() {
		times = 1
	}
	for range times {
		again, err := generator.Generate(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first.Files, again.Files); diff != "" {
			t.Fatalf("another run differs (-first +again):\n%s", diff)
		}
		if diff := cmp.Diff(first.Findings, again.Findings); diff != "" {
			t.Fatalf("another run differs (-first +again):\n%s", diff)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	cfg := config(t, strings.Replace(graded, "title: BatchGraded", "title: [BatchGraded]", 1))
	result, err := generator.Generate(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Failed() || len(result.Files) > 0 {
		t.Errorf("failed %v, %d files", result.Failed(), len(result.Files))
	}
	for name, test := range map[string]struct {
		opts generator.ReportOptions
		want []string
	}{
		"plain":  {generator.ReportOptions{}, []string{"schemas/batch_graded.v1.yaml:1:8: "}},
		"carets": {generator.ReportOptions{Carets: true}, []string{"\n  1 | title: [BatchGraded]\n    |        ^\n"}},
		"color":  {generator.ReportOptions{Carets: true, Color: true}, []string{"\x1b[31m^"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := result.Report(&b, test.opts); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q in\n%s", want, b.String())
				}
			}
		})
	}
}

func TestCannotRun(t *testing.T) {
	t.Parallel()
	withoutModule := strings.Replace(graded, "-- go.mod --", "-- go.mod.old --", 1)
	for name, test := range map[string]struct {
		archive string
		fix     func(*generator.Config)
		want    string
	}{
		"no project file": {"", nil, "outboxgen.yaml"},
		"no go.mod":       {withoutModule, nil, "there is no go.mod in "},
		"no sqlc":         {graded, func(c *generator.Config) { c.SQLCCommand = []string{"/nowhere/sqlc"} }, `run sqlc as "/nowhere/sqlc"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, test.archive)
			if test.fix != nil {
				test.fix(&cfg)
			}
			result, err := generator.Generate(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("result %v, error %v; want one with %q", result, err, test.want)
			}
		})
	}
}

func TestInit(t *testing.T) {
	t.Parallel()
	for module, service := range map[string]string{
		"example.com/school/grading":    "grading",
		"example.com/school/grading/v2": "grading",
		"example.com/Order-Service":     "order_service",
		"v2":                            "v2",
	} {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, "-- go.mod --\nmodule "+module+"\n")
			begun, err := generator.Init(generator.InitConfig{Dir: cfg.Dir, Version: "v1.2.3", Time: time.Unix(0, 0)})
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, f := range begun.Files {
				paths = append(paths, f.Path)
				if f.Path == "outboxgen.yaml" && !bytes.Contains(f.Content, []byte("\nservice: "+service+"\n")) {
					t.Errorf("the service is not %s in\n%s", service, f.Content)
				}
				if f.Path == "events/zz_generate.go" && !bytes.Contains(f.Content, []byte("/cmd/outboxgen@v1.2.3 generate -C ..\n")) {
					t.Errorf("the version is not in\n%s", f.Content)
				}
			}
			want := []string{"events/zz_generate.go", "outboxgen.yaml", "schemas/order_placed.v1.yaml"}
			if diff := cmp.Diff(want, paths); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

// Names from the command line cannot break the project file.
func TestInitQuotes(t *testing.T) {
	t.Parallel()
	cfg := config(t, "-- go.mod --\nmodule example.com/grading\n")
	begun, err := generator.Init(generator.InitConfig{Dir: cfg.Dir, Service: "no: \"x\"\nout: y", Out: "events", Time: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range begun.Files {
		name := filepath.Join(cfg.Dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	result, err := generator.Generate(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Findings {
		if strings.HasPrefix(f.Pos.File, "schemas/") {
			t.Errorf("the example schema: %s", f)
		}
	}
}
