package schema

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// readYAML parses src, UTF-8 without a byte order mark, as YAML 1.2 with the core
// schema. The library returns nodes with their places; scalars are resolved here,
// because the library follows YAML 1.1.
func readYAML(file string, src []byte, list *finding.List) (*Value, int) {
	if !yamlCharacters(file, src, list) {
		return nil, 0
	}
	src = withoutVersion(src)
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	root, err := decodeNode(decoder)
	switch {
	case errors.Is(err, io.EOF) || err == nil && emptyDocument(root):
		list.Errorf(finding.Pos{File: file, Line: 1, Col: 1}, "yaml-syntax", "the file is empty")
		return nil, 0
	case err != nil:
		list.Add(yamlError(file, src, err))
		return nil, 0
	}
	second, err := decodeNode(decoder)
	switch {
	case err == nil:
		list.Errorf(finding.Pos{File: file, Line: second.Line, Col: second.Column}, "yaml-documents",
			"a second document begins here; a file holds only one")
		return nil, 0
	case !errors.Is(err, io.EOF):
		list.Add(yamlError(file, src, err))
		return nil, 0
	}
	y := &yamlReader{file: file, list: list, done: map[*yaml.Node]converted{}, open: map[*yaml.Node]bool{}}
	v := y.node(root.Content[0], 1)
	if y.failed {
		return nil, y.total
	}
	return v, y.total
}

var yamlVersion = regexp.MustCompile(`\A(?:[ \t]*(?:#.*)?\r?\n)*(%)YAML[ \t]+1\.[0-9]+[ \t]*(?:#.*)?\r?\n`)

// withoutVersion turns the directive with the YAML version into a comment, because the
// library accepts only 1.1.
func withoutVersion(src []byte) []byte {
	at := yamlVersion.FindSubmatchIndex(src)
	if at == nil {
		return src
	}
	src = bytes.Clone(src)
	src[at[2]] = '#'
	return src
}

func emptyDocument(root *yaml.Node) bool {
	if len(root.Content) == 0 {
		return true
	}
	n := root.Content[0]
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0 && n.Anchor == ""
}

// decodeNode reads the next document. A panic of the library on malformed input becomes
// a syntax error of the file.
func decodeNode(decoder *yaml.Decoder) (node *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the YAML parser failed on this file")
		}
	}()
	node = new(yaml.Node)
	if err := decoder.Decode(node); err != nil {
		return nil, err
	}
	return node, nil
}

// yamlCharacters reports characters that YAML does not allow, and the three line breaks
// of YAML 1.1 that are ordinary characters in 1.2: two parsers would disagree about
// lines and text.
func yamlCharacters(file string, src []byte, list *finding.List) bool {
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		switch {
		case r == 0x85 || r == 0x2028 || r == 0x2029:
			list.Errorf(positionAt(file, src, i), "yaml-syntax",
				"U+%04X is a line break in YAML 1.1 but not in 1.2; write it as \"\\u%04x\" in double quotes", r, r)
			return false
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r >= 0x7F && r < 0xA0, r == 0xFFFE, r == 0xFFFF:
			list.Errorf(positionAt(file, src, i), "yaml-syntax",
				"a control character (U+%04X); write it as \"\\u%04x\" in double quotes", r, r)
			return false
		}
		i += size
	}
	return true
}

// converted is the converted value of an anchored node, for its aliases.
type converted struct {
	value *Value
	size  int
	depth int // levels below and including the node
}

type yamlReader struct {
	file     string
	list     *finding.List
	done     map[*yaml.Node]converted // anchored nodes that are complete
	open     map[*yaml.Node]bool      // anchored nodes being read
	total    int
	reported int
	deepest  int // deepest level since the last reset
	failed   bool
}

func (y *yamlReader) pos(n *yaml.Node) finding.Pos {
	return finding.Pos{File: y.file, Line: n.Line, Col: n.Column}
}

// stop reports a problem that ends reading the file.
func (y *yamlReader) stop(pos finding.Pos, id, format string, args ...any) *Value {
	if !y.failed {
		y.list.Errorf(pos, id, format, args...)
	}
	y.failed = true
	return &Value{Pos: pos}
}

// complain reports a problem after which reading continues.
func (y *yamlReader) complain(pos finding.Pos, id, format string, args ...any) {
	if y.reported++; y.reported <= maxSyntaxErrors {
		y.list.Errorf(pos, id, format, args...)
	}
}

// warn reports something that is read as its author meant it.
func (y *yamlReader) warn(pos finding.Pos, id, format string, args ...any) {
	if y.reported++; y.reported <= maxSyntaxErrors {
		y.list.Warnf(pos, id, format, args...)
	}
}

// node returns the value of n; nil if it was reported and nothing is left of it.
func (y *yamlReader) node(n *yaml.Node, depth int) *Value {
	pos := y.pos(n)
	y.total++
	y.deepest = max(y.deepest, depth)
	switch {
	case y.failed:
		return &Value{Pos: pos}
	case depth > maxDepth:
		return y.stop(pos, "too-deep", tooDeep, maxDepth)
	case y.total > maxFileValues:
		return y.stop(pos, "too-many-values", "the file holds more than %d values, counting aliases at each use", maxFileValues)
	case n.Kind == yaml.AliasNode:
		return y.alias(n, pos, depth)
	case n.Anchor == "":
		return y.content(n, pos, depth)
	}
	before, deepest := y.total, y.deepest
	y.open[n] = true
	y.deepest = depth
	v := y.content(n, pos, depth)
	delete(y.open, n)
	y.done[n] = converted{value: v, size: y.total - before + 1, depth: y.deepest - depth + 1}
	y.deepest = max(y.deepest, deepest)
	return v
}

