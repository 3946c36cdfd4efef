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
	// endMark is where a statement ends without a semicolon: for goose and
	// sql-migrate, bun, Drizzle and Liquibase.
	endMark = regexp.MustCompile(`(?i)^\s*--\s*(\+(goose|migrate)\s+StatementEnd\b|bun:split\b|>\s*statement-breakpoint\b|changeset\s)`)
)

// up blanks every line that leads down, the marks too, and ends the statements
// that the tool ends otherwise than by a semicolon. Every other line stays what and
// where it is.
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
			if bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) { // of Play: no comment
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

// blank returns the end of the line alone.
func blank(line []byte) []byte {
	return line[len(bytes.TrimRight(line, "\r\n")):]
}

// delimited returns a line with a semicolon where a delimiter ends it.
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

// atlasDelimiter returns what ends the statements of a file of Atlas, if it says so and
// it stands in a line.
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

// ofTxtar blanks what is not the migration in a file of Atlas that holds several:
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

// newLineDelimiter ends the statements of a file of Atlas that empty lines end.
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

// ignoreMark is where Liquibase does not read some lines: a count, or up to an end.
var ignoreMark = regexp.MustCompile(`(?i)^\s*--\s*ignoreLines:(\w+)`)

// ignoredLines returns how many lines are not read from a mark on, with its own.
func ignoredLines(said string) int {
	if n, err := strconv.Atoi(said); err == nil {
		return n + 1
	}
	if strings.EqualFold(said, "start") {
		return math.MaxInt
	}
	return 0
}

// changeset reads what the head of a changeset of Liquibase says: what ends its
// statements, "" for a semicolon, and whether it is not for Postgres.
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

// forPostgres reports whether a list of databases has Postgres, or leaves only
// others out.
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
