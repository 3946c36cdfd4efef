package admin

import "strings"

// shownStatement limits how much of a statement is shown, in bytes.
const shownStatement = 200

// withoutValues returns the beginning of a statement, up to its first value, on one line and
// without comments. Values and comments of others' statements may have data of their users.
func withoutValues(sql string) string {
	var b strings.Builder
	cut := false
	for i := 0; i < len(sql) && !cut; {
		rest := sql[i:]
		switch c := sql[i]; {
		case strings.HasPrefix(rest, "--"):
			i += lengthUntil(rest, "\n")
			b.WriteByte(' ')
		case strings.HasPrefix(rest, "/*"):
			i += lengthOfComment(rest)
			b.WriteByte(' ')
		case c == '"':
			n := 1 + lengthUntil(rest[1:], `"`)
			b.WriteString(rest[:n])
			i += n
		case c == '\'', c == '$' && (len(rest) == 1 || !digit(rest[1])), digit(c) && (i == 0 || !partOfName(sql[i-1])):
			cut = true
		default:
			b.WriteByte(c)
			i++
		}
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	if len(text) > shownStatement {
		text, cut = strings.ToValidUTF8(text[:shownStatement], ""), true
	}
	if cut && text != "" {
		text += " ..."
	}
	return text
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// partOfName reports whether a digit behind c is not the beginning of a number. "$1" is a
// parameter.
func partOfName(c byte) bool {
	return digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80
}

// lengthUntil returns the length of the text up to the end of what it looks for.
func lengthUntil(text, end string) int {
	if n := strings.Index(text, end); n >= 0 {
		return n + len(end)
	}
	return len(text)
}

// lengthOfComment returns the length of a comment, which may have others inside.
func lengthOfComment(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}
