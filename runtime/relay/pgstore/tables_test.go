package pgstore

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A table without its schema would be searched in the search_path, which has the table
// of another outbox or none.
func TestStatementsNameNoTableWithoutItsSchema(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("sql/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no statements: %v", err)
	}
	names := &tableNames{schema: "s"}
	table := regexp.MustCompile(`\bevent_outbox\w*`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(names.statement(string(content))) {
			for _, at := range table.FindAllStringIndex(line, -1) {
				before := line[:at[0]]
				pattern := strings.HasSuffix(before, "'^") // of the names of partitions
				if !pattern && !strings.HasSuffix(before, `"s".`) {
					t.Errorf("%s: %s has no schema; is the table in tableUses?\n%s", file, line[at[0]:at[1]], line)
				}
			}
		}
	}
}
