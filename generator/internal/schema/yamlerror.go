package schema

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// The library reports a syntax error with a line at best, and for some errors that is
// the line before. So the place is found here: by reading the file again, one byte at a
// time, to see how far the scanner came, and by the message about the broken construct.

// scannerAhead is how many characters the scanner reads beyond the first character of a
// token.
const scannerAhead = 3

var (
	yamlMessage = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(?s:(.*))$`)
	noValue     = regexp.MustCompile(`[\[{,][ \t]*(,)|\[[ \t]*(\})|\{[ \t]*(\])`)
)

// yamlError turns an error of the library into a finding.
func yamlError(file string, src []byte, err error) finding.Finding {
	match := yamlMessage.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(match[1]) // 0 where there is none
	p := newYAMLPlace(file, src)
	f := p.finding(match[2], line)
	f.ID = "yaml-syntax"
	return f
}

// yamlPlace is the place where the scanner stopped.
type yamlPlace struct {
	file  string
	src   []byte
	lines [][]byte
	read  int         // bytes that the scanner had requested
	stand finding.Pos // the scanner's current character
}

func newYAMLPlace(file string, src []byte) *yamlPlace {
	// The scanner reads ahead, so after the last line it needs more characters.
	// Otherwise it would be found closer to the end than elsewhere.
	padded := append(bytes.Clone(src), strings.Repeat("\n", scannerAhead+1)...)
	reader := &byteReader{src: padded}
	decoder := yaml.NewDecoder(reader)
	for {
		if _, err := decodeNode(decoder); err != nil {
			break
		}
	}
	p := &yamlPlace{file: file, src: src, read: min(reader.read, len(src))}
	offset := max(reader.read-1, 0)
	for range scannerAhead {
		for offset > 0 {
			if offset--; utf8.RuneStart(padded[offset]) {
				break
			}
		}
	}
	for offset > 0 && (offset >= len(src) || !utf8.RuneStart(src[offset])) {
		offset--
	}
	p.stand = positionAt(file, src, offset)
	for line := range bytes.Lines(src) {
		p.lines = append(p.lines, line)
	}
	return p
}

type byteReader struct {
	src  []byte
	read int
}

func (r *byteReader) Read(p []byte) (int, error) {
	if r.read >= len(r.src) || len(p) == 0 {
		return 0, io.EOF
	}
	p[0] = r.src[r.read]
	r.read++
	return 1, nil
}

// finding returns the finding for message, which the library reported with line.
func (p *yamlPlace) finding(message string, line int) finding.Finding {
	has := func(text string) bool { return strings.Contains(message, text) }
	f := finding.Finding{Pos: p.stand, Message: message}
	switch {
	case has("cannot start any token") && p.char() != '\t':
		f.Message, f.Hint = "a plain string cannot begin with this character", "quote the string"
	case has("cannot start any token"), has("tab character"):
		f.Message = "a tab instead of spaces"
		if at, ok := p.find(max(line, p.stand.Line), func(text []byte) int { return bytes.IndexByte(text, '\t') }); ok {
			f.Pos = at
		}
	case has("mapping values are not allowed"):
		f.Message, f.Hint = "a colon in the wrong place", `quote a text that contains ": ", or fix the indentation`
	case has("block sequence entries are not allowed"):
		f.Message, f.Hint = "a list item cannot begin here", "put the first item on its own line"
	case has("did not find expected key"), has("did not find expected '-' indicator"):
		f.Message, f.Hint = "this does not match the surrounding structure", "check the indentation, and the quotes on the previous line"
		f.Pos = p.lineStart(p.stand.Line)
	case has("could not find expected ':'"):
		f.Message, f.Hint = "a colon is missing after this", "check the quotes on the previous line"
		f.Pos = p.lineStart(line)
	case has("did not find expected ',' or"):
		p.bracket(&f, message, line)
	case has("unexpected end of stream"), has("unexpected document indicator"):
		f.Message = "the string that begins here is not closed"
		f.Pos = p.first(openQuote, line, 1)
	case has("unknown escape character"), has("hexdecimal number"):
		f.Message = "YAML has no such escape in double quotes"
		f.Hint = "write two backslashes, or use single quotes"
		f.Pos = p.last(`\`)
	case has("unknown anchor"):
		name := strings.Split(message, "'")
		f.Message = "there is no anchor " + finding.Quote(name[min(1, len(name)-1)])
		f.Pos = p.last("*" + name[min(1, len(name)-1)])
	case has("did not find expected node content"):
		f.Message = "a value is missing here"
		f.Pos = p.first(missingValue, p.stand.Line)
	case has("unknown directive name"):
		f.Message, f.Pos = "YAML has only the directives %YAML and %TAG", p.last("%")
	case has("alphabetic or numeric character"):
		f.Message = "an anchor or an alias needs a name"
	case has("undefined tag handle"):
		f.Message = "an undefined tag"
		f.Pos = p.last("!")
	}
	return f
}

func (p *yamlPlace) char() byte {
	if p.stand.Line > len(p.lines) {
		return 0
	}
	text := []rune(string(p.lines[p.stand.Line-1]))
	if p.stand.Col > len(text) || text[p.stand.Col-1] > 0x7F {
		return 0
	}
	return byte(text[p.stand.Col-1])
}

// bracket sets the place to the bracket that is not closed. The library counts its line
// from zero.
func (p *yamlPlace) bracket(f *finding.Finding, message string, line int) {
	open := byte('[')
	if strings.Contains(message, "'}'") {
		open = '{'
	}
	f.Message = "the " + string(open) + " that begins here is not closed, or a comma is missing inside it"
	f.Pos = p.first(func(text []byte) int { return openBracket(text, open) }, line+1, 1)
}

// first returns the first place that find finds on one of the lines, or the scanner's
// place.
func (p *yamlPlace) first(find func([]byte) int, lines ...int) finding.Pos {
	for _, line := range lines {
		if at, ok := p.find(line, find); ok {
			return at
		}
	}
	return p.stand
}

// find returns the place that find gives as an offset into one line.
func (p *yamlPlace) find(line int, find func([]byte) int) (finding.Pos, bool) {
	if line < 1 || line > len(p.lines) {
		return finding.Pos{}, false
	}
	text := p.lines[line-1]
	offset := find(text)
	if offset < 0 {
		return finding.Pos{}, false
	}
	return finding.Pos{File: p.file, Line: line, Col: utf8.RuneCount(text[:offset]) + 1}, true
}

// lineStart returns the first character of a line that is not a space.
func (p *yamlPlace) lineStart(line int) finding.Pos {
	return p.first(func(text []byte) int {
		return len(text) - len(bytes.TrimLeft(text, " \t"))
	}, line)
}

// last returns the last place of text before the scanner's.
func (p *yamlPlace) last(text string) finding.Pos {
	if i := bytes.LastIndex(p.src[:p.read], []byte(text)); i >= 0 {
		return positionAt(p.file, p.src, i)
	}
	return p.stand
}

// missingValue returns the comma or bracket in place of a value on a line; -1 if there
// is none.
func missingValue(line []byte) int {
	m := noValue.FindSubmatchIndex(line)
	if m == nil {
		return -1
	}
	return max(m[2], m[4], m[6])
}

// openQuote returns the beginning of a quoted string that does not end on the line; -1
// if there is none.
func openQuote(line []byte) int {
	at := -1
	scanLine(line, func(i int, closed bool) {
		if !closed && (line[i] == '"' || line[i] == '\'') {
			at = i
		}
	})
	return at
}

// openBracket returns the last bracket that is not closed on the line; -1 if there is
// none.
func openBracket(line []byte, open byte) int {
	var stack []int
	scanLine(line, func(i int, _ bool) {
		switch line[i] {
		case open:
			stack = append(stack, i)
		case open + 2: // the closing one: [ ] and { } are two apart
			stack = stack[:max(len(stack)-1, 0)]
		}
	})
	if len(stack) == 0 {
		return -1
	}
	return stack[len(stack)-1]
}

// scanLine visits the bytes of one line outside quotes and comments, and for
// each quoted string the quote that it begins with and whether it ends.
func scanLine(line []byte, visit func(i int, closed bool)) {
	fresh := true // a value may begin here
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case fresh && (c == '"' || c == '\''):
			end := quoteEnd(line, i)
			visit(i, end > 0)
			if end < 0 {
				return
			}
			i = end
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return
		default:
			visit(i, true)
		}
		fresh = strings.IndexByte(" \t[{,", c) >= 0
	}
}

// quoteEnd returns where the string that begins at line[start] ends; -1 if it does
// not.
func quoteEnd(line []byte, start int) int {
	for i := start + 1; i < len(line); i++ {
		switch {
		case line[i] == '\\' && line[start] == '"':
			i++
		case line[i] == line[start] && line[start] == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
		case line[i] == line[start]:
			return i
		}
	}
	return -1
}
