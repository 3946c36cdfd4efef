package generator_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/generator"
)

// repo is a git repository of a test, with a project at its top.
type repo struct {
	t   testing.TB
	dir string
}

const project = `version: 1
service: shop
schemas: [schemas/*.yaml]
out: events
`

const placed = `$id: https://schemas.example.com/order_placed.v1
title: OrderPlaced
description: A customer placed an order.
x-outbox:
  version: 1
  type: shop.order_placed.v1
  aggregate: {type: order, id: /order_id}
type: object
additionalProperties: false
required: [order_id, state]
properties:
  order_id: {type: string, description: The order., maxLength: 36}
  state: {type: string, description: Where it stands., enum: [new, paid], x-outbox: {grows: true}}
  note: {type: string, description: What the customer said.}
`

func newRepo(t testing.TB) *repo {
	t.Helper()
	r := &repo{t, t.TempDir()}
	r.git("init", "-q", "-b", "main")
	return r
}

// settings of git for every command, so that none has to be stored in each repository.
// Maintenance would be one more process after each commit.
var settings = []string{
	"-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "-c", "maintenance.auto=false",
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append(slices.Clone(settings), args...)...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(name, text string) {
	r.t.Helper()
	name = filepath.Join(r.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(name)))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// replace changes a file, which must have the text.
func (r *repo) replace(name, old, now string) {
	r.t.Helper()
	text := r.read(name)
	if !strings.Contains(text, old) {
		r.t.Fatalf("%s does not hold %q:\n%s", name, old, text)
	}
	r.write(name, strings.Replace(text, old, now, 1))
}

func (r *repo) commit(message string) {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
}

// check compares the project with ref, and nothing else.
func (r *repo) check(against string, change ...func(*generator.CheckConfig)) (*generator.CheckResult, error) {
	cfg := generator.CheckConfig{
		Config: generator.Config{Dir: r.dir}, Against: against,
		Skip: []generator.Part{generator.PartGenerated, generator.PartLint},
	}
	for _, c := range change {
		c(&cfg)
	}
	return generator.Check(r.t.Context(), cfg)
}

// verdict returns the sorted ids of the findings, without notes, or PASS.
func (r *repo) verdict(against string) string {
	r.t.Helper()
	result, err := r.check(against)
	if err != nil {
		r.t.Fatalf("check --against %s: %v", against, err)
	}
	var ids []string
	for _, f := range result.Findings() {
		if f.Severity != generator.Note {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 {
		return "PASS"
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}
