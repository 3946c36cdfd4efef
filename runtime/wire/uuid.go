package wire

import (
	"encoding/binary"
	"encoding/hex"

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
