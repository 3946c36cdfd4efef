package migrationfolder

import (
	"bytes"
	"regexp"
)

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
