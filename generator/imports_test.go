package generator_test

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/outboxgen/outboxgen"

// imports is what the packages of the repository import.
type imports struct {
	direct, all map[string][]string // by import path; all has also what the imports import
}

// listed runs go list once for all tests, as it takes about half a second. It names
// packages by their import paths, which work with and without go.work.
var listed = sync.OnceValues(func() (imports, error) {
	found := imports{map[string][]string{}, map[string][]string{}}
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`,
		module+"/generator/...", module+"/templates/...", module+"/schemas/...", module+"/migrations/...", module+"/runtime/...",
		module+"/testdata/service/events", module+"/testdata/golden/huleedu/events", module+"/testdata/golden/formats/events",
	)
	cmd.Dir = ".."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return found, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) != 3 {
			return found, fmt.Errorf("go list says %q", line)
		}
		found.direct[fields[0]], found.all[fields[0]] = strings.Fields(fields[1]), strings.Fields(fields[2])
	}
	return found, nil
})

// dependencies returns the packages that match the patterns, which begin with "./", and
// all packages that they depend on.
func dependencies(t *testing.T, patterns ...string) []string {
	t.Helper()
	found, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, pattern := range patterns {
		path, below := strings.CutSuffix(module+strings.TrimPrefix(pattern, "."), "/...")
		matches := 0
		for pkg, deps := range found.all {
			if pkg != path && !(below && strings.HasPrefix(pkg, path+"/")) {
				continue
			}
			matches++
			all[pkg] = true
			for _, dep := range deps {
				all[dep] = true
			}
		}
		if matches == 0 {
			t.Fatalf("%s matches no package", pattern)
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// direct returns what a package imports itself.
func direct(t *testing.T, name string) []string {
	t.Helper()
	found, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	names := found.direct[module+strings.TrimPrefix(name, ".")]
	if len(names) == 0 {
		t.Fatalf("%s imports nothing", name)
	}
	return names
}

// outside returns the packages that are neither in the standard library nor below one
// of the paths.
func outside(packages []string, paths ...string) []string {
	var found []string
	for _, p := range packages {
		first, _, _ := strings.Cut(p, "/")
		if strings.Contains(first, ".") && !slices.ContainsFunc(paths, func(path string) bool { return below(p, path) }) {
			found = append(found, p)
		}
	}
	return found
}

func below(pkg, path string) bool { return pkg == path || strings.HasPrefix(pkg, path+"/") }

// light lists what package outbox and generated code may link.
var light = []string{
	module + "/runtime",
	"github.com/jackc", // pgx and what pgx brings
	"github.com/google/uuid",
	"go.opentelemetry.io/otel", // the API; the SDK is forbidden below
	"go.opentelemetry.io/auto/sdk",
	"golang.org/x",                                    // of pgx
	"github.com/cespare/xxhash", "github.com/go-logr", // of OpenTelemetry's API
}

// The runtime of generated code stays small: a service that writes events gets only
// these modules.
func TestWhatPackageOutboxImports(t *testing.T) {
	t.Parallel()
	for _, pkg := range outside(dependencies(t, "./runtime"), light...) {
		t.Errorf("package outbox depends on %s", pkg)
	}
	for _, pkg := range outside(direct(t, "./runtime"),
		module+"/runtime", "github.com/jackc/pgx/v5", "github.com/google/uuid", "go.opentelemetry.io/otel",
	) {
		t.Errorf("package outbox imports %s", pkg)
	}
	for _, pkg := range dependencies(t, "./runtime") {
		if below(pkg, "go.opentelemetry.io/otel/sdk") || below(pkg, module+"/runtime/relay") {
			t.Errorf("package outbox depends on %s", pkg)
		}
	}
}

// Package outboxsql links no driver, because the service has one. And package outbox
// does not depend on it.
func TestWhatPackageOutboxsqlImports(t *testing.T) {
	t.Parallel()
	for _, pkg := range outside(dependencies(t, "./runtime/outboxsql"), light...) {
		t.Errorf("package outboxsql depends on %s", pkg)
	}
	for _, pkg := range dependencies(t, "./runtime/outboxsql") {
		if below(pkg, "github.com/jackc/pgx/v5/stdlib") {
			t.Errorf("package outboxsql depends on the driver %s", pkg)
		}
	}
	for _, pkg := range dependencies(t, "./runtime", "./testdata/service/events") {
		if below(pkg, module+"/runtime/outboxsql") {
			t.Errorf("package outbox or generated code depends on %s", pkg)
		}
	}
}

// A service that imports only its generated package links no Kafka, Redis, YAML or sqlc
// code.
func TestWhatGeneratedPackagesImport(t *testing.T) {
	t.Parallel()
	for _, pkg := range outside(dependencies(t, "./testdata/service/events", "./testdata/golden/huleedu/events", "./testdata/golden/formats/events"),
		append(slices.Clone(light), module+"/testdata")...,
	) {
		t.Errorf("generated code depends on %s", pkg)
	}
	for _, pkg := range dependencies(t, "./testdata/service/events") {
		for _, never := range []string{"relay", "wake", "inbox", "outboxtest", "consume"} {
			if below(pkg, module+"/runtime/"+never) {
				t.Errorf("generated code depends on %s", pkg)
			}
		}
	}
}

// Imports run one way.
func TestWhoImportsWhom(t *testing.T) {
	t.Parallel()
	const (
		finding = "./generator/internal/finding"
		checks  = "./generator/internal/check"
	)
	for _, rule := range []struct {
		packages string
		never    []string
		but      []string // folders that are allowed
	}{
		// Both the generator and the services match the patterns of schemas, and check
		// formats.
		{"./generator/...", []string{"runtime", "cmd"}, []string{"runtime/ecma", "runtime/format"}},
		// Package finding imports none of the packages that report findings, and only
		// package generator imports the checks.
		{finding, []string{"generator"}, []string{finding[2:]}},
		{"./generator/internal/emit", []string{checks[2:]}, nil},
		{"./generator/internal/sqlc", []string{checks[2:]}, nil},
		{"./generator/internal/site", []string{checks[2:], "generator/internal/emit"}, nil},
		{"./generator/internal/validator", []string{checks[2:]}, nil},
		{checks + "/gitfs", []string{"generator"}, []string{checks[2:] + "/gitfs"}},
		{checks + "/lint", []string{checks[2:]}, []string{checks[2:] + "/lint"}},
		{checks + "/compat", []string{checks[2:]}, []string{checks[2:] + "/compat"}},
		{checks + "/contract", []string{checks[2:] + "/baseline", checks[2:] + "/gitfs", checks[2:] + "/lint"}, nil},
		{checks + "/baseline", []string{checks[2:] + "/lint"}, nil},
		{"./templates/...", []string{"runtime", "cmd", "generator"}, nil},
		{"./schemas/...", []string{"runtime", "cmd", "generator"}, nil},
		{"./migrations/...", []string{"runtime", "cmd", "generator"}, nil},
		{"./runtime/...", []string{"cmd", "generator", "templates", "schemas"}, nil},
		{"./runtime/ecma/...", []string{"runtime"}, []string{"runtime/ecma"}},
		{"./runtime/format", []string{"runtime"}, []string{"runtime/ecma", "runtime/format"}},
		{"./runtime/internal/link", []string{"runtime"}, []string{"runtime/internal/link"}},
		{"./runtime/consume", []string{"runtime/relay", "runtime/wake", "runtime/inbox", "runtime/consume/kafka"}, nil},
		{"./runtime/outboxtest", []string{"runtime/outboxtest/services", "runtime/relay", "migrations"}, nil},
	} {
		for _, pkg := range dependencies(t, rule.packages) {
			for _, never := range rule.never {
				if below(pkg, module+"/"+never) && !slices.ContainsFunc(rule.but, func(but string) bool { return below(pkg, module+"/"+but) }) {
					t.Errorf("%s depends on %s", rule.packages, pkg)
				}
			}
		}
	}
}
