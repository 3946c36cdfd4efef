package sqlc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/layout"
)

// Names inside the temporary folder.
const (
	schemaDir   = "schema"
	probeFile   = "probe.sql"
	catalogDir  = "catalog"
	catalogFile = "catalog.json"
)

// run is one use of sqlc in one temporary folder.
type run struct {
	opts   Options
	folder *layout.Folder
	dir    string
	list   *diag.List
}

// generate runs sqlc, once if all is well. A service's own tables are looked at
// as well: sqlc stops at the first missing column, and knows nothing of the
// columns that only the relay needs.
func (r *run) generate(ctx context.Context) ([]File, error) {
	if err := r.stage(); err != nil {
		return nil, err
	}
	own := r.opts.Migrations != ""
	said, err := r.exec(ctx, QueriesFile, true, own)
	if err != nil {
		return nil, err
	}
	if !own {
		if len(said) > 0 {
			return nil, fmt.Errorf("sqlc does not compile the tables of outboxgen: %s", said[0])
		}
		return r.collect()
	}
	if len(said) > 0 {
		return nil, r.explain(ctx, said)
	}
	tables, err := r.catalog()
	if err != nil {
		return nil, err
	}
	r.check(tables)
	return r.collect()
}

// explain turns what sqlc said into findings.
func (r *run) explain(ctx context.Context, said []message) error {
	if r.report(said) {
		return nil
	}
	// The migrations are fine, so the statements do not fit the table.
	again, err := r.exec(ctx, probeFile, false, true)
	if err != nil {
		return err
	}
	if len(again) > 0 {
		return fmt.Errorf("sqlc reads the migrations but not their tables: %s", again[0])
	}
	tables, err := r.catalog()
	if err != nil {
		return err
	}
	r.check(tables)
	if !r.list.HasErrors() {
		for _, m := range said {
			r.list.Errorf(r.opts.Pos, "insert-does-not-compile", "sqlc does not compile the insert statements against %s: %s", r.opts.Migrations, m.text)
		}
	}
	return nil
}

// report adds a finding for each message about a migration and says whether
// there was one.
func (r *run) report(said []message) bool {
	found := false
	for _, m := range said {
		index, ok := stagedIndex(m.file)
		if !ok || index >= len(r.folder.Files) {
			continue
		}
		found = true
		line, col := place(r.folder.Files[index].SQL, m)
		r.list.Errorf(diag.Pos{File: filePath(r.opts, r.folder, index), Line: line, Col: col}, "migration-does-not-compile", "sqlc: %s", m.text)
	}
	return found
}

// stage writes sqlc's input.
func (r *run) stage() error {
	files := map[string][]byte{
		QueriesFile: []byte(strings.TrimPrefix(Queries(r.opts.Schema), QueriesHeader+"\n")),
		probeFile:   []byte("-- name: Probe :one\nSELECT 1;\n"),
	}
	for i, f := range r.folder.Files {
		files[filepath.Join(schemaDir, stagedName(i))] = f.SQL
	}
	if err := os.Mkdir(filepath.Join(r.dir, schemaDir), 0o755); err != nil {
		return fmt.Errorf("stage the migrations: %w", err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(r.dir, name), content, 0o600); err != nil {
			return fmt.Errorf("stage the migrations: %w", err)
		}
	}
	return nil
}

// stagedName sorts by index as text, too.
func stagedName(index int) string { return fmt.Sprintf("%08d.sql", index) }

func stagedIndex(file string) (int, bool) {
	dir, base := filepath.Split(file)
	if filepath.Clean(dir) != schemaDir {
		return 0, false
	}
	index, err := strconv.Atoi(strings.TrimSuffix(base, ".sql"))
	return index, err == nil
}

