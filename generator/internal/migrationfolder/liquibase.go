package migrationfolder

import (
	"cmp"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

var (
	liquibaseMark = regexp.MustCompile(`(?i)^\s*--\s*liquibase\s+formatted\s+sql`)
	changesetMark = regexp.MustCompile(`(?i)^\s*--\s*changeset\s`)
	attribute     = regexp.MustCompile(`(?i)\s(dbms|ignore|enddelimiter):("[^"]*"|'[^']*'|\S+)`)
)

// ignoreMark matches where Liquibase ignores lines: a count, or up to an end mark.
var ignoreMark = regexp.MustCompile(`(?i)^\s*--\s*ignoreLines:(\w+)`)

// ignoredLines returns how many lines are ignored from a mark on, including the mark.
func ignoredLines(said string) int {
	if n, err := strconv.Atoi(said); err == nil {
		return n + 1
	}
	if strings.EqualFold(said, "start") {
		return math.MaxInt
	}
	return 0
}

// changeset reads the head of a Liquibase changeset: the delimiter, "" for a semicolon,
// and whether it is not for Postgres.
func changeset(line []byte) (delimiter string, elsewhere bool) {
	for _, m := range attribute.FindAllStringSubmatch(string(line), -1) {
		value := strings.Trim(m[2], `"'`)
		switch strings.ToLower(m[1]) {
		case "dbms":
			elsewhere = elsewhere || !forPostgres(value)
		case "ignore":
			elsewhere = elsewhere || strings.EqualFold(value, "true")
		case "enddelimiter":
			delimiter = strings.Trim(strings.NewReplacer(`\n`, "", `\r`, "", `\s*`, "", `\\`, `\`).Replace(value), "^$")
		}
	}
	if delimiter == ";" {
		delimiter = ""
	}
	return delimiter, elsewhere
}

// forPostgres reports whether a list of databases includes Postgres, or excludes only
// others.
func forPostgres(list string) bool {
	only := false
	for name := range strings.SplitSeq(strings.ToLower(list), ",") {
		switch name = strings.TrimSpace(name); {
		case name == "postgresql", name == "all":
			return true
		case name == "!postgresql", name == "none":
			return false
		case !strings.HasPrefix(name, "!"):
			only = true
		}
	}
	return !only
}
