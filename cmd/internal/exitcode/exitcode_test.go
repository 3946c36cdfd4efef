package exitcode_test

import (
	"os"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

func TestThePageHasTheList(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```\n"+exitcode.Help+"```\n") {
		t.Errorf("docs/exit-codes.md does not have this list:\n%s", exitcode.Help)
	}
}
