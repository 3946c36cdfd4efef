package wire

import (
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/format"
)

// Format checks that s has the format with this name, one of those of package format,
// or the encoding 7bit or quoted-printable. Any other name passes.
func Format[S ~string](c *Checker, s S, name string, at ...any) {
	switch name {
	case "7bit", "quoted-printable":
		if !isEncoded(string(s), name) {
			c.Fail("contentEncoding", "must be "+name, at...)
		}
		return
	}
	if !format.Valid(string(s), name) {
		c.Fail("format", "must have the format "+name, at...)
	}
}

// isEncoded reports whether s is valid text of a MIME encoding that is not decoded:
// 7bit or quoted-printable.
func isEncoded(s, encoding string) bool {
	for i := range len(s) {
		if s[i] == 0 || s[i] >= 0x80 {
			return false
		}
	}
	if encoding == "7bit" {
		return true
	}
	_, err := io.Copy(io.Discard, quotedprintable.NewReader(strings.NewReader(s)))
	return err == nil
}
