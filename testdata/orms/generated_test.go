package orms_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The generated package is equal to what outboxgen writes.
func TestTheGeneratedPackageIsUpToDate(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the command")
	}
	work, err := exec.CommandContext(t.Context(), "go", "env", "GOWORK").Output()
	if err != nil {
		t.Fatal(err)
	}
	if file := strings.TrimSpace(string(work)); file == "" || file == "off" {
		t.Skip("without go.work this module has no command")
	}
	command := []string{"go", "run", "github.com/outboxgen/outboxgen/cmd/outboxgen"}
	if built := os.Getenv("OUTBOXGEN_TEST_PLAIN"); built != "" { // where the command is already built
		command = []string{built}
	}
	command = append(command, "generate", "--check")
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