func (y *yamlReader) alias(n *yaml.Node, pos finding.Pos, depth int) *Value {
	if y.open[n.Alias] {
		return y.stop(pos, "yaml-alias", "*%s is used inside the value that it repeats", n.Value)
	}
	target := y.done[n.Alias]
	y.total += target.size - 1
	switch {
	case y.total > maxFileValues:
		return y.stop(pos, "too-many-values", "the file holds more than %d values, counting aliases at each use", maxFileValues)
	case depth+target.depth-1 > maxDepth:
		return y.stop(pos, "too-deep", tooDeep, maxDepth)
	}
	y.deepest = max(y.deepest, depth+target.depth-1)
	return target.value
}

func (y *yamlReader) content(n *yaml.Node, pos finding.Pos, depth int) *Value {
	v := &Value{Pos: pos}
	switch n.Kind {
	case yaml.MappingNode:
		v.Kind = Object
		y.mapping(n, v, depth)
	case yaml.SequenceNode:
		v.Kind = Array
		for _, item := range n.Content {
			if value := y.node(item, depth+1); value != nil {
				v.Items = append(v.Items, value)
			}
		}
	default:
		if !y.scalar(n, v) {
			return nil
		}
	}
	if tag := n.Tag; n.Style&yaml.TaggedStyle != 0 && n.Kind != yaml.ScalarNode && tag != "!!map" && tag != "!!seq" {
		y.complain(pos, "yaml-tag", "the tag %s has no meaning in JSON", finding.Quote(tag))
	}
	return v
}

// scalar sets the kind and content of v. It returns false if a problem was reported.
func (y *yamlReader) scalar(n *yaml.Node, v *Value) bool {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	tagged := n.Style&yaml.TaggedStyle != 0
	if n.Style&quoted != 0 && !tagged || tagged && n.Tag == "!!str" {
		v.Kind, v.Text = String, n.Value
		return true
	}
	if problem := resolvePlain(n.Value, v); problem != "" {
		y.complain(v.Pos, "yaml-number", "%s", problem)
		return false
	}
	if !tagged {
		return true
	}
	want, known := map[string]ValueKind{"!!null": Null, "!!bool": Bool, "!!int": NumberKind, "!!float": NumberKind}[n.Tag]
	switch {
	case !known:
		y.complain(v.Pos, "yaml-tag", "the tag %s has no meaning in JSON", finding.Quote(n.Tag))
	case want != v.Kind:
		y.complain(v.Pos, "yaml-tag", "%s is not valid for the tag %s", finding.Quote(n.Value), n.Tag)
	default:
		return true
	}
	return false
}

func (y *yamlReader) mapping(n *yaml.Node, v *Value, depth int) {
	seen := make(map[string]seenMember, len(n.Content)/2)
	var merged []Member
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; key.Kind == yaml.ScalarNode && key.Style == 0 && key.Value == "<<" {
			merged = append(merged, y.merge(key, n.Content[i+1], depth)...)
			continue
		}
		name, ok := y.key(n.Content[i])
		value := y.node(n.Content[i+1], depth+1)
		if y.failed {
			return
		}
		if !ok || value == nil {
			continue
		}
		m := Member{Name: name, Pos: y.pos(n.Content[i]), Value: value}
		if other, dup := seen[name]; dup {
			if y.reported++; y.reported <= maxSyntaxErrors {
				duplicateMember(y.list, m, other.first)
			}
			v.Members[other.index] = m
			continue
		}
		seen[name] = seenMember{first: m.Pos, index: len(v.Members)}
		v.Members = append(v.Members, m)
	}
	if len(merged) > 0 {
		// Members of the mapping itself win over merged ones, and the first merged one
		// wins.
		merged = slices.DeleteFunc(merged, func(m Member) bool {
			_, has := seen[m.Name]
			seen[m.Name] = seenMember{}
			return has
		})
		v.Members = append(merged, v.Members...)
	}
}

// merge returns the members that a merge key of YAML 1.1 adds to a mapping: those of a
// mapping, or of several.
func (y *yamlReader) merge(key, n *yaml.Node, depth int) []Member {
	value := y.node(n, depth)
	if y.failed || value == nil {
		return nil
	}
	from := []*Value{value}
	if value.Kind == Array {
		from = value.Items
	}
	var members []Member
	for _, v := range from {
		if v.Kind != Object {
			y.complain(v.Pos, "yaml-merge-key", "a merge key (<<) must have a mapping or a list of mappings, not %s", v.Describe())
			continue
		}
		members = append(members, v.Members...)
	}
	y.warn(y.pos(key), "yaml-merge-key", "YAML 1.2 has no merge keys (<<): the members are merged as in YAML 1.1; use allOf with a $ref, which every parser reads in the same way")
	return members
}

// key returns the member name for a mapping key. A number, a boolean or null becomes
// its text.
func (y *yamlReader) key(n *yaml.Node) (string, bool) {
	pos := y.pos(n)
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		y.complain(pos, "yaml-key", "a key must be a string, not a collection; write it as a string")
		return "", false
	}
	v := Value{Pos: pos}
	ok := y.scalar(n, &v)
	if n.Anchor != "" {
		y.done[n] = converted{value: &v, size: 1, depth: 1}
	}
	if ok && v.Kind != String {
		y.warn(pos, "yaml-key", "a key must be a string, but this is %s: it is read as %s; quote it", v.Describe(), finding.Quote(n.Value))
	}
	return n.Value, ok
}
