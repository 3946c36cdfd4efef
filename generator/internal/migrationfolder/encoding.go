package migrationfolder

import (
	"bytes"
	"encoding/binary"
	"os"
	"unicode/utf16"
	"unicode/utf8"
)

// readSQL reads a file as UTF-8 with the line ends of Unix or Windows, whatever wrote
// it. Like psql, it removes the byte order mark that some editors write.
func readSQL(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	content = inUTF8(content)
	if newLines := bytes.Count(content, []byte("\n")); newLines < bytes.Count(content, []byte("\r")) {
		content = bytes.ReplaceAll(content, []byte("\r"), []byte("\n")) // as on an old Macintosh
	}
	return content, nil
}

// inUTF8 returns a text in UTF-8. A text that is neither UTF-8 nor UTF-16 is read as
// Latin-1.
func inUTF8(content []byte) []byte {
	switch {
	case bytes.HasPrefix(content, []byte("\xFF\xFE")):
		return fromUTF16(content[2:], binary.LittleEndian)
	case bytes.HasPrefix(content, []byte("\xFE\xFF")):
		return fromUTF16(content[2:], binary.BigEndian)
	case len(content) > 3 && content[0] != 0 && content[1] == 0 && content[2] != 0 && content[3] == 0:
		return fromUTF16(content, binary.LittleEndian)
	case len(content) > 3 && content[0] == 0 && content[1] != 0 && content[2] == 0 && content[3] != 0:
		return fromUTF16(content, binary.BigEndian)
	}
	content = bytes.TrimPrefix(content, []byte("\xEF\xBB\xBF"))
	if utf8.Valid(content) {
		return content
	}
	var all []byte
	for len(content) > 0 {
		r, size := utf8.DecodeRune(content)
		if r == utf8.RuneError && size == 1 {
			r = rune(content[0])
		}
		all = utf8.AppendRune(all, r)
		content = content[size:]
	}
	return all
}

func fromUTF16(content []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(content)/2)
	for i := range units {
		units[i] = order.Uint16(content[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}
