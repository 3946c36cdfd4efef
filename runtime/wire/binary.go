package wire

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// UUID reads a UUID in its canonical form, in either case.
func (d *Decoder) UUID() uuid.UUID {
	if d.peek() != '"' {
		d.mismatch("a string")
		return uuid.Nil
	}
	start := d.pos
	text := d.text()
	id, ok := parseUUID(text)
	switch {
	case !ok:
		d.failAt(start, "format", "must be a UUID")
	case hasUpper(text):
		d.unusual = append(d.unusual, unusual{start, id.String()})
	}
	return id
}

func parseUUID(b []byte) (uuid.UUID, bool) {
	if len(b) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.ParseBytes(b)
	return id, err == nil
}

// hasUpper reports whether a UUID has upper-case letters: bytes with the bit of letters
// and without that of lower case.
func hasUpper(text []byte) bool {
	const letter, lower = 0x4040404040404040, 0x2020202020202020
	found := uint64(0)
	for _, at := range [...]int{0, 8, 16, 24, 28} {
		eight := binary.LittleEndian.Uint64(text[at:])
		found |= eight & letter &^ (eight & lower << 1)
	}
	return found != 0
}

// UUID writes a UUID in its canonical form.
func (e *Encoder) UUID(id uuid.UUID) {
	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, text[:]...)
	e.buf = append(e.buf, '"')
}

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
