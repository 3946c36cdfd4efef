package migrationfolder

import (
	"cmp"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	// changelogName matches the file in which Liquibase lists its changes.
	changelogName = regexp.MustCompile(`(?i)changelog.*\.(xml|ya?ml|json)$`)
	// changelogFile matches an SQL file in such a list.
	changelogFile = regexp.MustCompile(`[\w./@-]+\.sql\b`)
	// changelogUndo matches a part of the list for the way down.
	changelogUndo = regexp.MustCompile(`(?is)<rollback\b.*?</rollback>`)
)

// byChangelog sorts the migrations of a folder in the order of its Liquibase changelog.
// Unlisted ones come last.
func byChangelog(dir string, names, ordered []string, contents map[string][]byte) ([]string, error) {
	at := slices.IndexFunc(names, changelogName.MatchString)
	if at < 0 {
		return ordered, nil
	}
	list, err := os.ReadFile(filepath.Join(dir, names[at]))
	if err != nil {
		return nil, &UnreadableError{names[at], err}
	}
	if err := walk(dir, "", contents); err != nil {
		return nil, err
	}
	ordered = order(Plain, contents)
	rank := map[string]int{}
	for _, file := range changelogFile.FindAllString(string(changelogUndo.ReplaceAll(list, nil)), -1) {
		for _, name := range ordered {
			if name == path.Clean(file) || strings.HasSuffix(path.Clean(file), "/"+name) {
				rank[name] = cmp.Or(rank[name], len(rank)+1)
			}
		}
	}
	slices.SortStableFunc(ordered, func(a, b string) int {
		return cmp.Compare(cmp.Or(rank[a], len(rank)+1), cmp.Or(rank[b], len(rank)+1))
	})
	return ordered, nil
}
