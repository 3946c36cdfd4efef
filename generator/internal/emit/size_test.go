package emit_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// The code of unions stays well below 60 % of the 5,214 lines that it was before
// the runtime had what unions repeat.
func TestUnionsAreShort(t *testing.T) {
	t.Parallel()
	lines := 0
	for _, content := range read(t, filepath.Join(root, "testdata/golden/unions/events")) {
		lines += strings.Count(content, "\n")
	}
	if lines == 0 || lines > 3050 {
		t.Errorf("the golden unions are %d lines, want 3,050 at most", lines)
	}
}
