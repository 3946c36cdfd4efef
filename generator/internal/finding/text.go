package finding

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxShown is the number of findings that the format text shows; it only counts
// the rest.
const MaxShown = 100

// maxSnippet is the number of characters shown of a source line.
const maxSnippet = 160

// Sources is the content of the source files, by the name in Pos.File.
type Sources map[string][]byte

// ANSI sequences; all of them empty without color.
type palette struct{ bold, red, yellow, blue, reset string }

// text writes at most MaxShown findings and the number of the rest; it drops
// warnings before errors. Without Carets each finding is one line, for logs and
// editors: file:line:col: message [id]. With Carets the source line follows, with
// a caret under the column, if Sources has the file.
func (r Report) text(b *bytes.Buffer) {
	var p palette
	if r.Color {
		p = palette{bold: "\x1b[1m", red: "\x1b[31m", yellow: "\x1b[33m", blue: "\x1b[34m", reset: "\x1b[0m"}
	}
	lines := map[string][]string{}
	shown, more := limit(r.Findings)
	for _, f := range shown {
		if !r.Carets {
			b.WriteString(f.Line() + "\n")
			continue
		}
		mark := p.red
		text := p.bold + Printable(f.withOld().Message) + p.reset + f.tag()
		if f.Severity != Error {
			mark = p.yellow
			if f.Severity == Note {
				mark = p.blue
			}
			text = mark + f.Severity.String() + ":" + p.reset + " " + text
		}
		fmt.Fprintf(b, "%s%s:%s %s\n", p.bold, Printable(f.Pos.String()), p.reset, text)
		snippet(b, f.Pos, r.Sources, lines, p, mark)
		if f.Hint != "" {
			fmt.Fprintf(b, "  %shint:%s %s\n", p.blue, p.reset, Printable(f.Hint))
		}
	}
	b.WriteString(more)
	if r.Summary != "" {
		b.WriteString(r.Summary + "\n")
	}
}

// limit returns the first MaxShown findings, errors preferred, and a line with the
// number of the rest.
func limit(findings []Finding) (shown []Finding, more string) {
	if len(findings) <= MaxShown {
		return findings, ""
	}
	errors := 0
	for _, f := range findings {
		if f.Severity == Error {
			errors++
		}
	}
	errorsLeft := min(errors, MaxShown)
	warningsLeft := MaxShown - errorsLeft
	for _, f := range findings {
		left := &errorsLeft
		if f.Severity != Error {
			left = &warningsLeft
		}
		if *left > 0 {
			*left--
			shown = append(shown, f)
		}
	}
	return shown, fmt.Sprintf("and %s more\n", strconv.Itoa(len(findings)-len(shown)))
}

func snippet(b *bytes.Buffer, pos Pos, sources Sources, lines map[string][]string, p palette, mark string) {
	source, ok := sources[pos.File]
	if !ok || pos.Line == 0 {
		return
	}
	if _, ok := lines[pos.File]; !ok {
		lines[pos.File] = splitLines(source)
	}
	if pos.Line > len(lines[pos.File]) {
		return
	}
	line := []rune(lines[pos.File][pos.Line-1])
	col := min(max(pos.Col, 1), len(line)+1)
	cutLeft, cutRight := "", ""
	if from := col - 1 - maxSnippet/2; len(line) > maxSnippet && from > 0 {
		line, col, cutLeft = line[from:], col-from, "…"
	}
	if len(line) > maxSnippet {
		line, cutRight = line[:maxSnippet], "…"
	}
	number := strconv.Itoa(pos.Line)
	gutter := strings.Repeat(" ", len(number))
	fmt.Fprintf(b, "  %s%s |%s %s%s%s\n", p.blue, number, p.reset, cutLeft, Printable(string(line)), cutRight)
	fmt.Fprintf(b, "  %s%s |%s %s%s%s^%s\n", p.blue, gutter, p.reset,
		strings.Repeat(" ", utf8.RuneCountInString(cutLeft)), indent(line[:col-1]), mark, p.reset)
}

// indent returns white space as wide as text: tabs stay tabs, a wide character counts
// as two columns, a combining one as none.
func indent(text []rune) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case unicode.In(r, unicode.Mn, unicode.Me):
		case wide(r):
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// wide reports whether r takes two columns of a terminal.
func wide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) ||
		r >= 0xFF01 && r <= 0xFF60 || r >= 0x1F300 && r <= 0x1FAFF
}

// Printable replaces control and format characters except tabs, so that text from a
// file cannot manipulate the terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// splitLines splits source into lines as positions count them: a line ends with
// LF, CR LF or CR.
func splitLines(source []byte) []string {
	text := strings.TrimPrefix(string(source), "\uFEFF")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.Split(text, "\n")
}
