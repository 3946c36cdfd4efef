package migrationfolder

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// otherLanguage matches the name of a migration that is not SQL: in Go, as for goose
// and bun, or in Java or Kotlin, as for Flyway.
var otherLanguage = regexp.MustCompile(`^\d+_.*\.go$|^[VRB][\d._]*__.*\.(java|kt)$`)

func skippedIn(dir string, names []string) ([]Skipped, error) {
	var all []Skipped
	for _, name := range names {
		if !otherLanguage.MatchString(name) || strings.HasSuffix(name, "_test.go") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, Skipped{name, content})
	}
	return all, nil
}
