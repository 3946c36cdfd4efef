package wire

import (
	"encoding/base64"
	"encoding/hex"

	"github.com/google/uuid"
)

// UUID reads a UUID in its canonical form, in either case.
func (d *Decoder) UUID() uuid.UUID {
	return formatted(d, "a UUID", parseUUID)
}

func parseUUID(b []byte) (uuid.UUID, bool) {
	if len(b) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.ParseBytes(b)
	return id, err == nil
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

// Base64 reads bytes in padded base64. An empty string gives an empty slice,
// never nil.
func (d *Decoder) Base64() []byte {
	if d.peek() != '"' {
		d.mismatch("a string")
		return nil
	}
	start := d.pos
	text := d.text()
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	for _, c := range text {
		if c == '\n' || c == '\r' { // the decoder would skip them, and they could not come back
			err = base64.CorruptInputError(0)
		}
	}
	if err != nil {
		d.failAt(start, "contentEncoding", "must be base64")
		return nil
	}
	return out[:n]
}

// Base64 writes bytes in padded base64.
func (e *Encoder) Base64(b []byte) {
	e.buf = append(e.buf, '"')
	e.buf = base64.StdEncoding.AppendEncode(e.buf, b)
	e.buf = append(e.buf, '"')
}
