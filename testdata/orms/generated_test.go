package orms_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The generated package is what outboxgen writes today.
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
	out, err := exec.CommandContext(t.Context(), "go", "run", "github.com/outboxgen/outboxgen/cmd/outboxgen", "generate", "--check").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
