package ecma

import (
	"regexp"
	"strconv"
	"strings"
)

// Loosely translates a pattern with back references into one that is found
// wherever the pattern is found, and maybe elsewhere: a back reference may be any
// text that its group could be. It is false for a pattern without back references,
// and for one that cannot be read so.
func Loosely(pattern string) (Pattern, bool) {
	p := parser{source: pattern, loosely: true}
	root, err := p.parse()
	if err != nil || p.copied == 0 || p.flagged { // the flags of a group may not be those of a reference to it
		return Pattern{}, false
	}
	found, err := translate(root, false)
	return found, err == nil
}

// maxCopied is how many nodes are read once more for back references.
const maxCopied = 2000

// named notes the name of the group that begins next, from how it opens.
func (p *parser) named(opened string) {
	if p.names == nil {
		p.names = map[string]int{}
	}
	p.names[opened[strings.IndexByte(opened, '<'):]] = len(p.captures)
}

var reference = regexp.MustCompile(`^\\(?:([1-9]\d*)|k(<[^>]*>))`)

// reference reads a back reference. One into a negative look-around cannot be
// taken loosely, as that would forbid more; one to a group that is not closed may
// mean nothing or, in a look-behind, something.
func (p *parser) reference() (*node, error) {
	start := p.pos
	lacks := p.lacks(start, "a back reference")
	found := reference.FindStringSubmatch(p.rest())
	if !p.loosely || p.forbidden > 0 || found == nil {
		return nil, lacks
	}
	index, known := p.names[found[2]]
	if n, err := strconv.Atoi(found[1]); err == nil {
		index, known = n-1, true
	}
	if !known || index >= len(p.captures) || p.captures[index] == nil {
		return nil, lacks
	}
	p.pos += len(found[0])
	body := p.text(p.captures[index])
	if p.copied > maxCopied {
		return nil, lacks
	}
	return &node{kind: group, offset: start, text: "(?:", subs: []*node{{kind: repeat, offset: start, min: 0, max: 1, subs: []*node{body}}}}, nil
}

// text is n without what it says of the text around it: that was true where n was
// found, and need not be where it is found again.
func (p *parser) text(n *node) *node {
	if p.copied++; p.copied > maxCopied {
		return n
	}
	switch n.kind {
	case begin, end, word, look:
		return &node{kind: group, offset: n.offset, text: "(?:", subs: []*node{sequence()}}
	case set, flags, seq, alt, group, repeat:
	}
	m := *n
	m.subs = nil
	for _, sub := range n.subs {
		m.subs = append(m.subs, p.text(sub))
	}
	return &m
}
