package ecma

import "slices"

// chars is a set of characters.
type chars struct {
	ascii  [2]uint64
	ranges []rune // first and last character of each range, in order
}

func newChars(ranges []rune) chars {
	c := chars{ranges: slices.Sorted(slices.Values(ranges))} // those of a letter in both cases have no order
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], 127); r++ {
			c.ascii[r/64] |= 1 << (r % 64)
		}
	}
	return c
}

func (c *chars) has(r rune) bool {
	if 0 <= r && r < 128 {
		return c.ascii[r/64]>>(r%64)&1 == 1
	}
	i, found := slices.BinarySearch(c.ranges, r)
	return found || i%2 == 1 // behind the first of a range, and not behind its last
}

func isWord(r rune) bool {
	return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '_'
}
