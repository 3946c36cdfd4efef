package services

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ErrNotFound is wrapped by the error of a service that is not available on this
// machine: no running server is configured, and there is none to start. The message
// says where it was looked for and what to do.
var ErrNotFound = errors.New("service not found")

// errShared returns what control methods return for a server that others use too.
func errShared(service, private string) error {
	return fmt.Errorf("services: this %s server is not the test's own, so it cannot be stopped or started: ask for one with %s",
		service, private)
}

// demanded returns the names in OUTBOXGEN_REQUIRE.
func demanded() []string {
	names := strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names
}

// required says whether OUTBOXGEN_REQUIRE names the service; a version of
// Postgres stands for Postgres too.
func required(service string) bool {
	return slices.Contains(demanded(), service) || service == "postgres" && len(requiredPostgres()) > 0
}

// requiredPostgres returns the major versions in OUTBOXGEN_REQUIRE, such as 18 for
// postgres18.
func requiredPostgres() (majors []int) {
	for _, name := range demanded() {
		version, ok := strings.CutPrefix(name, "postgres")
		if major, err := strconv.Atoi(version); ok && err == nil {
			majors = append(majors, major)
		}
	}
	return majors
}

// skipShort skips a test that needs a server when the tests run with -short.
func skipShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("services: skipped with -short, which starts no server")
	}
}

// giveUp ends a test that cannot have its service: it skips the test if the service is
// not on this machine and is not required, and fails it otherwise.
func giveUp(t testing.TB, service string, err error) {
	t.Helper()
	switch {
	case !errors.Is(err, ErrNotFound):
		t.Fatalf("services: %s does not start: %v", service, err)
	case required(service):
		t.Fatalf("services: OUTBOXGEN_REQUIRE demands %s: %v", service, err)
	default:
		t.Skipf("services: skipped without %s: %v", service, err)
	}
}

// Program returns the path of a program that a test runs, such as psql for the service
// postgres. The name is looked up on PATH; a name with a slash is a path. If the
// program is missing, the test is skipped, or fails if OUTBOXGEN_REQUIRE names the
// service.
func Program(t testing.TB, service, name string) string {
	t.Helper()
	skipShort(t)
	path, err := exec.LookPath(name)
	if err != nil {
		giveUp(t, service, fmt.Errorf("%w: its program %s does not run from here (%w); install it, or put its folder on PATH", ErrNotFound, name, err))
	}
	return path
}
