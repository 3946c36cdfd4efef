package logcursor

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Encode packs ascending seqs: for each group of 64 that has any, the distance from the
// group before as a varint, and a bit for each seq.
func Encode(seqs []int64) []byte {
	b := make([]byte, 0, len(seqs)/4+16)
	last := int64(0)
	for i := 0; i < len(seqs); {
		group := seqs[i] >> 6
		var set uint64
		for ; i < len(seqs) && seqs[i]>>6 == group; i++ {
			set |= 1 << (seqs[i] & 63)
		}
		b = binary.AppendUvarint(b, uint64(group-last))
		b = binary.LittleEndian.AppendUint64(b, set)
		last = group
	}
	return b
}

var errAhead = errors.New("the list of settled rows is damaged")

// Decode is the inverse of Encode.
func Decode(b []byte) ([]int64, error) {
	var seqs []int64
	group := int64(0)
	for len(b) > 0 {
		distance, n := binary.Uvarint(b)
		if n <= 0 || len(b) < n+8 || distance > 1<<58 {
			return nil, errAhead
		}
		group += int64(distance)
		for set := binary.LittleEndian.Uint64(b[n:]); set != 0; set &= set - 1 {
			seqs = append(seqs, group<<6|int64(bits.TrailingZeros64(set)))
		}
		b = b[n+8:]
	}
	return seqs, nil
}
