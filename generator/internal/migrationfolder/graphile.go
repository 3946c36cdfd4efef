package migrationfolder

import (
	"cmp"
	"path"
	"strings"
)

// isGraphile reports whether a folder has the migrations of Graphile: those that
// are committed, and the current one.
func isGraphile(contents map[string][]byte) bool {
	for name := range contents {
		if strings.HasPrefix(name, "committed/") {
			return true
		}
	}
	return false
}

// compareGraphile compares the names of two migrations of Graphile: the current one
// comes after the committed ones.
func compareGraphile(a, b string) int {
	return cmp.Or(cmp.Compare(path.Dir(b), path.Dir(a)), natural(a, b))
}
