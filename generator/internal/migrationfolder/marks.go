package migrationfolder

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

var (
	upMark   = regexp.MustCompile(`(?i)^\s*(--\s*(\+goose\s+up|\+mi[gc]rate\s+up|migrate:up|rambler\s+up|up\s+migration)\b|--\s*=+\s*up\s*=+\s*$|#\s*---\s*!ups\b)`)
	downMark = regexp.MustCompile(`(?i)^(\s*--\s*(\+goose\s+down|\+mi[gc]rate\s+down|migrate:down|rambler\s+down|down\s+migration|//\s*@undo)\b|\s*--\s*=+\s*down\s*=+\s*$|\s*#\s*---\s*!downs\b|---- create above / drop below ----)`)
	// endMark matches where a statement ends without a semicolon: for goose and
	// sql-migrate, bun, Drizzle and Liquibase.
	endMark = regexp.MustCompile(`(?i)^\s*--\s*(\+(goose|mi[gc]rate)\s+StatementEnd\b|bun:split\b|>\s*statement-breakpoint\b|changeset\s)`)
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
