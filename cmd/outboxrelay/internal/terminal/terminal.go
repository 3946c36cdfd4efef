// Package terminal prints texts from other sources, such as the data of rows, so that a
// terminal interprets nothing in them: no escape sequences, no change of text
// direction, no line breaks that look like the command's own lines.
package terminal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text escapes everything in s that is not printable, as in a Go string: control
// characters, line breaks, marks that change the text direction, invalid UTF-8. It
// doubles backslashes, so that the result is unambiguous.
func Text(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[size:]
	}
	return b.String()
}

// Word returns a name from the data for a message of several lines: quoted, if Text would escape
// something in it. So a line break in it does not look like a line of the message.
func Word(s string) string {
	if strings.ContainsFunc(s, odd) || strings.Contains(s, "\n") {
		return strconv.Quote(s)
	}
	return s
}

// Lines returns Text for a message of several lines: it keeps line breaks and
// backslashes, and turns a tab into two spaces.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(Text(strings.ReplaceAll(line, "\t", "  ")), `\\`, `\`)
	}
	return strings.Join(lines, "\n")
}

// JSON returns a writer that makes JSON safe for a terminal before it writes it to w:
// characters that Text would escape become \u and four digits. encoding/json does not
// escape C1 controls and direction marks. Each Write must end with a whole character.
func JSON(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(p []byte) (int, error) {
	if !bytes.ContainsFunc(p, odd) {
		return j.w.Write(p)
	}
	var b strings.Builder
	for _, r := range string(p) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	if _, err := io.WriteString(j.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// odd reports whether a character is not printed as it is. A broken character is odd.
func odd(r rune) bool { return r == utf8.RuneError || r != '\n' && !unicode.IsPrint(r) }

// Is reports whether the file is a terminal: a character device that is not the
// null device.
func Is(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
