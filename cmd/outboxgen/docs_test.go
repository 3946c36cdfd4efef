package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// page is the README or a page of the folder docs.
type page struct{ name, text string }

// pages returns the README and all pages that are written by hand.
func pages(t *testing.T, root string) []page {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("docs has no pages (%v)", err)
	}
	list := []page{{"README.md", read(t, filepath.Join(root, "README.md"))}}
	for _, file := range files {
		if filepath.Base(file) != "findings.md" { // printed by a test
			list = append(list, page{"docs/" + filepath.Base(file), read(t, file)})
		}
	}
	return list
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fence     = regexp.MustCompile("(?ms)^```([\\w ]*)\n(.*?)^```$")
	codeSpan  = regexp.MustCompile("`([^`\n]+)`")
	ourFlag   = regexp.MustCompile(`^--[a-z][a-z-]*$`)
	snakeCase = regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)+$`)
	goName    = regexp.MustCompile(`^\*?(?:[a-z]+\.)?[A-Z]\w*[a-z]\w*(?:\.\w+)*(?:\(.*\))?$`)
	word      = regexp.MustCompile(`\w+`)

	ourPath    = regexp.MustCompile(`^(?:cmd|generator|migrations|runtime|testdata)/[\w./*-]+$`)
	selector   = regexp.MustCompile(`\b[a-z]+\.([A-Z]\w+)`)
	makeTarget = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

// blocks returns the contents of the fenced blocks of one language.
func (p page) blocks(language string) (list []string) {
	for _, m := range fence.FindAllStringSubmatch(p.text, -1) {
		if m[1] == language {
			list = append(list, m[2])
		}
	}
	return list
}

// code returns the text in backticks, and the lines of indented and shell blocks.
func (p page) code() (list []string) {
	outside := fence.ReplaceAllString(p.text, "")
	for _, m := range codeSpan.FindAllStringSubmatch(outside, -1) {
		list = append(list, m[1])
	}
	for line := range strings.SplitSeq(outside, "\n") {
		if indented, ok := strings.CutPrefix(line, "    "); ok {
			list = append(list, indented)
		}
	}
	for _, block := range p.blocks("sh") {
		list = append(list, strings.Split(block, "\n")...)
	}
	return list
}

// programs are the project's commands, built.
type programs struct {
	dir  string
	help map[string]string // of a command with its subcommand
}

func buildPrograms(t *testing.T, root string, names ...string) *programs {
	t.Helper()
	p := &programs{dir: t.TempDir(), help: map[string]string{}}
	args := []string{"build", "-o", p.dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./cmd/"+name)
	}
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return p
}

// helpOf returns the help of a command, or "" if it does not exist.
func (p *programs) helpOf(t *testing.T, name, subcommand string) string {
	t.Helper()
	key := strings.TrimSpace(name + " " + subcommand)
	if text, ok := p.help[key]; ok {
		return text
	}
	args := []string{"--help"}
	if subcommand != "" {
		args = append(strings.Fields(subcommand), "--help")
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(p.dir, name), args...).CombinedOutput()
	text := string(out)
	if err != nil || subcommand != "" && !strings.Contains(text, key) {
		text = ""
	}
	p.help[key] = text
	return text
}

// Everything that the pages name in backticks exists: commands and their flags,
// settings, columns, identifiers of Go, pages and headings.
func TestDocsNameWhatIsThere(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the commands")
	}
	root := repositoryRoot(t)
	ours := buildPrograms(t, root, "outboxgen", "outboxrelay", "outboxbench", "outboxchaos")
	for _, subcommand := range []string{"run", "status", "doctor", "dead list", "dead show", "dead replay", "dead discard", "replay", "discard", "delayed", "cancel", "send-now", "pause", "resume", "tail", "purge", "store migrate", "store adopt", "redrive", "config"} {
		ours.helpOf(t, "outboxrelay", subcommand)
	}
	for _, subcommand := range []string{"migration", "generate", "check", "compat", "register", "docs"} {
		ours.helpOf(t, "outboxgen", subcommand)
	}
	source := sourceWords(t, root)
	names := readSettings(t, ours)
	for _, file := range []string{"migrations/create.up.sql", "schemas/outboxgen.schema.json", "schemas/outboxgen.config.schema.json"} {
		maps.Copy(names, words(read(t, filepath.Join(root, file))))
	}
	maps.Copy(source, words(read(t, filepath.Join(root, "docs/monitoring/alerts.yaml"))))
	targets := makeTargets(t, root)
	flagged := strings.Join(slices.Collect(maps.Values(ours.help)), "\n")
	for _, p := range pages(t, root) {
		for _, code := range p.code() {
			for part := range strings.SplitSeq(code, "|") {
				ours.checkCall(t, p, strings.Fields(part))
			}
			name, _, _ := strings.Cut(code, ":")
			name, _, _ = strings.Cut(name, " ")
			switch {
			case ourFlag.MatchString(code) && !strings.Contains(flagged, code):
				t.Errorf("%s: no command has the flag %s", p.name, code)
			case snakeCase.MatchString(name) && !names[name] && !source[name] && !foreign[name]:
				t.Errorf("%s: %s is no setting, and no name in the tables or in the Go code", p.name, name)
			case strings.HasPrefix(code, "make ") && !targets[strings.Fields(code)[1]]:
				t.Errorf("%s: the Makefile has no target %s", p.name, strings.Fields(code)[1])
			case goName.MatchString(code):
				identifier, _, _ := strings.Cut(code, "(")
				for part := range strings.SplitSeq(strings.TrimPrefix(identifier, "*"), ".") {
					if !source[part] && !foreign[part] {
						t.Errorf("%s: nothing in the Go code is called %s, of %s", p.name, part, code)
					}
				}
			case ourPath.MatchString(code):
				if found, err := filepath.Glob(filepath.Join(root, code)); err != nil || len(found) == 0 {
					t.Errorf("%s: there is no %s", p.name, code)
				}
			}
		}
		for _, code := range p.blocks("go") {
			for _, m := range selector.FindAllStringSubmatch(code, -1) {
				if !source[m[1]] && !foreign[m[1]] {
					t.Errorf("%s: nothing in the Go code is called %s, of %s", p.name, m[1], m[0])
				}
			}
		}
	}
}

// makeTargets returns the targets of the Makefile.
func makeTargets(t *testing.T, root string) map[string]bool {
	t.Helper()
	targets := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(read(t, filepath.Join(root, "Makefile")), -1) {
		targets[m[1]] = true
	}
	return targets
}

// checkCall checks a call of one of our commands.
func (p *programs) checkCall(t *testing.T, at page, fields []string) {
	t.Helper()
	if len(fields) > 2 && fields[0] == "go" && fields[1] == "run" {
		program, _, _ := strings.Cut(filepath.Base(fields[2]), "@")
		fields = append([]string{program}, fields[3:]...)
	}
	if len(fields) < 2 || !exists(filepath.Join(p.dir, fields[0])) {
		return
	}
	subcommand := ""
	if !strings.HasPrefix(fields[1], "-") {
		subcommand = fields[1]
	}
	help := ""
	if len(fields) > 2 && subcommand != "" && !strings.HasPrefix(fields[2], "-") {
		help = p.helpOf(t, fields[0], subcommand+" "+fields[2])
	}
	if help == "" {
		help = p.helpOf(t, fields[0], subcommand)
	}
	if help == "" {
		t.Errorf("%s: %s has no command %s", at.name, fields[0], subcommand)
		return
	}
	for _, field := range fields[1:] {
		flag, _, _ := strings.Cut(field, "=")
		if strings.HasPrefix(flag, "-") && !slices.Contains(strings.Fields(strings.ReplaceAll(help, ",", " ")), flag) {
			t.Errorf("%s: %s %s has no flag %s", at.name, fields[0], subcommand, flag)
		}
	}
}

// foreign has names that the pages use and that are not ours: of Postgres, Go, pgx, and
// the example package of the getting-started page.
var foreign = setOf(
	"target_session_attrs", "connect_timeout", "search_path", "set_config", "synchronous_commit", "synchronous_standby_names",
	"log_min_duration_statement", "log_min_duration_sample", "pg_stat_activity", "pg_read_all_stats", "pg_signal_backend",
	"client_encoding", "quote_all_identifiers", "row_security", "default_transaction_read_only", "DateStyle", "PgSleep",
	"default_query_exec_mode", "cache_statement", "cache_describe", "describe_exec", "simple_protocol", "event_outbox_seq_seq",
	"UnsupportedCodecError", "model_json_schema", "json_schema_extra", "default_factory", "outbox_autogenerate",
	"pg_replication_slots", "pg_logical_slot_peek_binary_changes", "max_slot_wal_keep_size", "publish_via_partition_root", "wal_level", "outbox_shop_connector", "outbox_shop",
	"query_to_xml", "cursor_to_xml", "ts_stat", "ts_rewrite", "AfterCreate", "MustCluster", "OnInvoicePaidV2",
	"InsertOrderPlacedV1", "QueueOrderPlacedV1", "QueueOrderChangedV1Tombstone", "OnOrderPlacedV1", "OrderPlacedV1", "OrderLine", "OrderID",
)

func setOf(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

func words(text string) map[string]bool { return setOf(word.FindAllString(text, -1)...) }

// sourceWords returns the words of the Go code.
func sourceWords(t *testing.T, root string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, folder := range []string{"runtime", "cmd", "generator", "migrations"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			maps.Copy(all, words(read(t, path)))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// readSettings returns the members that a settings file of outboxrelay may have.
func readSettings(t *testing.T, p *programs) map[string]bool {
	t.Helper()
	table, err := exec.CommandContext(t.Context(), filepath.Join(p.dir, "outboxrelay"), "config", "--markdown").Output()
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]bool{}
	for line := range strings.SplitSeq(string(table), "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			members[strings.Trim(cells[3], " `")] = true
		}
	}
	if !members["database_url"] {
		t.Fatalf("no settings in\n%s", table)
	}
	return members
}

// Blocks of the language yml are parts of outboxgen.yaml. Each member in them must be
// valid there.
func TestDocsOfProjectFile(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	root := repositoryRoot(t)
	ours := buildPrograms(t, root, "outboxgen")
	refused := regexp.MustCompile(`has no member|needs the member| must be `)
	found := 0
	for _, p := range pages(t, root) {
		for _, part := range p.blocks("yml") {
			found++
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "outboxgen.yaml"), []byte("version: 1\nservice: a\nout: events\nschemas: []\n"+part), 0o600); err != nil {
				t.Fatal(err)
			}
			generate := exec.CommandContext(t.Context(), filepath.Join(ours.dir, "outboxgen"), "generate", "-C", dir)
			if out, err := generate.CombinedOutput(); err == nil || refused.Match(out) { // the files do not exist
				t.Errorf("%s: %v: %s\n%s", p.name, err, out, part)
			}
		}
	}
	if found == 0 {
		t.Error("no page has a part of outboxgen.yaml")
	}
}

// Code is generated for the events in YAML blocks that are marked as schemas.
func TestDocsOfSchemas(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the command")
	}
	root := repositoryRoot(t)
	ours := buildPrograms(t, root, "outboxgen")
	found := 0
	for _, p := range pages(t, root) {
		for _, schema := range p.blocks("yaml schema") {
			found++
			dir := t.TempDir()
			for name, content := range map[string]string{
				"outboxgen.yaml": "version: 1\nservice: a\nout: events\nschemas: [event.yaml]\n", "event.yaml": schema, "go.mod": "module example.com/a\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			generate := exec.CommandContext(t.Context(), filepath.Join(ours.dir, "outboxgen"), "generate", "-C", dir)
			if out, err := generate.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", p.name, err, out, schema)
			}
		}
	}
	if found == 0 {
		t.Error("no page has a schema")
	}
}

// TestDocsRun runs the shell blocks of each page in order, with its own database, and
// reads its YAML blocks as settings of outboxrelay. TestDocsGettingStarted runs that
// page, and TestGuide in cmd/internal/debezium runs debeziumGuide.
func TestDocsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the commands")
	}
	services.Program(t, "postgres", "psql")
	root := repositoryRoot(t)
	ours := buildPrograms(t, root, "outboxgen", "outboxrelay")
	for _, p := range pages(t, root) {
		shell := strings.Join(p.blocks("sh"), "\n")
		if p.name == gettingStarted || p.name == debeziumGuide || shell == "" && len(p.blocks("yaml")) == 0 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, settings := range p.blocks("yaml") {
				file := filepath.Join(dir, fmt.Sprintf("settings-%d.yaml", i))
				if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
					t.Fatal(err)
				}
				config := exec.CommandContext(t.Context(), filepath.Join(ours.dir, "outboxrelay"), "config", "--config", file)
				if out, err := config.CombinedOutput(); err != nil {
					t.Errorf("%v: %s\n%s", err, out, settings)
				}
			}
			if shell == "" {
				return
			}
			pg := services.Postgres(t, services.Private()) // roles belong to the cluster
			if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
				t.Fatal(err)
			}
			if _, err := pg.Pool.Exec(t.Context(), documentedRows); err != nil {
				t.Fatal(err)
			}
			kafka := services.KFake(t, services.FakeTopic("shop.replayed", 1), services.FakeTopic("shop.order_placed.v1", 1))
			run := exec.CommandContext(t.Context(), "bash", "-c", "set -euo pipefail\n"+shell)
			run.Dir = dir
			run.Env = append(os.Environ(), "DATABASE_URL="+pg.URL, "KAFKA_BROKERS="+strings.Join(kafka.Brokers, ","), "PATH="+ours.dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
			var output bytes.Buffer
			run.Stdout, run.Stderr = &output, &output
			if err := run.Run(); err != nil {
				t.Errorf("a step failed: %v\n%s\nthe steps printed:\n%s", err, shell, output.String())
			}
		})
	}
}

// debeziumGuide needs Kafka Connect.
const debeziumGuide = "docs/debezium.md"

// documentedRows inserts the rows that the pages mention: one for a topic that does not
// exist, two dead ones, a published one, and a delayed event.
const documentedRows = `
	INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, topic, event_data, deliver_at) VALUES
		(gen_random_uuid(), '1', 'order', 'shop.reminder.v1', 'shop.reminder.v1', '{}', now() + interval '1 day');
	INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data, dead_at, last_error, retry_count) VALUES
		('1', 'order', 'shop.order_placed.v1', 'shop.order_place.v1', '{}', NULL, NULL, 0),
		('1', 'order', 'shop.order_placed.v1', 'shop.order_placed.v1', '{}', now(), 'MESSAGE_TOO_LARGE', 10),
		('1', 'order', 'shop.order_test.v1', 'shop.order_test.v1', '{}', now(), 'MESSAGE_TOO_LARGE', 10);
	INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, published_at) VALUES
		('17', 'order', 'shop.order_placed.v1', 'shop.order_placed.v1', '17', '{}', now())`
