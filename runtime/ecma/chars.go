package ecma

import "sort"

// chars is a set of characters.
type chars struct {
	ascii  [2]uint64
	ranges []rune // first and last character of each range
	sorted bool
}

func newChars(ranges []rune) chars {
	c := chars{ranges: ranges, sorted: true}
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], 127); r++ {
			c.ascii[r/64] |= 1 << (r % 64)
		}
		c.sorted = c.sorted && (i == 0 || ranges[i-1] < ranges[i])
	}
	return c
}

func (c *chars) has(r rune) bool {
	if 0 <= r && r < 128 {
		return c.ascii[r/64]>>(r%64)&1 == 1
	}
	if c.sorted {
		i := sort.Search(len(c.ranges)/2, func(i int) bool { return r <= c.ranges[2*i+1] })
		return 2*i < len(c.ranges) && c.ranges[2*i] <= r
	}
	for i := 0; i < len(c.ranges); i += 2 {
		if c.ranges[i] <= r && r <= c.ranges[i+1] {
			return true
		}
	}
	return false
}

func isWord(r rune) bool {
	return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '_'
}
