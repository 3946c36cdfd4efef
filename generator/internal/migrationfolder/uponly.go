package migrationfolder

import (
	"bytes"
	"regexp"
)

var (
	// notUp matches the parts of a changelog in XML that change nothing on the way up.
	notUp = regexp.MustCompile(`(?is)<!--.*?-->|<rollback\b[^>]*/>|<rollback\b.*?</rollback>|<preConditions\b.*?</preConditions>`)
	// notUpMember matches the name of such a part in JSON, and notUpKey in YAML.
	notUpMember = regexp.MustCompile(`"(rollback|preConditions)"\s*:\s*`)
	notUpKey    = regexp.MustCompile(`^([ -]*)(rollback|preConditions)\s*:`)
)

// upOnly returns a changelog of Liquibase with spaces in place of its rollbacks,
// preconditions and comments. They may name a table that no change is about.
func upOnly(content []byte, ext string) []byte {
	content = bytes.Clone(content)
	switch ext {
	case ".xml":
		for _, at := range notUp.FindAllIndex(content, -1) {
			clearText(content[at[0]:at[1]])
		}
	case ".json":
		for _, at := range notUpMember.FindAllIndex(content, -1) {
			clearText(content[at[1]:endOfValue(content, at[1])])
		}
	default:
		upOnlyYAML(content)
	}
	return content
}

// upOnlyYAML is upOnly for YAML. A part ends where a line begins as far to the left as
// its key, and is not an item of its list.
func upOnlyYAML(content []byte) {
	depth := -1 // of the key of the part
	for line := range bytes.Lines(content) {
		text := bytes.TrimLeft(line, " ")
		indent := len(line) - len(text)
		key := notUpKey.FindSubmatch(line)
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case text[0] == '#', depth >= 0 && (indent > depth || indent == depth && text[0] == '-'):
			clearText(line)
		case key != nil:
			depth = len(key[1])
			clearText(line)
		default:
			depth = -1
		}
	}
}

// endOfValue returns where a value of JSON ends that begins at an offset.
func endOfValue(content []byte, from int) int {
	depth, inString := 0, false
	for i := from; i < len(content); i++ {
		b := content[i]
		switch {
		case inString && b == '\\':
			i++
			continue
		case b == '"':
			inString = !inString
		case inString:
		case b == '{', b == '[':
			depth++
		case b == '}', b == ']':
			depth--
		}
		if depth < 0 || depth == 0 && !inString && bytes.IndexByte([]byte(`}]",`), b) >= 0 {
			return i
		}
	}
	return len(content)
}

// clearText replaces text by spaces, and keeps its lines.
func clearText(text []byte) {
	for i, b := range text {
		if b != '\n' {
			text[i] = ' '
		}
	}
}