// exec runs the child and returns what it complained about.
func (r *run) exec(ctx context.Context, queries string, code, catalog bool) ([]message, error) {
	config := filepath.Join(r.dir, "sqlc.json")
	if err := os.WriteFile(config, settings(queries, code, catalog), 0o600); err != nil {
		return nil, fmt.Errorf("configure sqlc: %w", err)
	}
	if len(r.opts.Command) == 0 {
		return nil, errors.New("no command to run sqlc with")
	}
	args := slices.Concat(r.opts.Command[1:], []string{"generate", "--no-remote", "--file", config})
	cmd := exec.CommandContext(ctx, r.opts.Command[0], args...)
	cmd.Env = environ()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("run sqlc: %w", ctx.Err())
	case !errors.As(err, &exit):
		return nil, fmt.Errorf("run sqlc as %q: %w; sqlc %s must be there", strings.Join(r.opts.Command, " "), err, Version)
	}
	said := messages(stderr.String())
	if len(said) == 0 {
		return nil, fmt.Errorf("sqlc failed without a message that outboxgen knows: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return said, nil
}

// environ is the environment without sqlc's own variables, which would change
// what it does.
func environ() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SQLC") {
			env = append(env, v)
		}
	}
	return env
}

// settings is sqlc's configuration, in the JSON that it reads as well as YAML.
func settings(queries string, code, catalog bool) []byte {
	type object = map[string]any
	gen := object{}
	if code {
		gen["go"] = object{
			"package":                      Package,
			"out":                          Package,
			"sql_package":                  "pgx/v5",
			"emit_pointers_for_null_types": true,
			"omit_unused_structs":          true,
			"rename":                       object{"ids": "IDs", "aggregate_ids": "AggregateIDs"},
			"overrides":                    []object{{"db_type": "uuid", "go_type": "github.com/google/uuid.UUID"}},
		}
	}
	if catalog {
		gen["json"] = object{"out": catalogDir, "filename": catalogFile}
	}
	content, err := json.Marshal(object{
		"version": "2",
		"sql":     []object{{"engine": "postgresql", "schema": schemaDir, "queries": queries, "gen": gen}},
	})
	if err != nil {
		panic(err) // strings, bools and maps always encode
	}
	return content
}

// message is one complaint of sqlc.
type message struct {
	file      string // relative to the temporary folder
	line, col int
	text      string
}

func (m message) String() string { return fmt.Sprintf("%s:%d:%d: %s", m.file, m.line, m.col, m.text) }

var positioned = regexp.MustCompile(`^(.+?\.sql):(\d+):(\d+): (.*)$`)

// messages reads sqlc's stderr. Each package that sqlc writes repeats them.
func messages(stderr string) []message {
	var all []message
	seen := map[message]bool{}
	for line := range strings.Lines(stderr) {
		match := positioned.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if match == nil {
			continue
		}
		m := message{file: match[1], text: match[4]}
		m.line, _ = strconv.Atoi(match[2]) // digits; an absurd number becomes the largest
		m.col, _ = strconv.Atoi(match[3])
		if !seen[m] {
			seen[m] = true
			all = append(all, m)
		}
	}
	return all
}

// collect reads what sqlc wrote, and adds the statements themselves. A file
// that declares nothing is left out.
func (r *run) collect() ([]File, error) {
	entries, err := os.ReadDir(filepath.Join(r.dir, Package))
	if err != nil {
		return nil, fmt.Errorf("read sqlc's output: %w", err)
	}
	var files []File
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(r.dir, Package, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read sqlc's output: %w", err)
		}
		if !bytes.HasPrefix(content, []byte(Header+"\n// versions:\n//   sqlc "+Version+"\n")) {
			return nil, fmt.Errorf("%q is not sqlc %s; its output would differ from everybody else's", strings.Join(r.opts.Command, " "), Version)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), e.Name(), content, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("read sqlc's output: %w", err)
		}
		if len(parsed.Decls) > 0 {
			files = append(files, File{Name: e.Name(), Content: content})
		}
		if e.Name() == "db.go" { // queries.sql sorts between db.go and queries.sql.go
			files = append(files, File{Name: QueriesFile, Content: []byte(Queries(r.opts.Schema))})
		}
	}
	return files, nil
}
