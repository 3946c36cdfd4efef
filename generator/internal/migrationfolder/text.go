package migrationfolder

import (
	"bytes"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	upMark   = regexp.MustCompile(`(?i)^\s*(--\s*(\+goose\s+up|\+migrate\s+up|migrate:up|rambler\s+up|up\s+migration)\b|#\s*---\s*!ups\b)`)
	downMark = regexp.MustCompile(`(?i)^(\s*--\s*(\+goose\s+down|\+migrate\s+down|migrate:down|rambler\s+down|down\s+migration|//\s*@undo)\b|\s*#\s*---\s*!downs\b|---- create above / drop below ----)`)
	// endMark matches where a statement ends without a semicolon: for goose and
	// sql-migrate, bun, Drizzle and Liquibase.
	endMark = regexp.MustCompile(`(?i)^\s*--\s*(\+(goose|migrate)\s+StatementEnd\b|bun:split\b|>\s*statement-breakpoint\b|changeset\s)`)
)

// up blanks every line of the way down, including the marks, and adds a semicolon to
// statements that the tool ends in another way. All other lines stay unchanged in their
// place.
func up(content []byte) []byte {
	content = newLineDelimiter(ofTxtar(content))
	lines := bytes.SplitAfter(content, []byte("\n"))
	delimiter := atlasDelimiter(content)
	liquibase := liquibaseMark.Match(content)
	down, elsewhere, ignored := false, false, 0
	for i, line := range lines {
		if m := ignoreMark.FindSubmatch(line); liquibase && m != nil {
			ignored = ignoredLines(string(m[1]))
		}
		switch {
		case downMark.Match(line):
			down = true
		case upMark.Match(line):
			down = false
			if bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) { // of Play: not a comment
				lines[i] = blank(line)
			}
		case liquibase && changesetMark.Match(line):
			delimiter, elsewhere = changeset(line)
		}
		switch {
		case down, elsewhere, ignored > 0:
			lines[i] = blank(line)
			ignored--
		case endMark.Match(line):
			lines[i] = append([]byte(";"), blank(line)...)
		case delimiter != "" && !delimiterMark.Match(line):
			lines[i] = delimited(line, delimiter)
		}
	}
	return bytes.Join(lines, nil)
}

// blank returns only the end of the line.
func blank(line []byte) []byte {
	return line[len(bytes.TrimRight(line, "\r\n")):]
}

// delimited returns a line with a semicolon in place of a delimiter at its end.
func delimited(line []byte, delimiter string) []byte {
	text := bytes.TrimRight(line, " \t\r\n")
	start := len(text) - len(delimiter)
	switch {
	case start < 0, !strings.EqualFold(string(text[start:]), delimiter):
		return line
	case len(bytes.TrimSpace(text[:start])) > 0 && isWord(delimiter):
		return line // the end of a name
	case bytes.HasSuffix(text, []byte("*/")):
		return line // the end of a comment
	}
	return slices.Concat(text[:start], []byte(";"), line[len(text):])
}

func isWord(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !('a' <= r|0x20 && r|0x20 <= 'z') })
}

var delimiterMark = regexp.MustCompile(`(?m)^--\s*atlas:delimiter[ \t]+(\S.*?)[ \t]*\r?$`)

// atlasDelimiter returns the delimiter that an Atlas file declares, if it is within one
// line.
func atlasDelimiter(content []byte) string {
	if m := delimiterMark.FindSubmatch(content); m != nil && !bytes.Contains(m[1], []byte(`\n`)) {
		return string(m[1])
	}
	return ""
}

var (
	txtarMark = regexp.MustCompile(`^--\s*atlas:txtar\b`)
	txtarFile = regexp.MustCompile(`^-- (\S+) --[ \t]*\r?\n?$`)
)

// ofTxtar blanks everything except the migration in an Atlas file with several parts:
// checks, and the way down.
func ofTxtar(content []byte) []byte {
	if !txtarMark.Match(content) {
		return content
	}
	lines := bytes.SplitAfter(content, []byte("\n"))
	other := false
	for i, line := range lines {
		if m := txtarFile.FindSubmatch(line); m != nil {
			other = string(m[1]) != "migration.sql"
		}
		if other {
			lines[i] = blank(line)
		}
	}
	return bytes.Join(lines, nil)
}

// newLineDelimiter adds semicolons in an Atlas file whose statements end with empty
// lines.
func newLineDelimiter(content []byte) []byte {
	m := delimiterMark.FindSubmatch(content)
	if m == nil || len(bytes.ReplaceAll(m[1], []byte(`\n`), nil)) > 0 {
		return content
	}
	end := bytes.Repeat([]byte("\n"), bytes.Count(m[1], []byte(`\n`)))
	return bytes.ReplaceAll(content, end, append([]byte(";"), end...))
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
