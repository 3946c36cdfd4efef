package schema

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// readValue parses src, the content of file, as YAML or JSON. It reports problems and
// returns nil if nothing is usable; after duplicate members and similar problems it
// continues. The second result is the number of values, with aliases counted at each
// use.
func readValue(file string, src []byte, list *finding.List) (*Value, int) {
	src, ok := plainText(file, src, list)
	if !ok {
		return nil, 0
	}
	if isJSON(file, src) {
		return readJSON(file, src, list)
	}
	return readYAML(file, src, list)
}

// isJSON decides by the file name or, if that does not tell, by the first character.
func isJSON(file string, src []byte) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".json", ".jsonc", ".json5":
		return true
	case ".yaml", ".yml":
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(src, " \t\r\n"), []byte("{"))
}

// plainText removes a byte order mark and checks that src is UTF-8.
func plainText(file string, src []byte, list *finding.List) ([]byte, bool) {
	for _, mark := range []string{"\xFF\xFE", "\xFE\xFF", "\x00"} {
		if bytes.HasPrefix(src, []byte(mark)) {
			list.Errorf(finding.Pos{File: file, Line: 1, Col: 1}, "not-utf8", "the file is not UTF-8 (it begins like UTF-16 or UTF-32)").
				SetHint("save it as UTF-8")
			return nil, false
		}
	}
	src = bytes.TrimPrefix(src, []byte("\xEF\xBB\xBF"))
	if utf8.Valid(src) {
		return src, true
	}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size <= 1 {
			list.Errorf(positionAt(file, src, i), "not-utf8", "byte 0x%02X is not UTF-8", src[i]).
				SetHint("save the file as UTF-8")
			break
		}
		i += size
	}
	return nil, false
}

// positionAt returns the place of the byte at offset in src.
func positionAt(file string, src []byte, offset int) finding.Pos {
	t := tracker{file: file, src: src, line: 1, col: 1}
	return t.at(offset)
}

// tracker turns byte offsets into positions. If the offsets of its calls do not
// decrease, a whole file takes linear time.
type tracker struct {
	file      string
	src       []byte
	off       int
	line, col int
}

func (t *tracker) at(offset int) finding.Pos {
	if offset < t.off {
		t.off, t.line, t.col = 0, 1, 1
	}
	for t.off < min(offset, len(t.src)) {
		c := t.src[t.off]
		_, size := utf8.DecodeRune(t.src[t.off:])
		switch {
		case c == '\n', c == '\r' && (t.off+1 == len(t.src) || t.src[t.off+1] != '\n'):
			t.line++
			t.col = 1
		default:
			t.col++
		}
		t.off += size
	}
	return finding.Pos{File: t.file, Line: t.line, Col: t.col}
}
