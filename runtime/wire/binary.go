package wire

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Base64 reads bytes in padded base64. The result is never nil, except after a
// violation.
func (d *Decoder) Base64() []byte { return d.encoded("base64", nil) }

// Base64URL reads bytes in URL-safe base64, with or without padding. The result is
// never nil, except after a violation.
func (d *Decoder) Base64URL() []byte {
	return d.encoded("base64url", base64.URLEncoding.EncodeToString)
}

// Base32 reads bytes in padded base32. The result is never nil, except after a
// violation.
func (d *Decoder) Base32() []byte { return d.encoded("base32", nil) }

// Base16 reads bytes as hexadecimal digits in either case. The result is never nil,
// except after a violation.
func (d *Decoder) Base16() []byte { return d.encoded("base16", upperHex) }

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// encoded reads bytes. usual returns how they are written; nil if there is only one
// form.
func (d *Decoder) encoded(encoding string, usual func([]byte) string) []byte {
	if d.peek() != '"' {
		d.mismatch("a string")
		return nil
	}
	start := d.pos
	text := string(d.text())
	out, ok := decodeBytes(text, encoding)
	if !ok {
		d.failAt(start, "contentEncoding", "must be "+encoding)
		return nil
	}
	if usual != nil && usual(out) != text {
		d.unusual = append(d.unusual, unusual{start, usual(out)})
	}
	return append([]byte{}, out...)
}

// decodeBytes decodes text if encoding it again gives the same text.
func decodeBytes(text, encoding string) (b []byte, ok bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false // which the decoders ignore
	}
	var err error
	switch {
	case encoding == "base64":
		b, err = base64.StdEncoding.Strict().DecodeString(text)
	case encoding == "base64url" && strings.HasSuffix(text, "="):
		b, err = base64.URLEncoding.Strict().DecodeString(text)
	case encoding == "base64url":
		b, err = base64.RawURLEncoding.Strict().DecodeString(text)
	case encoding == "base32":
		b, err = base32.StdEncoding.DecodeString(text)
		if base32.StdEncoding.EncodeToString(b) != text {
			return nil, false // unused bits that are not zero
		}
	default:
		b, err = hex.DecodeString(text)
	}
	return b, err == nil
}

// Base64 writes bytes in padded base64.
func (e *Encoder) Base64(b []byte) {
	e.buf = append(e.buf, '"')
	e.buf = base64.StdEncoding.AppendEncode(e.buf, b)
	e.buf = append(e.buf, '"')
}

// Base64URL writes bytes in the padded base64 of URLs.
func (e *Encoder) Base64URL(b []byte) {
	e.buf = append(e.buf, '"')
	e.buf = base64.URLEncoding.AppendEncode(e.buf, b)
	e.buf = append(e.buf, '"')
}

// Base32 writes bytes in padded base32.
func (e *Encoder) Base32(b []byte) {
	e.buf = append(e.buf, '"')
	e.buf = base32.StdEncoding.AppendEncode(e.buf, b)
	e.buf = append(e.buf, '"')
}

// Base16 writes bytes as hexadecimal digits, in upper case.
func (e *Encoder) Base16(b []byte) { e.String(upperHex(b)) }
