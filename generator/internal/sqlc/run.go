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

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/history"
	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
	"github.com/outboxgen/outboxgen/generator/internal/script"
)

// Names inside the temporary folder.
const (
	schemaDir   = "schema"
	probeFile   = "probe.sql"
	catalogDir  = "catalog"
	catalogFile = "catalog.json"
)

// run is one run of sqlc in one temporary folder.
type run struct {
	opts   Options
	folder *migrationfolder.Folder
	table  history.Table
	found  []catalogTable // the tables as sqlc understands them
	dir    string
	list   *finding.List

	keys []history.Key // of the table of the service

	assumed bool // the table is outboxgen's, because that of the service is unknown
	another bool // the table is not an outbox, also not an older one
}

// generate runs sqlc, once if all is well. It also checks a service's own tables: sqlc
// stops at the first missing column, and does not know the columns that only the relay
// needs.
func (r *run) generate(ctx context.Context) ([]File, error) {
	own := r.opts.Migrations != "" && !r.assumed
	switch {
	case own && len(r.table.Statements) == 0:
		r.check(nil)
		return nil, nil
	case own && r.table.Opaque != nil:
		return r.assume(ctx, *r.table.Opaque, "its query does not name them")
	}
	if err := r.stage(); err != nil {
		return nil, err
	}
	said, err := r.exec(ctx, QueriesFile, true, own)
	if err != nil {
		return nil, err
	}
	if !own {
		if len(said) > 0 {
			return nil, fmt.Errorf("sqlc cannot compile outboxgen's own tables: %s", said[0])
		}
		return r.collect()
	}
	if len(said) > 0 {
		if at, text, ok := r.ofQuery(said); ok {
			return r.assume(ctx, at, "sqlc: "+text)
		}
		return nil, r.explain(ctx, said)
	}
	tables, err := r.catalog()
	if err != nil {
		return nil, err
	}
	r.check(tables)
	return r.collect()
}

// ofQuery returns sqlc's message about a query that the table is created from, if that
// is its only problem.
func (r *run) ofQuery(said []message) (at history.Place, text string, ok bool) {
	for _, m := range said {
		index, staged := stagedIndex(m.file)
		if !staged || index >= len(r.table.Statements) || !r.table.Statements[index].OfQuery {
			return history.Place{}, "", false
		}
		if !ok {
			at, text, ok = r.table.Statements[index].Place, m.text, true
		}
	}
	return at, text, ok
}

// assume generates as if the table had the required columns, because those of its query
// are unknown.
func (r *run) assume(ctx context.Context, at history.Place, why string) ([]File, error) {
	r.list.Warnf(r.pos(at), "columns-of-query", "outboxgen cannot determine the columns that this query gives %s; %s", table, why).
		SetHint("compare them with those that `" + r.command() + "` prints; outboxgen assumes that they exist")
	r.assumed = true
	r.table = history.Of(script.Only(ours(r.opts.Schema)), schemaName(r.opts.Schema), table)
	if err := os.RemoveAll(filepath.Join(r.dir, schemaDir)); err != nil {
		return nil, fmt.Errorf("stage the migrations: %w", err)
	}
	return r.generate(ctx)
}

// explain turns sqlc's messages into findings.
func (r *run) explain(ctx context.Context, said []message) error {
	if r.report(said) {
		return nil
	}
	// The migrations are valid, so the statements do not fit the table.
	again, err := r.exec(ctx, probeFile, false, true)
	if err != nil {
		return err
	}
	if len(again) > 0 {
		return fmt.Errorf("sqlc can read the migrations but not their tables: %s", again[0])
	}
	tables, err := r.catalog()
	if err != nil {
		return err
	}
	r.check(tables)
	if !r.list.HasErrors() {
		for _, m := range said {
			r.list.Errorf(r.opts.Pos, "insert-does-not-compile", "sqlc cannot compile the insert statements against %s: %s", r.opts.Migrations, m.text).
				SetHint("compare event_outbox with the migration that `" + r.command() + "` prints, or " + leaveOut)
		}
	}
	return nil
}

