package redisinbox_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A service that uses the inbox in Postgres does not link a Redis client.
func TestPackageInboxLinksNoRedis(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "..").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "rueidis") {
		t.Errorf("package inbox depends on rueidis:\n%s", out)
	}
}