// report adds a finding for each message about a migration and reports whether there
// was one.
func (r *run) report(said []message) bool {
	found := false
	for _, m := range said {
		index, ok := stagedIndex(m.file)
		if !ok || index >= len(r.table.Statements) {
			continue
		}
		found = true
		s := r.table.Statements[index]
		at := history.Place{File: s.File, Offset: s.Source(place([]byte(s.SQL), m))}
		r.list.Errorf(r.pos(at), "migration-does-not-compile", "sqlc: %s", m.text).
			SetHint("correct the statement, or " + leaveOut)
	}
	return found
}

// leaveOut is the hint for a service that cannot change its migrations.
const leaveOut = "remove sqlc.migrations to compile against the tables of `outboxgen migration`"

// pos returns a place in the migrations.
func (r *run) pos(at history.Place) finding.Pos {
	line, col := position(r.folder.File(at.File).SQL, at.Offset)
	return finding.Pos{File: filePath(r.opts, r.folder, at.File), Line: line, Col: col}
}

// stage writes sqlc's input, one file for each statement.
func (r *run) stage() error {
	files := map[string][]byte{
		QueriesFile: []byte(strings.TrimPrefix(Queries(r.opts.Schema), QueriesHeader+"\n")),
		probeFile:   []byte("-- name: Probe :one\nSELECT 1;\n"),
	}
	if !isDefault(r.opts.Schema) {
		files[filepath.Join(schemaDir, "00000000.sql")] = []byte("CREATE SCHEMA " + quote(r.opts.Schema) + ";\n")
	}
	for i, s := range r.table.Statements {
		files[filepath.Join(schemaDir, stagedName(i))] = []byte(s.SQL)
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

// stagedName returns names that sort by index. The first file has the schema.
func stagedName(index int) string { return fmt.Sprintf("%08d.sql", index+1) }

func stagedIndex(file string) (int, bool) {
	dir, base := filepath.Split(file)
	if filepath.Clean(dir) != schemaDir {
		return 0, false
	}
	index, err := strconv.Atoi(strings.TrimSuffix(base, ".sql"))
	return index - 1, err == nil && index > 0
}

// exec runs the child and returns its messages.
func (r *run) exec(ctx context.Context, queries string, code, catalog bool) ([]message, error) {
	config := filepath.Join(r.dir, "sqlc.json")
	if err := os.WriteFile(config, settings(queries, code, catalog), 0o600); err != nil {
		return nil, fmt.Errorf("configure sqlc: %w", err)
	}
	if len(r.opts.Command) == 0 {
		return nil, errors.New("no command to run sqlc is set")
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
		return nil, fmt.Errorf("run sqlc as %q: %w; sqlc %s is required", strings.Join(r.opts.Command, " "), err, Version)
	}
	said := messages(stderr.String())
	if len(said) == 0 {
		return nil, fmt.Errorf("sqlc failed with an unknown message: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return said, nil
}

// environ returns the environment without sqlc's own variables, which would affect it.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SQLC") })
}

// settings returns sqlc's configuration as JSON.
func settings(queries string, code, catalog bool) []byte {
	type object = map[string]any
	gen := object{}
	if code {
		gen["go"] = object{
			"package":                      Package,
			"out":                          Package,
			"sql_package":                  "pgx/v5",
			"emit_exported_queries":        true,
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

// message is one message of sqlc.
type message struct {
	file      string // relative to the temporary folder
	line, col int
	text      string
}

func (m message) String() string { return fmt.Sprintf("%s:%d:%d: %s", m.file, m.line, m.col, m.text) }

var positioned = regexp.MustCompile(`^(.+?\.sql):(\d+):(\d+): (.*)$`)

// messages parses sqlc's stderr. It is repeated for each package that sqlc writes.
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

// collect reads sqlc's output, and adds the statements. It leaves out a file without
// declarations.
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
			return nil, fmt.Errorf("%q is not sqlc %s; its output would differ", strings.Join(r.opts.Command, " "), Version)
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
